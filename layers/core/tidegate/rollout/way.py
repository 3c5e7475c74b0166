"""The way of a fleet: which stages and legs a deployment of each kind has (AWS: "AppSpec 'hooks' section")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.model.legs import Constraint, Leg, Stage, StageKind, Wait, WaitKind

#: Longest that a balancer may drain a target, or find it unhealthy, in seconds (AWS: "Integrating with ELB").
BALANCER_LIMIT: Final = 3600.0
BEFORE_ALLOW: Final = ("BeforeAllowTraffic",)
AFTER_ALLOW: Final = ("AfterAllowTraffic",)
BEFORE_BLOCK: Final = ("BeforeBlockTraffic",)
AFTER_BLOCK: Final = ("AfterBlockTraffic",)

#: Seconds that some events may take on a host once a command is sent.
Limit = Callable[[Sequence[str]], float]


@dataclass(frozen=True, slots=True)
class Zonal:
    """A zonal configuration (API: ZonalConfig).

    Attributes
    ----------
    kind, value : minimum healthy hosts of each zone; ``FLEET_PERCENT`` 0 where the configuration has none
    monitor, first_monitor : seconds a zone is watched before the next one is begun
    """

    kind: str = "FLEET_PERCENT"
    value: int = 0
    monitor: float = 0.0
    first_monitor: float | None = None

    @classmethod
    def of(cls, config: Mapping[str, object]) -> Zonal:
        """From the API's ``zonalConfig``."""
        minimum = config.get("minimumHealthyHostsPerZone") or {}
        assert isinstance(minimum, Mapping), "the API has checked its shape"
        first = config.get("firstZoneMonitorDurationInSeconds")
        return cls(
            kind=str(minimum.get("type", "FLEET_PERCENT")),
            value=int(minimum.get("value", 0)),
            monitor=float(str(config.get("monitorDurationInSeconds") or 0)),
            first_monitor=None if first is None else float(str(first)),
        )

    def wait_before(self, zone: int) -> Wait | None:
        """The pause before the zone of that number, counted from 0; none before the first, nor after the last."""
        first = self.monitor if self.first_monitor is None else self.first_monitor
        length = {0: 0.0, 1: first}.get(zone, self.monitor)
        return Wait(WaitKind.MONITOR, length) if length else None


def in_place_stages(
    host_events: Sequence[str], limit: Limit, *, balanced: bool, balancer_limit: float = BALANCER_LIMIT
) -> tuple[Stage, ...]:
    """The stages of one target in place.

    Without a balancer all its events are one stage. With one, traffic is taken away before and given back
    after; the events on the host between the two go as one command.

    >>> [stage.name for stage in in_place_stages(["Install"], len, balanced=True)]
    ['before-block', 'block', 'host', 'allow', 'after-allow']
    """
    if not balanced:
        return (_host("host", host_events, limit),)
    return (
        _host("before-block", BEFORE_BLOCK, limit),
        Stage("block", StageKind.BLOCK, ("BlockTraffic",), balancer_limit),
        _host("host", (*AFTER_BLOCK, *host_events, *BEFORE_ALLOW), limit),
        Stage("allow", StageKind.ALLOW, ("AllowTraffic",), balancer_limit),
        _host("after-allow", AFTER_ALLOW, limit),
    )


def launch_stages(
    host_events: Sequence[str], limit: Limit, *, balanced: bool, balancer_limit: float = BALANCER_LIMIT
) -> tuple[Stage, ...]:
    """The stages of an instance that Auto Scaling has launched: it has no traffic that would have to be taken away.

    >>> [stage.name for stage in launch_stages(["Install"], len, balanced=True)]
    ['host', 'allow', 'after-allow']
    """
    if not balanced:
        return (_host("host", host_events, limit),)
    return (
        _host("host", (*host_events, *BEFORE_ALLOW), limit),
        Stage("allow", StageKind.ALLOW, ("AllowTraffic",), balancer_limit),
        _host("after-allow", AFTER_ALLOW, limit),
    )


def leaving_stages(
    host_events: Sequence[str], limit: Limit, *, balanced: bool, balancer_limit: float = BALANCER_LIMIT
) -> tuple[Stage, ...]:
    """The stages of an instance that Auto Scaling is about to end.

    >>> [stage.events for stage in leaving_stages(["ApplicationStop"], len, balanced=True)][2]
    ('AfterBlockTraffic', 'ApplicationStop')
    """
    if not balanced:
        return (_host("host", host_events, limit),)
    return (
        _host("before-block", BEFORE_BLOCK, limit),
        Stage("block", StageKind.BLOCK, ("BlockTraffic",), balancer_limit),
        _host("host", (*AFTER_BLOCK, *host_events), limit),
    )


def allow_stages(limit: Limit, balancer_limit: float = BALANCER_LIMIT) -> tuple[Stage, ...]:
    """The stages that give traffic to a target of a blue/green deployment."""
    return (
        _host("before-allow", BEFORE_ALLOW, limit),
        Stage("allow", StageKind.ALLOW, ("AllowTraffic",), balancer_limit),
        _host("after-allow", AFTER_ALLOW, limit),
    )


def block_stages(limit: Limit, balancer_limit: float = BALANCER_LIMIT) -> tuple[Stage, ...]:
    """The stages that take traffic from a target of a blue/green deployment."""
    return (
        _host("before-block", BEFORE_BLOCK, limit),
        Stage("block", StageKind.BLOCK, ("BlockTraffic",), balancer_limit),
        _host("after-block", AFTER_BLOCK, limit),
    )


def zone_legs(
    zones: Sequence[tuple[str, int]], minimum: int, per_zone: Sequence[int], zonal: Zonal, stages: tuple[Stage, ...]
) -> tuple[Leg, ...]:
    """A leg a zone: the fleet's minimum and the zone's own hold together.

    Parameters
    ----------
    zones : names and sizes, in the order they are deployed to
    minimum : of the whole fleet
    per_zone : minimum of each zone
    """
    total = sum(size for _, size in zones)
    legs: list[Leg] = []
    for number, (name, size) in enumerate(zones):
        first = legs[-1].last if legs else 0
        own = Constraint(first, first + size, per_zone[number], f"zone {name}")
        last_one = number == len(zones) - 1
        legs.append(
            Leg(
                f"zone {name}",
                first,
                first + size,
                stages,
                keep=(Constraint(0, total, minimum), own),
                needs=Constraint(0, total, max(1, minimum)) if last_one else None,
                wait=zonal.wait_before(number),
            )
        )
    return tuple(legs)


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """How a blue/green deployment goes (API: BlueGreenDeploymentConfiguration).

    Attributes
    ----------
    ready_wait : seconds the replacement fleet waits for ContinueDeployment; ``None`` moves traffic at once
    terminate_after : seconds until the originals are ended; ``None`` keeps them
    """

    ready_wait: float | None = None
    terminate_after: float | None = None

    @classmethod
    def of(cls, config: Mapping[str, Mapping[str, object]]) -> BlueGreen:
        """From the API's ``blueGreenDeploymentConfiguration``, which gives minutes.

        >>> BlueGreen.of({"deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 30},
        ...     "terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"}})
        BlueGreen(ready_wait=1800.0, terminate_after=None)
        """
        ready = config.get("deploymentReadyOption") or {}
        end = config.get("terminateBlueInstancesOnDeploymentSuccess") or {}
        waits, ends = ready.get("actionOnTimeout") == "STOP_DEPLOYMENT", end.get("action") == "TERMINATE"
        return cls(
            ready_wait=float(str(ready.get("waitTimeInMinutes", 0))) * 60 if waits else None,
            terminate_after=float(str(end.get("terminationWaitTimeInMinutes", 0))) * 60 if ends else None,
        )


def blue_green_legs(
    green: int,
    blue: int,
    minimum: int,
    blue_minimum: int,
    how: BlueGreen,
    host_events: Sequence[str],
    limit: Limit,
    balancer_limit: float = BALANCER_LIMIT,
) -> tuple[Leg, ...]:
    """Install on the replacement, wait, give it the traffic, take it from the originals, wait, end them.

    Parameters
    ----------
    green, blue : sizes of the replacement and of the original fleet, which come in this order in the ledger
    minimum, blue_minimum : healthy targets the configuration asks for, of either fleet's size
    """
    keep = (Constraint(0, green, minimum, "the replacement fleet"),)
    needs = Constraint(0, green, max(1, minimum), "the replacement fleet")
    ready = None if how.ready_wait is None else Wait(WaitKind.READY, how.ready_wait, stops=True)
    legs = [
        Leg("install on the replacement", 0, green, (_host("host", host_events, limit),), keep, needs),
        Leg(
            "traffic to the replacement",
            0,
            green,
            allow_stages(limit, balancer_limit),
            keep,
            needs,
            wait=ready,
            paces=True,
        ),
    ]
    last = green + blue
    if blue:
        pace = (Constraint(green, last, blue_minimum, "the original fleet"),)
        all_of_them = Constraint(green, last, blue, "the original fleet")
        stages = block_stages(limit, balancer_limit)
        legs.append(Leg("traffic from the originals", green, last, stages, pace, all_of_them, strict=True))
        if how.terminate_after is not None:
            ending = Stage("terminate", StageKind.TERMINATE, (), BALANCER_LIMIT)
            wait = Wait(WaitKind.TERMINATION, how.terminate_after)
            legs.append(Leg("end of the originals", green, last, (ending,), needs=all_of_them, wait=wait))
    return tuple(legs)


def traffic_back_legs(
    blue: int, green: int, blue_minimum: int, limit: Limit, balancer_limit: float = BALANCER_LIMIT
) -> tuple[Leg, ...]:
    """The rollback of a blue/green deployment: traffic to the originals, then from the replacement.

    All of them together: nothing is taken out that serves, and there is hurry. So many originals must have traffic
    again before it is taken from the first replacement instance; one that does not let go of it fails alone.
    """
    there, last = Constraint(0, blue, max(1, blue_minimum), "the original fleet"), blue + green
    legs = [Leg("traffic to the originals", 0, blue, allow_stages(limit, balancer_limit), needs=there)]
    if green:
        legs.append(Leg("traffic from the replacement", blue, last, block_stages(limit, balancer_limit), needs=there))
    return tuple(legs)


def _host(name: str, events: Sequence[str], limit: Limit) -> Stage:
    return Stage(name, StageKind.HOST, tuple(events), limit(events))
