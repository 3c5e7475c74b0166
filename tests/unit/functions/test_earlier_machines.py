"""Executions keep the machine that they were started with, and call the functions of today."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.unit.functions.machine import DEFINITION, ROOT, Json
from tests.unit.functions.scenarios import SCENARIOS, lawful, outcome, renamed
from tests.unit.functions.world import Account, hosts

RELEASES = {
    path.parent.name: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / "tests/unit/functions/releases").glob("*/server_deployment.asl.yaml"))
}


@pytest.fixture(params=sorted(RELEASES))
def machine(request: pytest.FixtureRequest) -> Json:
    found: Json = RELEASES[request.param]
    return found


def verdicts_of(machine: Json, choice: str) -> set[str]:
    return {rule["StringEquals"] for rule in machine["States"][choice]["Choices"]}


def test_there_is_a_machine_of_an_earlier_release() -> None:
    assert RELEASES
    assert all(machine != DEFINITION for machine in RELEASES.values())


@pytest.mark.parametrize("passes", ["2", "200"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_deployments_begun_on_it_come_to_the_same_end(scenario: str, passes: str, machine: Json) -> None:
    expected = renamed(outcome(SCENARIOS[scenario]().run()))
    account = SCENARIOS[scenario](TIDEGATE_PASSES_PER_EXECUTION=passes)
    for execution in account.executions.values():
        execution.definition = machine
    account.machine = machine
    before, told = account.before, set[Any]()

    def note(name: str, state: Json) -> None:
        before(name, state)
        if name == "Verdict?":
            told.add(state["verdict"])

    account.before = note
    account.run()
    lawful(account)
    assert renamed(outcome(account)) == expected
    assert told <= verdicts_of(machine, "Verdict?"), "it is told nothing that it does not know"


def test_a_rollback_begun_on_the_new_machine_follows_a_failure_on_the_old_one(machine: Json) -> None:
    account = SCENARIOS["rolling back"]()
    (execution,) = [each for each in account.executions.values() if not each.path]
    execution.definition = machine
    account.run()
    lawful(account)
    assert renamed(outcome(account)) == renamed(outcome(SCENARIOS["rolling back"]().run()))


def test_the_new_machine_does_hand_over_where_the_old_one_could_not(machine: Json) -> None:
    for started_with, hands_over in ((machine, False), (DEFINITION, True)):
        account = Account(hosts(4), TIDEGATE_PASSES_PER_EXECUTION="2")
        account.machine = started_with
        deployed = account.deploy("v1.zip")
        assert account.run().deployment(deployed)["status"] == "Succeeded"
        assert (account.deployment(deployed)["generation"] > 1) == hands_over


def test_every_verdict_that_came_later_is_kept_from_it(machine: Json) -> None:
    later = verdicts_of(DEFINITION, "Verdict?") - verdicts_of(machine, "Verdict?")
    assert later == {"HAND_OVER", "SEND"}
