"""The pools as haproxy has them: servers added, tried, put to use, drained and deleted while it runs.

Follows "Health checks for your target groups" and "Deregistration delay" in the Elastic Load Balancing user guides:
haproxy takes a server for healthy until checks say otherwise, so a new one is only checked (``drain``) until it has
answered well once or failed as often as the group says, and gets requests then. Each registration is a server of its
own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tidegate_local.balancing.haproxy_config import Backend, Server, server_settings
from tidegate_local.balancing.haproxy_process import HaproxyError, HaproxyProcess
from tidegate_local.balancing.health import DRAINING, HEALTHY, INITIAL, Check, Health

Row = Mapping[str, str]
_TIMEOUTS = frozenset({"L4TOUT", "L6TOUT", "L7TOUT"})
_serial = itertools.count(1)


class Phase(Enum):
    """Where a target is between being registered and being gone."""

    WAITING = "its pool is not in use, or haproxy has yet to be told"
    CHECKED = "its first checks"
    USED = "gets what haproxy gives it"
    DRAINS = "finishes what it has"
    GONE = "to be deleted"


@dataclass
class Target:
    """One registration of a target."""

    target_id: str
    server: Server
    phase: Phase = Phase.WAITING
    gone_at: float = 0.0  # when its draining is over at the latest
    cut: bool = True


@dataclass
class Pool:
    """A target group: its targets, and those that were once; ``name`` is its backend's."""

    name: str
    http: bool
    check: Callable[[], Check]
    targets: dict[str, Target] = field(default_factory=dict)
    left: list[Target] = field(default_factory=list)

    def backend(self, *, servers: bool = True) -> Backend:
        """What haproxy's configuration says of it; targets that it has yet to be told of wait in it."""
        known = [*self.targets.values(), *self.left] if servers else ()
        rows = [each.server for each in known if each.phase is not Phase.GONE]
        waits = {each.server.name for each in known if each.phase is Phase.WAITING}
        told = [Server(each.name, each.address, each.port, each.name in waits) for each in rows]
        return Backend(self.name, self.http, self.check(), told)

    def register(self, target_id: str, address: str, port: int) -> Target | None:
        """A new target, unless it is there already; one that drains goes on draining beside it."""
        found = self.targets.get(target_id)
        if found is not None and found.phase is not Phase.DRAINS and found.server.port == port:
            return None
        if found is not None:
            self.left.append(found)
        made = Target(target_id, Server(f"t{next(_serial)}", address, port))
        self.targets[target_id] = made
        return made

    def forget_connections(self) -> None:
        """Begin again, for a haproxy that has just been started."""
        self.left.clear()
        for target in list(self.targets.values()):
            if target.phase is Phase.DRAINS:
                del self.targets[target.target_id]
            else:
                target.phase = Phase.WAITING

    @property
    def every(self) -> list[Target]:
        """All targets, those that are no longer shown among them."""
        return [*self.targets.values(), *self.left]


class Servers:
    """Does with haproxy's servers what pools want, and reads how they are."""

    def __init__(self, process: HaproxyProcess) -> None:
        self._process = process

    def add(self, pool: Pool, target: Target) -> None:
        """Add a target to a running pool, and begin to check it."""
        self._process.tell(f"add server {_path(pool, target)} {server_settings(target.server, pool.check())}")
        self.check(pool, target)

    def check(self, pool: Pool, target: Target) -> None:
        """Begin to check a target: as many bad answers as the group says make it unhealthy."""
        path = _path(pool, target)
        for command in (f"set server {path} state drain", f"set server {path} health up", f"enable health {path}"):
            self._process.tell(command)
        target.phase = Phase.CHECKED

    def drain(self, pool: Pool, target: Target) -> None:
        """Give a target nothing new."""
        check = pool.check()
        if target.phase is not Phase.WAITING:
            self._process.tell(f"set server {_path(pool, target)} state drain")
        target.phase, target.cut = Phase.DRAINS, check.cuts
        target.gone_at = time.monotonic() + check.deregistration_delay

    def tend(self, pools: Iterable[Pool]) -> dict[str, Row]:
        """Take all targets as far as they are; what haproxy knows of them, by server.

        Checked ones that have an answer are put to use, drained ones taken out.
        """
        pools = list(pools)
        rows: dict[str, Row] = {row["svname"]: row for row in self._process.rows()}
        draining = any(each.phase is Phase.DRAINS for pool in pools for each in pool.every)
        sessions = self._sessions(rows) if draining else {}
        for pool in pools:
            for target in pool.every:
                if target.phase is Phase.CHECKED and _is_known(rows.get(target.server.name)):
                    self._process.tell(f"set server {_path(pool, target)} state ready")
                    target.phase = Phase.USED
                elif target.phase is Phase.DRAINS:
                    self._drained(pool, target, sessions.get(target.server.name, 0))
            pool.left = [each for each in pool.left if each.phase is not Phase.GONE or not self._delete(pool, each)]
        return rows

    def _drained(self, pool: Pool, target: Target, sessions: int) -> None:
        over = time.monotonic() >= target.gone_at
        if sessions and not over:
            return
        if sessions and target.cut:
            for worker in ("1", *self._process.old_workers()):
                self._process.ask(f"shutdown sessions server {_path(pool, target)}", worker)
        if pool.targets.get(target.target_id) is target:
            del pool.targets[target.target_id]
            pool.left.append(target)
        target.phase = Phase.GONE

    def _sessions(self, rows: Mapping[str, Row]) -> dict[str, int]:
        """What goes through each server, in workers that are about to end as well."""
        found = {name: int(row["scur"] or 0) for name, row in rows.items()}
        for worker in self._process.old_workers():
            for row in self._process.rows(worker):
                found[row["svname"]] = found.get(row["svname"], 0) + int(row["scur"] or 0)
        return found

    def _delete(self, pool: Pool, target: Target) -> bool:
        """Delete a server if haproxy lets it go; it has nothing to do with those of the same host that come later."""
        try:
            self._process.tell(f"set server {_path(pool, target)} state maint")
            self._process.tell(f"del server {_path(pool, target)}")
        except HaproxyError as error:
            return "No such server" in str(error)
        return True


def health_of(target: Target, row: Row | None) -> Health:
    """How a target is."""
    if target.phase is Phase.DRAINS:
        return DRAINING
    if target.phase is not Phase.USED or row is None:
        return INITIAL
    if not row["status"].startswith("DOWN"):
        return HEALTHY
    told = row["check_status"].lstrip("* ")
    if told in _TIMEOUTS:
        return Health("unhealthy", "Target.Timeout")
    if told == "L7STS":
        code = row["check_code"]
        return Health("unhealthy", "Target.ResponseCodeMismatch", "" if code == "0" else code)
    return Health("unhealthy", "Target.FailedHealthChecks")


def _is_known(row: Row | None) -> bool:
    """Whether a target that is checked for the first time has answered well, or failed as often as it may."""
    if row is None:
        return False
    return row["status"].startswith("DOWN") or row["check_status"].lstrip("* ") in ("L4OK", "L6OK", "L7OK", "L7OKC")


def _path(pool: Pool, target: Target) -> str:
    return f"{pool.name}/{target.server.name}"
