"""The second spelling: the operation, its application and its group in the path."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.api.world import ALICE, CODEDEPLOY, ROLE, TIDEGATE, Refused, World, s3

from tidegate.api import ApiRequest, handle, service_models
from tidegate.api.addresses import Scope, address_of, encoded, path_of, read_path
from tidegate.api.errors import ApiError
from tidegate.store.table import Put


def post(world: World, path: str, target: str = "", **given: Any) -> dict[str, Any]:
    headers = {"X-Amz-Target": target} if target else {}
    body = json.dumps(given).encode() if given else b""
    response = handle(ApiRequest("POST", path, headers, body, caller=ALICE, request_id="req-2"), world.services)
    assert response.headers["x-amzn-RequestId"] == "req-2"
    if response.status != 200:
        assert response.headers["x-amzn-errortype"] == json.loads(response.body)["__type"]
        raise Refused(response)
    output: dict[str, Any] = json.loads(response.body)
    return output


@pytest.fixture
def deployed(world: World) -> str:
    """A deployment of ``shop/prod``, beside the application ``bank`` with a group ``prod`` of its own."""
    for application in ("shop", "bank"):
        world.call("CreateApplication", applicationName=application)
        world.call(
            "CreateDeploymentGroup", applicationName=application, deploymentGroupName="prod", serviceRoleArn=ROLE
        )
    made = world.call("CreateDeployment", applicationName="shop", deploymentGroupName="prod", revision=s3())
    return str(made["deploymentId"])


def test_members_are_taken_from_the_path(world: World) -> None:
    post(world, "/CreateApplication/shop")
    post(world, "/CreateDeploymentGroup/shop/prod", serviceRoleArn=ROLE)
    assert post(world, "/GetDeploymentGroup/shop/prod")["deploymentGroupInfo"]["deploymentGroupName"] == "prod"
    post(world, "/UpdateDeploymentGroup/shop/prod", newDeploymentGroupName="live")
    assert post(world, "/ListDeploymentGroups/shop")["deploymentGroups"] == ["live"]
    made = post(world, "/CreateDeployment/shop/live", revision=s3())
    found = post(world, "/GetDeployment", deploymentId=made["deploymentId"])["deploymentInfo"]
    assert (found["applicationName"], found["deploymentGroupName"]) == ("shop", "live")
    assert post(world, "/ListDeployments/shop/live")["deployments"] == [made["deploymentId"]]
    assert post(world, "/ListDecisions", deploymentId=made["deploymentId"]) == {"decisions": []}


def test_a_body_that_agrees_with_the_path_is_fine(world: World) -> None:
    post(world, "/CreateApplication/shop", applicationName="shop")
    found = post(world, "/GetApplication/shop", f"{CODEDEPLOY}.GetApplication", applicationName="shop")
    assert found["application"]["applicationName"] == "shop"


@pytest.mark.parametrize(
    ("path", "given", "words"),
    [
        ("/GetApplication/shop", {"applicationName": "bank"}, ["applicationName", "'shop'", "'bank'"]),
        ("/GetApplication/shop", {"applicationName": ["shop"]}, ["'shop'", "['shop']"]),
        ("/GetDeploymentGroup/shop/prod", {"deploymentGroupName": "test"}, ["'prod'", "'test'"]),
        ("/UpdateDeploymentGroup/shop/prod", {"currentDeploymentGroupName": "test"}, ["'prod'", "'test'"]),
        ("/ListDeployments/shop", {"applicationName": "bank"}, ["'shop'", "'bank'"]),
        ("/ListInstallations/shop", {"applicationName": "bank", "revisionKey": "a" * 40}, ["'shop'", "'bank'"]),
    ],
)
def test_a_body_that_disagrees_is_refused_with_both_names(
    world: World, path: str, given: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(Refused) as caught:
        post(world, path, **given)
    assert caught.value.code == "ValidationException"
    assert all(word in caught.value.message for word in words)


@pytest.mark.parametrize(
    "path",
    [
        "/GetApplication/",
        "//GetApplication/shop",
        "/GetApplication//shop",
        "/GetApplication/shop/",
        "/GetApplication/.",
        "/GetApplication/..",
        "/GetApplication/x/../shop",
        "/GetApplication/%2E%2E",
        "/GetApplication/sho%70",
        "/GetApplication/shop+eu",
        "/GetApplication/shop%2beu",
        "/GetApplication/shop@eu",
        "/GetApplication/shop%",
        "/GetApplication/%FF",
        "/GetApplication/sh op",
        "/%47etApplication/shop",
    ],
)
def test_only_one_spelling_of_a_path_is_taken(world: World, path: str) -> None:
    with pytest.raises(Refused, match="ValidationException"):
        post(world, path)


def test_names_with_other_characters_are_percent_encoded(world: World) -> None:
    name = "a+b=c,d@e_f-g.h"
    post(world, "/CreateApplication/a%2Bb%3Dc%2Cd%40e_f-g.h")
    assert world.call("ListApplications")["applications"] == [name]
    with pytest.raises(Refused, match=r"InvalidApplicationNameException.*a/b"):
        post(world, "/GetApplication/a%2Fb")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/CreateDeployment", "POST /CreateDeployment/<applicationName>/<deploymentGroupName>,"),
        ("/CreateDeployment/shop", "POST /CreateDeployment/<applicationName>/<deploymentGroupName>,"),
        ("/GetApplication/shop/prod", "POST /GetApplication/<applicationName>,"),
        ("/UpdateApplication", "POST /UpdateApplication/<applicationName>,"),
        ("/ListApplications/shop", "POST /ListApplications,"),
        ("/StopDeployment/shop/prod/x", "POST /StopDeployment[/<application>][/<group>],"),
        ("/ListChanges/shop/prod", "POST /ListChanges[/<applicationName>],"),
    ],
)
def test_a_path_with_too_few_or_too_many_names_is_told_its_form(world: World, path: str, form: str) -> None:
    with pytest.raises(Refused) as caught:
        post(world, path, applicationName="shop", deploymentGroupName="prod")
    assert caught.value.code == "ValidationException"
    assert form in caught.value.message


def test_what_is_no_operation_is_refused(world: World) -> None:
    for path in ("/Nonsense", "/getapplication/shop", "/CodeDeploy_20141006.GetApplication"):
        with pytest.raises(Refused, match="UnknownOperationException"):
            post(world, path)
    with pytest.raises(Refused, match=r"ValidationException.*GetApplication.*DeleteApplication"):
        post(world, "/GetApplication/shop", f"{CODEDEPLOY}.DeleteApplication")
    with pytest.raises(Refused, match=r"UnknownOperationException.*tidegate proxy"):
        post(world, "/service/CodeDeploy_20141006/operation/GetApplication")
    with pytest.raises(Refused, match="UnknownOperationException"):
        world.call("Nonsense")


def test_no_operation_is_in_both_services() -> None:
    assert not set(service_models.codedeploy().operation_names) & set(service_models.tidegate().operation_names)


def test_every_operation_that_names_an_application_or_deployments_has_a_place_for_it_in_its_path() -> None:
    without = set()
    for service in (service_models.codedeploy(), service_models.tidegate()):
        for name in service.operation_names:
            shape = service.operation_model(name).input_shape
            members = set(shape.members) if shape is not None else set()
            if not members & {"applicationName", "deploymentId", "deploymentIds"}:
                without.add(name)
            assert (address_of(service.operation_model(name)).most == 0) == (name in without), name
    # What these touch belongs to no application, or to several: policies grant them as a whole.
    assert without & set(service_models.codedeploy().operation_names) == {
        "AddTagsToOnPremisesInstances",
        "BatchGetApplications",
        "BatchGetOnPremisesInstances",
        "CreateDeploymentConfig",
        "DeleteDeploymentConfig",
        "DeleteGitHubAccountToken",
        "DeleteResourcesByExternalId",
        "DeregisterOnPremisesInstance",
        "GetDeploymentConfig",
        "GetOnPremisesInstance",
        "ListApplications",
        "ListDeploymentConfigs",
        "ListGitHubAccountTokenNames",
        "ListOnPremisesInstances",
        "ListTagsForResource",
        "RegisterOnPremisesInstance",
        "RemoveTagsFromOnPremisesInstances",
        "TagResource",
        "UntagResource",
    }


@pytest.mark.parametrize("scope", [None, Scope("shop"), Scope("shop", "prod")])
def test_the_path_a_client_makes_is_one_that_the_door_takes(world: World, scope: Scope | None) -> None:
    given = {
        "applicationName": "shop",
        "deploymentGroupName": "prod",
        "currentDeploymentGroupName": "prod",
        "deploymentId": "d-ZZZZZZZZZ",
    }
    for prefix, service in ((CODEDEPLOY, service_models.codedeploy()), (TIDEGATE, service_models.tidegate())):
        for name in service.operation_names:
            path = path_of(address_of(service.operation_model(name)), given, scope)
            response = handle(ApiRequest("POST", path, {}, b"{}"), world.services)
            body = json.loads(response.body)
            assert body.get("__type") not in ("UnknownOperationException", "InternalFailure"), (prefix, path, body)
            assert "is called by POST" not in body.get("message", ""), path


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3))
def test_names_come_out_of_a_path_as_they_went_in(names: list[str]) -> None:
    try:
        path = "/" + "/".join(map(encoded, names))
    except UnicodeEncodeError:
        return  # half a surrogate pair is no text that can be sent
    if {".", ".."} & set(names):
        with pytest.raises(ApiError):
            read_path(path)
    else:
        assert read_path(path) == names


@given(st.text(alphabet="aZ0-._~%/+=,@ 2EFefbB\x00ü", max_size=24))
def test_a_path_that_is_taken_is_the_only_one_for_its_names(path: str) -> None:
    names = None
    with contextlib.suppress(ApiError):
        names = read_path(path)
    if names is not None:
        assert "/".join(map(encoded, names)) == path.removeprefix("/")
        assert not {"", ".", ".."} & set(names)


# -- calls confined to an application ---------------------------------------------------------------------------------

BY_ID = [
    ("StopDeployment", {}),
    ("GetDeployment", {}),
    ("ContinueDeployment", {}),
    ("SkipWaitTimeForInstanceTermination", {}),
    ("ListDeploymentTargets", {}),
    ("GetDeploymentTarget", {"targetId": "i-12345678"}),
    ("BatchGetDeploymentTargets", {"targetIds": ["i-12345678"]}),
    ("ListDecisions", {}),
    ("ListInstallations", {}),
    ("GetLogs", {"targetId": "i-12345678"}),
]


@pytest.mark.parametrize(("operation", "more"), BY_ID)
@pytest.mark.parametrize("scope", ["/bank", "/bank/prod", "/shop/test"])
def test_a_deployment_outside_the_scope_is_not_found(
    world: World, deployed: str, operation: str, more: dict[str, Any], scope: str
) -> None:
    with pytest.raises(Refused) as outside:
        post(world, f"/{operation}{scope}", deploymentId=deployed, **more)
    with pytest.raises(Refused) as unknown:
        post(world, f"/{operation}{scope}", deploymentId="d-ZZZZZZZZZ", **more)
    assert outside.value.code == unknown.value.code == "DeploymentDoesNotExistException"
    assert outside.value.message.replace(deployed, "d-ZZZZZZZZZ") == unknown.value.message
    assert "stop" not in world.services.deployments.get(deployed)
    assert not world.signals.sent


@pytest.mark.parametrize("scope", ["/shop", "/shop/prod", ""])
def test_a_deployment_inside_the_scope_is_worked_on(world: World, deployed: str, scope: str) -> None:
    assert post(world, f"/GetDeployment{scope}", deploymentId=deployed)["deploymentInfo"]["deploymentId"] == deployed
    assert post(world, f"/StopDeployment{scope}", deploymentId=deployed)["status"] == "Pending"
    assert world.services.deployments.get(deployed)["stop"]["by"] == ALICE


def test_a_batch_leaves_out_what_is_outside(world: World, deployed: str) -> None:
    other = world.call("CreateDeployment", applicationName="bank", deploymentGroupName="prod", revision=s3())
    ids = [other["deploymentId"], deployed]
    found = post(world, "/BatchGetDeployments/shop", deploymentIds=ids)["deploymentsInfo"]
    assert [each["deploymentId"] for each in found] == [deployed]
    assert len(post(world, "/BatchGetDeployments", deploymentIds=ids)["deploymentsInfo"]) == 2


def test_malformed_ids_have_their_own_error_in_a_scope_too(world: World, deployed: str) -> None:
    with pytest.raises(Refused, match="InvalidDeploymentIdException"):
        post(world, "/StopDeployment/shop", deploymentId="nonsense")
    with pytest.raises(Refused, match="DeploymentIdRequiredException"):
        post(world, "/ContinueDeployment/shop")


def test_the_report_of_a_host_shows_the_scopes_own_installations(world: World) -> None:
    for number, application in enumerate(("shop", "bank", "shop")):
        item = {"PK": "HOST#i-1", "SK": f"{number}", "applicationName": application, "deploymentGroupName": "prod"}
        world.table.write(Put({**item, "deploymentId": f"d-{number:09}", "result": "Succeeded"}))
    found = post(world, "/ListInstallations/shop", targetId="i-1")["installations"]
    assert [each["deploymentId"] for each in found] == ["d-000000002", "d-000000000"]
    assert len(post(world, "/ListInstallations", targetId="i-1")["installations"]) == 3
    assert post(world, "/ListInstallations/shop/test", targetId="i-1")["installations"] == []


def test_listing_deployments_in_the_scope_of_an_application_needs_its_group(world: World, deployed: str) -> None:
    with pytest.raises(Refused, match="DeploymentGroupNameRequiredException"):
        post(world, "/ListDeployments/shop")
    assert post(world, "/ListDeployments/shop", deploymentGroupName="prod")["deployments"] == [deployed]
