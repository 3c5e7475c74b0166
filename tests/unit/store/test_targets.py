"""What is written when targets move, and what it says of their health; commands by id."""

from __future__ import annotations

from typing import Any

from tidegate.model.ledger import Flight, Purpose
from tidegate.store.commands import Commands
from tidegate.store.table import Table
from tidegate.store.targets import Health, TargetRow, Targets

LOCATION = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k"}}
EVENTS = [
    {"lifecycleEventName": "Install", "status": "Succeeded", "startTime": 5.25, "endTime": 6.5},
    {"lifecycleEventName": "ValidateService", "status": "Succeeded", "startTime": 6.5, "endTime": 9.75},
]


def deployment(deployment_id: str = "d-1", revision: str = "rev-1", created: float = 100.5) -> dict[str, Any]:
    return {
        "deploymentId": deployment_id,
        "applicationName": "shop",
        "deploymentGroupName": "prod",
        "deploymentGroupId": "g-1",
        "createTime": created,
        "location": LOCATION,
        "revisionKey": revision,
    }


def row(status: str, target_id: str = "i-1", events: list[dict[str, Any]] | None = None) -> TargetRow:
    return TargetRow(target_id, f"arn:{target_id}", status, EVENTS if events is None else events)


def everything(table: Table) -> list[dict[str, Any]]:
    return [
        item for pk in ("DEP#d-1", "HOST#i-1", "HOST#i-2", "GROUP#g-1", "CMD#c-1") for item in table.query(pk).items
    ]


def test_a_row_is_shown_and_replaced(table: Table) -> None:
    targets = Targets(table)
    targets.show("d-1", [row("Pending", events=[]), row("Pending", "i-2", [])], 1)
    targets.show("d-1", [row("InProgress", events=[])], 2.5)
    items = table.query("DEP#d-1", "TARGET#").items
    assert [(i["targetId"], i["status"], i["lastUpdatedAt"], i["kind"]) for i in items] == [
        ("i-1", "InProgress", 2.5, "InstanceTarget"),
        ("i-2", "Pending", 1, "InstanceTarget"),
    ]


def test_success_makes_the_revision_the_instances_own(table: Table) -> None:
    targets = Targets(table)
    assert targets.health("g-1") == {}
    targets.ended(deployment(), [row("Succeeded")], 10)
    assert targets.health("g-1") == {"i-1": Health(True, "rev-1")}


def test_failure_leaves_the_revision_that_was_noted_last(table: Table) -> None:
    targets = Targets(table)
    targets.ended(deployment(), [row("Succeeded"), row("Failed", "i-2")], 10)
    targets.ended(deployment("d-2", "rev-2"), [row("Failed"), row("Failed", "i-2")], 20)
    assert targets.health("g-1") == {"i-1": Health(False, "rev-1"), "i-2": Health(False)}


def test_a_repeat_writes_the_same(table: Table) -> None:
    targets = Targets(table)
    targets.ended(deployment(), [row("Succeeded"), row("Failed", "i-2")], 10)
    once = everything(table)
    targets.ended(deployment(), [row("Succeeded"), row("Failed", "i-2")], 10)
    assert everything(table) == once
    assert len(once) == 6


def test_the_report_answers_by_host_revision_and_deployment(table: Table) -> None:
    targets = Targets(table)
    targets.ended(deployment(), [row("Succeeded"), row("Failed", "i-2", [])], 10)
    targets.ended(deployment("d-2", "rev-2", created=200.25), [row("Failed")], 210)
    of_host = table.query("HOST#i-1", descending=True).items
    assert [(i["deploymentId"], i["result"], i["startTime"], i["endTime"]) for i in of_host] == [
        ("d-2", "Failed", 5.25, 9.75),
        ("d-1", "Succeeded", 5.25, 9.75),
    ]
    of_revision = table.query("INSTALLED#shop#rev-1", index="GSI1").items
    assert [(i["targetId"], i["result"]) for i in of_revision] == [("i-1", "Succeeded"), ("i-2", "Failed")]
    of_deployment = table.query("INSTALLED#d-1", index="GSI2").items
    assert [(i["targetId"], i["location"]) for i in of_deployment] == [("i-1", LOCATION), ("i-2", LOCATION)]
    assert of_deployment[1]["startTime"] == of_deployment[1]["endTime"] == 10  # it reported no times of its own


def test_many_targets_are_written_in_as_many_batches_as_it_takes(table: Table) -> None:
    rows = [row("Succeeded", f"i-{n:03d}") for n in range(60)]
    Targets(table).ended(deployment(), rows, 10)
    assert len(Targets(table).health("g-1")) == 60
    assert len(table.query("DEP#d-1", "TARGET#").items) == 60


def test_commands_lead_to_their_deployment(table: Table) -> None:
    commands = Commands(table)
    commands.record("d-1", [Flight("0001.00", Purpose.RUN, 0, (0, 1, 2, 9), 1.0, "c-1", 2.5)])
    commands.record("d-2", [Flight("0001.00", Purpose.RUN, 0, (0,), 1.0, "c-2", 2.5)])
    commands.record("d-1", [])
    assert commands.deployments_of({"c-1", "c-2", "c-3"}) == {"c-1": "d-1", "c-2": "d-2"}
    assert commands.deployments_of([]) == {}
    item = table.get(("CMD#c-1", "CMD"))
    assert item is not None
    assert (item["positions"], item["sentAt"], item["key"]) == ("0-2,9", 2.5, "0001.00")


def test_what_is_taken_back_is_in_no_report_any_more(table: Table) -> None:
    targets = Targets(table)
    targets.ended(deployment(), [row("Failed"), row("Failed", "i-2")], 10)
    targets.ended(deployment("d-2", "rev-2"), [row("Succeeded")], 20)
    targets.take_back(deployment(), ["i-1"])
    assert [item["deploymentId"] for item in table.query("HOST#i-1").items] == ["d-2"]
    assert [item["targetId"] for item in table.query("INSTALLED#d-1", index="GSI2").items] == ["i-2"]
