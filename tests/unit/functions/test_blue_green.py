"""Blue/green on servers that exist: install, wait, move traffic, wait, end the originals; stopped and rolled back."""

from __future__ import annotations

import pytest
from tests.unit.functions.blue_green import GREEN_FILTERS, ON_ANY_END, STYLE, Mortal, TwoFleets

HOST_EVENTS = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
]
ALLOW_EVENTS = ["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]
BLOCK_EVENTS = ["BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"]


def test_traffic_moves_to_the_replacement_whose_instances_become_the_groups_own() -> None:
    fleets = TwoFleets()
    deployed = fleets.deploy()
    item = fleets.account.deployment(deployed)
    assert item["status"] == "Succeeded"
    assert item["overview"]["Succeeded"] == 6
    assert fleets.serving() == fleets.green
    assert fleets.balancer.fewest == 3, "the originals lose their traffic when the replacement has it"
    assert set(fleets.labels(deployed).values()) == {"Blue", "Green"}
    for each in fleets.green:
        assert list(fleets.events(deployed, each)) == HOST_EVENTS + ALLOW_EVENTS
        assert fleets.account.hosts[each].revision == "v2.zip"
    for each in fleets.blue:
        assert list(fleets.events(deployed, each)) == BLOCK_EVENTS
        assert fleets.account.hosts[each].revision == "v1.zip"
    assert fleets.account.table.courses[deployed] == ["Created", "InProgress", "Succeeded"]
    assert fleets.terminations.calls == [], "KEEP_ALIVE"
    group = fleets.account.group()
    assert group["info"]["ec2TagFilters"] == GREEN_FILTERS
    assert group["lastGood"]["deploymentId"] == deployed
    assert {order["deploymentType"] for order in fleets.orders_of(deployed)} == {"BLUE_GREEN"}


def test_the_next_deployment_goes_the_other_way() -> None:
    fleets = TwoFleets()
    fleets.deploy()
    back = [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]
    deployed = fleets.deploy("v2.zip", targetInstances={"tagFilters": back})
    assert fleets.account.deployment(deployed)["status"] == "Succeeded"
    assert fleets.serving() == fleets.blue
    assert fleets.labels(deployed)[fleets.blue[0]] == "Green"


def test_who_changes_what_the_group_selects_meanwhile_has_the_last_word() -> None:
    fleets = TwoFleets()
    wish = [{"Key": "Fleet", "Value": "other", "Type": "KEY_AND_VALUE"}]

    def change(name: str, _state: object) -> None:
        if name == "PickBatch":
            fleets.account.runtime.groups.update("shop", "prod", lambda item: {**item["info"], "ec2TagFilters": wish})

    fleets.account.before = change
    deployed = fleets.deploy()
    assert fleets.account.deployment(deployed)["status"] == "Succeeded"
    assert fleets.account.group()["info"]["ec2TagFilters"] == wish


def test_a_ready_deployment_waits_until_it_is_continued() -> None:
    fleets = TwoFleets()
    serving_then: list[list[str]] = []

    def look_and_go_on(deployment_id: str) -> None:
        serving_then.append(fleets.serving())
        assert fleets.account.deployment(deployment_id)["overview"] == {
            "Pending": 3, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 3,
        }  # fmt: skip
        assert {fleets.account.statuses(deployment_id)[each] for each in fleets.green} == {"Ready"}
        fleets.proceed(deployment_id)

    fleets.when("Ready", look_and_go_on, after=5000)
    deployed = fleets.deploy(ready=120)
    assert serving_then == [fleets.blue]
    assert fleets.account.deployment(deployed)["status"] == "Succeeded"
    assert fleets.serving() == fleets.green
    assert fleets.account.table.courses[deployed] == ["Created", "InProgress", "Ready", "InProgress", "Succeeded"]


def test_nobody_continues_it_and_it_is_stopped_with_the_originals_serving() -> None:
    fleets = TwoFleets()
    deployed = fleets.deploy(ready=2880, autoRollback=ON_ANY_END)
    item = fleets.account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "TIMEOUT")
    assert "within 48 h" in item["error"]["message"]
    assert item["completeTime"] - item["startTime"] >= 48 * 3600
    assert fleets.serving() == fleets.blue
    assert fleets.account.table.courses[deployed] == ["Created", "InProgress", "Ready", "Stopped"]
    assert "No traffic was moved" in item["rollback"]["rollbackMessage"]
    assert "rollbackDeploymentId" not in item["rollback"]
    assert fleets.account.group()["info"]["ec2TagFilters"] != GREEN_FILTERS


def test_who_was_ready_when_the_installation_failed_on_others_is_skipped_and_shows_no_open_event() -> None:
    fleets = TwoFleets(blue=2, green=4)
    for each in fleets.green[2:]:
        fleets.account.hosts[each].fails = frozenset({"v2.zip"})
    deployed = fleets.deploy(minimum=("HOST_COUNT", 3))
    item = fleets.account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert (item["overview"]["Succeeded"], item["overview"]["Failed"], item["overview"]["Ready"]) == (0, 1, 0)
    shown = fleets.account.statuses(deployed)
    assert [shown[each] for each in fleets.green[:3]] == ["Skipped", "Skipped", "Failed"]
    events = fleets.events(deployed, fleets.green[0])
    assert [events[name] for name in HOST_EVENTS + ALLOW_EVENTS] == ["Succeeded"] * 7 + ["Skipped"] * 3
    assert fleets.serving() == fleets.blue


def test_the_originals_are_ended_when_they_have_waited() -> None:
    fleets = TwoFleets()
    deployed = fleets.deploy(terminate=60)
    item = fleets.account.deployment(deployed)
    assert item["status"] == "Succeeded"
    assert item["instanceTerminationWaitTimeStarted"] is True
    assert sorted(fleets.terminations.ended) == fleets.blue
    moved = next(d["time"] for d in fleets.account.decisions(deployed) if d["code"] == "TERMINATION_WAIT")
    assert min(fleets.terminations.ended.values()) - moved >= 3600
    assert set(fleets.account.statuses(deployed).values()) == {"Succeeded"}
    assert item["overview"]["Succeeded"] == 6
    assert fleets.account.table.courses[deployed] == ["Created", "InProgress", "Succeeded"]


def test_during_the_termination_wait_every_event_is_over_and_the_status_still_in_progress() -> None:
    fleets = TwoFleets()

    def look(deployment_id: str) -> None:
        item = fleets.account.deployment(deployment_id)
        assert (item["status"], item["overview"]["Succeeded"]) == ("InProgress", 6)
        assert set(fleets.account.statuses(deployment_id).values()) == {"Succeeded"}
        fleets.proceed(deployment_id, "TERMINATION_WAIT")

    fleets.when_originals_wait(look)
    deployed = fleets.deploy(terminate=2880)
    item = fleets.account.deployment(deployed)
    assert item["status"] == "Succeeded"
    assert item["completeTime"] - item["startTime"] < 3600, "the wait was cut short"
    assert sorted(fleets.terminations.ended) == fleets.blue


def test_a_stop_in_the_termination_wait_leaves_the_originals_alive_and_can_give_them_the_traffic_back() -> None:
    fleets = TwoFleets()
    fleets.when_originals_wait(lambda deployment_id: fleets.account.stop(deployment_id, auto_rollback=True))
    deployed = fleets.deploy(terminate=2880)
    item = fleets.account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert item["overview"]["Succeeded"] == 6
    assert set(fleets.account.statuses(deployed).values()) == {"Succeeded"}
    assert fleets.terminations.calls == []
    assert fleets.serving() == fleets.blue
    back = fleets.account.deployment(item["rollback"]["rollbackDeploymentId"])
    assert (back["status"], back["creator"], back["deploymentStyle"]) == ("Succeeded", "codeDeployRollback", STYLE)


def test_traffic_goes_back_to_the_originals_when_one_of_them_does_not_let_go() -> None:
    fleets = TwoFleets()
    stuck = fleets.blue[1]
    fleets.account.hosts[stuck].fails_stages = frozenset({"before-block"})
    deployed = fleets.deploy(minimum=("MOST_CONCURRENCY", 1), autoRollback=ON_ANY_END)
    item = fleets.account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert "allows no failure" in item["error"]["message"]
    back_id = item["rollback"]["rollbackDeploymentId"]
    back = fleets.account.deployment(back_id)
    assert back["status"] == "Succeeded"
    assert back["rollback"]["rollbackTriggeringDeploymentId"] == deployed
    assert fleets.serving() == fleets.blue
    for each in fleets.blue:
        assert fleets.events(back_id, each) == dict.fromkeys(ALLOW_EVENTS, "Succeeded")
        assert fleets.labels(back_id)[each] == "Blue"
    for each in fleets.green:
        assert fleets.events(back_id, each) == dict.fromkeys(BLOCK_EVENTS, "Succeeded")
        assert fleets.account.hosts[each].revision == "v2.zip", "nothing is installed by the way back"
    assert fleets.account.group()["lastGood"]["deploymentId"] == fleets.first
    assert fleets.account.group()["info"]["ec2TagFilters"] != GREEN_FILTERS
    assert {(o["deploymentType"], o["deploymentCreator"]) for o in fleets.orders_of(back_id)} == {
        ("BLUE_GREEN", "codeDeployRollback")
    }


def test_only_those_that_may_have_traffic_lose_it_on_the_way_back() -> None:
    fleets = TwoFleets()
    fleets.account.hosts[fleets.green[0]].fails = frozenset({"v2.zip"})
    fleets.account.hosts[fleets.blue[1]].fails_stages = frozenset({"before-block"})
    item = fleets.account.deployment(fleets.deploy(autoRollback=ON_ANY_END))
    back_id = item["rollback"]["rollbackDeploymentId"]
    assert sorted(fleets.account.targets(back_id)) == sorted([*fleets.blue, *fleets.green[1:]])
    assert fleets.account.deployment(back_id)["status"] == "Succeeded"


def test_an_original_that_is_gone_meanwhile_gets_no_traffic_back() -> None:
    fleets = TwoFleets()

    def lose_one_and_stop(deployment_id: str) -> None:
        fleets.terminations.end([fleets.blue[0]])
        fleets.account.clock.at(fleets.account.now + 60, lambda: fleets.account.stop(deployment_id, auto_rollback=True))

    fleets.when_originals_wait(lose_one_and_stop)
    item = fleets.account.deployment(fleets.deploy(terminate=2880))
    back_id = item["rollback"]["rollbackDeploymentId"]
    assert fleets.account.deployment(back_id)["status"] == "Succeeded"
    assert sorted(set(fleets.account.targets(back_id)) & set(fleets.blue)) == fleets.blue[1:]
    assert fleets.serving() == fleets.blue[1:]


def test_with_all_originals_gone_the_way_back_says_so_and_touches_nothing() -> None:
    fleets = TwoFleets()

    def lose_all_and_stop(deployment_id: str) -> None:
        fleets.terminations.end(fleets.blue)
        fleets.account.clock.at(fleets.account.now + 60, lambda: fleets.account.stop(deployment_id, auto_rollback=True))

    fleets.when_originals_wait(lose_all_and_stop)
    item = fleets.account.deployment(fleets.deploy(terminate=2880))
    back = fleets.account.deployment(item["rollback"]["rollbackDeploymentId"])
    assert (back["status"], back["error"]["code"]) == ("Failed", "NO_INSTANCES")
    assert "nothing to give the traffic back to" in back["error"]["message"]
    assert fleets.serving() == fleets.green


def test_once_the_end_of_the_originals_has_begun_there_is_nothing_to_go_back_to() -> None:
    fleets = TwoFleets()
    fleets.terminations.protected = {fleets.blue[2]}
    deployed = fleets.deploy(terminate=0, autoRollback=ON_ANY_END)
    item = fleets.account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert item["instanceTerminationWaitTimeStarted"] is True, "a wait of no time has begun too"
    assert "end of the original instances has begun" in item["rollback"]["rollbackMessage"]
    assert "rollbackDeploymentId" not in item["rollback"]
    assert fleets.serving() == fleets.green
    assert fleets.account.statuses(deployed)[fleets.blue[2]] == "Failed"
    told = [d["reason"] for d in fleets.account.decisions(deployed) if d["kind"] == "Target" and d["code"] == "FAILED"]
    assert told == [f"{fleets.blue[2]} failed in AfterBlockTraffic: The instance is protected from termination."]


def test_an_installation_that_fails_moves_no_traffic() -> None:
    fleets = TwoFleets()
    for each in fleets.green:
        fleets.account.hosts[each].fails = frozenset({"v2.zip"})
    deployed = fleets.deploy(autoRollback=ON_ANY_END)
    item = fleets.account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert fleets.serving() == fleets.blue
    assert "No traffic was moved" in item["rollback"]["rollbackMessage"]
    assert {fleets.account.statuses(deployed)[each] for each in fleets.blue} == {"Skipped"}


def test_the_minimum_is_of_the_replacement_fleet() -> None:
    fleets = TwoFleets(blue=6, green=3)
    fleets.account.hosts[fleets.green[2]].fails = frozenset({"v2.zip"})
    deployed = fleets.deploy(minimum=("HOST_COUNT", 2))
    item = fleets.account.deployment(deployed)
    assert item["status"] == "Succeeded", "two of three are as many as it asks for"
    assert fleets.serving() == fleets.green[:2]
    assert [len(ids) for name, ids in fleets.balancer.calls if name == "allow"] == [1, 1]
    fleets = TwoFleets(blue=6, green=3)
    item = fleets.account.deployment(fleets.deploy(minimum=("HOST_COUNT", 3)))
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert not any(fleets.account.hosts[each].runs for each in fleets.green)


def test_originals_that_are_fewer_than_the_minimum_lose_their_traffic_one_by_one() -> None:
    fleets = TwoFleets(blue=2, green=4)
    deployed = fleets.deploy(minimum=("HOST_COUNT", 3))
    assert fleets.account.deployment(deployed)["status"] == "Succeeded"
    assert [len(ids) for name, ids in fleets.balancer.calls if name == "block"] == [1, 1]


def test_a_first_deployment_without_originals_just_gives_the_replacement_traffic() -> None:
    fleets = TwoFleets(blue=0, green=2)
    deployed = fleets.deploy(terminate=5)
    assert fleets.account.deployment(deployed)["status"] == "Succeeded"
    assert fleets.serving() == fleets.green


@pytest.mark.parametrize(
    ("targets", "code", "said"),
    [
        (None, "NO_INSTANCES", "'targetInstances'"),
        ({"tagFilters": [{"Key": "Fleet", "Value": "none", "Type": "KEY_AND_VALUE"}]}, "NO_INSTANCES", "tags"),
        (
            {"tagFilters": [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]},
            "HEALTH_CONSTRAINTS_INVALID",
            "both original and replacement",
        ),
    ],
    ids=["no targetInstances", "an empty replacement", "an instance in both fleets"],
)
def test_fleets_that_cannot_be(targets: dict[str, object] | None, code: str, said: str) -> None:
    fleets = TwoFleets()
    item = fleets.account.deployment(fleets.deploy(targetInstances=targets))
    assert (item["status"], item["error"]["code"]) == ("Failed", code)
    assert said in item["error"]["message"]
    assert fleets.serving() == fleets.blue


def test_a_replacement_that_is_too_large_is_refused() -> None:
    fleets = TwoFleets(blue=2, green=3, TIDEGATE_MAX_INSTANCES="2")
    item = fleets.account.deployment(fleets.deploy())
    assert (item["status"], item["error"]["code"]) == ("Failed", "OVER_MAX_INSTANCES")


def test_a_group_without_blue_green_options_is_told_so() -> None:
    fleets = TwoFleets()
    item = fleets.account.deployment(fleets.deploy(blueGreenDeploymentConfiguration=None))
    assert (item["status"], item["error"]["code"]) == ("Failed", "MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION")


def test_a_group_without_balancers_is_told_so() -> None:
    fleets = TwoFleets()
    item = fleets.account.deployment(fleets.deploy(loadBalancerInfo=None))
    assert (item["status"], item["error"]["code"]) == ("Failed", "MISSING_ELB_INFORMATION")


def test_a_deployment_of_109_hours_ends_with_a_timeout() -> None:
    fleets = TwoFleets(TIDEGATE_BLUE_GREEN_SECONDS=str(3600))
    item = fleets.account.deployment(fleets.deploy(ready=2880))
    assert (item["status"], item["error"]["code"]) == ("Failed", "TIMEOUT")
    assert 3600 <= item["completeTime"] - item["startTime"] < 4000


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    ("port", "call"),
    [("terminations", "end"), ("terminations", "left"), ("balancers", "allow"), ("balancers", "block")],
)
def test_a_death_at_any_call_changes_nothing(port: str, call: str, before: bool) -> None:
    fleets, died = TwoFleets(), list[str]()
    fleets.account.wrap(lambda name, own: Mortal(own, call, died, before=before) if name == port else own)
    deployed = fleets.deploy(terminate=0)
    assert died == [call]
    assert fleets.account.deployment(deployed)["status"] == "Succeeded"
    assert fleets.serving() == fleets.green
    assert sorted(fleets.terminations.ended) == fleets.blue
    assert all(host.runs[deployed] <= 3 for host in fleets.account.hosts.values()), "each command once"


def test_a_blue_green_deployment_goes_on_in_another_execution_without_a_seam() -> None:
    fleets = TwoFleets(TIDEGATE_PASSES_PER_EXECUTION="2")
    deployed = fleets.deploy(ready=10, terminate=10, autoRollback=ON_ANY_END)
    assert fleets.account.deployment(deployed)["status"] == "Stopped"
    fleets.when("Ready", fleets.proceed)
    deployed = fleets.deploy(ready=10, terminate=10)
    item = fleets.account.deployment(deployed)
    assert item["status"] == "Succeeded"
    assert item["generation"] > 5
    assert fleets.serving() == fleets.green
