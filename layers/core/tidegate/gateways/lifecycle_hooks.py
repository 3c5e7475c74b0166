"""Amazon EC2 Auto Scaling: lifecycle hooks, instances that wait at them, and processes (AWS: "Lifecycle hooks").

Hooks have no notification target: Auto Scaling tells of them on the event bus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code
from tidegate.gateways.scaling_refusals import Refusals
from tidegate.model.deployment import ErrorCode
from tidegate.model.scaling import ScalingFault, ScalingGroup

#: Seconds that an instance waits without a heartbeat, and what becomes of it then; as CodeDeploy's own hooks have them.
TIMEOUT: Final = 600
DEFAULT_RESULT: Final = "ABANDON"
_REFUSALS: Final = Refusals(
    ScalingFault,
    denied="Allow it in the policies of the account, or in those of the stack's functions.",
    invalid=ErrorCode.AUTO_SCALING_CONFIGURATION,
    remedy="If the hook is broken, take the Auto Scaling group out of the deployment group and put it back.",
)


class LifecycleHooks:
    """Hooks, waiting instances and processes of the account's Auto Scaling groups."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def groups(self, names: Sequence[str], *, pools: bool = False) -> dict[str, ScalingGroup]:
        """Auto Scaling groups by name, unknown ones left out; with the instances of their warm pools where asked."""
        if not names:
            return {}
        found: dict[str, ScalingGroup] = {}
        with _REFUSALS.told(f"describing the Auto Scaling groups {', '.join(names)}"):
            pages = self._client.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=list(names)
            )
            for page in pages:
                for group in page["AutoScalingGroups"]:
                    states = {each["InstanceId"]: each["LifecycleState"] for each in group.get("Instances", ())}
                    if pools and group.get("WarmPoolConfiguration"):
                        states |= self._warm_pool(group["AutoScalingGroupName"])
                    suspended = frozenset(each["ProcessName"] for each in group.get("SuspendedProcesses", ()))
                    found[group["AutoScalingGroupName"]] = ScalingGroup(states, suspended)
        return found

    def _warm_pool(self, name: str) -> dict[str, str]:
        states: dict[str, str] = {}
        pages = self._client.get_paginator("describe_warm_pool").paginate(AutoScalingGroupName=name)
        for page in pages:
            states |= {each["InstanceId"]: each["LifecycleState"] for each in page.get("Instances", ())}
        return states

    def names(self, scaling_group: str) -> list[str]:
        """The names of all hooks of an Auto Scaling group."""
        with _REFUSALS.told(f"describing the hooks of the Auto Scaling group {scaling_group}"):
            found = self._client.describe_lifecycle_hooks(AutoScalingGroupName=scaling_group)
        return [each["LifecycleHookName"] for each in found["LifecycleHooks"]]

    def put(self, scaling_group: str, name: str, transition: str, about: Mapping[str, str]) -> None:
        """Put a hook, or put it right; ``about`` travels with its events, for people who read them."""
        with _REFUSALS.told(f"putting the hook {name} on the Auto Scaling group {scaling_group}"):
            self._client.put_lifecycle_hook(
                AutoScalingGroupName=scaling_group,
                LifecycleHookName=name,
                LifecycleTransition=transition,
                HeartbeatTimeout=TIMEOUT,
                DefaultResult=DEFAULT_RESULT,
                NotificationMetadata=json.dumps(about),
            )

    def delete(self, scaling_group: str, name: str) -> None:
        """Delete a hook; one that is not there, also for want of its Auto Scaling group, is fine."""
        with _REFUSALS.told(f"deleting the hook {name} of the Auto Scaling group {scaling_group}"):
            try:
                self._client.delete_lifecycle_hook(AutoScalingGroupName=scaling_group, LifecycleHookName=name)
            except ClientError as error:
                if error_code(error) != "ValidationError":
                    raise

    def complete(self, scaling_group: str, hook: str, instance_id: str, token: str, *, go_on: bool) -> bool:
        """Let a waiting instance go on, or abandon it; False where it waits no more."""
        result = "CONTINUE" if go_on else "ABANDON"
        with _REFUSALS.told(f"completing the lifecycle action of {instance_id} at the hook {hook}"), _waits() as wait:
            self._client.complete_lifecycle_action(
                AutoScalingGroupName=scaling_group,
                LifecycleHookName=hook,
                InstanceId=instance_id,
                LifecycleActionResult=result,
                **_token(token),
            )
        return wait.there

    def heartbeat(self, scaling_group: str, hook: str, instance_id: str, token: str) -> bool:
        """Keep an instance waiting for another while; False where it waits no more."""
        with _REFUSALS.told(f"keeping {instance_id} waiting at the hook {hook}"), _waits() as wait:
            self._client.record_lifecycle_action_heartbeat(
                AutoScalingGroupName=scaling_group, LifecycleHookName=hook, InstanceId=instance_id, **_token(token)
            )
        return wait.there

    def suspend(self, scaling_group: str, processes: Sequence[str]) -> None:
        """Suspend processes; those that are suspended stay so."""
        with _REFUSALS.told(f"suspending {', '.join(processes)} of the Auto Scaling group {scaling_group}"):
            self._client.suspend_processes(AutoScalingGroupName=scaling_group, ScalingProcesses=list(processes))

    def resume(self, scaling_group: str, processes: Sequence[str]) -> None:
        """Resume processes; those that run stay so."""
        with _REFUSALS.told(f"resuming {', '.join(processes)} of the Auto Scaling group {scaling_group}"):
            self._client.resume_processes(AutoScalingGroupName=scaling_group, ScalingProcesses=list(processes))


def _token(token: str) -> dict[str, str]:
    return {"LifecycleActionToken": token} if token else {}


@dataclass
class _Wait:
    there: bool = True


@contextmanager
def _waits() -> Iterator[_Wait]:
    """Whether the instance still waits: Auto Scaling calls it an invalid request where it does not."""
    wait = _Wait()
    try:
        yield wait
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        if error_code(error) != "ValidationError" or "No active Lifecycle Action" not in message:
            raise
        wait.there = False
