"""The local cloud: the template's resources on moto, with all that moto lacks."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate_local.adapters.callers import Callers
from tidegate_local.adapters.door import Door
from tidegate_local.adapters.events import Events
from tidegate_local.adapters.invocations import Invocations
from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.adapters.sqs_poller import SqsPoller
from tidegate_local.adapters.stream_poller import StreamPoller
from tidegate_local.background import Background
from tidegate_local.clients import Clients, Keys
from tidegate_local.counters import Counters
from tidegate_local.faults import Faults
from tidegate_local.groups import make_groups
from tidegate_local.hosting import Hosting
from tidegate_local.pages import Pages
from tidegate_local.patches.hooks import HOOKS
from tidegate_local.patches.sts import FUNCTIONS_KEY
from tidegate_local.policy.place import Place
from tidegate_local.policy.roles import Roles
from tidegate_local.policy.server_judge import ServerJudge
from tidegate_local.provisioner import Provisioner
from tidegate_local.resources.registry import Stack
from tidegate_local.runner_archive import build_runner_archive
from tidegate_local.server import MotoServer
from tidegate_local.state import State, remove_state, start_time, write_state
from tidegate_local.template import load_template

_LOG = logging.getLogger(__name__)
ACCOUNT = "123456789012"
REGION = "us-east-1"
STACK = "tidegate-local"
#: Parameters whose defaults are too narrow for a machine of one's own, where the template has them.
LOCAL_PARAMETERS = {"RevisionBuckets": "*", "WatchedBuckets": "*", "TriggerTopicArns": "arn:aws:sns:*:*:*"}


@dataclass(frozen=True)
class Options:
    """What a local cloud is started with; ``groups`` are Auto Scaling groups, with their desired capacity."""

    hosts: int = 0
    recorded_hosts: int = 0
    groups: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    rerooted: bool = False

    def plain(self) -> dict[str, Any]:
        """The options as JSON holds them, for comparing."""
        return {
            "hosts": self.hosts,
            "recorded_hosts": self.recorded_hosts,
            "groups": dict(self.groups),
            "tags": dict(self.tags),
            "parameters": dict(self.parameters),
            "rerooted": self.rerooted,
        }


class LocalCloud:
    """One local cloud; one a process, since moto's state is the process's.

    Parameters
    ----------
    directory
        Its own folder: state, logs, what hosts keep.
    template
        The SAM template; code paths are relative to its folder.
    options
        Hosts, tags, parameters.
    """

    def __init__(self, directory: Path, template: Path, options: Options | None = None) -> None:
        self.directory = directory.resolve()
        self.template = template.resolve()
        self.options = options or Options()
        self.counters = Counters()
        self.faults = Faults()
        self.roles = Roles()
        self.place = Place(ACCOUNT, REGION)
        self.server = MotoServer()
        self.pages = Pages(self.counters, self.faults)
        self.state = State(pid=os.getpid(), started=start_time(os.getpid()))
        self._pollers: list[SqsPoller | StreamPoller] = []
        self._door: Door | None = None
        self._archive: Path | None = None

    def start(self) -> State:
        """Start everything; when this returns all is ready.

        Raises
        ------
        TemplateError
            When the template cannot be used.
        HostError
            When hosts cannot be started.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self.state

    def _start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Names have a new suffix each time: old logs would only pile up.
        shutil.rmtree(self.directory / "logs", ignore_errors=True)
        self.server.start()
        keys = Keys("local", "local")
        self.clients = Clients(self.server.url, self.place, keys, self.roles, self.counters)
        self._background = Background("background")
        self.workers = LambdaWorkers(
            self.directory / "logs",
            ACCOUNT,
            REGION,
            self._function_environment,
            self.roles.statements_of,
            self.counters,
            self.faults,
        )
        invocations = Invocations(self.workers, self._background)
        self.events = Events(self.clients.admin, invocations.call_async, self._background, self.faults, ACCOUNT, REGION)
        invocations.install()
        self.events.install()
        HOOKS.client = self.clients.for_machine
        HOOKS.count = self.counters.add
        HOOKS.emit = self.events.emit
        HOOKS.throttled = self.faults.take_throttle
        self._make_resources()

    def _make_resources(self) -> None:
        self.clients.use(self._administrator())
        HOOKS.judge = ServerJudge(Callers(ACCOUNT), self.place, self.clients.tags_of, self.clients.keys.access_key)
        self._archive = build_runner_archive(self.directory)
        self.hosting = Hosting(
            self.directory, self.events.emit, self.options.rerooted, self.clients.admin, self.server.url
        )
        self.hosting.begin(self.options.hosts, self.options.tags, self.options.recorded_hosts)
        stack = self._provision()
        self._open_door(stack)
        for feed in stack.mappings:
            if feed.enabled:
                self._pollers.append(SqsPoller(feed, self.clients.admin("sqs"), self.workers))
        self._pollers += self._stream_pollers(stack)
        for poller in self._pollers:
            poller.start()
        self.events.start_schedules()
        self.hosting.finish()
        make_groups(self.clients.admin, REGION, self.options.groups, self.options.tags)
        self.state.hosts = self.hosting.describe()
        self.workers.wait_ready()
        self.pages.add("GET", "hosts", lambda _: self.hosting.describe())
        self.hosting.add_pages(self.pages, self._hosts_changed)
        self.state.options = self.options.plain()
        self.state.stack = STACK
        self.state.balancers = self.hosting.without_haproxy
        write_state(self.directory, self.state)

    def _stream_pollers(self, stack: Stack) -> list[StreamPoller]:
        pollers = [StreamPoller(feed, self.clients.admin, self.workers) for feed in stack.streams if feed.enabled]

        def changed(table: str) -> None:
            for poller in pollers:
                poller.changed(table)

        HOOKS.stream_changed = changed
        return pollers

    def _hosts_changed(self) -> None:
        self.state.hosts = self.hosting.describe()
        write_state(self.directory, self.state)

    def _administrator(self) -> Keys:
        iam = self.clients.admin("iam")
        iam.create_user(UserName="administrator")
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
        iam.put_user_policy(UserName="administrator", PolicyName="administrator", PolicyDocument=policy)
        key = iam.create_access_key(UserName="administrator")["AccessKey"]
        return Keys(key["AccessKeyId"], key["SecretAccessKey"])

    def _provision(self) -> Stack:
        stack = Stack(
            name=STACK,
            suffix=secrets.token_hex(4),
            account=ACCOUNT,
            region=REGION,
            checkout=self.template.parent,
            client=self.clients.admin,
            workers=self.workers,
            roles=self.roles,
        )
        given = self.options.parameters
        expanded = load_template(self.template, given)
        local = {name: value for name, value in LOCAL_PARAMETERS.items() if name in expanded.get("Parameters", {})}
        provisioner = Provisioner(expanded, stack, {**local, **given})
        self.state.outputs = provisioner.run()
        return stack

    def _open_door(self, stack: Stack) -> None:
        self._door = Door(stack.apis, self.workers, Callers(ACCOUNT), (ACCOUNT, REGION), self.pages.serve)
        port = self._door.start()
        stages = [stage for api in stack.apis.values() for stage in api.stages]
        root = f"http://127.0.0.1:{port}"
        door = f"{root}/{stages[0]}" if stages else root
        self.state.environment = {
            "AWS_ACCESS_KEY_ID": self.clients.keys.access_key,
            "AWS_SECRET_ACCESS_KEY": self.clients.keys.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_ENDPOINT_URL_CODEDEPLOY": door,
            "AWS_ENDPOINT_URL_TIDEGATE": door,
            "AWS_DATA_PATH": str(self._client_models()),
            "TIDEGATE_STACK": STACK,
            "TIDEGATE_LOCAL_URL": f"{root}/_local",
        }
        if "OnPremisesHostRoleName" in self.state.outputs:
            self.state.environment["TIDEGATE_HOST_ROLE"] = self.state.outputs["OnPremisesHostRoleName"]

    def _client_models(self) -> Path:
        folder = self.directory / "models"
        from tidegate.api.client_model import write_client_models

        write_client_models(folder)
        return folder

    def _function_environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": FUNCTIONS_KEY,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            # On Lambda it lies in the layer, under /opt.
            **({"TIDEGATE_RUNNER_ARCHIVE": str(self._archive)} if self._archive else {}),
        }

    def stop(self) -> None:
        """End everything; safe at any time, and more than once."""
        remove_state(self.directory)
        steps = [poller.stop for poller in self._pollers]
        self._pollers = []
        for name, method in (
            ("_door", "stop"),
            ("events", "stop"),
            ("hosting", "stop"),
            ("workers", "stop"),
            ("_background", "stop"),
            ("server", "stop"),
        ):
            part = self.__dict__.pop(name, None) if name != "server" else self.server
            if part is not None:
                steps.append(getattr(part, method))
        self._door = None
        for step in steps:
            try:
                step()
            except Exception:
                _LOG.exception("a part of the local cloud did not stop well")
