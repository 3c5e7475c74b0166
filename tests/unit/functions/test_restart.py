"""Restarts through the state machine: the order that hosts get, and what is remembered of them."""

from __future__ import annotations

from typing import Any

from tests.unit.functions.world import Account, hosts

from tidegate.gateways.errors import RevisionFault
from tidegate.model.names import revision_key

EVENTS = ["ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]


def restart(account: Account, of: str, key: str = "v1.zip") -> str:
    return account.deploy(key, deploymentMode="RESTART", restartOf=of)


def orders(account: Account, deployment_id: str) -> list[Any]:
    return [order for key, (order, _) in account.orders.published.items() if f"/{deployment_id}/" in key]


def test_a_restart_sends_its_mode_and_no_bundle() -> None:
    account = Account(hosts(2))
    good = account.deploy("v1.zip")
    account.run()
    account.bundles.appspecs["v1.zip"] = RevisionFault("REVISION_MISSING", "It is gone, and nobody asks for it.")
    restarted = restart(account, good)
    item = account.run().deployment(restarted)

    assert item["status"] == "Succeeded"
    for order in orders(account, restarted):
        assert (order["deploymentMode"], order["restartOf"], order["bundle"]) == ("RESTART", good, {})
        assert order["events"] == EVENTS
        assert order["appspec"]["hooks"]["ValidateService"][0]["location"] == "scripts/validate.sh"
    assert len(orders(account, restarted)) == 2
    assert all("deploymentMode" not in order for order in orders(account, good))
    shown = account.targets(restarted).values()
    assert [[event["lifecycleEventName"] for event in row["lifecycleEvents"]] for row in shown] == [EVENTS] * 2


def test_a_restart_changes_nobodys_revision() -> None:
    account = Account(hosts(2))
    good = account.deploy("v1.zip")
    account.run()
    new = f"i-{9:017x}"
    account.hosts.update({new: next(iter(hosts(1).values()))})
    restarted = restart(account, good)
    account.run()

    health = account.runtime.targets.health("group-1")
    key = revision_key(account.deployment(good)["location"])
    assert {each: found.revision_key for each, found in health.items()} == dict.fromkeys(health, key) | {new: ""}
    assert all(found.healthy for found in health.values())
    assert account.table.query(f"INSTALLED#{restarted}", index="GSI2").items == []
    assert account.group()["lastGood"]["deploymentId"] == good
