"""Target groups and Classic Load Balancers of one group at once: all are waited for, and each may spoil it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.unit.functions.balancer_apis import BalancerApis, Members
from tests.unit.functions.world import Account, hosts

STYLE = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
LIMIT_WORDS = "after 10 min"


def mixed(count: int, groups: int = 1, classic: int = 1) -> tuple[Account, BalancerApis]:
    account = Account(hosts(count))
    apis = BalancerApis(account, [f"web-{n}" for n in range(groups)], [f"old-{n}" for n in range(classic)])
    return account, apis


def deploy(account: Account, apis: BalancerApis, minimum: tuple[str, int] = ("MOST_CONCURRENCY", 1)) -> dict[str, Any]:
    deployed = account.deploy("v1.zip", minimum, deploymentStyle=STYLE, loadBalancerInfo=apis.info)
    account.run()
    return account.deployment(deployed)


def lasted(account: Account, item: dict[str, Any], event: str) -> float:
    events = account.targets(item["deploymentId"])[next(iter(account.hosts))]["lifecycleEvents"]
    found = next(each for each in events if each["lifecycleEventName"] == event)
    return float(found["endTime"] - found["startTime"])


def reasons(account: Account, item: dict[str, Any]) -> str:
    return "\n".join(each["reason"] for each in account.decisions(item["deploymentId"]))


@pytest.mark.parametrize("slow", ["web-0", "old-0"])
def test_the_slowest_of_both_kinds_is_waited_for(slow: str) -> None:
    account, apis = mixed(2)
    one = {**apis.groups, **apis.classic}[slow]
    one.drains, one.heals = 70, 90
    item = deploy(account, apis)
    assert item["status"] == "Succeeded"
    assert 70 <= lasted(account, item, "BlockTraffic") < 100
    assert 90 <= lasted(account, item, "AllowTraffic") < 120
    assert all(each.state(i, account.now) == "healthy" for each in apis.every for i in account.hosts)


def test_ten_balancers_of_both_kinds() -> None:
    account, apis = mixed(3, groups=6, classic=4)
    item = deploy(account, apis)
    assert item["status"] == "Succeeded"
    assert len(apis.every) == 10
    assert all(set(each.since) == set(account.hosts) for each in apis.every)


@pytest.mark.parametrize(("sick", "word"), [("web-0", "target group 'web-0'"), ("old-0", "Load Balancer 'old-0'")])
def test_an_instance_that_one_of_two_never_finds_healthy_fails_by_the_limit(sick: str, word: str) -> None:
    account, apis = mixed(2)
    {**apis.groups, **apis.classic}[sick].sick = set(account.hosts)
    item = deploy(account, apis)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    told = reasons(account, item)
    assert f"{word} {LIMIT_WORDS}" in told
    assert "failed in AllowTraffic" in told
    other = "old-0" if sick == "web-0" else "web-0"
    assert f"in {other}" not in told


@pytest.mark.parametrize(("stuck", "word"), [("web-0", "target group 'web-0'"), ("old-0", "Load Balancer 'old-0'")])
def test_an_instance_that_one_of_two_never_lets_go_fails_by_the_limit(stuck: str, word: str) -> None:
    account, apis = mixed(2)
    {**apis.groups, **apis.classic}[stuck].drains = 1e9
    item = deploy(account, apis)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert f"{word} {LIMIT_WORDS}" in reasons(account, item)
    assert "failed in BlockTraffic" in reasons(account, item)
    assert sum(len(host.runs) for host in account.hosts.values()) <= 1  # its revision was never touched


@pytest.mark.parametrize("when", ["DeregisterTargets", "RegisterTargets"])
@pytest.mark.parametrize("kind", ["groups", "classic"])
def test_a_balancer_that_vanishes_midway_ends_the_deployment(kind: str, when: str) -> None:
    account, apis = mixed(3)

    def vanish(_name: str, _state: Any) -> None:
        if apis.asked[when]:
            kept: dict[str, Members] = getattr(apis, kind)
            kept.clear()

    info, account.before = apis.info, vanish
    deployed = account.deploy("v1.zip", ("MOST_CONCURRENCY", 1), deploymentStyle=STYLE, loadBalancerInfo=info)
    account.run()
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "ELASTIC_LOAD_BALANCING_INVALID")
    assert ("web-0" if kind == "groups" else "old-0") in item["error"]["message"]
    assert sorted(account.statuses(deployed).values()) == ["Failed", "Skipped", "Skipped"]


@pytest.mark.parametrize("kind", ["groups", "classic"])
def test_an_instance_that_one_of_two_does_not_take(kind: str) -> None:
    account, apis = mixed(2)
    for each in getattr(apis, kind).values():
        each.refused = set(account.hosts)
    item = deploy(account, apis)
    assert (item["status"], item["error"]["code"]) == ("Failed", "ELB_INVALID_INSTANCE")
    assert next(iter(account.hosts)) in item["error"]["message"]


@pytest.mark.parametrize(
    "operation", ["DescribeTargetHealth", "DeregisterTargets", "DescribeInstanceHealth", "DescribeLoadBalancers"]
)
def test_throttles_are_waited_out_with_bounded_patience(operation: str) -> None:
    account, apis = mixed(1)
    apis.throttles[operation] = 3
    assert deploy(account, apis, ("HOST_COUNT", 0))["status"] == "Succeeded"
    apis.throttles[operation] = 100_000
    item = deploy(account, apis, ("HOST_COUNT", 0))
    assert (item["status"], item["error"]["code"]) == ("Failed", "THROTTLED")


def test_what_a_pass_asks_does_not_grow_with_the_fleet() -> None:
    for count in (4, 240):
        account, apis = mixed(count)
        looks = [0]

        def between(_name: str, _state: Any, apis: BalancerApis = apis, looks: list[int] = looks) -> None:
            looks.append(apis.asked["DescribeTargetHealth"])

        account.before = between
        assert deploy(account, apis, ("HOST_COUNT", 0))["status"] == "Succeeded"
        steps = [later - earlier for earlier, later in itertools.pairwise(looks) if later > earlier]
        assert max(steps) <= -(-count // 50)  # to take a flight out of a group asks what is in it
        assert sum(step > 1 for step in steps) <= 1  # later, once a pass
