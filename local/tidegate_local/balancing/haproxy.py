"""Forwarding by haproxy.

```
 listeners, routes, settings ──► configuration ──► a reload only where it is another one
 targets ──────────────────────► the running haproxy's socket: add, drain, delete
 states  ◄────────────────────── "show stat"
```

One thread does all, one thing after the other; it also looks by itself as long as a target's first checks, or its
draining, are under way.
"""

from __future__ import annotations

import itertools
import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tidegate_local.balancing.haproxy_config import Frontend, configuration
from tidegate_local.balancing.haproxy_process import HaproxyProcess
from tidegate_local.balancing.haproxy_targets import Phase, Pool, Servers, health_of
from tidegate_local.balancing.health import Check, Health

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_CALL_SECONDS = 30.0
_UNSETTLED = (Phase.CHECKED, Phase.DRAINS)
Answer = TypeVar("Answer")
Routes = Callable[[], Sequence[tuple[str, int]]]


@dataclass(frozen=True)
class _Listener:
    name: str
    address: str
    port: int
    routes: Routes
    http: bool


class HaproxyForwarder:
    """One haproxy with all listeners and pools; a :class:`~tidegate_local.balancing.health.Forwarding`.

    Parameters
    ----------
    program, version
        What :func:`tidegate_local.balancing.haproxy_process.find` found.
    folder
        The local cloud's.
    """

    def __init__(self, program: str, version: str, folder: Path) -> None:
        self.name = f"haproxy {version}"
        self._process = HaproxyProcess(program, folder / "balancers", folder / "logs" / "haproxy.log")
        self._servers = Servers(self._process)
        self._names = (f"n{number}" for number in itertools.count(1))
        self._pools: dict[str, Pool] = {}
        self._listeners: dict[str, _Listener] = {}
        self._in_force = ""  # the configuration without its targets
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="balancers", daemon=True)
        self._thread.start()

    def pool(self, key: str, check: Callable[[], Check], http: bool) -> None:
        """Make a pool, if there is none of that key."""
        self._do(lambda: self._pools.setdefault(key, Pool(next(self._names), http, check)))

    def drop(self, key: str) -> None:
        """Forget a pool and cut what goes through it."""

        def forget() -> None:
            pool = self._pools.pop(key, None)
            if pool is not None and self._runs(pool):
                for target in pool.every:
                    self._process.ask(f"shutdown sessions server {pool.name}/{target.server.name}")
            self._apply()

        self._do(forget)

    def listen(self, key: str, address: str, port: int, routes: Routes, http: bool) -> int:
        """Open a listener; returns its port, another one where this process may not use the one wanted.

        Raises
        ------
        OSError
            The address is in use, or haproxy does not take it.
        """

        def begin() -> int:
            listener = _Listener(next(self._names), address, _free_port(address, port), routes, http)
            self._listeners[key] = listener
            try:
                self._apply()
            except OSError:
                del self._listeners[key]
                raise
            return listener.port

        return self._do(begin)

    def close(self, key: str) -> None:
        """Close a listener; what goes through it goes on."""

        def end() -> None:
            if self._listeners.pop(key, None) is not None:
                self._apply()

        self._do(end)

    def register(self, pool: str, target_id: str, address: str, port: int) -> None:
        """Add a target; one that is there already stays as it is, one that drains is a new one again."""

        def add() -> None:
            found = self._pools[pool]
            target = found.register(target_id, address, port)
            if target is not None and self._runs(found):
                self._servers.add(found, target)

        self._do(add)

    def deregister(self, pool: str, target_id: str) -> None:
        """Take a target out; it drains."""

        def drain() -> None:
            found = self._pools[pool]
            target = found.targets.get(target_id)
            if target is None or target.phase is Phase.DRAINS:
                return
            if target.phase is Phase.WAITING:
                del found.targets[target_id]
                return
            self._servers.drain(found, target)
            self._servers.tend([found])

        self._do(drain)

    def states(self, pool: str) -> dict[str, Health]:
        """The targets of a pool, those that drain among them."""

        def look() -> dict[str, Health]:
            found = self._pools[pool]
            rows = self._servers.tend([found]) if self._runs(found) else {}
            return {name: health_of(each, rows.get(each.server.name)) for name, each in found.targets.items()}

        return self._do(look)

    def refresh(self) -> None:
        """Take up settings and routes that have changed."""
        self._do(self._apply)

    def stop(self) -> None:
        """End haproxy and the thread."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(_CALL_SECONDS)

    # --- on the thread

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LOOK_SECONDS if self._unsettled() else None)
            except queue.Empty:
                job = self._look
            if job is None:
                break
            job()
        self._process.stop()

    def _do(self, what: Callable[[], Answer]) -> Answer:
        """Have the thread do something, with a haproxy that runs if one is needed; its answer."""
        done: Future[Answer] = Future()

        def job() -> None:
            try:
                self._revive()
                done.set_result(what())
            except BaseException as error:
                done.set_exception(error)

        self._jobs.put(job)
        return done.result(_CALL_SECONDS)

    def _look(self) -> None:
        try:
            self._revive()
            self._servers.tend(pool for pool in self._pools.values() if self._runs(pool))
        except OSError:
            _LOG.exception("haproxy cannot be asked")

    def _unsettled(self) -> bool:
        every = (target for pool in self._pools.values() if self._runs(pool) for target in pool.every)
        return any(target.phase in _UNSETTLED for target in every)

    def _used(self) -> list[Pool]:
        """The pools that a listener hands traffic to; AWS checks no others either."""
        keys = dict.fromkeys(key for each in self._listeners.values() for key, _ in each.routes())
        return [self._pools[key] for key in keys if key in self._pools]

    def _runs(self, pool: Pool) -> bool:
        """Whether haproxy has the pool."""
        return f"\nbackend {pool.name}\n" in self._in_force

    def _revive(self) -> None:
        """Start a haproxy that has ended by itself again; all targets are new to it."""
        if self._in_force and not self._process.runs:
            _LOG.error("haproxy has ended by itself; it is started again")
            self._in_force = ""
            self._apply()

    def _apply(self) -> None:
        """Give haproxy the configuration that is wanted, where it has another."""
        pools = self._used()
        wanted = self._configuration(pools, servers=False)
        if wanted == self._in_force or (not self._listeners and not self._process.runs):
            return
        if not self._process.runs:
            self._forget(self._pools.values())
        self._process.use(self._configuration(pools, servers=True))
        self._in_force = wanted
        self._forget(pool for pool in self._pools.values() if not self._runs(pool))
        for pool in pools:
            for target in pool.targets.values():
                if target.phase is Phase.WAITING:
                    self._servers.check(pool, target)

    @staticmethod
    def _forget(pools: Iterable[Pool]) -> None:
        for pool in pools:
            pool.forget_connections()

    def _configuration(self, pools: Sequence[Pool], *, servers: bool) -> str:
        frontends = [self._frontend(each) for each in self._listeners.values()]
        return configuration(frontends, [pool.backend(servers=servers) for pool in pools])

    def _frontend(self, each: _Listener) -> Frontend:
        routes = [(self._pools[key].name, weight) for key, weight in each.routes() if key in self._pools]
        return Frontend(each.name, each.address, each.port, each.http, routes)


def _free_port(address: str, port: int) -> int:
    """The port, if this process may use it, or another one of the address.

    Raises
    ------
    OSError
        It is in use.
    """
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except PermissionError:
            trial.bind((address, 0))
        return int(trial.getsockname()[1])
