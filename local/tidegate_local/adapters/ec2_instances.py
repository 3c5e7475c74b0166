"""What happens to EC2 instances happens to the local hosts they are, on moto.

Stands in for what moto only writes down. Follows "Amazon EC2 instance state changes" of the EC2 user guide: a
terminated instance is gone; a stopped one does not answer until it is started, and keeps its disk. Programs that run
in a host go on while its instance is stopped; its SSM agent does not answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidegate_local.hosts import Fleet

_end: Callable[[str], None] | None = None
_fleet: Fleet | None = None
_patched = False


def install(end: Callable[[str], None], fleet: Fleet) -> None:
    """Let the hosts of a fleet follow their instances; a second call replaces the first's.

    Parameters
    ----------
    end
        Ends the host of an instance, if it has one.
    """
    global _end, _fleet, _patched
    _end, _fleet = end, fleet
    if not _patched:
        _patch()
        _patched = True


def _patch() -> None:
    from moto.ec2.models import EC2Backend

    terminate, start, stop = EC2Backend.terminate_instances, EC2Backend.start_instances, EC2Backend.stop_instances

    def new_terminate(self: Any, instance_ids: list[str]) -> Any:
        ended = terminate(self, instance_ids)
        for instance_id in instance_ids:
            if _end is not None:
                _end(instance_id)
        return ended

    def new_start(self: Any, instance_ids: list[str]) -> Any:
        started = start(self, instance_ids)
        _switch(instance_ids, True)
        return started

    def new_stop(self: Any, instance_ids: list[str]) -> Any:
        stopped = stop(self, instance_ids)
        _switch(instance_ids, False)
        return stopped

    EC2Backend.terminate_instances = new_terminate
    EC2Backend.start_instances, EC2Backend.stop_instances = new_start, new_stop


def _switch(instance_ids: list[str], online: bool) -> None:
    for host in _fleet.hosts if _fleet is not None else ():
        if host.id in instance_ids:
            host.agent_online = online
