"""Instances that Auto Scaling holds at a hook: a deployment is made for each, and lets it go on when it has ended.

An action is told by an event, which may come twice, late or never, and is found by the sweep otherwise. Each instance
has one lock in its group, taken with the deployment in one transaction: it tells a repeat from another wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tidegate.model.deployment import TERMINAL, ErrorCode
from tidegate.model.ledger import Closing
from tidegate.model.names import revision_key
from tidegate.model.scaling import WARM_POOL, LifecycleAction, ScalingFault, Transition, let_go, of_deployment
from tidegate.store.deployment_items import OVERVIEW
from tidegate.store.errors import DeploymentCompletedError, DeploymentExistsError, InstanceBusyError

if TYPE_CHECKING:
    from tidegate.runtime import Runtime
    from tidegate.store.table import Item

#: Who calls, in the deployments that are made.
CALLER: Final = "autoscaling.amazonaws.com"
_DRAWS: Final = 3
_ANSWERED_WITHIN: Final = 1200.0  # twice what a hook holds without a heartbeat
_FROM_GROUP: Final = ("loadBalancerInfo", "serviceRoleArn")


class TryAgainError(Exception):
    """Not now: the message has to come again."""


def take_up(group: Item, action: LifecycleAction, runtime: Runtime) -> str:
    """Do what an instance at a hook waits for; repeating it does nothing more.

    Parameters
    ----------
    group : the item of the deployment group whose hook it is

    Returns
    -------
    A word for what was done: ``stale``, ``repeated``, ``continued``, ``deployed``.

    Raises
    ------
    TryAgainError
        An earlier deployment of the instance has to end first.
    ScalingFault
        Auto Scaling refuses.
    """
    if group.get("hooks", {}).get(action.scaling_group, {}).get(action.transition.member) != action.hook:
        return "stale"
    runtime.acting.act_for(group["info"].get("serviceRoleArn"), group["deploymentGroupId"])
    lock = runtime.scaled_groups.lock(group["deploymentGroupId"], action.instance_id)
    if lock is not None:
        known = runtime.deployments.get(lock["deploymentId"])
        if _is_repeat(lock, known, action):
            _carry_on(known, runtime)
            return "repeated"
        if _is_of_an_earlier_wait(action, known):
            return "stale"
        if "live" in lock:
            return _make_way(known, action, runtime)
    if not _is_worth_deploying(group, action, runtime):
        runtime.lifecycle_hooks.complete(
            action.scaling_group, action.hook, action.instance_id, action.token, go_on=True
        )
        return "continued"
    with suppress(ScalingFault):  # what stands in the way is the deployment's to say
        if not _still_waits(action, runtime):
            return "stale"
    made = _record(group, action, runtime, after=lock["deploymentId"] if lock else "")
    runtime.executions.start(made["deploymentId"], made["generation"])
    return "deployed"


def complete(deployment: Mapping[str, Any], runtime: Runtime) -> bool:
    """Let the instance of an ended deployment go on, or abandon it; whether it waited, for one that does not is fine.

    Raises
    ------
    ScalingFault
        Auto Scaling refuses. Nothing of the deployment changes by it any more: the sweep tries again.
    """
    action = of_deployment(deployment)
    return action is not None and runtime.lifecycle_hooks.complete(
        action.scaling_group, action.hook, action.instance_id, action.token, go_on=let_go(deployment)
    )


def keep_waiting(deployment: Mapping[str, Any], runtime: Runtime, now: float) -> Closing | None:
    """Keep the deployment's instance at its hook; why the deployment is to end where that cannot be."""
    action = of_deployment(deployment)
    if action is None:
        return None
    try:
        waits = runtime.lifecycle_hooks.heartbeat(action.scaling_group, action.hook, action.instance_id, action.token)
    except ScalingFault as fault:
        return Closing("Failed", fault.code, fault.message, now)
    if waits:
        return None
    reason = (
        f"{action.instance_id} no longer waits at the hook {action.hook} of the Auto Scaling group "
        f"{action.scaling_group}: it was ended, or somebody completed its lifecycle action. Nothing more is begun."
    )
    return Closing("Failed", ErrorCode.AUTO_SCALING_CONFIGURATION, reason, now)


def _is_repeat(lock: Item, known: Mapping[str, Any], action: LifecycleAction) -> bool:
    """Whether the wait is the one that the lock's deployment was made for."""
    if lock["key"] == action.key and not action.found:
        return True
    of_known = of_deployment(known)
    if of_known is None or of_known.transition is not action.transition:
        return False
    if action.found:
        # After a while it is another wait: no answer that was lost holds an instance for so long.
        recent = action.time - lock.get("endTime", 0.0) < _ANSWERED_WITHIN
        return "live" in lock or (recent and _goes_the_same_way(of_known, action))
    # The event of a wait that the sweep found first. It tells whole seconds: one of the next wait may seem as old.
    seems_so = "live" in lock or action.time <= lock.get("endTime", 0.0)
    return of_known.found and seems_so and _goes_the_same_way(of_known, action)


def _is_of_an_earlier_wait(action: LifecycleAction, known: Mapping[str, Any]) -> bool:
    """Whether an event is older than the wait that the instance's last deployment was made for; it tells whole seconds.

    It would be found stale by asking Auto Scaling too, where that answers.
    """
    last = of_deployment(known)
    return not action.found and last is not None and action.time < int(last.time)


def _goes_the_same_way(one: LifecycleAction, other: LifecycleAction) -> bool:
    """Whether two of a transition lead into the warm pool, or neither does; of who leaves a state does not tell it."""
    into_pool = one.destination == WARM_POOL, other.destination == WARM_POOL
    return one.transition is Transition.TERMINATING or into_pool[0] == into_pool[1]


def _carry_on(known: Mapping[str, Any], runtime: Runtime) -> None:
    """Whoever was first may have died between the record and the start, or between the end and the answer."""
    if known["status"] in TERMINAL:
        if complete(known, runtime):
            runtime.live_marks.put(known)  # what follows its end waited for this: the sweep looks again
    elif known["status"] == "Created":
        runtime.executions.start(known["deploymentId"], known["generation"])


def _make_way(known: Mapping[str, Any], action: LifecycleAction, runtime: Runtime) -> str:
    """An instance that is to leave, or comes again, needs its earlier deployment no more.

    An event that comes so late that its wait is over is ``stale``: the live deployment may be of the wait that came
    after it, and is left alone.
    """
    if not _still_waits(action, runtime):
        return "stale"
    with suppress(DeploymentCompletedError):
        runtime.deployments.request_stop(known["deploymentId"], now=runtime.clock(), auto_rollback=False, by=CALLER)
        runtime.signals.signal(known["deploymentId"])
    raise TryAgainError(f"Deployment {known['deploymentId']} of {action.instance_id} has to end first.")


def _still_waits(action: LifecycleAction, runtime: Runtime) -> bool:
    """Whether the wait stands, which an event may outlast; if so it is kept up: what is to come takes its time."""
    return runtime.lifecycle_hooks.heartbeat(action.scaling_group, action.hook, action.instance_id, action.token)


def _is_worth_deploying(group: Item, action: LifecycleAction, runtime: Runtime) -> bool:
    """Whether there is something to do for the instance before it goes on (decision 013)."""
    good = group.get("lastGood")
    if not good:
        return False
    if action.transition is Transition.TERMINATING:
        return action.origin != WARM_POOL  # it has no traffic there, and may be stopped
    if action.origin != WARM_POOL:
        return True
    known = runtime.targets.health(group["deploymentGroupId"]).get(action.instance_id)
    return known is None or not known.healthy or known.revision_key != good["revisionKey"]


def _record(group: Item, action: LifecycleAction, runtime: Runtime, after: str) -> Item:
    for draw in range(_DRAWS):
        deployment = _deployment(group, action, runtime.new_deployment_id(), runtime.clock())
        try:
            return runtime.deployments.create_for_instance(deployment, key=action.key, after=after)
        except DeploymentExistsError:
            if draw == _DRAWS - 1:
                raise
        except InstanceBusyError as error:
            raise TryAgainError(str(error)) from error
    raise AssertionError("the loop returns or raises")


def _deployment(group: Item, action: LifecycleAction, deployment_id: str, now: float) -> dict[str, Any]:
    """The deployment of the group's last good revision to one instance: no alarms gate it, nothing rolls it back."""
    info, good = group["info"], group["lastGood"]
    option = (info.get("deploymentStyle") or {}).get("deploymentOption", "WITHOUT_TRAFFIC_CONTROL")
    verb = "launched" if action.transition is Transition.LAUNCHING else "is to end"
    found = {
        "deploymentId": deployment_id,
        "applicationName": info["applicationName"],
        "deploymentGroupName": info["deploymentGroupName"],
        "deploymentGroupId": group["deploymentGroupId"],
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "minimum": {"type": "MOST_CONCURRENCY", "value": 1},
        "computePlatform": "Server",
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": option},
        "location": good["location"],
        "revisionKey": good.get("revisionKey") or revision_key(good["location"]),
        "status": "Created",
        "creator": action.transition.creator,
        "description": f"Auto Scaling {verb} {action.instance_id} of the Auto Scaling group {action.scaling_group}",
        "createTime": now,
        "fileExistsBehavior": good.get("fileExistsBehavior", "DISALLOW"),
        "ignoreApplicationStopFailures": False,
        "updateOutdatedInstancesOnly": False,
        "autoRollback": {"enabled": False, "events": []},
        "overview": dict.fromkeys(OVERVIEW, 0),
        "generation": 1,
        "caller": CALLER,
        "scaling": action.to_item(),
    }
    if info.get("triggerConfigurations"):
        found["triggers"] = info["triggerConfigurations"]
    return found | {name: info[name] for name in _FROM_GROUP if info.get(name)}
