"""Wires a handler: settings, logger, ports. The one place that reads the environment, the clock and randomness."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from tidegate.model.deployment import PREVIOUS_REVISION_EVENTS, TERMINAL
from tidegate.model.names import new_deployment_id
from tidegate.rollout.rules import Rules
from tidegate.rollout.way import AFTER_ALLOW, AFTER_BLOCK, BEFORE_ALLOW, BEFORE_BLOCK
from tidegate.store.commands import Commands
from tidegate.store.deployments import Deployments
from tidegate.store.errors import StaleGenerationError
from tidegate.store.groups import Groups
from tidegate.store.ledgers import Ledgers
from tidegate.store.signals import Signals
from tidegate.store.table import Table
from tidegate.store.targets import Targets

if TYPE_CHECKING:
    from tidegate.gateways.aliases import Aliases
    from tidegate.gateways.balancers import Balancers
    from tidegate.gateways.bundles import Bundles
    from tidegate.gateways.ecs_services import EcsServices
    from tidegate.gateways.executions import Executions
    from tidegate.gateways.github_bundles import GitHubBundles
    from tidegate.gateways.github_tokens import GitHubTokens
    from tidegate.gateways.instances import Instances
    from tidegate.gateways.logs import Logs
    from tidegate.gateways.nodes import Nodes
    from tidegate.gateways.orders import Orders
    from tidegate.gateways.progress import Progress
    from tidegate.gateways.run_command import RunCommand

State = dict[str, Any]

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
    github_api_url: str
    github_secrets: str
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
            github_api_url=text("TIDEGATE_GITHUB_API_URL"),
            github_secrets=text("TIDEGATE_GITHUB_SECRETS"),
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
            total_limit=self.deployment,
            heartbeat_floor=min(self.heartbeat_floor, self.heartbeat),
            heartbeat_ceiling=self.heartbeat,
            balancer_interval=self.balancer_interval,
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


class Runtime:
    """A function's ports, each made when first used: a handler pays at cold start only for what it calls."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self.settings = Settings.from_env(os.environ if env is None else env)
        self.clock: Callable[[], float] = time.time

    @staticmethod
    def new_deployment_id() -> str:
        """An id for a new deployment."""
        return new_deployment_id(secrets.choice)

    @staticmethod
    def new_uuid() -> str:
        """An id for an application, group or configuration."""
        return str(uuid.uuid4())

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.Session(region_name=self.settings.region)

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        # SigV4 and the regional host for S3: pre-signed URLs must work from anywhere, also in opt-in Regions.
        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=5,
            read_timeout=60,
            signature_version="s3v4" if service == "s3" else None,
            s3={"us_east_1_regional_endpoint": "regional"} if service == "s3" else None,
        )
        return self._session.client(service, config=config)

    @cached_property
    def _s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def table(self) -> Table:
        """The table of everything."""
        from tidegate.store.dynamodb import DynamoTable

        return DynamoTable(self._client("dynamodb"), self.settings.table)

    @cached_property
    def deployments(self) -> Deployments:
        """Deployments."""
        return Deployments(self.table)

    @cached_property
    def groups(self) -> Groups:
        """Deployment groups."""
        return Groups(self.table)

    @cached_property
    def ledgers(self) -> Ledgers:
        """Ledgers and rosters."""
        return Ledgers(self.table)

    @cached_property
    def targets(self) -> Targets:
        """Projections, the report, health."""
        return Targets(self.table)

    @cached_property
    def commands(self) -> Commands:
        """Which command belongs to which deployment."""
        return Commands(self.table)

    @cached_property
    def signals(self) -> Signals:
        """Signals and parked tokens."""
        return Signals(self.table, self.executions)

    @cached_property
    def executions(self) -> Executions:
        """The state machine."""
        from tidegate.gateways.executions import Executions

        return Executions(self._client("stepfunctions"), self.settings.machine_arn)

    @cached_property
    def run_command(self) -> RunCommand:
        """SSM Run Command."""
        from tidegate.gateways.run_command import RunCommand

        return RunCommand(self._client("ssm"), self.settings.document)

    @cached_property
    def instances(self) -> Instances:
        """EC2 instances."""
        from tidegate.gateways.instances import Instances

        return Instances(self._client("ec2"))

    @cached_property
    def nodes(self) -> Nodes:
        """Managed nodes that are no EC2 instances."""
        from tidegate.gateways.nodes import Nodes

        return Nodes(self._client("ssm"), self.settings.opt_in_tag)

    @cached_property
    def balancers(self) -> Balancers:
        """Target groups and Classic Load Balancers."""
        from tidegate.gateways.balancers import Balancers

        return Balancers(self._client)

    @cached_property
    def bundles(self) -> Bundles:
        """Revisions' bundles."""
        from tidegate.gateways.bundles import Bundles

        return Bundles(self._s3, self.settings.bucket)

    @cached_property
    def github_tokens(self) -> GitHubTokens:
        """Tokens of GitHub accounts."""
        from tidegate.gateways.github_tokens import GitHubTokens

        return GitHubTokens(self._client("secretsmanager"), self.settings.github_secrets)

    @cached_property
    def github_bundles(self) -> GitHubBundles:
        """Bundles of revisions that lie on GitHub."""
        from tidegate.gateways.github import GitHub
        from tidegate.gateways.github_bundles import GitHubBundles

        github = GitHub(self.settings.github_api_url, clock=self.clock)
        return GitHubBundles(self._s3, self.settings.bucket, github, self.github_tokens)

    @cached_property
    def aliases(self) -> Aliases:
        """Lambda aliases."""
        from tidegate.gateways.aliases import Aliases

        return Aliases(self._client("lambda"))

    @cached_property
    def ecs_services(self) -> EcsServices:
        """Amazon ECS services."""
        from tidegate.gateways.ecs_services import EcsServices

        return EcsServices(self._client("ecs"))

    @cached_property
    def orders(self) -> Orders:
        """Orders for hosts."""
        from tidegate.gateways.orders import Orders

        return Orders(self._s3, self.settings.bucket, self.settings.runner_archive)

    @cached_property
    def progress(self) -> Progress:
        """Hosts' progress."""
        from tidegate.gateways.progress import Progress

        return Progress(self._s3, self.settings.bucket)

    @cached_property
    def logs(self) -> Logs:
        """What hosts' events print."""
        from tidegate.gateways.logs import Logs

        return Logs(self._s3, self.settings.bucket)

    def own_deployment(self, state: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The deployment that an execution works on, or None where it is no longer this execution's.

        A version condition is not a fence: an execution that has been succeeded must end without another effect.
        """
        deployment = self.deployments.get(state["deploymentId"])
        ours = deployment.get("generation") == state["generation"] and deployment["status"] not in TERMINAL
        return deployment if ours else None


def step(
    logger: Logger, run: Callable[[State, Runtime], State], runtime: Callable[[], Runtime]
) -> Callable[[State, object], State]:
    """A Lambda handler around one step: keys in every log line, and the fence answered as FENCED."""

    def handler(event: State, _context: object) -> State:
        logger.append_keys(
            deploymentId=event.get("deploymentId"), generation=event.get("generation"), pass_=event.get("pass")
        )
        try:
            result = run(event, runtime())
        except StaleGenerationError as error:
            logger.info(str(error))
            return {**event, "verdict": "FENCED"}
        logger.info("step", verdict=result.get("verdict"))
        return result

    return handler
