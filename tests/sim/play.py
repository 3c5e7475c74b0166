"""Play a seed, and find the smallest trouble that still breaks a rule."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace

from tests.sim.chance import Chance
from tests.sim.draws import draw
from tests.sim.ending import check_end
from tests.sim.scenarios import Scenario
from tests.sim.watch import Violation
from tests.sim.world import SimWorld

MOST_REPLAYS = 300
_WORDS = {
    "codeDeployRollback": "rollback",
    "autoscaling": "launch",
    "autoscalingTermination": "termination",
    "CodeDeployAutoUpdate": "follow-up",
}


@dataclass
class Played:
    """What came of a play.

    Attributes
    ----------
    violation : the rule that was broken, or empty
    happened : the faults that happened, in order
    met : how often each kind of deployment, end and fault was met
    """

    scenario: Scenario
    violation: str
    happened: list[str]
    met: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


def play(scenario: Scenario, without: frozenset[str] = frozenset(), *, traced: bool = False) -> Played:
    """Play a scenario to its end; the same scenario and ``without`` play the same, always."""
    logging.disable(logging.CRITICAL)
    chance = Chance(scenario.seed, scenario.rates, without)
    world: SimWorld | None = None
    violation = ""
    try:
        world = SimWorld(scenario, chance)
        world.trace = [] if traced else None
        world.play()
        check_end(world)
    except Violation as broken:
        violation = str(broken)
    except AssertionError as broken:  # the machine's interpreter: an execution that has no end
        violation = f"assertion: {broken}"
    except Exception as error:  # of the play itself; functions' own are told by the world
        violation = f"the play broke off: {error!r}"
    finally:
        logging.disable(logging.NOTSET)
    met = Counter(f"fault: {name.partition(' #')[0]}" for name in chance.happened if " #" in name)
    met.update(f"kind: {kind}" for kind in scenario.kinds)
    if world is not None:
        met.update(_ends(world))
    return Played(scenario, violation, chance.happened, met, (world.trace if world else None) or [])


def _ends(world: SimWorld) -> list[str]:
    found = []
    for deployment_id in world.table.courses:
        item = world.deployment(deployment_id)
        code = item.get("error", {}).get("code", "")
        back = ", rolled back" if "rollbackDeploymentId" in item.get("rollback", {}) else ""
        what = _WORDS.get(item["creator"], "deployment")
        found.append(f"end: {what} {item['status']} {code}{back}".rstrip())
    found += ["lost events"] * world.liveness.lost
    found += ["seeds with lost events"] * bool(world.liveness.lost)
    found += ["deployments"] * len(world.table.courses)
    found += ["executions"] * len(world.executions)
    return found


def play_seed(seed: int, hosts: int = 20) -> Played:
    """Play a seed."""
    return play(draw(seed, hosts))


def shrunk(failed: Played) -> Played:
    """The same rule broken with as few faults, deployments and hosts as can be found by leaving them out."""
    rule = _rule(failed.violation)
    best, without, replays = failed, frozenset[str](), 0

    def still(scenario: Scenario, left_out: frozenset[str]) -> Played | None:
        nonlocal replays
        replays += 1
        again = play(scenario, left_out)
        return again if again.violation and _rule(again.violation) == rule else None

    scenario = failed.scenario
    for size in (8, 4, 2, 1):
        start = 0
        while start < len(best.happened) and replays < MOST_REPLAYS:
            chunk = len(best.happened) // size if size > 1 else 1
            some = frozenset(best.happened[start : start + max(1, chunk)])
            if again := still(scenario, without | some):
                best, without = again, without | some
            else:
                start += max(1, chunk)
    for target in [plan.target_id for plan in scenario.hosts]:
        smaller = replace(scenario, hosts=tuple(plan for plan in scenario.hosts if plan.target_id != target))
        if replays < 2 * MOST_REPLAYS and smaller.hosts and (again := still(smaller, without)):
            best, scenario = again, smaller
    return play(scenario, without, traced=True)


def _rule(violation: str) -> str:
    """Which rule was broken, without names and numbers."""
    return "".join(char for char in violation.partition("d-0")[0] if not char.isdigit())[:60]
