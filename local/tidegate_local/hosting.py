"""The local hosts of a local cloud, as EC2 instances that Run Command reaches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tidegate_local.adapters import autoscaling, balancers, ec2_instances, ssm
from tidegate_local.adapters.hybrid_credentials import give_credentials, hybrid_variables
from tidegate_local.adapters.instance_metadata import InstanceMetadata, make_host_role, variables
from tidegate_local.faults import FaultsError
from tidegate_local.hosts import Fleet, Isolation, LocalHost
from tidegate_local.hosts.metadata import MetadataEndpoint
from tidegate_local.pages import Pages


class Hosting:
    """Starts hosts while the rest of the local cloud starts.

    Parameters
    ----------
    directory
        The local cloud's folder.
    emit
        Puts events on the default bus.
    rerooted
        Whether hosts are to be re-rooted folders even where more is allowed.
    client
        Makes the administrator's client of a service.
    endpoint
        Where AWS's clients in the hosts reach the local cloud.
    """

    def __init__(
        self,
        directory: Path,
        emit: Callable[[Mapping[str, Any]], None],
        rerooted: bool,
        client: Callable[[str], Any],
        endpoint: str,
    ) -> None:
        self.fleet = Fleet(directory, Isolation.FOLDER if rerooted else None)
        self._commands = ssm.install(self.fleet, emit)
        self._balancers = balancers.install(self._address_of, directory)
        self._client = client
        self._endpoint = endpoint
        self._metadata: dict[str, MetadataEndpoint] = {}
        self._changed: Callable[[], None] = lambda: None
        ec2_instances.install(self.end_instance, self.fleet)
        self._scaling = autoscaling.install(self, emit, client)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def without_haproxy(self) -> str:
        """Why load balancers are forwarded in plain Python; empty where haproxy does it."""
        return self._balancers.missing

    def begin(self, count: int, tags: Mapping[str, str], recorded: int = 0) -> None:
        """Start hosts, in a thread; and have so many that only answer what was recorded."""

        def start() -> None:
            try:
                make_host_role(self._client)
                for host in self.fleet.start(count, {ssm.OPT_IN_TAG: "true", **tags}, ssm.register_instance):
                    self._tell_of_itself(host)
                if recorded:
                    self.fleet.recorded = ssm.register_recorded(recorded, tags)
            except BaseException as error:
                self._failure = error

        self._thread = threading.Thread(target=start, name="hosts")
        self._thread.start()

    def _tell_of_itself(self, host: LocalHost, profile: str | None = None) -> None:
        """Give a host an instance profile and an instance-metadata endpoint of its own."""
        metadata = InstanceMetadata(host, self._client, ssm.ACCOUNT, ssm.REGION)
        metadata.associate(profile)
        endpoint = MetadataEndpoint(host.address, metadata.lookup)
        endpoint.start()
        self._metadata[host.id] = endpoint
        host.environment.update(variables(endpoint, self._endpoint, ssm.REGION))

    def start_instance(self, instance_id: str, tags: Mapping[str, str], profile: str | None) -> None:
        """Start a host for an EC2 instance that there is already.

        Parameters
        ----------
        profile
            Name or ARN of its instance profile; None: the local hosts' own.

        Raises
        ------
        HostError
            It cannot be started, or there are too many; nothing of it is left.
        """

        def register(_name: str, _tags: Mapping[str, str], address: str) -> str:
            ssm.set_address(instance_id, address)
            return instance_id

        (host,) = self.fleet.start(1, tags, register)
        try:
            self._tell_of_itself(host, profile)
        except BaseException:
            self.fleet.end(instance_id)
            raise
        self._changed()

    def end_instance(self, instance_id: str) -> None:
        """End the host of an EC2 instance, if it has one."""
        if not self.fleet.end(instance_id):
            return
        endpoint = self._metadata.pop(instance_id, None)
        if endpoint is not None:
            endpoint.stop()
        self._changed()

    def _address_of(self, instance_id: str) -> str | None:
        return next((host.address for host in self.fleet.hosts if host.id == instance_id), None)

    def finish(self) -> None:
        """Wait for the hosts; raises what starting them raised."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            raise self._failure

    def describe(self) -> list[dict[str, Any]]:
        """Describe the hosts as they are now."""
        return [host.describe() for host in self.fleet.hosts]

    def join(self, activation_id: str, code: str) -> dict[str, Any]:
        """Start a host that is no EC2 instance, and register it as the SSM agent does with an activation.

        It has neither instance metadata nor an instance profile: what it may do is what its activation's role may.

        Raises
        ------
        ValueError
            The activation cannot be used; no host is started.
        """
        nodes = ssm.hybrid_nodes()
        nodes.check(activation_id, code)
        (host,) = self.fleet.start(1, {}, lambda *_: nodes.register(activation_id, code))
        host.environment.update(hybrid_variables(self._endpoint, ssm.REGION))
        give_credentials(host, nodes.role_of(host.id), self._client)
        return host.describe()

    def add_pages(self, pages: Pages, changed: Callable[[], None] = lambda: None) -> None:
        """Serve the hosts and the faults of Run Command.

        ``POST host-faults`` takes the settings of `hosts.runcommand.Faults`; ``POST agent`` takes
        ``{"host": name, "online": bool}`` and switches a host's SSM agent. ``POST join`` takes
        ``{"activationId", "activationCode"}`` and starts a host that is no EC2 instance.

        Parameters
        ----------
        changed
            Called when there is another host, or one less.
        """

        def join(given: Any) -> Any:
            if not isinstance(given, dict) or set(given) != {"activationId", "activationCode"}:
                raise ValueError('give {"activationId": id, "activationCode": code}')
            joined = self.join(str(given["activationId"]), str(given["activationCode"]))
            changed()
            return joined

        self._changed = changed
        pages.add("POST", "join", join)
        pages.add("GET", "balancers", lambda _: self._balancers.describe())
        pages.add("GET", "hosts", lambda _: self.describe())
        pages.add("POST", "host-faults", _set_host_faults)
        pages.add("POST", "agent", self._switch_agent)

    def _switch_agent(self, given: Any) -> Any:
        if not isinstance(given, dict) or set(given) != {"host", "online"} or not isinstance(given["online"], bool):
            raise ValueError('give {"host": name, "online": true or false}')
        self.fleet.get(str(given["host"])).agent_online = given["online"]
        return self.describe()

    def stop(self) -> None:
        """End commands and hosts."""
        if self._thread is not None:
            self._thread.join()
        self._scaling.stop()
        balancers.uninstall()
        self._commands.close()
        self.fleet.stop()
        for endpoint in self._metadata.values():
            endpoint.stop()
        self._metadata = {}


def _set_host_faults(given: Any) -> Any:
    if not isinstance(given, dict):
        raise FaultsError("give the faults of hosts as a JSON object")
    ssm.set_faults(**given)
    return given
