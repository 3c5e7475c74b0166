"""Hosts that do not answer, stop requests and limits, over whole deployments in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.rollout.driver import BAD, FAST, GOOD, Deployment, Host, fleet

from tidegate.model.cells import Outcome
from tidegate.model.ledger import Closing, Flight, Ledger, Purpose
from tidegate.rollout import Candidate, judge

ONE_AT_A_TIME = ("MOST_CONCURRENCY", 1)
ALL = ("HOST_COUNT", 0)
SLOW_FIRST = {"i-a": Host(takes=None), "i-b": GOOD}


def with_one(odd: Host, others: int = 2) -> dict[str, Host]:
    """The host ``i-odd`` among good ones."""
    return {"i-odd": odd, **{f"i-p{n}": GOOD for n in range(others)}}


def test_a_host_that_does_not_pick_up_its_command_fails_by_our_clock_and_is_cancelled() -> None:
    deployed = Deployment(with_one(Host(picked_up=None)), ALL).run()
    assert deployed.verdict.status == "Succeeded"
    assert deployed.outcome("i-odd") is Outcome.FAILED
    assert deployed.messages["i-odd"].startswith("The instance did not pick up its command within 30 s")
    assert [c.cancelled for c in deployed.commands.values()] == [{"i-odd"}]
    assert FAST.undelivered_after < deployed.now < FAST.undelivered_after + FAST.heartbeat_ceiling + 2


def test_a_host_that_picks_up_late_but_in_time_is_waited_for() -> None:
    deployed = Deployment(with_one(Host(picked_up=29)), ALL).run()
    assert (deployed.verdict.status, deployed.census.succeeded) == ("Succeeded", 3)


def test_an_unreachable_host_fails_after_the_same_time_without_a_command() -> None:
    deployed = Deployment(with_one(Host(reachable_from=None)), ALL).run()
    assert (deployed.verdict.status, deployed.outcome("i-odd")) == ("Succeeded", Outcome.FAILED)
    assert "SSM agent was not reachable for 30 s" in deployed.messages["i-odd"]
    assert all("i-odd" not in c.target_ids for c in deployed.commands.values())


def test_a_host_that_becomes_reachable_in_time_gets_a_command_of_its_own() -> None:
    deployed = Deployment(with_one(Host(reachable_from=20)), ALL).run()
    assert deployed.census.succeeded == 3
    assert [c.target_ids for c in deployed.commands.values()] == [("i-p0", "i-p1"), ("i-odd",)]


def test_a_host_without_the_opt_in_tag_is_refused_at_once() -> None:
    deployed = Deployment(with_one(Host(opted_in=False)), ALL).run()
    assert (deployed.outcome("i-odd"), deployed.messages["i-odd"]) == (Outcome.FAILED, "Not opted in.")
    assert deployed.verdict.status == "Succeeded"
    assert all("i-odd" not in c.target_ids for c in deployed.commands.values())


@pytest.mark.parametrize(("succeeds", "outcome"), [(True, Outcome.SUCCEEDED), (False, Outcome.FAILED)])
def test_a_lost_answer_is_asked_for_and_the_host_record_counts(succeeds: bool, outcome: Outcome) -> None:
    deployed = Deployment(with_one(Host(succeeds, answer_lost=True)), ALL).run()
    asked = [c for c in deployed.commands.values() if c.purpose is Purpose.REPORT]
    assert (deployed.outcome("i-odd"), [c.target_ids for c in asked]) == (outcome, [("i-odd",)])


def test_a_lost_answer_of_which_the_host_knows_nothing_is_a_failure_that_says_so() -> None:
    deployed = Deployment(with_one(Host(answer_lost=True, record_lost=True)), ALL).run()
    assert deployed.outcome("i-odd") is Outcome.FAILED
    assert "no record of it: nothing was run" in deployed.messages["i-odd"]


def test_a_run_past_the_limit_is_cancelled_and_the_host_asked() -> None:
    deployed = Deployment(with_one(Host(takes=None)), ALL).run()
    run, ask = deployed.commands.values()
    assert (run.cancelled, ask.purpose, ask.target_ids) == ({"i-odd"}, Purpose.REPORT, ("i-odd",))
    assert ask.sent_at > run.sent_at + FAST.stage_limit
    assert deployed.outcome("i-odd") is Outcome.SUCCEEDED  # as its record says


def test_a_host_that_is_asked_only_after_it_became_unreachable_fails_in_bounded_time() -> None:
    class Vanishing(Deployment):
        def _reachable(self, target_id: str) -> bool:
            return not (target_id == "i-odd" and self.commands)

    deployed = Vanishing(with_one(Host(answer_lost=True)), ALL).run()
    assert deployed.outcome("i-odd") is Outcome.FAILED
    assert deployed.now < 30 + FAST.undelivered_after + FAST.heartbeat_ceiling


def test_a_stop_request_lets_the_running_ones_finish_and_starts_nothing() -> None:
    deployed = Deployment(fleet("...."), ("HOST_COUNT", 2), stop_at=5).run()
    assert (deployed.verdict.status, deployed.verdict.code) == ("Stopped", "MANUAL_STOP")
    assert deployed.verdict.reason == "Stopped by a test."
    assert (deployed.census.succeeded, deployed.census.pending) == (2, 2)
    assert "DRAINING" in deployed.codes


def test_a_stop_request_that_comes_when_all_is_done_changes_nothing() -> None:
    deployed = Deployment({"i-0": GOOD}, ALL)
    while deployed.census.succeeded == 0:
        deployed.one_pass()
    deployed.stop_at = 0
    assert deployed.run().verdict.status == "Succeeded"


def test_a_stop_request_before_the_first_batch_touches_nobody() -> None:
    deployed = Deployment(fleet("..."), ALL, stop_at=0).run()
    assert (deployed.verdict.status, deployed.starts, deployed.census.pending) == ("Stopped", [], 3)


def test_what_was_written_but_not_sent_is_withdrawn_when_the_deployment_stops() -> None:
    hosts = {**fleet("."), "i-far": Host(reachable_from=25)}
    deployed = Deployment(hosts, ALL, stop_at=6).run()
    assert (deployed.outcome("i-far"), deployed.verdict.status) == (Outcome.SKIPPED, "Stopped")
    assert all("i-far" not in c.target_ids for c in deployed.commands.values())


def test_the_drain_has_an_end() -> None:
    rules = replace(FAST, stage_limit=10_000)
    deployed = Deployment(SLOW_FIRST, ONE_AT_A_TIME, rules=rules, stop_at=3).run()
    assert (deployed.verdict.status, deployed.census.in_flight, deployed.census.pending) == ("Stopped", 1, 1)
    assert "1 instance did not answer within 7 min" in deployed.verdict.reason
    assert deployed.now >= 3 + rules.drain_limit


@pytest.mark.parametrize(("purpose", "waits"), [(Purpose.RUN, True), (Purpose.REPORT, False)])
def test_the_drain_outlasts_an_order_that_may_still_be_picked_up(purpose: Purpose, waits: bool) -> None:
    """Sent shortly before its end, to a target that is further on: nothing is begun after a deployment's end."""
    closing = Closing("Stopped", "MANUAL_STOP", "Somebody asked.", 0.0)
    sent = FAST.drain_limit - 1
    flight = Flight("0001.00", purpose, 0, (0,), 0.0, "cmd", sent)
    ledger = Ledger(bytes([Outcome.IN_FLIGHT]), 0, (flight,), closing)
    assert judge(ledger, FAST, FAST.drain_limit + 1).kind.ends is not waits
    assert judge(ledger, FAST, sent + FAST.undelivered_after).kind.ends is not waits
    assert judge(ledger, FAST, sent + FAST.undelivered_after + 0.1).kind.ends


def test_a_fault_during_the_drain_changes_neither_status_nor_code() -> None:
    deployed = Deployment({"i-a": BAD, "i-b": GOOD, "i-c": GOOD}, ("HOST_COUNT", 2), stop_at=3).run()
    assert (deployed.verdict.status, deployed.verdict.code, deployed.census.failed) == ("Stopped", "MANUAL_STOP", 1)


def test_the_whole_deployment_has_an_end() -> None:
    rules = replace(FAST, stage_limit=10_000, total_limit=50, drain_limit=60)
    deployed = Deployment(SLOW_FIRST, ONE_AT_A_TIME, rules=rules).run()
    assert (deployed.verdict.status, deployed.verdict.code) == ("Failed", "TIMEOUT")
    assert "did not end within 50 s: 2 instances had not finished" in deployed.verdict.reason


def test_a_deployment_of_nothing_succeeds() -> None:
    hosts = fleet("..")
    deployed = Deployment(hosts, ALL, outdated_for="rev-old").run()
    assert (deployed.verdict.status, deployed.starts) == ("Succeeded", [])
    assert "Nothing was outdated" in deployed.verdict.reason


def test_unhealthy_hosts_go_though_the_fleet_is_below_its_minimum_and_healthy_ones_wait_for_them() -> None:
    """Six, four must stay healthy, three are: only the unhealthy ones may be worked on until more are healthy."""
    hosts = fleet("......")
    ids = list(hosts)
    found = [Candidate(each, i >= 3, "rev-old") for i, each in enumerate(ids)]
    seen: list[set[str]] = []

    def watch(d: Deployment) -> None:
        seen.append(set(d.roster.ids(d.ledger.positions(Outcome.IN_FLIGHT))))

    deployed = Deployment(hosts, ("HOST_COUNT", 4), candidates=found, watch=watch).run()
    assert deployed.verdict.status == "Succeeded"
    assert seen[0] == set(ids[:2])
    assert set(deployed.order[:3]) == set(ids[:3])
