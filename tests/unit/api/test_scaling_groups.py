"""Auto Scaling groups of deployment groups: their hooks come, stay and go with the group."""

from __future__ import annotations

import pytest
from tests.unit.api.world import LifecycleHooks, Refused, World

from tidegate.model.scaling import ScalingFault
from tidegate.scaling.hook_settling import settle_hooks
from tidegate.store.table import Item

LAUNCH, TERMINATE = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
DENIED = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to put hooks")


@pytest.fixture
def scaled(shop: World) -> World:
    """Group ``web`` with the Auto Scaling group ``a`` and both hooks; others are ``b`` and ``asg``."""
    shop.group("web", autoScalingGroups=["a"], terminationHookEnabled=True)
    return shop


def item(world: World, name: str = "web") -> Item:
    return world.services.groups.get("shop", name)


def update(world: World, **given: object) -> dict[str, object]:
    return world.call("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="web", **given)


def test_a_new_group_puts_its_hooks_on_and_shows_them(scaled: World) -> None:
    (launch, termination), group_id = scaled.lifecycle_hooks["a"].items(), item(scaled)["deploymentGroupId"]
    assert launch == (f"CodeDeploy-managed-automatic-launch-deployment-hook-web-{group_id}", LAUNCH)
    assert termination == (f"CodeDeploy-managed-automatic-termination-deployment-hook-web-{group_id}", TERMINATE)
    found = scaled.call("GetDeploymentGroup", applicationName="shop", deploymentGroupName="web")
    shown = found["deploymentGroupInfo"]["autoScalingGroups"]
    assert shown == [{"name": "a", "hook": launch[0], "terminationHook": termination[0]}]
    assert "hooksDue" not in item(scaled)


def test_names_of_hooks_are_made_of_what_auto_scaling_takes(shop: World) -> None:
    shop.group("we+b=,.@" + 92 * "x", autoScalingGroups=["a"])
    (name,) = shop.lifecycle_hooks["a"]
    assert len(name) <= 255
    assert name.startswith("CodeDeploy-managed-automatic-launch-deployment-hook-we-b----xxx")
    assert not set(name) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/")


def test_hooks_keep_their_names_when_the_group_gets_another(scaled: World) -> None:
    before = dict(scaled.lifecycle_hooks["a"])
    assert update(scaled, newDeploymentGroupName="site", autoScalingGroups=["a", "b"]) == {"hooksNotCleanedUp": []}
    assert scaled.lifecycle_hooks["a"] == before
    assert [name.split("-hook-")[1][:5] for name in scaled.lifecycle_hooks["b"]] == ["site-", "site-"]
    assert set(item(scaled, "site")["hooks"]) == {"a", "b"}


def test_what_is_absent_stays_and_an_empty_list_takes_the_hooks_off(scaled: World) -> None:
    update(scaled, deploymentConfigName="CodeDeployDefault.AllAtOnce")
    assert len(scaled.lifecycle_hooks["a"]) == 2
    update(scaled, terminationHookEnabled=False)
    assert list(scaled.lifecycle_hooks["a"].values()) == [LAUNCH]
    assert update(scaled, autoScalingGroups=[]) == {"hooksNotCleanedUp": []}
    assert scaled.lifecycle_hooks["a"] == {}
    assert not {"hooks", "strayHooks", "hooksDue", "GSI1PK", "GSI1SK"} & set(item(scaled))


def test_a_hook_that_somebody_deleted_is_put_on_again_when_the_groups_are_given_again(scaled: World) -> None:
    before = dict(scaled.lifecycle_hooks["a"])
    scaled.lifecycle_hooks["a"].clear()
    update(scaled, autoScalingGroups=["a"])
    assert scaled.lifecycle_hooks["a"] == before


def test_hooks_that_cannot_be_taken_off_are_told_and_tried_again_by_the_sweep(scaled: World) -> None:
    names = list(scaled.lifecycle_hooks["a"])
    scaled.lifecycle_hooks.faults["delete"] = DENIED
    found = update(scaled, autoScalingGroups=["b"])
    assert found == {"hooksNotCleanedUp": [{"name": "a", "hook": names[0], "terminationHook": names[1]}]}
    assert item(scaled)["hooksDue"]
    scaled.lifecycle_hooks.faults.clear()
    (found_item,) = scaled.services.scaled_groups.all()
    settle_hooks(found_item, scaled.lifecycle_hooks, scaled.services.scaled_groups)
    assert (scaled.lifecycle_hooks["a"], len(scaled.lifecycle_hooks["b"])) == ({}, 2)
    assert not {"strayHooks", "hooksDue"} & set(item(scaled))


def test_hooks_go_with_the_group_and_with_the_application(scaled: World) -> None:
    gone = scaled.call("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="web")
    assert (gone, scaled.lifecycle_hooks["a"]) == ({"hooksNotCleanedUp": []}, {})
    scaled.group("web", autoScalingGroups=["a"])
    scaled.group("other", autoScalingGroups=["b"])
    scaled.call("DeleteApplication", applicationName="shop")
    assert (scaled.lifecycle_hooks["a"], scaled.lifecycle_hooks["b"]) == ({}, {})


def test_a_hook_that_its_group_leaves_behind_is_told(scaled: World) -> None:
    names = list(scaled.lifecycle_hooks["a"])
    scaled.lifecycle_hooks.faults["delete"] = DENIED
    gone = scaled.call("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="web")
    assert gone == {"hooksNotCleanedUp": [{"name": "a", "hook": names[0], "terminationHook": names[1]}]}
    (noted,) = scaled.services.scaled_groups.left_hooks()
    assert (noted["hooks"], noted["time"]) == ([["a", names[0]], ["a", names[1]]], scaled.now)
    assert noted["serviceRoleArn"].startswith("arn:aws:iam:")


def test_hooks_that_are_removed_leave_no_note(scaled: World) -> None:
    scaled.call("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="web")
    assert scaled.services.scaled_groups.left_hooks() == []


@pytest.mark.parametrize("call", ["create", "update"])
def test_an_auto_scaling_group_that_is_not_there_is_refused_and_nothing_changes(scaled: World, call: str) -> None:
    before = item(scaled)
    given = {"autoScalingGroups": ["a", "gone"]}
    with pytest.raises(Refused) as refused:
        scaled.group("new", **given) if call == "create" else update(scaled, **given)
    assert refused.value.code == "InvalidAutoScalingGroupException"
    assert "gone" in refused.value.message
    assert item(scaled) == before
    assert len(scaled.lifecycle_hooks["a"]) == 2


def test_an_auto_scaling_group_without_room_for_a_hook_is_refused(shop: World) -> None:
    shop.lifecycle_hooks["a"] = {f"hook-{n}": LAUNCH for n in range(50)}
    with pytest.raises(Refused) as refused:
        shop.group("web", autoScalingGroups=["a"])
    assert refused.value.code == "LifecycleHookLimitExceededException"
    assert "50" in refused.value.message


def test_without_the_right_to_put_hooks_there_is_no_group(shop: World) -> None:
    shop.lifecycle_hooks.faults["put"] = DENIED
    with pytest.raises(Refused) as refused:
        shop.group("web", autoScalingGroups=["a"])
    assert refused.value.code == "InvalidRoleException"
    shop.lifecycle_hooks.faults.clear()
    shop.group("web", autoScalingGroups=["a"])


def test_who_dies_between_the_group_and_its_hooks_is_succeeded_by_the_sweep(shop: World) -> None:
    class Dies(LifecycleHooks):
        def put(self, *_: object) -> None:
            raise KeyboardInterrupt

    there, shop.lifecycle_hooks = shop.lifecycle_hooks, Dies("a")
    with pytest.raises(KeyboardInterrupt):
        shop.group("web", autoScalingGroups=["a"])
    shop.lifecycle_hooks = there
    (found,) = shop.services.scaled_groups.all()
    assert found["hooksDue"]
    settle_hooks(found, there, shop.services.scaled_groups)
    assert list(there["a"].values()) == [LAUNCH]
    assert "hooksDue" not in item(shop)


def test_a_deployment_knows_the_processes_to_suspend_its_own_before_its_groups(scaled: World) -> None:
    update(scaled, ec2DeploymentOptions={"autoScalingGroupProcessesToSuspend": ["Terminate"]})
    first = scaled.deploy(group="web")
    scaled.end(first)
    second = scaled.deploy(group="web", ec2DeploymentOptions={"autoScalingGroupProcessesToSuspend": ["AZRebalance"]})
    found = [scaled.services.deployments.get(each)["ec2DeploymentOptions"] for each in (first, second)]
    assert [each["autoScalingGroupProcessesToSuspend"] for each in found] == [["Terminate"], ["AZRebalance"]]
