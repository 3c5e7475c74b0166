"""Wires a handler: settings, logger, ports. The one place that reads the environment, the clock and randomness."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from tidegate.acting import Acting
from tidegate.model.deployment import TERMINAL
from tidegate.model.names import new_deployment_id
from tidegate.settings import Settings
from tidegate.store.alarm_watches import AlarmWatches
from tidegate.store.commands import Commands
from tidegate.store.deployments import Deployments
from tidegate.store.errors import StaleGenerationError
from tidegate.store.groups import Groups
from tidegate.store.ledgers import Ledgers
from tidegate.store.live_marks import LiveMarks
from tidegate.store.scaled_groups import ScaledGroups
from tidegate.store.signals import Signals
from tidegate.store.table import Table
from tidegate.store.targets import Targets

if TYPE_CHECKING:
    from tidegate.gateways.alarms import Alarms
    from tidegate.gateways.aliases import Aliases
    from tidegate.gateways.balancers import Balancers
    from tidegate.gateways.bundles import Bundles
    from tidegate.gateways.ecs_services import EcsServices
    from tidegate.gateways.executions import Executions
    from tidegate.gateways.github_bundles import GitHubBundles
    from tidegate.gateways.github_tokens import GitHubTokens
    from tidegate.gateways.instances import Instances
    from tidegate.gateways.lifecycle_hooks import LifecycleHooks
    from tidegate.gateways.logs import Logs
    from tidegate.gateways.nodes import Nodes
    from tidegate.gateways.orders import Orders
    from tidegate.gateways.progress import Progress
    from tidegate.gateways.run_command import RunCommand
    from tidegate.gateways.scaling_groups import ScalingGroups
    from tidegate.gateways.terminations import Terminations

State = dict[str, Any]

#: The version of the machine that knows the verdict HAND_OVER.
HANDS_OVER: Final = 2
#: The version of the machine that knows the verdict PROVISION.
PROVISIONS: Final = 3
#: The version of the machine that knows the verdict SEND.
SENDS: Final = 4


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

    def _client(self, service: str, **keys: str) -> Any:
        from botocore.config import Config

        from tidegate.gateways.errors import name_services

        # SigV4 and the regional host for S3: pre-signed URLs must work from anywhere, also in opt-in Regions.
        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=5,
            read_timeout=60,
            signature_version="s3v4" if service == "s3" else None,
            s3={"us_east_1_regional_endpoint": "regional"} if service == "s3" else None,
        )
        return name_services(self._session.client(service, config=config, **keys))

    @cached_property
    def acting(self) -> Acting:
        """Whose rights are used on the customer's resources."""
        from tidegate.gateways.service_roles import ServiceRoles

        wanted = self.settings.service_roles
        roles = ServiceRoles(self._client, wanted, self.settings.account) if wanted.always else None
        return Acting(self._client, roles, self.clock)

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
    def live_marks(self) -> LiveMarks:
        """Marks of live deployments."""
        return LiveMarks(self.table)

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
    def alarm_watches(self) -> AlarmWatches:
        """Which deployments watch an alarm."""
        return AlarmWatches(self.table)

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

        return Instances(self.acting.client)

    @cached_property
    def lifecycle_hooks(self) -> LifecycleHooks:
        """Hooks and processes of Auto Scaling groups."""
        from tidegate.gateways.lifecycle_hooks import LifecycleHooks

        return LifecycleHooks(self.acting.client("autoscaling"))

    @cached_property
    def scaled_groups(self) -> ScaledGroups:
        """Deployment groups with hooks."""
        return ScaledGroups(self.table)

    @cached_property
    def terminations(self) -> Terminations:
        """The end of EC2 instances."""
        from tidegate.gateways.terminations import Terminations

        return Terminations(self.acting.client("ec2"), self.settings.opt_in_tag)

    @cached_property
    def scaling_groups(self) -> ScalingGroups:
        """Auto Scaling groups as wholes."""
        from tidegate.gateways.scaling_groups import ScalingGroups

        return ScalingGroups(self.acting.client("autoscaling"))

    @cached_property
    def nodes(self) -> Nodes:
        """Managed nodes that are no EC2 instances."""
        from tidegate.gateways.nodes import Nodes

        return Nodes(self._client("ssm"), self.settings.opt_in_tag)

    @cached_property
    def balancers(self) -> Balancers:
        """Target groups and Classic Load Balancers."""
        from tidegate.gateways.balancers import Balancers

        return Balancers(self.acting.client)

    @cached_property
    def alarms(self) -> Alarms:
        """CloudWatch alarms."""
        from tidegate.gateways.alarms import Alarms

        return Alarms(self.acting.client("cloudwatch"))

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

        return Aliases(self.acting.client("lambda"))

    @cached_property
    def ecs_services(self) -> EcsServices:
        """Amazon ECS services."""
        from tidegate.gateways.ecs_services import EcsServices

        return EcsServices(self.acting.client("ecs"))

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

        A version condition is not a fence: an execution that has been succeeded must end without another effect. From
        now on its service role is acted as, where the stack is so set.
        """
        deployment = self.deployments.get(state["deploymentId"])
        self.acting.act_for(deployment.get("serviceRoleArn"), deployment["deploymentId"])
        ours = deployment.get("generation") == state["generation"] and deployment["status"] not in TERMINAL
        return deployment if ours else None

    def may_hand_over(self, state: Mapping[str, Any]) -> bool:
        """Whether an execution is to be succeeded by the next generation instead of making another pass.

        The machine of an earlier release has no state for it. What it runs into then is the end of its history, and
        the sweep finds its deployment.
        """
        return knows(state, HANDS_OVER) and bool(state["pass"] >= self.settings.passes_per_execution)


def knows(state: Mapping[str, Any], version: int) -> bool:
    """Whether an execution's machine, which it keeps, is of this version or a later one; the first did not say so."""
    return bool(state.get("machineVersion", 1) >= version)


def kept(state: Mapping[str, Any]) -> State:
    """What goes through the machine unchanged."""
    return {name: state[name] for name in ("machineVersion", "deploymentId", "generation", "pass") if name in state}


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
