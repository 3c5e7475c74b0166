"""The hosts of one local cloud, started together and ended together."""

import ipaddress
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import tidegate_local
from tidegate_local.hosts import wire
from tidegate_local.hosts.host import LocalHost
from tidegate_local.hosts.isolation import HostError, Isolation
from tidegate_local.hosts.recorded import RecordedHost
from tidegate_local.limits import MOST_HOSTS

#: Makes an instance known to the local cloud: name, tags and address in, EC2 instance id out.
Register = Callable[[str, Mapping[str, str], str], str]

_READY_SECONDS = 30.0
_ENTRY = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tidegate_local.hosts.keeper import main; main()"


def random_instance_id(name: str, tags: Mapping[str, str], address: str) -> str:
    """An EC2 instance id that nothing else knows of."""
    del name, tags, address
    return f"i-{secrets.token_hex(9)[:17]}"


class Fleet:
    """Starts, finds and ends local hosts.

    Parameters
    ----------
    directory : the local cloud's own folder; hosts keep what they need under ``hosts/`` in it
    isolation : what must separate hosts from the machine; by default the best that is allowed here
    pick : randomness; the network the hosts get (a /24 of 127.0.0.0/8) is drawn from it
    """

    def __init__(self, directory: Path, isolation: Isolation | None = None, pick: random.Random | None = None) -> None:
        self._directory = directory.resolve() / "hosts"
        self._wanted = isolation
        chosen = pick or random.SystemRandom()
        self._network = ipaddress.IPv4Address(f"127.{chosen.randint(64, 250)}.{chosen.randint(0, 250)}.0")
        self._keeper: _KeeperLink | None = None
        self._lock = threading.RLock()
        self._hosts: list[LocalHost] = []
        #: Nodes that only answer what was recorded; nothing of them is started or ended here.
        self.recorded: list[RecordedHost] = []
        self._named = 0  # names are never used again, addresses are
        #: Why a better isolation was not possible, one sentence each.
        self.refusals: list[str] = []

    @property
    def hosts(self) -> list[LocalHost]:
        """All hosts, in the order they were started."""
        return list(self._hosts)

    @property
    def isolation(self) -> Isolation | None:
        """What separates the hosts from the machine; None until the first one is started."""
        return self._keeper.isolation if self._keeper else None

    def start(self, count: int, tags: Mapping[str, str], register: Register = random_instance_id) -> list[LocalHost]:
        """Start more hosts, named on from the last.

        Raises
        ------
        HostError : they cannot be started here in the isolation that was asked for, or they would be more than
            `MOST_HOSTS`; none is left behind
        """
        if count < 1:
            return []
        with self._lock:
            if len(self._hosts) + count > MOST_HOSTS:
                raise HostError(
                    f"{len(self._hosts)} local hosts run and {count} more are wanted, but the limit of a local cloud "
                    f"is {MOST_HOSTS}: end some first"
                )
            names = [f"host-{self._named + number + 1}" for number in range(count)]
            addresses = self._free_addresses(count)
            text = self._names_file(names, addresses)
            started = self._launch(names, addresses, tags, text)
            for host in self._hosts:
                host.set_names(text)
            for host in started:
                host.id = register(host.name, host.tags, host.address)
            self._hosts += started
            self._named += count
            return started

    def end(self, host_id: str) -> bool:
        """End one host; when this returns nothing of it is left. False when there is no host of that instance id."""
        with self._lock:
            ended = next((host for host in self._hosts if host.id == host_id), None)
            if ended is None:
                return False
            self._hosts.remove(ended)
            text = self._names_file([], [])
            for host in self._hosts:
                host.set_names(text)
        ended.kill()
        if ended.isolation is Isolation.FOLDER:
            shutil.rmtree(self._directory / ended.name, ignore_errors=True)
        return True

    def get(self, id_or_name: str) -> LocalHost:
        """The host of that instance id or name; HostError names those there are."""
        for host in self._hosts:
            if id_or_name in (host.id, host.name):
                return host
        known = ", ".join(host.name for host in self._hosts) or "none"
        raise HostError(f"no local host is called {id_or_name!r}; there are: {known}")

    def stop(self) -> None:
        """End all hosts; when this returns no process, no mount and no file of theirs is left."""
        with self._lock:
            if self._keeper is not None:
                self._keeper.close()
                # Empty folders that were mounted on, or what hosts without isolation wrote.
                shutil.rmtree(self._directory, ignore_errors=True)
            self._keeper = None

    def _free_addresses(self, count: int) -> list[str]:
        taken = {host.address for host in self._hosts}
        every = (str(self._network + number + 1) for number in range(MOST_HOSTS))
        return [address for address in every if address not in taken][:count]

    def _names_file(self, names: list[str], addresses: list[str]) -> str:
        known = [(host.address, host.name) for host in self._hosts]
        lines = [f"{address} {name}" for address, name in [*known, *zip(addresses, names, strict=True)]]
        return "\n".join(["127.0.0.1 localhost", "::1 localhost ip6-localhost", *lines, ""])

    def _launch(self, names: list[str], addresses: list[str], tags: Mapping[str, str], text: str) -> list[LocalHost]:
        if self._keeper is not None:
            return self._launch_with(self._keeper, names, addresses, tags, text)
        for isolation in self._choices():
            keeper = None
            try:
                keeper = _KeeperLink(self._directory, isolation)
                started = self._launch_with(keeper, names, addresses, tags, text)
            except HostError as error:
                if keeper is not None:
                    keeper.close()
                self.refusals.append(f"isolation {isolation.value!r} is not possible here: {error}")
                continue
            self._keeper = keeper
            return started
        raise HostError("no local host could be started. " + " ".join(self.refusals))

    def _choices(self) -> list[Isolation]:
        if self._wanted is not None:
            return [self._wanted]
        best = [Isolation.NAMESPACES] if os.geteuid() == 0 else []
        return [*best, Isolation.USER_NAMESPACE, Isolation.FOLDER]

    def _launch_with(
        self, keeper: "_KeeperLink", names: list[str], addresses: list[str], tags: Mapping[str, str], text: str
    ) -> list[LocalHost]:
        started: list[LocalHost] = []
        try:
            for name, address in zip(names, addresses, strict=True):
                started.append(keeper.start_host(name, address, tags, text))
            for host in started:
                host.wait_ready(_READY_SECONDS)
        except HostError:
            for host in started:
                keeper.end_host(host.name)
            raise
        return started


class _KeeperLink:
    """The local cloud's end of the keeper."""

    def __init__(self, directory: Path, isolation: Isolation) -> None:
        self.isolation = isolation
        self._directory = directory
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        self._end, far = wire.pair()
        package = str(Path(tidegate_local.__path__[0]).parent)
        arguments = [package, str(far.fileno()), isolation.value, str(directory)]
        # Nothing of the user's environment: what is in it must not become the hosts'.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ENTRY, *arguments],
            pass_fds=[far.fileno()],
            stdin=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
        far.close()
        try:
            self._receive("ready")
        except HostError:
            self.close()
            raise

    def start_host(self, name: str, address: str, tags: Mapping[str, str], names: str) -> LocalHost:
        folder = self._directory / name / "root"
        near, far = wire.pair()
        request = {"do": "start", "name": name, "names": names, "root": str(folder)}
        try:
            with self._lock, far:
                wire.send(self._end, request, [far.fileno()])
                process = self._receive("process")
        except (OSError, HostError) as error:
            near.close()
            raise HostError(f"{name}: {error}") from error
        root = str(folder) if self.isolation is Isolation.FOLDER else f"/proc/{process}/root"
        return LocalHost(name, address, tags, self.isolation, root, near, process, lambda: self.end_host(name))

    def end_host(self, name: str) -> None:
        """Return when nothing of the host is left."""
        with self._lock, suppress(OSError, HostError):
            wire.send(self._end, {"do": "end", "name": name})
            self._receive("gone")

    def close(self) -> None:
        """End every host and the keeper."""
        with self._lock:
            with suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            self._end.close()
            self._process.wait()

    def _receive(self, wanted: str) -> int:
        message, _ = wire.receive(self._end)
        if message is None:
            raise HostError("the process that keeps the hosts has died")
        if "error" in message:
            raise HostError(message["error"])
        return message[wanted] if isinstance(message[wanted], int) else 0
