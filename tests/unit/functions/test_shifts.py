"""Deployments to Lambda and ECS in the whole machine: checked, shown, and refused plainly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.unit.functions.world import START, Account

from tidegate.api.rules.contents import without_content
from tidegate.gateways.errors import RevisionFault, ThrottledError
from tidegate.model.names import revision_key
from tidegate.model.shifts import AliasSeen, ServiceSeen
from tidegate.store.revisions import Revisions
from tidegate.store.table import Delete

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop"
TASK = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7"
SERVICE = {"clusterName": "prod", "serviceName": "web"}
SHIFTED = {"name": "shop", "alias": "live", "currentversion": "1", "targetversion": "2"}
REPLACED = {"taskdefinition": TASK, "loadbalancerinfo": {"containername": "web", "containerport": 80}}


class Aliases:
    """One alias; throttled for the first ``throttled`` looks."""

    def __init__(self) -> None:
        self.seen = AliasSeen(FUNCTION, "1")
        self.throttled = 0

    def look(self, function: str, alias: str, versions: Sequence[str]) -> AliasSeen:
        assert (function, alias, list(versions)) == ("shop", "live", ["1", "2"])
        if self.throttled:
            self.throttled -= 1
            raise ThrottledError("reading the function shop: slow down")
        return self.seen


class Services:
    """One service."""

    seen = ServiceSeen(
        "arn:s", "ACTIVE", "CODE_DEPLOY", ({"id": "ts-1", "status": "PRIMARY", "runningCount": 3},), {"web": [80]}
    )

    def look(self, service: Mapping[str, str], task_definition: str) -> ServiceSeen:
        assert (service, task_definition) == (SERVICE, TASK)
        return self.seen


@pytest.fixture
def account() -> Account:
    found = Account({})
    found.runtime.aliases = Aliases()  # type: ignore[assignment]
    found.runtime.ecs_services = Services()  # type: ignore[assignment]
    return found


def appspec(kind: str, properties: Mapping[str, Any]) -> str:
    return json.dumps({"version": 0.0, "resources": [{"it": {"type": kind, "properties": properties}}]})


def deploy(account: Account, platform: str, text: str = "", **more: Any) -> str:
    """Create a deployment of a text that is registered, as the API does."""
    if not text:
        kind, properties = ("Lambda::Function", SHIFTED) if platform == "Lambda" else ("ECS::Service", REPLACED)
        text = appspec(f"AWS::{kind}", properties)
    location = {"revisionType": "AppSpecContent", "appSpecContent": {"content": text, "sha256": "a" * 64}}
    Revisions(account.table).register("shop", location, description=None, now=START)
    bare = without_content(location)
    known = {"computePlatform": platform, "location": bare, "revisionKey": revision_key(bare)}
    if platform == "ECS":
        known["ecsServices"] = [SERVICE]
    return account.deploy("", **{**known, **more})


PATH = ["ValidateRevision", "RevisionValid?", "FinishDeployment", "RollBack?", "Ended"]


@pytest.mark.parametrize(("platform", "target"), [("Lambda", "shop:live"), ("ECS", "prod:web")])
def test_a_deployment_that_could_be_done_says_plainly_that_it_is_not(
    account: Account, platform: str, target: str
) -> None:
    deployed = deploy(account, platform, autoRollback={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert item["error"]["message"].startswith("Shifting traffic between")
    assert account.path(deployed) == PATH
    assert (item["overview"]["Skipped"], sum(item["overview"].values())) == (1, 1)
    assert json.loads(item["appspec"])["platform"] == platform
    assert "startTime" not in item
    assert account.statuses(deployed) == {target: "Skipped"}
    assert "rollbackDeploymentId" not in item["rollback"]
    assert "live" not in account.group()


def test_what_is_shown_of_the_target(account: Account) -> None:
    deployed = deploy(account, "ECS")
    (target,) = account.run().targets(deployed).values()
    assert (target["kind"], target["targetArn"]) == ("ECSTarget", "arn:s")
    assert target["taskSetsInfo"] == [
        {"identifer": "ts-1", "status": "PRIMARY", "trafficWeight": 100, "taskSetLabel": "Blue", "runningCount": 3}
    ]
    assert {event["status"] for event in target["lifecycleEvents"]} == {"Skipped"}


def test_a_text_that_cannot_be_used(account: Account) -> None:
    deployed = deploy(account, "ECS", "version: 0.0")
    item = account.run().deployment(deployed)
    assert item["error"]["code"] == "INVALID_REVISION"
    assert item["error"]["message"].startswith("The AppSpec cannot be used: resources must be a list")
    assert account.targets(deployed) == {}


def test_an_alias_that_does_not_fit(account: Account) -> None:
    account.runtime.aliases.seen = AliasSeen()  # type: ignore[attr-defined]
    deployed = deploy(account, "Lambda")
    assert account.run().deployment(deployed)["error"]["code"] == "INVALID_LAMBDA_FUNCTION"
    assert account.targets(deployed) == {}


@pytest.mark.parametrize("gone", ["revision", "text"])
def test_a_text_that_is_gone(account: Account, gone: str) -> None:
    deployed = deploy(account, "Lambda")
    (revision,) = Revisions(account.table).all_of("shop")
    account.table.write(Delete((revision["PK"], revision["SK"])))
    if gone == "text":
        bare = without_content(revision["location"])
        Revisions(account.table).register("shop", bare, description=None, now=START)
    assert account.run().deployment(deployed)["error"]["code"] == "REVISION_MISSING"


def test_an_appspec_in_s3(account: Account) -> None:
    location = {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": "a.json", "bundleType": "JSON"}}
    account.bundles.appspecs["a.json"] = appspec("AWS::Lambda::Function", SHIFTED)
    deployed = deploy(account, "Lambda", location=location, revisionKey=revision_key(location))
    item = account.run().deployment(deployed)
    assert (item["error"]["code"], item["bundle"]["key"]) == ("INTERNAL_ERROR", "bundles/a.json")
    account.bundles.appspecs["a.json"] = RevisionFault("REVISION_MISSING", "gone")
    deployed = deploy(account, "Lambda", location=location, revisionKey=revision_key(location))
    assert account.run().deployment(deployed)["error"] == {"code": "REVISION_MISSING", "message": "gone"}


@pytest.mark.parametrize(("times", "code"), [(2, "INTERNAL_ERROR"), (100, "THROTTLED")])
def test_lambda_throttling_is_waited_for_within_bounds(account: Account, times: int, code: str) -> None:
    account.runtime.aliases.throttled = times  # type: ignore[attr-defined]
    deployed = deploy(account, "Lambda")
    item = account.run().deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", code)
    assert ("not available" in item["error"]["message"]) == (times == 2)
    assert account.executions[f"{deployed}-1"].retries


def test_the_step_made_twice_leaves_the_same(account: Account) -> None:
    deployed = deploy(account, "ECS")
    state = {"deploymentId": deployed, "generation": 1, "pass": 0}
    first = account.invoke("ValidateRevisionFunction", state)
    account.clock.now = START + 1
    targets = account.targets(deployed)
    assert account.invoke("ValidateRevisionFunction", state) == first
    assert account.targets(deployed).keys() == targets.keys()
    assert len(account.table.query(f"DEP#{deployed}", "ROSTER#").items) == 1
