"""What the stack's parameters say, as every function gets them in its environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.gateways.service_roles import RoleSettings
from tidegate.model.deployment import PREVIOUS_REVISION_EVENTS, is_blue_green
from tidegate.model.scaling import LAUNCH_CREATOR
from tidegate.rollout.rules import Rules
from tidegate.rollout.way import AFTER_ALLOW, AFTER_BLOCK, BEFORE_ALLOW, BEFORE_BLOCK

TRAFFIC_EVENTS = (*BEFORE_BLOCK, *AFTER_BLOCK, *BEFORE_ALLOW, *AFTER_ALLOW)

#: Where the runner layer is unpacked on Lambda.
_RUNNER_ARCHIVE = "/opt/runner/tidegate_runner.zip"


class SettingError(Exception):
    """A setting is missing or cannot be read; names it and what is expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The stack's parameters, as the template hands them to every function. Durations in seconds."""

    table: str
    bucket: str
    machine_arn: str
    document: str
    region: str
    revision_buckets: tuple[str, ...]
    opt_in_tag: tuple[str, str]
    heartbeat: float
    heartbeat_floor: float
    undelivered_after: float
    host_event: float
    drain: float
    balancer: float
    balancer_interval: float
    deployment: float
    agent: float
    blue_green: float
    provisioning: float
    passes_per_execution: int
    max_instances: int
    github_api_url: str
    github_secrets: str
    service_roles: RoleSettings
    runner_archive: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises
        ------
        SettingError
            One is missing or is not a number.
        """

        def text(name: str) -> str:
            if not env.get(name):
                raise SettingError(f"The environment variable {name} is not set; the template sets it.")
            return env[name]

        def number(name: str) -> float:
            try:
                return float(text(name))
            except ValueError as error:
                raise SettingError(f"The variable {name} is {env[name]!r}; a number is expected.") from error

        return cls(
            table=text("TIDEGATE_TABLE"),
            bucket=text("TIDEGATE_BUCKET"),
            machine_arn=text("TIDEGATE_MACHINE_ARN"),
            document=text("TIDEGATE_DOCUMENT"),
            region=text("AWS_REGION"),
            revision_buckets=tuple(filter(None, text("TIDEGATE_REVISION_BUCKETS").split(","))),
            opt_in_tag=(text("TIDEGATE_OPT_IN_TAG_KEY"), text("TIDEGATE_OPT_IN_TAG_VALUE")),
            heartbeat=number("TIDEGATE_HEARTBEAT_SECONDS"),
            heartbeat_floor=number("TIDEGATE_HEARTBEAT_FLOOR_SECONDS"),
            undelivered_after=number("TIDEGATE_UNDELIVERED_AFTER_SECONDS"),
            host_event=number("TIDEGATE_HOST_EVENT_SECONDS"),
            drain=number("TIDEGATE_DRAIN_SECONDS"),
            balancer=number("TIDEGATE_BALANCER_SECONDS"),
            balancer_interval=number("TIDEGATE_BALANCER_INTERVAL_SECONDS"),
            deployment=number("TIDEGATE_DEPLOYMENT_SECONDS"),
            agent=number("TIDEGATE_AGENT_SECONDS"),
            blue_green=number("TIDEGATE_BLUE_GREEN_SECONDS"),
            provisioning=number("TIDEGATE_PROVISIONING_SECONDS"),
            passes_per_execution=int(number("TIDEGATE_PASSES_PER_EXECUTION")),
            max_instances=int(number("TIDEGATE_MAX_INSTANCES")),
            github_api_url=text("TIDEGATE_GITHUB_API_URL"),
            github_secrets=text("TIDEGATE_GITHUB_SECRETS"),
            service_roles=RoleSettings(
                always=text("TIDEGATE_ACT_AS_SERVICE_ROLE") == "always",
                allowed=tuple(text("TIDEGATE_SERVICE_ROLE_ARNS").split(",")),
                external_id=env.get("TIDEGATE_SERVICE_ROLE_EXTERNAL_ID", ""),
            ),
            runner_archive=Path(env.get("TIDEGATE_RUNNER_ARCHIVE", _RUNNER_ARCHIVE)),
        )

    @property
    def account(self) -> str:
        """The account's id, as the machine's ARN has it."""
        return self.machine_arn.split(":")[4]

    def instance_arn(self, instance_id: str) -> str:
        """ARN of an instance, as targets show it."""
        partition = self.machine_arn.split(":")[1]
        return f"arn:{partition}:ec2:{self.region}:{self.account}:instance/{instance_id}"

    def stage_limit_of(self, deployment: Mapping[str, Any]) -> Callable[[Sequence[str]], float]:
        """How long a deployment's events may take on a host once they are sent, in seconds."""
        hooks = deployment.get("hookSeconds") or {}
        return lambda events: self.undelivered_after + stage_limit(hooks, list(events), self.host_event)

    def rules(self, deployment: Mapping[str, Any]) -> Rules:
        """The limits one deployment is judged by."""
        hooks, events = deployment.get("hookSeconds") or {}, tuple(deployment.get("events") or ())
        stage = stage_limit(hooks, events, self.host_event)
        traffic = self._traffic_limit(hooks) if deployment.get("balancers") else 0
        return Rules(
            started_at=deployment.get("startTime") or deployment["createTime"],
            undelivered_after=self.undelivered_after,
            stage_limit=self.undelivered_after + stage,
            drain_limit=min(self.drain, self.undelivered_after * 2 + stage * 2 + traffic),
            total_limit=self.blue_green if is_blue_green(deployment) else self.deployment,
            heartbeat_floor=min(self.heartbeat_floor, self.heartbeat),
            heartbeat_ceiling=self.heartbeat,
            balancer_interval=self.balancer_interval,
            revived_at=deployment.get("revivedTime", 0.0),
            # A new instance's agent registers when the instance has booted.
            unreachable_after=self.agent if deployment.get("creator") == LAUNCH_CREATOR else 0.0,
        )

    def _traffic_limit(self, hooks: Mapping[str, int]) -> float:
        """Longest that the turns of balancers, and the events around them, may add to a target's way."""
        scripts = stage_limit(hooks, list(TRAFFIC_EVENTS), self.host_event)
        return 2 * (self.balancer + scripts + 2 * self.undelivered_after)


def stage_limit(hook_seconds: Mapping[str, int], events: tuple[str, ...] | list[str], host_event: float) -> float:
    """Longest a host may need for its events: the AppSpec's own timeouts, an event's limit where it has none.

    Events whose scripts are an earlier revision's, and those without scripts of their own (DownloadBundle,
    Install), are given the whole ``host_event`` seconds.

    >>> stage_limit({"AfterInstall": 30}, ["DownloadBundle", "AfterInstall", "ValidateService"], 3600)
    3630
    """
    total: float = 0
    for event in events:
        if event in PREVIOUS_REVISION_EVENTS or event in ("DownloadBundle", "Install"):
            total += host_event
        else:
            total += min(hook_seconds.get(event, 0), host_event)
    return total
