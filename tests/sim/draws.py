"""What is drawn for a seed. Each kind of deployment has a stream of its own, so that it changes no seed without it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from tests.sim.scenarios import BlueGreenPlan, BoxPlan, CopyPlan, HostPlan, Newcomer, ScalingPlan, Scenario, Wish

ON_REQUEST = "DEPLOYMENT_STOP_ON_REQUEST"
ROLLBACKS = ("DEPLOYMENT_FAILURE", ON_REQUEST, "DEPLOYMENT_STOP_ON_ALARM")
ZONES = ("zone-a", "zone-b", "zone-c")

#: How likely each fault is in a rough world, each time it is possible.
ROUGH = {
    # calls of functions to the world
    "killed before a call": 1 / 120,
    "killed after a call": 1 / 120,
    "throttled": 1 / 90,
    "slow call": 1 / 60,
    "execution aborted": 1 / 300,
    "taken for dead, but goes on": 1 / 25,
    # events
    "event lost": 1 / 5,
    "event late": 1 / 5,
    "event doubled": 1 / 5,
    # hosts, each time they are given work
    "host dies at work": 1 / 40,
    "host hangs": 1 / 60,
    "host is slow": 1 / 12,
    "host is late": 1 / 25,
    "answer lost": 1 / 15,
    "cancel ignored": 1 / 2,
    # balancers, each time a target comes or goes
    "target stays unhealthy": 1 / 60,
    "drains slowly": 1 / 20,
    "balancer throttled": 1 / 40,
    # alarms, each time they are read
    "alarm raised": 1 / 150,
}


def draw(seed: int, hosts: int = 20) -> Scenario:
    """The scenario of a seed.

    Parameters
    ----------
    hosts : the largest fleet; most seeds have fewer
    """
    dice = random.Random(f"scenario {seed}")
    count = hosts if dice.random() < 0.4 else dice.randint(1, hosts)
    balanced = dice.random() < 0.35
    last_good = "v0.zip" if dice.random() < 0.7 else ""
    roughness = dice.choice((0.0, 0.3, 0.3, 1.0, 1.0, 2.0))
    rates = {kind: min(1.0, rate * roughness * dice.choice((0, 0.5, 1, 1, 2))) for kind, rate in ROUGH.items()}
    env = {
        "TIDEGATE_PROVISIONING_SECONDS": "900",
        "TIDEGATE_PASSES_PER_EXECUTION": str(dice.choice((3, *[10] * 2, *[200] * 7))),
        "TIDEGATE_HEARTBEAT_FLOOR_SECONDS": random.Random(f"pace {seed}").choice(("10", "20", "60")),
        "TIDEGATE_HEARTBEAT_SECONDS": str(dice.choice((60, 300, 300))),
        "TIDEGATE_MAX_INSTANCES": str(max(1000, hosts)),
    }
    unwell = dice.choice((0.0, 0.03, 0.2))
    fleet = tuple(_host(dice, number, count, last_good, unwell) for number in range(1, count + 1))
    wishes = []
    at = 0.0
    for number in range(1, dice.choice((1, 1, 2, 2, 3)) + 1):
        wishes.append(_wish(dice, at, f"v{number}.zip", count))
        at += dice.choice((0.0, 30.0, 600.0, 4000.0))
    blue_green = _blue_green(seed, balanced, count)
    if blue_green is None:
        fleet, scaling = _with_boxes(seed, fleet, balanced), _scaling(seed, [wish.at for wish in wishes])
    else:
        blue_green = _failing_moves(seed, blue_green, [host.target_id for host in fleet])
        blue_green, scaling = _scaled_originals(seed, blue_green, [host.target_id for host in fleet])
        if blue_green.calm:
            fleet = tuple(replace(host, fails=frozenset(), online=True, opted_in=True) for host in fleet)
            wishes = [replace(wish, stop_after=None) for wish in wishes]
    return Scenario(
        seed,
        fleet,
        tuple(wishes),
        balanced,
        last_good,
        rates,
        env,
        blue_green,
        scaling,
        dice.choice((5, 5, 100)),
    )


def _host(dice: random.Random, number: int, count: int, last_good: str, unwellness: float) -> HostPlan:
    healths = ("current", "current", "old", "unhealthy", "unknown", "never") if last_good else ("never", "unhealthy")
    bad = dice.random()
    failing = frozenset(key for key in ("v1.zip", "v2.zip", "v3.zip") if dice.random() < bad * 0.3)
    unwell = dice.random() < unwellness
    return HostPlan(
        target_id=f"i-{number:017x}",
        zone=ZONES[number * len(ZONES) // (count + 1)] if number % 7 else ZONES[0],
        health=dice.choice(healths) if last_good == "" or dice.random() < 0.4 else "current",
        fails=failing,
        takes=round(dice.uniform(1, 20), 3),
        online=not unwell,
        opted_in=dice.random() > 0.01,
        comes_back=round(dice.uniform(1, 400), 3) if unwell and dice.random() < 0.7 else None,
    )


def _with_boxes(seed: int, fleet: tuple[HostPlan, ...], balanced: bool) -> tuple[HostPlan, ...]:
    """The fleet, some or all of which are on-premises instances. No balancer takes these."""
    dice = random.Random(f"on-premises {seed}")
    if dice.random() > (0.05 if balanced else 0.2):
        return fleet
    share = dice.choice((0.2, 0.5, 1.0))
    return tuple(_box(dice, plan) if dice.random() < share else plan for plan in fleet)


def _box(dice: random.Random, plan: HostPlan) -> HostPlan:
    number = plan.target_id[-8:]
    nodes = dice.choice((1,) * 12 + (0, 2))
    return replace(
        plan,
        target_id=f"box-{number}",
        zone="",
        box=BoxPlan(
            node_ids=(f"mi-0{number}", f"mi-1{number}")[:nodes],
            registered=dice.choice((100.0, 100.0, 100.0, 1.0)),
            deregistered_at=round(dice.choice((60, 600, 4000)) * dice.random(), 3) if dice.random() < 0.15 else None,
            goes_away=dice.random() < 0.6,
        ),
    )


def _wish(dice: random.Random, at: float, key: str, count: int) -> Wish:
    minimum = dice.choice(
        (
            ("MOST_CONCURRENCY", 1),
            ("MOST_CONCURRENCY", dice.randint(1, count)),
            ("HOST_COUNT", dice.randint(0, count)),
            ("HOST_COUNT", max(0, count - dice.randint(1, 5))),
            ("FLEET_PERCENT", dice.choice((0, 25, 50, 75, 95))),
            ("FLEET_PERCENT", dice.randint(1, 99)),
        )
    )
    zonal: dict[str, Any] | None = None
    if dice.random() < 0.3:
        zonal = {"monitorDurationInSeconds": dice.choice((0, 60, 400))}
        if dice.random() < 0.5:
            zonal["firstZoneMonitorDurationInSeconds"] = dice.choice((0, 30, 700))
        if dice.random() < 0.6:
            floor = dice.choice((("HOST_COUNT", dice.choice((0, 1, 2))), ("FLEET_PERCENT", dice.choice((10, 50, 70)))))
            zonal["minimumHealthyHostsPerZone"] = {"type": floor[0], "value": floor[1]}
    return Wish(
        at=at,
        key=key,
        minimum=minimum,
        zonal=zonal,
        rolls_back_on=tuple(event for event in ROLLBACKS if dice.random() < 0.6),
        outdated_only=dice.random() < 0.15,
        restart=dice.random() < 0.1,
        stop_after=round(dice.expovariate(1 / 120), 3) if dice.random() < 0.25 else None,
        stop_rolls_back=dice.choice((None, True, False)),
        watches_alarm=dice.random() < 0.3,
    )


def _blue_green(seed: int, balanced: bool, count: int) -> BlueGreenPlan | None:
    dice = random.Random(f"blue/green {seed}")
    if not balanced or count < 2 or dice.random() < 0.6:
        return None
    minimums = (("HOST_COUNT", 0), ("FLEET_PERCENT", 50), ("FLEET_PERCENT", 25), ("MOST_CONCURRENCY", 1))
    return BlueGreenPlan(
        minimum=dice.choice(minimums),
        ready=dice.choice((None, None, 5, 60)),
        terminate=dice.choice((None, 1, 20)),
        continued_after=round(dice.uniform(60, 2000), 3) if dice.random() < 0.7 else None,
    )


def _failing_moves(seed: int, plan: BlueGreenPlan, hosts: list[str]) -> BlueGreenPlan:
    """The plan with scripts around the move of traffic that fail on an instance or two."""
    dice = random.Random(f"failing moves {seed}")
    if dice.random() < 0.6:
        return plan
    stages = ("before-block", "before-block", "after-block", "before-allow", "after-allow")
    chosen = dice.sample(hosts, min(len(hosts), dice.choice((1, 1, 2))))
    minimum = dice.choice((plan.minimum, ("FLEET_PERCENT", 50), ("FLEET_PERCENT", 60)))  # so that others are to come
    return replace(plan, minimum=minimum, failing=tuple((each, dice.choice(stages)) for each in chosen))


def _scaled_originals(seed: int, plan: BlueGreenPlan, hosts: list[str]) -> tuple[BlueGreenPlan, ScalingPlan | None]:
    """The originals as instances of an Auto Scaling group, which may be copied."""
    dice = random.Random(f"scaled originals {seed}")
    if dice.random() < 0.4:
        return plan, None
    copied = dice.random() < 0.6
    originals = hosts if copied else hosts[::2]
    refused = dice.choice(("",) * 10 + ("AUTOSCALING_VALIDATION_ERROR", "AUTO_SCALING_IAM_ROLE_PERMISSIONS"))
    never, worn = dice.choice((0,) * 6 + (1,)), dice.random() < 0.3
    copy = CopyPlan(
        refused=refused,
        never=never,
        says=dice.choice(("", "AUTO_SCALING_CONFIGURATION", "RESOURCE_LIMIT_EXCEEDED")) if never else "",
        launches=round(dice.uniform(5, 200), 3),
        tagged=dice.random() < 0.9,
        instances=tuple(_replacement(dice, number, worn) for number in range(len(originals))),
    )
    leaves = dice.choice((0, 0, 0.1))
    leaving = tuple((each, round(4000 * dice.random(), 3)) for each in originals if dice.random() < leaves)
    newcomers = tuple(_newcomer(dice, number, [0.0, 600.0]) for number in range(1, dice.choice((0, 1, 3, 4)) + 1))
    scaling = ScalingPlan(newcomers, termination_hook=dice.random() < 0.5, strategy="UPDATE")
    minimum = plan.minimum if plan.failing else dice.choice((plan.minimum, ("HOST_COUNT", 0), ("HOST_COUNT", 0)))
    made = replace(plan, minimum=minimum, scaled=True, leaving=leaving, copy=copy if copied else None)
    made = replace(made, attached=dice.random() < 0.5)
    if dice.random() < 0.6:
        return made, scaling
    calm = replace(made, calm=True, continued_after=made.continued_after or 900.0, leaving=(), failing=())
    made_well = tuple(replace(each, fails=frozenset(), registers_after=0.0) for each in copy.instances)
    come = [
        replace(each, at=round(1500 * dice.random(), 3), fails=frozenset(), registers_after=0.0, leaves_after=None)
        for each in (_newcomer(dice, number, [0.0]) for number in range(1, 6))
    ]
    scaling = replace(scaling, newcomers=tuple(come))
    well = replace(copy, refused="", never=0, says="", tagged=True, instances=made_well)
    return replace(calm, minimum=("HOST_COUNT", 0), copy=well if copied else None), scaling


def _replacement(dice: random.Random, number: int, worn: bool) -> Newcomer:
    """An instance of a copy; in worn copies some fail, or their agents come late or never."""
    drawn = _newcomer(dice, number, [0.0])
    return drawn if worn else replace(drawn, fails=frozenset(), registers_after=0.0)


def _scaling(seed: int, asked_at: list[float]) -> ScalingPlan | None:
    dice = random.Random(f"scaling {seed}")
    if dice.random() < 0.7:
        return None
    newcomers = tuple(_newcomer(dice, number, asked_at) for number in range(1, dice.randint(1, 4) + 1))
    plan = ScalingPlan(
        newcomers,
        termination_hook=dice.random() < 0.5,
        strategy=dice.choice(("UPDATE", "UPDATE", "UPDATE", "IGNORE")),
    )
    return _with_refusals(seed, _with_changes(seed, plan))


def _with_refusals(seed: int, plan: ScalingPlan) -> ScalingPlan:
    """The plan with calls that Auto Scaling refuses for a while, in a share of the seeds."""
    dice = random.Random(f"refusals {seed}")
    if dice.random() < 0.75:
        return plan
    calls = dice.sample(("groups", "put", "delete", "complete", "heartbeat", "suspend", "resume"), dice.randint(1, 3))
    spans = [(round(1500 * dice.random(), 3), dice.choice((20, 300, 1500))) for _ in calls]
    return replace(plan, refusals=tuple((each, at, at + lasts) for each, (at, lasts) in zip(calls, spans, strict=True)))


def _with_changes(seed: int, plan: ScalingPlan) -> ScalingPlan:
    """The plan with a warm pool, with suspended processes, and with hooks that change, in a share of the seeds."""
    dice = random.Random(f"scaling changes {seed}")
    if dice.random() < 0.5:
        return plan
    pooled = dice.choice((0.0, 0.5, 1.0))
    stays = [round(dice.choice((300, 3000)) * dice.random(), 3) for _ in plan.newcomers]
    newcomers = [
        replace(each, pooled_for=stay) if dice.random() < pooled else each
        for each, stay in zip(plan.newcomers, stays, strict=True)
    ]
    return replace(
        plan,
        newcomers=tuple(newcomers),
        suspends=dice.choice(((), ("AZRebalance",), ("AZRebalance", "ScheduledActions"))),
        suspended=frozenset(dice.choice(((), ("ScheduledActions",), ("AlarmNotification",)))),
        switched_at=tuple(round(2000 * dice.random(), 3) for _ in range(dice.choice((0, 0, 1, 2)))),
        hook_lost_at=round(2000 * dice.random(), 3) if dice.random() < 0.15 else None,
    )


def _newcomer(dice: random.Random, number: int, asked_at: list[float]) -> Newcomer:
    bad = dice.random() < 0.3
    return Newcomer(
        target_id=f"i-a{number:016x}",
        at=round(dice.choice(asked_at) + dice.choice((5.0, 60.0, 900.0)) * dice.random(), 3),
        fails=frozenset(key for key in ("v0.zip", "v1.zip", "v2.zip", "v3.zip") if bad and dice.random() < 0.5),
        takes=round(dice.uniform(1, 120), 3),
        registers_after=dice.choice((0.0, 0.0, round(dice.uniform(1, 1500), 3), None if dice.random() < 0.3 else 30.0)),
        leaves_after=round(dice.choice((30, 300, 3000)) * dice.random(), 3) if dice.random() < 0.5 else None,
    )
