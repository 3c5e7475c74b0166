"""Blue/green with a copied Auto Scaling group: made, waited for, taken over; refused, stopped, and killed half-way."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.functions.blue_green import Mortal
from tests.unit.functions.copied_groups import Scaled
from tests.unit.functions.hosts import Host
from tests.unit.functions.machine import Killed

from tidegate.gateways.errors import FleetFault
from tidegate.model.scaling import ScalingFault
from tidegate.store.table import Item


def ended(fleets: Scaled, deployed: str) -> tuple[str, str, str]:
    item = fleets.account.deployment(deployed)
    error = item.get("error") or {"code": "", "message": ""}
    return item["status"], error["code"], error["message"]


def test_the_copy_is_made_and_becomes_the_groups_own() -> None:
    fleets = Scaled()
    deployed = fleets.deploy()
    assert ended(fleets, deployed)[0] == "Succeeded", ended(fleets, deployed)
    copy = f"CodeDeploy_prod_{deployed}"
    row = fleets.groups.rows[copy]
    assert (row["MinSize"], row["DesiredCapacity"], row["MaxSize"]) == (1, 3, 6)
    assert row["LaunchTemplate"] == {"LaunchTemplateId": "lt-1", "Version": "$Latest"}
    assert {"Key": "CodeDeployProvisioningDeploymentId", "Value": deployed, "PropagateAtLaunch": False} in row["Tags"]
    assert len(fleets.copied(deployed)) == 3
    assert fleets.serving() == fleets.copied(deployed)
    assert fleets.groups.calls == [("copy", copy), ("raise", copy)]
    info = fleets.account.group()["info"]
    assert (info["autoScalingGroups"], info["ec2TagFilters"]) == ([copy], [])
    assert fleets.hooks.all[copy].suspended == set(), "what was suspended is resumed"
    hooks = fleets.account.group()["hooks"][copy]
    assert list(fleets.hooks.all[copy].hooks) == list(hooks.values())
    assert fleets.hooks.all["web"].hooks == {}
    assert not {"hooksDue", "strayHooks"} & set(fleets.account.group())
    assert {label for each, label in fleets.labels(deployed).items() if each in fleets.blue} == {"Blue"}
    assert fleets.account.table.courses[deployed] == ["Created", "InProgress", "Succeeded"]


def test_in_place_deployments_pay_no_transition_for_it() -> None:
    fleets = Scaled()
    assert not {"ProvisionReplacements", "ReplacementsReady?"} & set(fleets.account.path(fleets.first))


def test_the_copy_of_a_copy() -> None:
    fleets = Scaled()
    first = fleets.deploy(terminate=0)
    second = fleets.deploy("v1.zip", terminate=0)
    assert ended(fleets, second)[0] == "Succeeded"
    assert list(fleets.groups.rows) == [f"CodeDeploy_prod_{second}"]
    tags = fleets.groups.rows[f"CodeDeploy_prod_{second}"]["Tags"]
    assert [t["Value"] for t in tags if t["Key"] == "CodeDeployProvisioningDeploymentId"] == [second]
    assert first != second


def test_the_original_group_is_deleted_with_its_instances_not_its_instances_alone() -> None:
    fleets = Scaled()
    deployed = fleets.deploy(terminate=30)
    assert ended(fleets, deployed)[0] == "Succeeded"
    assert ("delete", "web") in fleets.groups.calls
    assert sorted(fleets.terminations.ended) == fleets.blue


def test_what_the_group_selects_by_tags_is_left_alone() -> None:
    fleets = Scaled()
    fleets.select({"ec2TagFilters": [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]})
    deployed = fleets.deploy()
    assert ended(fleets, deployed)[0] == "Succeeded"
    info = fleets.account.group()["info"]
    assert info["autoScalingGroups"] == [f"CodeDeploy_prod_{deployed}"]
    assert info["ec2TagFilters"] == [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]


def test_instances_whose_agent_is_late_are_waited_for_and_then_left_to_fail() -> None:
    fleets = Scaled(TIDEGATE_PROVISIONING_SECONDS="300")
    fleets.groups.offline = True
    deployed = fleets.deploy()
    status, code, _ = ended(fleets, deployed)
    assert (status, code) == ("Failed", "HEALTH_CONSTRAINTS")
    assert fleets.account.path(deployed).count("ProvisionReplacements") >= 300 / 31
    assert fleets.serving() == fleets.blue


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (("", ""), "AUTO_SCALING_CONFIGURATION"),
        (("AUTO_SCALING_CONFIGURATION", "The key pair 'x' does not exist"), "AUTO_SCALING_CONFIGURATION"),
        (("RESOURCE_LIMIT_EXCEEDED", "You have exceeded your vCPU limit"), "RESOURCE_LIMIT_EXCEEDED"),
    ],
)
def test_instances_that_do_not_come_end_it_and_the_originals_serve(says: tuple[str, str], code: str) -> None:
    fleets = Scaled(TIDEGATE_PROVISIONING_SECONDS="600")
    fleets.groups.never, fleets.groups.says = 1, says
    deployed = fleets.deploy()
    status, found, message = ended(fleets, deployed)
    assert (status, found) == ("Failed", code)
    assert says[1] in message
    took = fleets.account.deployment(deployed)["completeTime"] - fleets.account.deployment(deployed)["createTime"]
    assert (took < 100) == (code == "RESOURCE_LIMIT_EXCEEDED"), "a used-up quota does not come back by waiting"
    assert fleets.serving() == fleets.blue
    copy = f"CodeDeploy_prod_{deployed}"
    assert copy in fleets.groups.rows, "the copy is not ended by itself"
    assert fleets.hooks.all[copy].suspended == {"Launch", "ReplaceUnhealthy", "AZRebalance"}
    assert f"{copy} is kept" in message
    assert "delete it" in message


@pytest.mark.parametrize("code", ["AUTOSCALING_VALIDATION_ERROR", "AUTO_SCALING_IAM_ROLE_PERMISSIONS"])
def test_a_copy_that_is_refused(code: str) -> None:
    fleets = Scaled()
    fleets.groups.refuses = FleetFault(code, "copying the Auto Scaling group web: no")
    assert ended(fleets, fleets.deploy())[:2] == ("Failed", code)
    assert fleets.serving() == fleets.blue


def test_a_copy_whose_deployment_fails_launches_nothing_more_and_that_is_said() -> None:
    fleets = Scaled()
    fleets.groups.fails = frozenset({"v2.zip"})
    deployed = fleets.deploy()
    status, code, message = ended(fleets, deployed)
    copy = f"CodeDeploy_prod_{deployed}"
    assert (status, code) == ("Failed", "HEALTH_CONSTRAINTS")
    assert fleets.hooks.all[copy].suspended == {"Launch", "ReplaceUnhealthy", "AZRebalance"}
    assert fleets.hooks.all["web"].suspended == set()
    assert "resume them by hand" in message
    (told,) = [each for each in fleets.account.decisions(deployed) if each["kind"] == "Copy"]
    assert (told["code"], told["reason"] in message) == ("HELD", True)


def test_a_copy_that_cannot_be_held_is_named() -> None:
    fleets = Scaled()
    fleets.groups.never = 1
    fleets.hooks.faults["suspend"] = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to SuspendProcesses.")
    deployed = fleets.start()
    fleets.account.clock.at(fleets.account.now + 60, lambda: fleets.account.stop(deployed))
    fleets.account.run()
    status, code, message = ended(fleets, deployed)
    assert (status, code) == ("Stopped", "MANUAL_STOP")
    assert (
        f"Suspend Launch, ReplaceUnhealthy, AZRebalance of the Auto Scaling group CodeDeploy_prod_{deployed}" in message
    )


def test_groups_that_cannot_be_copied() -> None:
    fleets = Scaled()
    fleets.select({"autoScalingGroups": ["web", "other"]})
    status, code, message = ended(fleets, fleets.deploy())
    assert (status, code) == ("Failed", "AUTO_SCALING_CONFIGURATION")
    assert "it has 2" in message
    fleets.select({"autoScalingGroups": ["gone"]})
    assert "There is no Auto Scaling group gone" in ended(fleets, fleets.deploy())[2]
    fleets.groups.add("empty")
    fleets.select({"autoScalingGroups": ["empty"]})
    assert ended(fleets, fleets.deploy())[1] == "NO_INSTANCES"
    fleets.groups.add("strange", *fleets.blue, opted_in=False)
    fleets.select({"autoScalingGroups": ["strange"]})
    assert "tidegate:managed=true" in ended(fleets, fleets.deploy(terminate=0))[2]
    assert ended(fleets, fleets.deploy())[0] == "Succeeded", "KEEP_ALIVE deletes nothing"


def test_a_stop_while_instances_are_waited_for_is_honoured() -> None:
    fleets = Scaled()
    fleets.groups.never = 1
    deployed = fleets.start()
    fleets.account.clock.at(fleets.account.now + 60, lambda: fleets.account.stop(deployed))
    fleets.account.run()
    assert ended(fleets, deployed)[:2] == ("Stopped", "MANUAL_STOP")
    item = fleets.account.deployment(deployed)
    assert item["completeTime"] - item["createTime"] < 90
    assert fleets.account.table.courses[deployed] == ["Created", "InProgress", "Stopped"]


def test_a_machine_of_an_earlier_release_is_told_to_be_started_again() -> None:
    fleets = Scaled()
    machine = dict(fleets.account.machine)
    states = dict(machine["States"])
    first = {**states["ValidateRevision"]}
    payload = {**first["Parameters"]["Payload"], "machineVersion": 2}
    states["ValidateRevision"] = {**first, "Parameters": {**first["Parameters"], "Payload": payload}}
    fleets.account.machine = {**machine, "States": states}
    status, code, message = ended(fleets, fleets.deploy())
    assert (status, code) == ("Failed", "INTERNAL_ERROR")
    assert "deploy again" in message


@pytest.mark.parametrize("after", ["amend", "copy", "resize", "find", "delete"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_death_at_any_call_changes_nothing(after: str, before: bool) -> None:
    fleets = Scaled()
    died: list[str] = []

    def mortal(port: Any) -> Any:
        return Mortal(port, after, died, before=before)

    if after == "amend":
        deployments = fleets.account.runtime.deployments
        vars(fleets.account.runtime)["deployments"] = mortal(deployments)
    else:
        fleets.account.wrap(lambda name, port: mortal(port) if name == "scaling_groups" else port)
    deployed = fleets.deploy(terminate=0)
    assert died
    assert ended(fleets, deployed)[0] == "Succeeded", ended(fleets, deployed)
    copies = [name for name in fleets.groups.rows if name.startswith("CodeDeploy_")]
    assert copies == [f"CodeDeploy_prod_{deployed}"]
    assert len(fleets.copied(deployed)) == 3
    assert fleets.serving() == fleets.copied(deployed)


def test_a_death_between_the_ledger_and_what_is_noted_with_it_loses_nothing() -> None:
    fleets = Scaled()
    deployments = fleets.account.runtime.deployments
    amend, died = deployments.amend, []

    def mortal(deployment_id: str, changes: dict[str, Any], **more: Any) -> Item:
        if "selection" in changes and not died:
            died.append(deployment_id)
            raise Killed("amend")
        return amend(deployment_id, changes, **more)

    deployments.amend = mortal  # type: ignore[method-assign]
    deployed = fleets.deploy()
    assert died == [deployed]
    assert ended(fleets, deployed)[0] == "Succeeded", ended(fleets, deployed)
    assert fleets.account.group()["info"]["autoScalingGroups"] == [f"CodeDeploy_prod_{deployed}"]


def test_originals_of_an_auto_scaling_group_that_was_not_copied_leave_it_empty() -> None:
    fleets = Scaled()
    fleets.groups.add("next", "i-next1", "i-next2")
    for each in ("i-next1", "i-next2"):
        fleets.account.hosts[each] = Host(tags={"tidegate:managed": "true"})
    options = fleets.start_options("DISCOVER_EXISTING", terminate=0)
    deployed = fleets.start(targetInstances={"autoScalingGroups": ["next"]}, blueGreenDeploymentConfiguration=options)
    fleets.account.run()
    assert ended(fleets, deployed)[0] == "Succeeded", ended(fleets, deployed)
    assert (fleets.groups.rows["web"]["MinSize"], fleets.groups.rows["web"]["DesiredCapacity"]) == (0, 0)
    assert sorted(fleets.terminations.ended) == fleets.blue
    assert fleets.serving() == ["i-next1", "i-next2"]
    assert fleets.account.group()["info"]["autoScalingGroups"] == ["next"]


def test_a_copy_that_is_waited_for_outlives_its_execution() -> None:
    fleets = Scaled()
    deployed = fleets.start()
    turns: list[str] = []

    def abort(name: str, _state: Any) -> None:
        turns.append(name)
        if turns.count("AwaitReplacements") == 2:
            raise RuntimeError("aborted by hand")

    fleets.account.before = abort
    with pytest.raises(RuntimeError):
        fleets.account.run()
    fleets.account.before = lambda _name, _state: None
    fleets.account.runtime.deployments.amend(deployed, {"generation": 2}, generation=1)
    fleets.account.start(deployed, 2)
    fleets.account.run()
    assert ended(fleets, deployed)[0] == "Succeeded"
    assert fleets.account.path(deployed, 2)[:5] == [
        "ValidateRevision",
        "RevisionValid?",
        "SelectTargets",
        "TargetsSelected?",
        "ProvisionReplacements",
    ]
    assert len(fleets.copied(deployed)) == 3
