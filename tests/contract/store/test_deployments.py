"""Deployments are made, stopped and ended in one transaction each, over either table."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tidegate.model.names import revision_key
from tidegate.store.alarm_watches import AlarmWatches
from tidegate.store.applications import Applications
from tidegate.store.deployment_items import OVERVIEW, follow_up_deployment, rollback_deployment
from tidegate.store.deployments import Deployments
from tidegate.store.errors import (
    DeploymentCompletedError,
    DeploymentExistsError,
    DeploymentGroupBusyError,
    DeploymentGroupNotFoundError,
    DeploymentNotFoundError,
    InstanceBusyError,
    StaleGenerationError,
    TableBusyError,
)
from tidegate.store.groups import Groups
from tidegate.store.revisions import Revisions
from tidegate.store.scaled_groups import ScaledGroups
from tidegate.store.table import Item, Table, Write

V1 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "v1", "bundleType": "zip"}}
V2 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "v2", "bundleType": "zip"}}
_ids = itertools.count(1)


@pytest.fixture
def store(table: Table) -> Deployments:
    Applications(table).create("shop", application_id="app", platform="Server", now=1.0)
    info = {
        "applicationName": "shop",
        "deploymentGroupName": "prod",
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
    }
    Groups(table).create("gid", info)
    return Deployments(table)


def attributes(now: float, location: dict[str, Any] = V1, **more: Any) -> dict[str, Any]:
    return {
        "deploymentId": f"d-{next(_ids):09d}",
        "applicationName": "shop",
        "deploymentGroupName": "prod",
        "deploymentGroupId": "gid",
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "minimum": {"type": "MOST_CONCURRENCY", "value": 1},
        "location": location,
        "revisionKey": revision_key(location),
        "status": "Created",
        "creator": "user",
        "createTime": now,
        "fileExistsBehavior": "RETAIN",
        "autoRollback": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        "generation": 1,
        **more,
    }


def created(store: Deployments, now: float, location: dict[str, Any] = V1, **more: Any) -> str:
    item = store.create(attributes(now, location, **more), revision_description="auto")
    return str(item["deploymentId"])


def group(table: Table) -> Item:
    return Groups(table).get("shop", "prod")


def test_creation_takes_the_lock_and_registers_the_revision(store: Deployments, table: Table) -> None:
    deployment_id = created(store, 10.5)
    assert group(table)["live"] == deployment_id
    assert group(table)["lastAttempted"] == {"deploymentId": deployment_id, "status": "Created", "createTime": 10.5}
    revision = Revisions(table).get("shop", V1)
    assert (revision["registerTime"], revision["firstUsedTime"], revision["lastUsedTime"]) == (10.5, 10.5, 10.5)
    assert revision["description"] == "auto"


def test_a_second_use_of_a_revision_keeps_its_first(store: Deployments, table: Table) -> None:
    Revisions(table).register("shop", V1, description="pushed", now=2)
    store.finish(created(store, 10), status="Succeeded", now=11)
    created(store, 20)
    revision = Revisions(table).get("shop", V1)
    assert (revision["registerTime"], revision["firstUsedTime"], revision["lastUsedTime"]) == (2, 10, 20)
    assert revision["description"] == "pushed"


def test_one_live_deployment_a_group(store: Deployments, table: Table) -> None:
    first = created(store, 10)
    with pytest.raises(DeploymentGroupBusyError, match=f"'prod' already has an active Deployment '{first}'"):
        created(store, 11, V2)
    assert [item["deploymentId"] for item in store.page().items] == [first]
    assert store.page("gid").items == store.page().items


def test_a_group_that_is_gone_or_another_is_not_locked(store: Deployments, table: Table) -> None:
    with pytest.raises(DeploymentGroupNotFoundError):
        created(store, 10, deploymentGroupId="former")
    Groups(table).delete("shop", "prod")
    with pytest.raises(DeploymentGroupNotFoundError):
        created(store, 10)
    assert store.page().items == []


def test_an_id_is_used_once(store: Deployments) -> None:
    first = created(store, 10)
    with pytest.raises(DeploymentExistsError):
        created(store, 11, deploymentId=first)
    assert store.get(first)["createTime"] == 10


def test_reading_one_and_many(store: Deployments) -> None:
    first = created(store, 10)
    assert store.get(first)["location"] == V1
    with pytest.raises(DeploymentNotFoundError):
        store.get("d-NONE")
    assert [item["deploymentId"] for item in store.get_many(["d-NONE", first, first])] == [first]


def test_a_success_becomes_the_groups_last_good(store: Deployments, table: Table) -> None:
    deployment_id = created(store, 10)
    overview = dict.fromkeys(OVERVIEW, 0) | {"Succeeded": 6}
    done = store.finish(deployment_id, status="Succeeded", now=20.25, overview=overview, generation=1)
    assert "rollback" not in done
    assert (done["status"], done["completeTime"]) == ("Succeeded", 20.25)
    assert done["overview"]["Succeeded"] == 6
    last = {"deploymentId": deployment_id, "status": "Succeeded", "createTime": 10, "endTime": 20.25}
    found = group(table)
    assert "live" not in found
    assert (found["lastAttempted"], found["lastSuccessful"], found["targetRevision"]) == (last, last, V1)
    assert found["lastGood"] == {
        "deploymentId": deployment_id,
        "location": V1,
        "revisionKey": revision_key(V1),
        "fileExistsBehavior": "RETAIN",
    }


def failing(store: Deployments, table: Table) -> tuple[str, str, Item]:
    """A first success, then a failure that is rolled back."""
    store.finish(created(store, 10), status="Succeeded", now=11)
    failed = created(store, 20, V2, caller="arn:alice", fileExistsBehavior="OVERWRITE")
    new = rollback_deployment(store.get(failed), group(table)["lastGood"], deployment_id="d-ROLLBACK1", now=30)
    error = {"code": "HEALTH_CONSTRAINTS", "message": "Too many."}
    return failed, "d-ROLLBACK1", store.finish(failed, status="Failed", now=30, error=error, rollback=new)


def test_a_rollback_gets_the_lock_without_a_gap(store: Deployments, table: Table) -> None:
    failed, rollback, done = failing(store, table)
    assert done["error"]["code"] == "HEALTH_CONSTRAINTS"
    assert done["rollback"]["rollbackDeploymentId"] == rollback
    new = store.get(rollback)
    assert new["rollback"]["rollbackTriggeringDeploymentId"] == failed
    assert (new["status"], new["creator"], new["location"]) == ("Created", "codeDeployRollback", V1)
    assert (new["fileExistsBehavior"], new["caller"], new["generation"]) == ("RETAIN", "arn:alice", 1)
    assert new["autoRollback"] == {"enabled": False, "events": []}
    assert failed in new["description"]
    found = group(table)
    assert found["live"] == rollback
    assert found["lastAttempted"]["deploymentId"] == rollback
    assert found["targetRevision"] == V1
    assert Revisions(table).get("shop", V1)["lastUsedTime"] == 30
    assert [item["deploymentId"] for item in store.page("gid").items][:2] == [rollback, failed]


@pytest.mark.parametrize(
    ("platform", "config"),
    [
        ("Lambda", "CodeDeployDefault.LambdaAllAtOnce"),
        ("ECS", "CodeDeployDefault.ECSAllAtOnce"),
        ("Server", "CodeDeployDefault.OneAtATime"),
    ],
)
def test_traffic_between_versions_goes_back_all_at_once_and_servers_as_they_came(platform: str, config: str) -> None:
    routing = {"trafficRouting": {"type": "TimeBasedLinear"}} if platform != "Server" else {}
    failed = attributes(10, V2, computePlatform=platform, **routing)
    last_good = {"location": V1, "revisionKey": revision_key(V1)}
    new = rollback_deployment(failed, last_good, deployment_id="d-ROLLBACK1", now=30)
    assert new["deploymentConfigName"] == config
    assert new.get("trafficRouting") == (None if platform == "Server" else {"type": "AllAtOnce"})


def test_ending_twice_changes_nothing(store: Deployments, table: Table) -> None:
    failed, _, first = failing(store, table)
    before = group(table)
    other = rollback_deployment(store.get(failed), before["lastGood"], deployment_id="d-ROLLBACK2", now=40)
    again = store.finish(failed, status="Stopped", now=40, rollback=other)
    assert again == first
    assert group(table) == before
    assert store.get_many(["d-ROLLBACK2"]) == []


def test_why_nothing_is_rolled_back_is_kept(store: Deployments) -> None:
    done = store.finish(created(store, 10), status="Failed", now=11, rollback_message="Nothing to go back to.")
    assert done["rollback"] == {"rollbackMessage": "Nothing to go back to."}


def test_a_deployment_whose_group_is_gone_ends_alone(store: Deployments, table: Table) -> None:
    store.finish(created(store, 10), status="Succeeded", now=11)
    failed = created(store, 20, V2)
    new = rollback_deployment(store.get(failed), group(table)["lastGood"], deployment_id="d-ROLLBACK1", now=30)
    Groups(table).delete("shop", "prod")
    done = store.finish(failed, status="Failed", now=30, rollback=new)
    assert ("rollbackDeploymentId" in done["rollback"], done["status"]) == (False, "Failed")
    assert "gone" in done["rollback"]["rollbackMessage"]
    assert store.get_many(["d-ROLLBACK1"]) == []
    with pytest.raises(DeploymentGroupNotFoundError):
        group(table)


def test_a_group_that_goes_while_its_deployment_ends_stays_gone(store: Deployments, table: Table) -> None:
    deployment_id = created(store, 10)
    raced: Any = Raced(table, lambda: Groups(table).delete("shop", "prod"))
    done = Deployments(raced).finish(deployment_id, status="Succeeded", now=20)
    assert done["status"] == "Succeeded"
    with pytest.raises(DeploymentGroupNotFoundError):
        group(table)


def test_of_two_that_end_a_deployment_the_first_counts(store: Deployments, table: Table) -> None:
    deployment_id = created(store, 10)
    raced: Any = Raced(table, lambda: store.finish(deployment_id, status="Failed", now=19))
    done = Deployments(raced).finish(deployment_id, status="Succeeded", now=20)
    assert (done["status"], done["completeTime"]) == ("Failed", 19)
    assert "lastSuccessful" not in group(table)


def test_once_its_end_has_begun_a_deployment_is_stopped_no_more(store: Deployments) -> None:
    deployment_id = created(store, 10)
    store.request_stop(deployment_id, now=11, auto_rollback=True, by="alice")
    assert store.begin_ending(deployment_id, 1)["stop"] == {"time": 11, "by": "alice", "autoRollback": True}
    with pytest.raises(DeploymentCompletedError, match=f"The deployment '{deployment_id}' is ending just now"):
        store.request_stop(deployment_id, now=12, auto_rollback=False, by="bob")
    assert store.begin_ending(deployment_id, 1)["stop"]["by"] == "alice"
    with pytest.raises(StaleGenerationError):
        store.begin_ending(deployment_id, 2)
    ended = store.finish(deployment_id, status="Failed", now=13)
    assert store.begin_ending(deployment_id, 1) == ended


class Raced:
    """A table to which someone else writes just before the first write of ours."""

    def __init__(self, table: Table, other: Callable[[], object]) -> None:
        self._table, self._others = table, [other]

    def write(self, *writes: Write) -> None:
        while self._others:
            self._others.pop()()
        self._table.write(*writes)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._table, verb)


def test_only_the_current_generation_ends_a_deployment(store: Deployments) -> None:
    deployment_id = created(store, 10, generation=2)
    with pytest.raises(StaleGenerationError):
        store.finish(deployment_id, status="Failed", now=11, generation=1)
    assert store.get(deployment_id)["status"] == "Created"


def test_a_deployment_ends_in_a_terminal_status_only(store: Deployments) -> None:
    with pytest.raises(ValueError, match="InProgress"):
        store.finish(created(store, 10), status="InProgress", now=11)
    with pytest.raises(DeploymentNotFoundError):
        store.finish("d-NONE", status="Failed", now=11)


def test_the_first_stop_request_counts(store: Deployments) -> None:
    deployment_id = created(store, 10)
    stopped = store.request_stop(deployment_id, now=12, auto_rollback=True, by="alice")
    assert stopped["stop"] == {"time": 12, "by": "alice", "autoRollback": True}
    again = store.request_stop(deployment_id, now=13, auto_rollback=None, by="bob")
    assert again["stop"] == stopped["stop"]
    store.finish(deployment_id, status="Stopped", now=14)
    with pytest.raises(DeploymentCompletedError, match="Stopped"):
        store.request_stop(deployment_id, now=15, auto_rollback=None, by="bob")
    with pytest.raises(DeploymentNotFoundError):
        store.request_stop("d-NONE", now=15, auto_rollback=None, by="bob")


def test_a_stop_that_leaves_the_rollback_open_says_nothing_of_it(store: Deployments) -> None:
    stopped = store.request_stop(created(store, 10), now=12, auto_rollback=None, by="alice")
    assert stopped["stop"] == {"time": 12, "by": "alice"}


def test_amending_a_live_deployment(store: Deployments) -> None:
    deployment_id = created(store, 10)
    store.amend(deployment_id, {"status": "InProgress"}, generation=1, once={"startTime": 11})
    item = store.amend(deployment_id, {"status": "InProgress"}, generation=1, once={"startTime": 99})
    assert (item["status"], item["startTime"]) == ("InProgress", 11)
    with pytest.raises(StaleGenerationError):
        store.amend(deployment_id, {"appspec": "{}"}, generation=7)
    with pytest.raises(DeploymentNotFoundError):
        store.amend("d-NONE", {"appspec": "{}"})
    store.finish(deployment_id, status="Succeeded", now=12)
    with pytest.raises(DeploymentCompletedError):
        store.amend(deployment_id, {"appspec": "{}"}, generation=1)


def test_deployments_are_listed_newest_first_and_by_time(store: Deployments) -> None:
    ids = []
    for now in (10, 20.5, 30):
        ids.append(created(store, now))
        store.finish(ids[-1], status="Succeeded", now=now + 1)
    assert listed(store) == ids[::-1]
    assert listed(store, group_id="gid") == ids[::-1]
    assert listed(store, group_id="other") == []
    assert listed(store, between=(20.5, None)) == [ids[2], ids[1]]
    assert listed(store, between=(None, 20.5)) == [ids[1], ids[0]]
    assert listed(store, between=(11, 20)) == []
    page = store.page("gid", limit=2)
    assert [item["deploymentId"] for item in page.items] == [ids[2], ids[1]]
    assert [item["deploymentId"] for item in store.page("gid", start=page.next).items] == [ids[0]]


def listed(store: Deployments, **question: Any) -> list[str]:
    return [item["deploymentId"] for item in store.page(**question).items]


def test_a_live_deployment_is_found_by_the_alarms_it_watches(store: Deployments, table: Table) -> None:
    watches = AlarmWatches(table)
    first = created(store, 10, alarms={"names": ["errors", "latency"], "ignorePollFailure": False})
    assert watches.deployments_of(["errors"]) == watches.deployments_of(["latency", "errors"]) == {first}
    assert watches.deployments_of(["other"]) == watches.deployments_of([]) == set()
    with pytest.raises(DeploymentGroupBusyError):
        created(store, 11, V2, alarms={"names": ["other"], "ignorePollFailure": False})
    assert watches.deployments_of(["other"]) == set(), "what was refused watches nothing"
    store.finish(first, status="Stopped", now=12)
    assert watches.deployments_of(["errors", "latency"]) == set()


def test_a_deployment_whose_group_is_gone_stops_watching_too(store: Deployments, table: Table) -> None:
    deployed = created(store, 10, alarms={"names": ["errors"], "ignorePollFailure": False})
    Groups(table).delete("shop", "prod")
    store.finish(deployed, status="Failed", now=12)
    assert AlarmWatches(table).deployments_of(["errors"]) == set()


# --- marks of live deployments


# --- deployments of one instance that Auto Scaling starts, and follow-ups


def for_instance(now: float, instance_id: str = "i-1") -> dict[str, Any]:
    scaling = {
        "autoScalingGroup": "web",
        "instanceId": instance_id,
        "hook": "hook",
        "token": "t",
        "transition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    }
    return attributes(now, scaling=scaling, creator="autoscaling")


def test_an_instance_has_a_lock_of_its_own_beside_the_groups(store: Deployments, table: Table) -> None:
    fleet = store.create(attributes(1.0), revision_description="")
    before = Groups(table).get("shop", "prod")
    first = store.create_for_instance(for_instance(2.0), key="t-1")
    store.create_for_instance(for_instance(3.0, "i-2"), key="t-2")
    with pytest.raises(InstanceBusyError):
        store.create_for_instance(for_instance(4.0), key="t-3")
    assert store.finish(first["deploymentId"], status="Succeeded", now=5.0)["completeTime"] == 5.0
    lock = ScaledGroups(table).lock("gid", "i-1")
    assert lock is not None
    assert (lock["deploymentId"], lock["key"], lock["endTime"], "live" in lock) == (
        first["deploymentId"],
        "t-1",
        5.0,
        False,
    )
    assert lock["expires"] == 5 + 30 * 86_400
    with pytest.raises(InstanceBusyError):  # who read the lock before the first one was made
        store.create_for_instance(for_instance(6.0), key="t-1")
    again = store.create_for_instance(for_instance(6.0), key="t-4", after=first["deploymentId"])
    lock = ScaledGroups(table).lock("gid", "i-1")
    assert lock is not None
    assert lock["live"] == again["deploymentId"]
    assert "expires" not in lock, "what is held stays"
    assert Groups(table).get("shop", "prod") == before, "one instance says nothing about the group"
    assert before["live"] == fleet["deploymentId"]


def test_an_instance_needs_its_group_and_an_id_that_is_free(store: Deployments, table: Table) -> None:
    made = store.create_for_instance(for_instance(1.0), key="t")
    with pytest.raises(DeploymentExistsError):
        store.create_for_instance({**for_instance(2.0, "i-2"), "deploymentId": made["deploymentId"]}, key="t")
    Groups(table).delete("shop", "prod")
    with pytest.raises(DeploymentGroupNotFoundError):
        store.create_for_instance(for_instance(3.0, "i-2"), key="t")
    assert store.finish(made["deploymentId"], status="Failed", now=4.0)["completeTime"] == 4.0


def test_a_follow_up_and_its_root_know_each_other(store: Deployments) -> None:
    root = store.create(attributes(1.0), revision_description="")
    store.finish(root["deploymentId"], status="Succeeded", now=2.0)
    good = {"location": V1, "revisionKey": revision_key(V1)}
    for number in (1, 2):
        item = follow_up_deployment(root, good, ["i-1"], deployment_id=f"d-FOLLOWUP{number}", now=2.0 + number)
        store.create(item, revision_description="", root=store.get(root["deploymentId"]))
        store.finish(item["deploymentId"], status="Succeeded", now=2.5 + number)
    found = store.get(root["deploymentId"])["relatedDeployments"]
    assert found == {"autoUpdateOutdatedInstancesDeploymentIds": ["d-FOLLOWUP1", "d-FOLLOWUP2"]}
    item = store.get("d-FOLLOWUP2")
    assert item["relatedDeployments"] == {"autoUpdateOutdatedInstancesRootDeploymentId": root["deploymentId"]}
    assert (item["updateOutdatedInstancesOnly"], item["creator"]) == (True, "CodeDeployAutoUpdate")
    assert item["newcomers"] == ["i-1"]


def test_who_read_a_root_before_its_last_follow_up_makes_none(store: Deployments, table: Table) -> None:
    root = store.create(attributes(1.0), revision_description="")
    store.finish(root["deploymentId"], status="Succeeded", now=2.0)
    read = store.get(root["deploymentId"])
    good = {"location": V1, "revisionKey": revision_key(V1)}
    first, second = (
        follow_up_deployment(root, good, ["i-1"], deployment_id=f"d-FOLLOWUP{n}", now=2.0 + n) for n in (1, 2)
    )
    store.create(first, revision_description="", root=read)
    store.finish(first["deploymentId"], status="Failed", now=4.0)
    with pytest.raises(TableBusyError):
        store.create(second, revision_description="", root=read)
    assert "live" not in Groups(table).get("shop", "prod")
    with pytest.raises(DeploymentNotFoundError):
        store.get(second["deploymentId"])


def test_groups_with_hooks_are_found_by_their_id_wherever_they_are(table: Table) -> None:
    Applications(table).create("shop", application_id="app", platform="Server", now=1.0)
    groups, scaled = Groups(table), ScaledGroups(table)
    config = "CodeDeployDefault.OneAtATime"
    info = {"applicationName": "shop", "deploymentGroupName": "prod", "deploymentConfigName": config}
    groups.create("g-1", {**info, "autoScalingGroups": ["web"]})
    groups.create("g-2", {**info, "deploymentGroupName": "test"})
    found = scaled.by_id("g-1")
    assert found is not None
    assert (found["hooksDue"], list(found["hooks"])) == (True, ["web"])
    assert scaled.by_id("g-2") is None
    scaled.settled(found, [])
    hooks = found["hooks"]
    groups.update("shop", "prod", lambda item: {**item["info"], "deploymentGroupName": "site"})
    Applications(table).rename("shop", "store")
    moved = scaled.by_id("g-1")
    assert moved is not None
    assert (moved["info"]["applicationName"], moved["info"]["deploymentGroupName"]) == ("store", "site")
    assert (moved["hooks"], "hooksDue" in moved) == (hooks, False)
    groups.update("store", "site", lambda item: {**item["info"], "autoScalingGroups": []})
    left = scaled.by_id("g-1")
    assert left is not None
    assert left["strayHooks"] == [["web", hooks["web"]["hook"]]]
    scaled.settled(left, [])
    assert scaled.by_id("g-1") is None
    assert [item["deploymentGroupId"] for item in scaled.all()] == []
