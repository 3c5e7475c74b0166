"""On-premises instances through the machine: shown by name, reached as nodes, and what is missing is told."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.hosts import Host
from tests.unit.functions.world import START, Account, hosts

from tidegate.model.ledger import Member
from tidegate.model.nodes import Node
from tidegate.store.onpremises import OnPremisesInstances
from tidegate.store.table import Put

FILTER = {"Key": "Fleet", "Value": "boxes", "Type": "KEY_AND_VALUE"}
EC2 = "i-00000000000000001"


def behind(**behaviour: Any) -> Host:
    """A machine that EC2 knows nothing of."""
    return Host(tags={}, **behaviour)


class Premises:
    """An account whose group also selects on-premises instances."""

    def __init__(self, ec2: int = 0, **machines: Host) -> None:
        self.account = Account({**hosts(ec2), **{f"mi-{name}": host for name, host in machines.items()}})
        self.store = OnPremisesInstances(self.account.table)
        self.account.runtime.groups.update(
            "shop", "prod", lambda item: {**item["info"], "onPremisesInstanceTagFilters": [FILTER]}
        )

    def register(self, name: str, session: str = "", tag: str = "boxes", now: float = START) -> None:
        identity = {"iamSessionArn": session or f"arn:aws:sts::123456789012:assumed-role/hosts/{name}"}
        arn = f"arn:aws:codedeploy:us-east-1:123456789012:instance/{name}_0123456789"
        self.store.register(name, arn=arn, identity=identity, now=now)
        self.store.change_tags([name], lambda _: {"Fleet": tag})

    def node(self, node_id: str, name: str = "", **more: Any) -> None:
        self.account.fleet.nodes.append(Node(node_id, name, **{"opted_in": True, "online": True, **more}))

    def deploy(self, **more: Any) -> str:
        deployment_id = self.account.deploy("v1.zip", ("HOST_COUNT", 0), **more)
        self.account.run()
        return deployment_id

    def why(self, deployment_id: str, name: str) -> str:
        events = self.account.targets(deployment_id)[name]["lifecycleEvents"]
        return str(next(event for event in events if event["status"] == "Failed")["diagnostics"]["message"])


def test_instances_and_boxes_are_one_fleet() -> None:
    premises = Premises(1, a=behind())
    premises.register("box")
    premises.node("mi-a", "box")
    deployment_id = premises.deploy()
    account = premises.account
    assert account.statuses(deployment_id) == {EC2: "Succeeded", "box": "Succeeded"}
    assert account.hosts["mi-a"].revision == "v1.zip"
    assert {each for command in account.fleet.commands.values() for each in command.target_ids} == {EC2, "mi-a"}
    box = account.targets(deployment_id)["box"]
    assert box["targetArn"] == "arn:aws:codedeploy:us-east-1:123456789012:instance/box_0123456789"
    assert (box["targetId"], box["nodeId"]) == ("box", "mi-a")
    assert "nodeId" not in account.targets(deployment_id)[EC2]
    (installed,) = account.table.query("HOST#box").items
    assert (installed["targetId"], installed["result"]) == ("box", "Succeeded")
    told = " ".join(decision["reason"] for decision in account.decisions(deployment_id))
    assert "box succeeded." in told
    assert "mi-a" not in told


def test_a_deployment_by_zones_touches_nothing_where_the_fleet_holds_a_box() -> None:
    premises = Premises(2, a=behind())
    premises.register("box")
    premises.node("mi-a", "box")
    deployment_id = premises.deploy(zonal={"monitorDurationInSeconds": 1})
    account = premises.account
    error = account.deployment(deployment_id)["error"]
    assert error["code"] == "HEALTH_CONSTRAINTS_INVALID"
    assert "box is an on-premises instance, in no zone" in error["message"]
    assert account.fleet.commands == {}
    assert set(account.statuses(deployment_id).values()) == {"Skipped"}


def test_everything_of_a_box_that_dies_is_under_its_name() -> None:
    premises = Premises(1, a=behind(takes=None))
    premises.register("box")
    premises.node("mi-a", "box")
    deployment_id = premises.deploy()
    account = premises.account
    assert account.statuses(deployment_id) == {EC2: "Succeeded", "box": "Failed"}
    assert account.fleet.cancelled
    assert {node_id for _, node_id in account.fleet.cancelled} == {"mi-a"}
    assert account.targets(deployment_id)["box"]["nodeId"] == "mi-a"


def test_only_registered_boxes_with_the_tags_are_targets() -> None:
    premises = Premises(1, a=behind(), b=behind(), c=behind())
    for name in "abc":
        premises.register(f"box-{name}", tag="boxes" if name != "b" else "others")
        premises.node(f"mi-{name}", f"box-{name}")
    premises.store.deregister("box-c", now=START)
    deployment_id = premises.deploy()
    assert sorted(premises.account.statuses(deployment_id)) == ["box-a", EC2]


def test_a_box_without_a_node_fails_and_says_what_to_do() -> None:
    premises = Premises(1)
    premises.register("lost")
    deployment_id = premises.deploy()
    account = premises.account
    assert account.deployment(deployment_id)["status"] == "Succeeded", "HOST_COUNT 0: one success is enough"
    assert account.statuses(deployment_id) == {EC2: "Succeeded", "lost": "Failed"}
    why = premises.why(deployment_id, "lost")
    for part in ("No managed node", "instance lost.", "'tidegate hosts register lost'", "tidegate:instance-name=lost"):
        assert part in why


def test_each_reason_is_told_with_the_boxs_own_nodes() -> None:
    premises = Premises(1, a=behind(), b=behind(), c=behind())
    for name in ("closed", "double", "lost", "lost-too"):
        premises.register(name)
    premises.node("mi-a", "closed", opted_in=False)
    premises.node("mi-b", "double")
    premises.node("mi-c", "double")
    deployment_id = premises.deploy()
    assert premises.account.statuses(deployment_id) == {
        EC2: "Succeeded", "closed": "Failed", "double": "Failed", "lost": "Failed", "lost-too": "Failed",
    }  # fmt: skip
    closed = premises.why(deployment_id, "closed")
    assert "does not carry the tag tidegate:managed=true" in closed
    assert "--resource-id mi-a --tags Key=tidegate:managed,Value=true" in closed
    assert "instance double: mi-b, mi-c." in premises.why(deployment_id, "double")
    assert "instance lost-too." in premises.why(deployment_id, "lost-too")
    sent = {each for command in premises.account.fleet.commands.values() for each in command.target_ids}
    assert sent == {EC2}


def test_a_box_that_is_out_of_reach_has_its_five_minutes() -> None:
    premises = Premises(1, a=behind(online=False))
    premises.register("away")
    premises.node("mi-a", "away", online=False)
    began = premises.account.now
    deployment_id = premises.deploy()
    assert premises.account.statuses(deployment_id)["away"] == "Failed"
    assert "SSM agent was not reachable" in premises.why(deployment_id, "away")
    assert premises.account.now - began > 120


def test_a_rollback_reaches_boxes_too() -> None:
    premises = Premises(0, a=behind())
    premises.register("box")
    premises.node("mi-a", "box")
    account = premises.account
    premises.deploy()
    account.hosts["mi-a"].fails = frozenset({"v2.zip"})
    failed = account.deploy(
        "v2.zip", ("HOST_COUNT", 0), autoRollback={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    )
    account.run()
    rollback = account.deployment(failed)["rollback"]["rollbackDeploymentId"]
    assert account.statuses(rollback) == {"box": "Succeeded"}
    assert account.hosts["mi-a"].revision == "v1.zip"


def test_a_machine_that_took_over_a_name_is_not_taken_for_the_old_one() -> None:
    premises = Premises(1, a=behind(), b=behind())
    premises.register("box")
    premises.node("mi-a", "box")
    account = premises.account
    first = premises.deploy()
    premises.store.deregister("box", now=account.now)
    premises.register("box", now=account.now + 1)
    account.fleet.nodes = [Node("mi-b", "box", opted_in=True, online=True)]
    again = premises.deploy(updateOutdatedInstancesOnly=True)
    assert account.statuses(first) == {EC2: "Succeeded", "box": "Succeeded"}
    assert account.statuses(again) == {"box": "Succeeded"}
    assert account.hosts["mi-b"].revision == "v1.zip"


def test_who_has_no_boxes_does_not_look_for_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    premises = Premises(1)
    premises.register("other", tag="others")

    def never() -> list[Node]:
        raise AssertionError("there is nobody to look for")

    monkeypatch.setattr(premises.account.fleet, "hybrid", never)
    deployment_id = premises.deploy()
    assert premises.account.statuses(deployment_id) == {EC2: "Succeeded"}


def test_rosters_of_an_earlier_release_are_read() -> None:
    account = Account(hosts(1))
    account.table.write(Put({"PK": "DEP#d-1", "SK": "ROSTER#0000", "members": [["i-1", True], ["i-2", False]]}))
    roster = account.runtime.ledgers.roster("d-1")
    assert roster.members == (Member("i-1", True), Member("i-2", False))
    assert roster.node_ids([0, 1]) == ["i-1", "i-2"]
