"""What must be so when everything has ended: statuses, counters, history and report against what truly happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.sim.stories import Story
from tests.sim.two_fleets import TwoFleets
from tests.sim.watch import Violation

from tidegate.model.deployment import TERMINAL

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

#: Ends of deployments that the world can bring about, by status.
CODES = {
    "Failed": {"HEALTH_CONSTRAINTS", "HEALTH_CONSTRAINTS_INVALID", "NO_INSTANCES", "TIMEOUT", "AGENT_ISSUE"},
    "Stopped": {"MANUAL_STOP", "ALARM_ACTIVE", "TIMEOUT"},
}
MACHINE_TRIES = 7
MOST_REVIVALS = 10
OUTCOMES = {2: "Succeeded", 3: "Failed", 4: "Skipped"}
RESULTS = {"Succeeded", "Failed"}


def check_end(world: SimWorld) -> None:
    """Hold the world to its end.

    Raises
    ------
    Violation
    """
    changed = world.table.changed_by_readers()
    _require(not changed, f"{changed} were changed by functions that had only read them")
    _require("live" not in world.group(), f"the group is still locked by {world.group().get('live')}")
    marks = [item["SK"] for item in world.table.query("LIVE").items]
    _require(not marks, f"{marks} are still marked, and nothing goes on")
    for name, execution in world.executions.items():
        # Who failed or was aborted was found by the sweep; none is still under way.
        fine = {"SUCCEEDED", "ABORTED"} | ({"FAILED"} if world.scenario.patience > MACHINE_TRIES else set())
        _require(execution.status in fine, f"execution {name} is {execution.status}: {execution.error}")
    if world.scaling:
        world.scaling.rules.check_end()
    if world.copies:
        world.copies.check_end()
    for deployment_id in world.table.courses:
        item = world.deployment(deployment_id)
        _require(item["status"] in TERMINAL, f"{deployment_id} is {item['status']} and nothing goes on")
        story = world.watch.stories.get(deployment_id)
        _check_course(world, deployment_id, item)
        _check_history(world, deployment_id)
        _check_rollback(world, deployment_id, item)
        if isinstance(story, TwoFleets):
            _check_two_fleets(world, story, item)
        elif story is not None:
            _check_traffic(world, story)
            _check_targets(world, story, item)
            _check_report(world, story, item)
            _check_verdict(story, item)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(f"at the end: {what}")


def _check_course(world: SimWorld, deployment_id: str, item: Mapping[str, Any]) -> None:
    course = world.table.courses[deployment_id]
    _require(len(TERMINAL & set(course)) == 1, f"{deployment_id} went through {course}")
    if item["status"] == "Succeeded":
        _require("error" not in item, f"{deployment_id} succeeded with {item.get('error')}")
    else:
        code = item["error"]["code"]
        worn = {"INTERNAL_ERROR", "THROTTLED"} if world.scenario.patience > MACHINE_TRIES else set()
        fits = CODES[item["status"]] | worn
        if world.scenario.balanced and world.boxes.registered:
            fits |= {"ELB_INVALID_INSTANCE"}
        if world.copies:
            fits |= world.copies.codes()
        if world.scaling and world.scaling.refused:
            fits |= {"AUTO_SCALING_IAM_ROLE_PERMISSIONS"}
        if "scaling" in item:
            fits |= {"AUTO_SCALING_CONFIGURATION"} | _given_up(world)
        _require(code in fits, f"{deployment_id} ended {item['status']} with {item['error']}")
    _require("completeTime" in item, f"{deployment_id} ended at no time")


def _given_up(world: SimWorld) -> set[str]:
    """An hour's wait for an agent makes no progress; who aborts its executions all the while has it given up."""
    aborted = sum(each.startswith("execution aborted") for each in world.chance.happened)
    return {"INTERNAL_ERROR"} if aborted >= MOST_REVIVALS else set()


def _check_history(world: SimWorld, deployment_id: str) -> None:
    told = world.decisions(deployment_id)
    numbers = [each["SK"] for each in told]
    _require(numbers == [f"DECISION#{n:06d}" for n in range(len(told))], f"decisions of {deployment_id}: {numbers}")
    kinds = Counter(each["kind"] for each in told)
    _require(kinds["Finish"] == 1, f"{deployment_id} has told its end {kinds['Finish']} times")
    _require(all(each["reason"] and each["code"] for each in told), f"{deployment_id} has decisions without a reason")


def _check_rollback(world: SimWorld, deployment_id: str, item: Mapping[str, Any]) -> None:
    links = item.get("rollback", {})
    if back := links.get("rollbackDeploymentId"):
        rollback = world.deployment(back)
        _require(item["status"] != "Succeeded", f"{deployment_id} succeeded, and was rolled back")
        _require(item["creator"] == "user", f"the rollback {deployment_id} was rolled back")
        _require(rollback["creator"] == "codeDeployRollback", f"{back} is no rollback")
        other = rollback["rollback"]["rollbackTriggeringDeploymentId"]
        _require(other == deployment_id, f"{back} rolls back {other}, not {deployment_id}")
        if "trafficBackOf" in rollback:
            return
        good = world.watch.good_when_made[back]
        _require(rollback["revisionKey"] == good, f"{back} deploys {rollback['location']}, not the last good revision")
    wanted = "DEPLOYMENT_FAILURE" if item["status"] == "Failed" else "DEPLOYMENT_STOP_ON_REQUEST"
    if item.get("error", {}).get("code") == "ALARM_ACTIVE":
        wanted = "DEPLOYMENT_STOP_ON_ALARM"
    asked = item["autoRollback"]["enabled"] and wanted in item["autoRollback"]["events"]
    if item["status"] == "Stopped" and "autoRollback" in item.get("stop", {}):
        asked = item["stop"]["autoRollback"]
    story = world.watch.stories.get(deployment_id)
    if item["status"] != "Succeeded" and item["creator"] == "user" and not asked:
        _require("rollbackDeploymentId" not in links, f"nobody asked to roll {deployment_id} back")
    if item["status"] != "Succeeded" and item["creator"] == "user" and asked:
        _require(bool(links), f"{deployment_id} was to be rolled back; nothing tells what became of that")
        touched = story is not None and bool(story.sent)
        good = world.watch.good_when_ended.get(deployment_id, "")
        if touched and good and good != item["revisionKey"] and not isinstance(story, TwoFleets):
            _require("rollbackDeploymentId" in links, f"{deployment_id} was to be rolled back, and was not: {links}")


def shown_statuses(world: SimWorld, story: Story) -> dict[str, str]:
    """Statuses of the targets as they are shown.

    What a function that was taken for dead writes late, may show an earlier state for ever: rows are written before the
    commit that could refuse it. For such a row the ledger counts.
    """
    pk = f"DEP#{story.deployment_id}"
    shown = world.statuses(story.deployment_id)
    for target_id, cell in zip(story.fleet, world.cells(story.deployment_id), strict=True):
        if (pk, f"TARGET#{target_id}") in world.watch.written_late:
            shown[target_id] = OUTCOMES.get(cell & 7, "open")
    return shown


def _check_targets(world: SimWorld, story: Story, item: Mapping[str, Any]) -> None:
    deployment_id = story.deployment_id
    statuses = shown_statuses(world, story)
    _require(set(statuses) == set(story.fleet), f"{deployment_id} shows {len(statuses)} of {len(story.fleet)} targets")
    tally = Counter(statuses.values())
    overview = {name: count for name, count in item["overview"].items() if count}
    _require(overview == dict(tally), f"{deployment_id} counts {overview}, and its targets are {dict(tally)}")
    for target_id, status in statuses.items():
        truth = f"{target_id} is {status} in {deployment_id}"
        _require(status in ("Succeeded", "Failed", "Skipped"), truth)
        if status == "Succeeded":
            _require(target_id in story.succeeded, f"{truth}, and did not come well through")
        if status == "Skipped":
            _require(target_id not in story.last_event, f"{truth}, and ran {story.last_event.get(target_id)}")
        if status == "Failed" and target_id in story.succeeded and not _drained(world, deployment_id, item):
            _require(target_id in world.unreliable, f"{truth}, came well through, and nothing was wrong with it")
    cells = world.cells(deployment_id)
    for target_id, cell in zip(story.fleet, cells, strict=True):
        _require(
            OUTCOMES.get(cell & 7) == statuses[target_id],
            f"{target_id} is {statuses[target_id]}, and {cell & 7} in the ledger",
        )
    for target_id, row in world.targets(deployment_id).items():
        if (f"DEP#{deployment_id}", f"TARGET#{target_id}") in world.watch.ever_late:
            continue
        events = {each["status"] for each in row["lifecycleEvents"]}
        _require(not events & {"Pending", "InProgress"}, f"{target_id} of {deployment_id} shows open events")
        if row["status"] == "Succeeded":
            _require(events == {"Succeeded"}, f"{target_id} of {deployment_id} succeeded with events {events}")


def _drained(world: SimWorld, deployment_id: str, item: Mapping[str, Any]) -> bool:
    """Whether it ended since targets in flight are waited for only so long after the stop condition."""
    closing = world.table.items[f"DEP#{deployment_id}", "LEDGER"]["closing"]
    limit = world.runtime.settings.rules(item).drain_limit
    return closing is not None and item["completeTime"] - closing["since"] > limit


def _check_traffic(world: SimWorld, story: Story) -> None:
    """Who came through the group's last deployment behind a balancer has its traffic back."""
    last = list(world.table.courses)[-1] == story.deployment_id and not world.scenario.blue_green
    for target_id in story.succeeded - world.leaving if last and world.scenario.balanced else ():
        _require(
            target_id in world.balancer.since, f"{target_id} came through {story.deployment_id} without its traffic"
        )


def _check_two_fleets(world: SimWorld, story: TwoFleets, item: Mapping[str, Any]) -> None:
    """A blue/green deployment that succeeded has moved the traffic; its targets and counters agree."""
    deployment_id = story.deployment_id
    shown = world.statuses(deployment_id)
    late = any(pk == f"DEP#{deployment_id}" for pk, _ in world.watch.written_late)
    overview = {name: count for name, count in item["overview"].items() if count}
    if not late:
        _require(overview == dict(Counter(shown.values())), f"{deployment_id} counts {overview}, and shows {shown}")
    if item["status"] != "Succeeded" or not story.fleet:
        return
    serving = {each for each in world.balancer.since if world.balancer.is_healthy(each)}
    there = sorted(story.takes & set(world.balancer.since) - story.failed)
    _require(not there or story.back, f"{deployment_id} succeeded, and {there} still have traffic")
    have = len(story.gives & (serving | world.leaving))
    _require(have >= story.needed, f"{deployment_id} succeeded, and {have} of {story.needed} have the traffic")
    if story.terminate_after is not None:
        left = sorted(story.takes - set(world.terminations.ended))
        _require(not left, f"{deployment_id} succeeded, and {left} were not ended")
    for target_id in story.gives - world.leaving:
        if shown[target_id] == "Succeeded" and not late:
            _require(target_id in story.succeeded, f"{target_id} is Succeeded, and did not come well through")
            _require(target_id in serving, f"{target_id} is Succeeded, and has no traffic")


def _check_report(world: SimWorld, story: Story, item: Mapping[str, Any]) -> None:
    deployment_id = story.deployment_id
    rows = world.table.query(f"INSTALLED#{deployment_id}", index="GSI2").items
    reported = {row["targetId"]: row["result"] for row in rows}
    ended = {each: status for each, status in shown_statuses(world, story).items() if status in RESULTS}
    late = {pk[5:] for pk, sk in world.watch.written_late if pk.startswith("HOST#") and sk.endswith(deployment_id)}
    for each in late & reported.keys() & ended.keys():
        reported[each] = ended[each]  # decision 019
    if item.get("deploymentMode") == "RESTART" or item["creator"] == "autoscalingTermination":
        ended = {}
    _require(reported == ended, f"the report of {deployment_id} has {reported}, and the targets are {ended}")
    health, known = world.noted_health(), {plan.target_id for plan in world.scenario.hosts}
    for target_id, status in ended.items():
        row = health.get(target_id)
        if (f"GROUP#{world.group_id}", f"HOST#{target_id}") in world.watch.written_late:
            continue
        if target_id not in known:
            continue  # of a newcomer two deployments may tell side by side
        _require(row is not None, f"nothing is noted of the health of {target_id}")
        if row["deploymentId"] == deployment_id:
            _require(
                row["healthy"] == (status == "Succeeded"), f"{target_id} is {status}, and healthy is {row['healthy']}"
            )
        else:
            later = row["deploymentId"] > deployment_id
            _require(later, f"the health of {target_id} is that of {row['deploymentId']}, and not of {deployment_id}")


def _check_verdict(story: Story, item: Mapping[str, Any]) -> None:
    if not story.fleet:
        return
    overview, total = item["overview"], len(story.fleet)
    if item["status"] == "Succeeded":
        enough = overview["Succeeded"] >= max(1, story.minimum) and not overview["Skipped"]
        _require(enough, f"{story.deployment_id} succeeded with {overview} and a minimum of {story.minimum}")
    elif item["error"]["code"] == "HEALTH_CONSTRAINTS":
        could = total - overview["Failed"]
        zone = bool(story.zones)
        _require(
            could <= story.minimum or overview["Succeeded"] < 1 or zone,
            f"{story.deployment_id} failed with {overview} and a minimum of {story.minimum}: {item['error']}",
        )
