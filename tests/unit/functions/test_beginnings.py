"""Deployments that cannot begin, or lose their group: the code and the sentence that they end with."""

from __future__ import annotations

import pytest
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import RevisionFault
from tidegate.store.applications import Applications

ON_FAILURE = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}


def test_no_instances() -> None:
    account = Account(hosts(2, tags={"Fleet": "other"}))
    deployed = account.deploy("v1.zip")
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "NO_INSTANCES")
    assert (account.targets(deployed), account.fleet.commands) == ({}, {})


def test_a_minimum_as_large_as_the_fleet() -> None:
    account = Account(hosts(3))
    deployed = account.deploy("v1.zip", ("HOST_COUNT", 3), autoRollback=ON_FAILURE)
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS_INVALID")
    assert "HOST_COUNT 3 asks for 3 of 3 instances" in item["error"]["message"]
    assert set(account.statuses(deployed).values()) == {"Skipped"}
    assert account.fleet.commands == {}


@pytest.mark.parametrize("code", ["REVISION_MISSING", "INVALID_REVISION"])
def test_a_revision_that_cannot_be_used(code: str) -> None:
    account = Account(hosts(2))
    account.bundles.appspecs["v1.zip"] = RevisionFault(code, "s3://releases/v1.zip is not to be had.")
    deployed = account.deploy("v1.zip")
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]) == (
        "Failed",
        {"code": code, "message": "s3://releases/v1.zip is not to be had."},
    )
    assert account.path(deployed) == ["ValidateRevision", "RevisionValid?", "FinishDeployment", "RollBack?", "Ended"]
    assert [e["code"] for e in account.decisions(deployed) if e["kind"] == "Finish"] == ["FAILED"]
    assert "live" not in account.group()


def test_an_appspec_that_cannot_be_used_is_told_with_its_place() -> None:
    account = Account(hosts(2))
    account.bundles.appspecs["v1.zip"] = "version: 0.0\nos: beos\n"
    deployed = account.deploy("v1.zip")
    error = account.run().deployment(deployed)["error"]
    assert error["code"] == "INVALID_REVISION"
    assert error["message"].startswith("The AppSpec file of s3://releases/v1.zip cannot be used:")
    assert "beos" in error["message"]


def test_a_group_deleted_before_the_fleet_is_resolved() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")

    def delete(name: str, _state: object) -> None:
        if name == "SelectTargets":
            account.runtime.groups.delete("shop", "prod")

    account.before = delete
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "DEPLOYMENT_GROUP_MISSING")
    assert "prod" in item["error"]["message"]
    assert account.executions[f"{deployed}-1"].retries == []
    assert "EvaluateHealth" not in account.path(deployed)


def test_an_application_deleted_before_the_fleet_is_resolved() -> None:
    account = Account(hosts(2))
    deployed = account.deploy("v1.zip")

    def delete(name: str, _state: object) -> None:
        if name == "SelectTargets":
            Applications(account.table).delete("shop")

    account.before = delete
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "APPLICATION_MISSING")
    assert "shop" in item["error"]["message"]
    assert "create it again" in item["error"]["message"]
    assert account.fleet.commands == {}


def test_a_group_deleted_during_the_run_does_not_keep_it_from_ending() -> None:
    account = Account(hosts(3, fails=frozenset({"v2.zip"})))
    account.deploy("v1.zip")
    account.run()
    failing = account.deploy("v2.zip", autoRollback=ON_FAILURE)
    account.clock.at(account.now + 5, lambda: account.runtime.groups.delete("shop", "prod"))
    item = account.run().deployment(failing)
    assert (item["status"], item["error"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    assert "group is gone" in item["rollback"]["rollbackMessage"]
    assert "rollbackDeploymentId" not in item["rollback"]
    assert len(account.executions) == 2
