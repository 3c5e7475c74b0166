"""Deployments that outlive an execution: the next generation goes on, and nothing shows it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.unit.functions.machine import DEFINITION, ROOT
from tests.unit.functions.scenarios import SCENARIOS, lawful, outcome, renamed
from tests.unit.functions.world import Account, hosts

from tidegate.scaling.provisioning import INTERVAL as PROVISIONING_INTERVAL

HISTORY = 25_000  # events an execution may have (AWS Step Functions: "Quotas")
SHOWN_TIMES = {"time", "lastUpdatedAt", "startTime", "endTime"}


def shown(account: Account, deployment_id: str) -> tuple[Any, Any, Any]:
    """All that users see of a deployment, without times."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: timeless(each) for name, each in value.items() if name not in SHOWN_TIMES}
        return [timeless(each) for each in value] if isinstance(value, list) else value

    item = account.deployment(deployment_id)
    info = {name: each for name, each in item.items() if not name.endswith("Time") and name != "generation"}
    return timeless(info), timeless(account.targets(deployment_id)), timeless(account.decisions(deployment_id))


@pytest.mark.parametrize("passes", ["1", "2", "3"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_many_executions_come_to_the_same_end_as_one(scenario: str, passes: str) -> None:
    whole = SCENARIOS[scenario]().run()
    parted = SCENARIOS[scenario](TIDEGATE_PASSES_PER_EXECUTION=passes).run()
    lawful(parted)
    assert renamed(outcome(parted)) == renamed(outcome(whole))
    assert len(parted.executions) > len(whole.executions) or passes != "1"


@pytest.mark.parametrize("passes", ["1", "2", "3"])
def test_no_seam_is_seen(passes: str) -> None:
    """Decisions with their numbers and sentences, targets with their events, the deployment itself: all the same."""
    whole, parted = Account(hosts(8)), Account(hosts(8), TIDEGATE_PASSES_PER_EXECUTION=passes)
    for account in (whole, parted):
        account.hosts["i-00000000000000003"].fails = frozenset({"v1.zip"})
        deployed = account.deploy("v1.zip", ("HOST_COUNT", 6))
        account.run()
    assert shown(parted, deployed) == shown(whole, deployed)
    generations = parted.deployment(deployed)["generation"]
    assert generations >= 2
    assert set(parted.executions) == {f"{deployed}-{n}" for n in range(1, generations + 1)}


def test_an_execution_makes_as_many_passes_as_it_may_and_its_last_one_only_looks() -> None:
    account = Account(hosts(4), TIDEGATE_PASSES_PER_EXECUTION="3")
    deployed = account.deploy("v1.zip")
    account.run()
    first = account.path(deployed)
    assert first.count("AwaitProgress") == 3
    assert first[-4:] == ["EvaluateHealth", "Verdict?", "StartSuccessor", "Superseded"]
    second = account.path(deployed, 2)
    assert second[:4] == ["ValidateRevision", "RevisionValid?", "SelectTargets", "TargetsSelected?"]
    assert len(account.bundles.copied) == 1, "the bundle is copied once a deployment"


def test_a_wait_of_days_goes_through_executions_of_a_bounded_history() -> None:
    day = 86400
    account = Account(
        hosts(1, takes=3 * day, picked_up=1),
        TIDEGATE_HOST_EVENT_SECONDS=str(5 * day),
        TIDEGATE_DEPLOYMENT_SECONDS=str(6 * day),
        TIDEGATE_PASSES_PER_EXECUTION="200",
    )
    deployed = account.deploy("v1.zip")
    begun = account.now
    assert account.run().deployment(deployed)["status"] == "Succeeded"
    assert account.now - begun > 3 * day
    assert account.deployment(deployed)["generation"] > 15
    assert max(each.path.count("EvaluateHealth") for each in account.executions.values()) == 201


# --- the limit


def most_events_of(name: str) -> int:
    """Events of one state in an execution's history, were each of its tries but the last to fail."""
    state = DEFINITION["States"][name]
    entered_and_exited = 2
    if state["Type"] != "Task":
        return entered_and_exited
    tries = 1 + max(rule["MaxAttempts"] for rule in state["Retry"])
    submitted = 1 if state["Resource"].endswith("waitForTaskToken") else 0
    return entered_and_exited + tries * (3 + submitted)


def longest_pass(name: str = "EvaluateHealth", walked: tuple[str, ...] = ()) -> int:
    """Events of the longest way from EvaluateHealth back to it, or to an end."""
    if name in walked:
        return 0
    state = DEFINITION["States"][name]
    ways = [state.get("Next"), state.get("Default"), *(rule["Next"] for rule in state.get("Choices", ()))]
    return most_events_of(name) + max((longest_pass(way, (*walked, name)) for way in ways if way), default=0)


def test_the_limit_keeps_the_worst_history_below_what_an_execution_may_have() -> None:
    template = (ROOT / "template.yaml").read_text()
    parameter = re.search(r"  PassesPerExecution:\n    Type: Number\n    Default: (\d+)\n", template)
    assert parameter
    passes = int(parameter[1])
    turn = sum(most_events_of(name) for name in ("ProvisionReplacements", "ReplacementsReady?", "AwaitReplacements"))
    waited = re.search(r"  ProvisioningSeconds:\n    Type: Number\n    Default: (\d+)\n", template)
    assert waited
    turns = int(waited[1]) / PROVISIONING_INTERVAL
    beginning = sum(most_events_of(name) for name in ("ValidateRevision", "SelectTargets")) + 2 * 2 + turns * turn
    assert beginning + (passes + 1) * longest_pass() < HISTORY
