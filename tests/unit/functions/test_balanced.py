"""In place behind load balancers: traffic is taken away, given back, and never from too many."""

from __future__ import annotations

from typing import Any

from tests.unit.functions.target_groups import TargetGroup
from tests.unit.functions.world import Account, hosts

STYLE = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
INFO = {"targetGroupInfoList": [{"name": "web"}]}
EVENTS = [
    "BeforeBlockTraffic",
    "BlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
]


def balanced(count: int, **behaviour: Any) -> tuple[Account, TargetGroup]:
    account = Account(hosts(count, **behaviour))
    group = TargetGroup(account)
    vars(account.runtime)["balancers"] = group
    return account, group


def deploy(
    account: Account, key: str = "v1.zip", minimum: tuple[str, int] = ("MOST_CONCURRENCY", 1), **more: Any
) -> str:
    deployed = account.deploy(key, minimum, deploymentStyle=STYLE, loadBalancerInfo=INFO, **more)
    account.run()
    return deployed


def shown(account: Account, deployed: str, target_id: str) -> dict[str, str]:
    events = account.targets(deployed)[target_id]["lifecycleEvents"]
    return {each["lifecycleEventName"]: each["status"] for each in events}


def test_a_target_goes_through_thirteen_events_and_is_back_in_its_target_group() -> None:
    account, group = balanced(2)
    deployed = deploy(account)
    assert account.deployment(deployed)["status"] == "Succeeded"
    for target_id in account.hosts:
        assert list(shown(account, deployed, target_id)) == EVENTS
        assert set(shown(account, deployed, target_id).values()) == {"Succeeded"}
    assert group.healthy() == 2
    first, second = account.hosts
    assert group.calls == [("block", (first,)), ("allow", (first,)), ("block", (second,)), ("allow", (second,))]
    event = next(
        e for e in account.targets(deployed)[first]["lifecycleEvents"] if e["lifecycleEventName"] == "BlockTraffic"
    )
    assert event["endTime"] - event["startTime"] >= group.drains


def test_a_restart_takes_a_target_out_and_back_without_downloading_or_installing() -> None:
    account, group = balanced(2)
    good = deploy(account)
    orders_before = set(account.orders.published)
    group.calls.clear()
    restarted = deploy(account, deploymentMode="RESTART", restartOf=good)
    assert account.deployment(restarted)["status"] == "Succeeded"
    first, second = account.hosts
    assert group.calls == [("block", (first,)), ("allow", (first,)), ("block", (second,)), ("allow", (second,))]
    assert (group.healthy(), group.fewest) == (2, 1)
    for target_id in account.hosts:
        events = shown(account, restarted, target_id)
        assert list(events) == [event for event in EVENTS if event not in ("DownloadBundle", "Install")]
        assert set(events.values()) == {"Succeeded"}
    orders = [order for key, (order, _) in account.orders.published.items() if key not in orders_before]
    assert [(order["stage"], order["events"]) for order in orders] == 2 * [
        ("before-block", ["BeforeBlockTraffic"]),
        (
            "host",
            [
                "AfterBlockTraffic",
                "ApplicationStop",
                "BeforeInstall",
                "AfterInstall",
                "ApplicationStart",
                "ValidateService",
                "BeforeAllowTraffic",
            ],
        ),
        ("after-allow", ["AfterAllowTraffic"]),
    ]
    for order in orders:
        assert (order["deploymentMode"], order["restartOf"], order["bundle"]) == ("RESTART", good, {})


def test_the_target_group_never_has_fewer_healthy_targets_than_the_minimum() -> None:
    account, group = balanced(6)
    deployed = deploy(account, minimum=("HOST_COUNT", 4))
    assert account.deployment(deployed)["overview"]["Succeeded"] == 6
    assert group.fewest == 4
    assert max(len(ids) for _, ids in group.calls) == 2


def test_an_instance_that_was_never_registered_is_blocked_at_once_and_registered_afterwards() -> None:
    account, group = balanced(1)
    group.since.clear()
    deployed = deploy(account, minimum=("HOST_COUNT", 0))
    assert account.deployment(deployed)["status"] == "Succeeded"
    assert group.healthy() == 1


def test_an_instance_that_never_gets_healthy_fails_by_its_limit_and_says_what_it_waited_for() -> None:
    account, group = balanced(2)
    group.sick = set(account.hosts)
    deployed = deploy(account)
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    failed = next(i for i, status in account.statuses(deployed).items() if status == "Failed")
    events = shown(account, deployed, failed)
    assert (events["BeforeAllowTraffic"], events["AllowTraffic"], events["AfterAllowTraffic"]) == (
        "Succeeded", "Failed", "Skipped",
    )  # fmt: skip
    reason = next(d["reason"] for d in account.decisions(deployed) if d["kind"] == "Target")
    assert "still unhealthy in target group 'web' after 10 min" in reason
    assert "AllowTraffic" in reason


def test_a_balancer_that_is_not_there_ends_the_deployment_before_any_host_is_touched() -> None:
    account, group = balanced(2)
    group.gone = True
    deployed = deploy(account)
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "ELASTIC_LOAD_BALANCING_INVALID")
    assert not any(host.runs for host in account.hosts.values())


def test_a_balancer_that_goes_while_a_target_is_drained_ends_the_deployment() -> None:
    account, group = balanced(3)
    account.before = lambda name, _state: setattr(group, "gone", group.gone or bool(group.calls))
    deployed = deploy(account)
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "ELASTIC_LOAD_BALANCING_INVALID")
    assert item["overview"] | {"Failed": 1, "Skipped": 2, "InProgress": 0} == item["overview"]


def test_traffic_control_without_a_balancer_names_what_is_missing() -> None:
    account, _ = balanced(1)
    deployed = account.deploy("v1.zip", deploymentStyle=STYLE)
    account.run()
    error = account.deployment(deployed)["error"]
    assert error["code"] == "MISSING_ELB_INFORMATION"
    assert "'loadBalancerInfo'" in error["message"]


def test_an_instance_that_the_balancer_does_not_take_ends_the_deployment() -> None:
    account, group = balanced(3)
    group.refused = set(account.hosts)
    deployed = deploy(account)
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "ELB_INVALID_INSTANCE")
    assert sorted(account.statuses(deployed).values()) == ["Failed", "Skipped", "Skipped"]


def test_a_throttled_balancer_is_asked_again_with_bounded_patience() -> None:
    account, group = balanced(1)
    group.throttles = 3
    assert account.deployment(deploy(account, minimum=("HOST_COUNT", 0)))["status"] == "Succeeded"
    group.throttles = 1000
    item = account.deployment(deploy(account, "v2.zip", minimum=("HOST_COUNT", 0)))
    assert (item["status"], item["error"]["code"]) == ("Failed", "THROTTLED")


def test_a_stopped_deployment_gives_a_target_its_traffic_back_first() -> None:
    account, group = balanced(2)
    deployed = account.deploy("v1.zip", deploymentStyle=STYLE, loadBalancerInfo=INFO)
    account.before = lambda _name, _state: account.stop(deployed) if len(group.calls) == 1 else None
    account.run()
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert sorted(account.statuses(deployed).values()) == ["Skipped", "Succeeded"]
    assert group.healthy() == 2


def test_no_command_is_recorded_or_cancelled_for_a_turn_of_the_balancers() -> None:
    account, group = balanced(1)
    group.sick = set(account.hosts)
    deployed = deploy(account, minimum=("HOST_COUNT", 0))
    assert account.deployment(deployed)["status"] == "Failed"
    assert account.fleet.cancelled == []
    assert account.table.get(("CMD#balancer", "CMD")) is None
