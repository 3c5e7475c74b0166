"""The limits a rollout is judged by, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Deadlines and paces of one deployment; every wait has one of these as its end.

    Attributes
    ----------
    started_at : when the deployment began, epoch seconds
    undelivered_after : a host that has not picked up its command by then fails (CodeDeploy: 5 minutes)
    unreachable_after : a host whose agent cannot be reached by then fails; 0: as ``undelivered_after``
    stage_limit : longest a delivered command may run before the host is asked what became of it
    drain_limit : longest that targets in flight are waited for after the stop condition came true
    total_limit : longest a deployment may take (CodeDeploy: 8 hours in place)
    heartbeat_floor, heartbeat_ceiling : shortest and longest wait between two looks
    look_share : most commands looked at by a pass that no signal woke
    flight_size : most targets of one command (SSM: 50)
    balancer_interval : seconds between two looks at targets that balancers drain or check
    most_asks : how often a host is asked what became of its command before it counts as lost
    revived_at : when the sweep carried it on, epoch seconds: until then nobody was there to send anything
    """

    started_at: float = 0.0
    undelivered_after: float = 300.0
    stage_limit: float = 7 * 3600.0
    drain_limit: float = 7 * 3600.0
    total_limit: float = 8 * 3600.0
    heartbeat_floor: float = 10.0
    heartbeat_ceiling: float = 300.0
    look_share: int = 20
    flight_size: int = 50
    balancer_interval: float = 15.0
    most_asks: int = 3
    revived_at: float = 0.0
    unreachable_after: float = 0.0

    @property
    def reachable_within(self) -> float:
        """How long the agent of a host may take until it can be reached."""
        return self.unreachable_after or self.undelivered_after

    def reached_again(self, waited: float) -> float:
        """How long until hosts that could not be reached for ``waited`` seconds are tried again; no signal tells it.

        A tenth of the time that they have for it; longer the longer they stay away, by an eighth of the wait at most.

        >>> Rules().reached_again(0), Rules().reached_again(800)
        (30.0, 100.0)
        """
        return max(self.undelivered_after / 10, self.heartbeat_floor, min(waited / 8, self.heartbeat_ceiling))

    def heartbeat(self, quiet: float) -> float:
        """How long to wait when nothing has changed for ``quiet`` seconds: as long again, within bounds.

        >>> Rules().heartbeat(0), Rules().heartbeat(42), Rules().heartbeat(9000)
        (10.0, 42, 300.0)
        """
        return min(max(quiet, self.heartbeat_floor), self.heartbeat_ceiling)
