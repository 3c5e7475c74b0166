"""The door itself: which operation, what shape, which error."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from tests.unit.api.world import CODEDEPLOY, TIDEGATE, Refused, World

from tidegate.api import service_models
from tidegate.api.errors import of_store
from tidegate.api.operations import OPERATIONS
from tidegate.api.shape_errors import INVALID_BY_SHAPE, REQUIRED_BY_MEMBER
from tidegate.store import errors as store_errors
from tidegate.store.errors import TableBusyError, TableUnavailableError


def code_of(world: World, target: str, body: bytes = b"{}", method: str = "POST", path: str = "/") -> str:
    answer = world.send(target, body, method=method, path=path)
    assert answer.status == 400
    found = json.loads(answer.body)
    assert answer.headers["x-amzn-errortype"] == found["__type"]
    assert found["message"]
    return str(found["__type"])


def test_every_answer_has_a_request_id_and_a_type(world: World) -> None:
    for target in (f"{CODEDEPLOY}.ListApplications", f"{CODEDEPLOY}.GetApplication", "nonsense"):
        answer = world.send(target, b"{}")
        assert answer.headers["x-amzn-RequestId"] == "req-1"
        assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"


@pytest.mark.parametrize(
    ("target", "more"),
    [
        ("", {}),
        ("ListApplications", {}),
        (f"{CODEDEPLOY}.Nonsense", {}),
        (f"{CODEDEPLOY}.", {}),
        (f"{TIDEGATE}.ListApplications", {}),
        ("Other_20200101.ListApplications", {}),
        (f"{CODEDEPLOY}.ListApplications", {"method": "GET"}),
        (f"{CODEDEPLOY}.ListApplications", {"path": "/other"}),
    ],
)
def test_an_operation_that_there_is_not(world: World, target: str, more: dict[str, str]) -> None:
    assert code_of(world, target, b"{}", **more) == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b"[" * 100000, b"1"])
def test_a_body_that_is_no_json_object(world: World, body: bytes) -> None:
    assert code_of(world, f"{CODEDEPLOY}.ListApplications", body) == "SerializationException"


def test_an_empty_body_is_an_empty_input(world: World) -> None:
    assert world.send(f"{CODEDEPLOY}.ListApplications", b"").status == 200


@pytest.mark.parametrize(
    ("operation", "given", "path"),
    [
        ("CreateApplication", {"applicationName": 7}, "applicationName"),
        ("BatchGetApplications", {"applicationNames": "shop"}, "applicationNames"),
        ("BatchGetApplications", {"applicationNames": ["a", 1]}, r"applicationNames\[1\]"),
        ("CreateDeployment", {"applicationName": "a", "ignoreApplicationStopFailures": "true"}, "ignoreApplication"),
        ("CreateDeployment", {"applicationName": "a", "revision": {"s3Location": []}}, "revision.s3Location"),
        ("CreateDeploymentConfig", {"minimumHealthyHosts": {"value": True}}, "minimumHealthyHosts.value"),
        ("CreateDeploymentConfig", {"minimumHealthyHosts": {"value": 1.5}}, "minimumHealthyHosts.value"),
        ("ListDeployments", {"createTimeRange": {"start": "2026-01-01T00:00:00Z"}}, "createTimeRange.start"),
        ("ListDeployments", {"createTimeRange": {"start": 1e300}}, "createTimeRange.start"),
        ("ListDeploymentTargets", {"deploymentId": "d-1", "targetFilters": {"TargetStatus": "x"}}, "TargetStatus"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(world: World, operation: str, given: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused, match=path) as caught:
        world.call(operation, **given)
    assert caught.value.code == "SerializationException"


def test_a_long_name_of_a_filter_does_not_fill_the_message(world: World) -> None:
    with pytest.raises(Refused) as caught:
        world.call("ListDeploymentTargets", deploymentId="d-ABCDEF123", targetFilters={"k" * 3000: ["\0"]})
    assert len(str(caught.value)) < 400


def test_nulls_and_unknown_members_are_passed_over(world: World) -> None:
    world.call("CreateApplication", applicationName="shop", computePlatform=None, tags=None, novelty=[1])
    assert world.call("ListApplications") == {"applications": ["shop"]}


REQUIRED = [
    ("CreateApplication", {}, "ApplicationNameRequiredException"),
    ("CreateApplication", {"applicationName": ""}, "ApplicationNameRequiredException"),
    ("BatchGetApplications", {"applicationNames": []}, "ApplicationNameRequiredException"),
    ("UpdateApplication", {}, "ApplicationNameRequiredException"),
    ("CreateDeploymentGroup", {"applicationName": "a", "deploymentGroupName": "g"}, "RoleRequiredException"),
    ("GetDeploymentGroup", {"applicationName": "a"}, "DeploymentGroupNameRequiredException"),
    ("UpdateDeploymentGroup", {"applicationName": "a"}, "DeploymentGroupNameRequiredException"),
    ("GetDeploymentConfig", {}, "DeploymentConfigNameRequiredException"),
    ("GetDeployment", {}, "DeploymentIdRequiredException"),
    ("BatchGetDeployments", {"deploymentIds": []}, "DeploymentIdRequiredException"),
    ("ContinueDeployment", {}, "DeploymentIdRequiredException"),
    ("GetDeploymentTarget", {"deploymentId": "d-1"}, "DeploymentTargetIdRequiredException"),
    ("BatchGetDeploymentTargets", {"deploymentId": "d-1"}, "DeploymentTargetIdRequiredException"),
    ("RegisterApplicationRevision", {"applicationName": "a"}, "RevisionRequiredException"),
    ("GetApplicationRevision", {"applicationName": "a"}, "RevisionRequiredException"),
]


@pytest.mark.parametrize(("operation", "given", "code"), REQUIRED, ids=[f"{r[0]}-{r[2]}" for r in REQUIRED])
def test_what_is_required(world: World, operation: str, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        world.call(operation, **given)
    assert caught.value.code == code


INVALID = [
    ("CreateApplication", {"applicationName": "a" * 101}, "InvalidApplicationName"),
    ("CreateApplication", {"applicationName": "a b"}, "InvalidApplicationName"),
    ("CreateApplication", {"applicationName": "ü"}, "InvalidApplicationName"),
    ("CreateApplication", {"applicationName": "a\n"}, "InvalidApplicationName"),
    ("CreateApplication", {"applicationName": "a", "computePlatform": "server"}, "InvalidComputePlatform"),
    (
        "GetDeploymentGroup",
        {"applicationName": "a", "deploymentGroupName": "g/h"},
        "InvalidDeploymentGroupName",
    ),
    ("GetDeploymentConfig", {"deploymentConfigName": "c#"}, "InvalidDeploymentConfigName"),
    ("ListDeployments", {"includeOnlyStatuses": ["Done"]}, "InvalidDeploymentStatus"),
    ("ListApplicationRevisions", {"applicationName": "a", "sortBy": "name"}, "InvalidSortBy"),
    ("ListApplicationRevisions", {"applicationName": "a", "sortOrder": "up"}, "InvalidSortOrder"),
    ("ListApplicationRevisions", {"applicationName": "a", "deployed": "yes"}, "InvalidDeployedStateFilter"),
    (
        "ListDeploymentTargets",
        {"deploymentId": "d-1", "targetFilters": {"Colour": ["x"]}},
        "InvalidTargetFilterName",
    ),
]


@pytest.mark.parametrize(("operation", "given", "code"), INVALID, ids=[f"{r[0]}-{r[2]}" for r in INVALID])
def test_what_is_invalid(world: World, operation: str, given: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        world.call(operation, **given)
    assert caught.value.code == f"{code}Exception"


def test_an_error_that_the_operation_does_not_model_becomes_a_validation_exception(world: World) -> None:
    # TagResource models no error for a name that is too long.
    with pytest.raises(Refused) as caught:
        world.call("ListTagsForResource", ResourceArn="a" * 1012)
    assert caught.value.code == "InvalidArnException"
    with pytest.raises(Refused) as caught:
        world.call("AddTagsToOnPremisesInstances", instanceNames=["a"])
    assert caught.value.code == "TagRequiredException"
    with pytest.raises(Refused) as caught:
        world.call("ListInstallations", TIDEGATE, targetId="x" * 101)
    assert caught.value.code == "ValidationException"


def test_every_name_in_the_tables_of_errors_is_one_of_codedeploys() -> None:
    model = service_models.codedeploy()
    modelled = {shape.name for name in model.operation_names for shape in model.operation_model(name).error_shapes}
    assert {*INVALID_BY_SHAPE.values(), *REQUIRED_BY_MEMBER.values()} <= modelled


def test_every_enum_that_the_built_operations_take_has_its_error() -> None:
    model = service_models.codedeploy()
    seen: set[str] = set()

    def walk(shape: Any) -> None:
        if shape.name in seen:
            return
        seen.add(shape.name)
        if shape.type_name == "structure":
            for member in shape.members.values():
                walk(member)
        elif shape.type_name == "list":
            walk(shape.member)
        elif shape.type_name == "map":
            walk(shape.key)
            walk(shape.value)
        elif "enum" in shape.metadata:
            assert shape.name in INVALID_BY_SHAPE

    for service, name in OPERATIONS:
        if service == CODEDEPLOY:
            walk(model.operation_model(name).input_shape)
    assert len(seen) > 50


def test_all_that_stands_in_the_table_of_operations_is_in_a_model() -> None:
    for service, name in OPERATIONS:
        model = service_models.by_target(service)
        assert model is not None
        assert name in model.operation_names
    own = {name for service, name in OPERATIONS if service == TIDEGATE}
    assert own == set(service_models.tidegate().operation_names)


def test_every_operation_of_codedeploy_is_there() -> None:
    assert {name for service, name in OPERATIONS if service == CODEDEPLOY} == set(
        service_models.codedeploy().operation_names
    )


def test_what_a_later_model_adds_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OPERATIONS, (CODEDEPLOY, "ListApplications"))  # type: ignore[arg-type]  # a dictionary in truth
    with pytest.raises(Refused, match="ListApplications is not available in this version") as caught:
        world.call("ListApplications")
    assert caught.value.code == "UnsupportedOperationException"


def test_domain_errors_have_their_names() -> None:
    model = service_models.codedeploy()
    modelled = {shape.name for name in model.operation_names for shape in model.operation_model(name).error_shapes}
    arguments: dict[str, list[Any]] = {
        "DeploymentConfigInUseError": ["c", 1],
        "StaleGenerationError": ["d", 1],
        "ConditionFailedError": [0, None],
    }
    leaves = [kind for kind in vars(store_errors).values() if isinstance(kind, type) and not kind.__subclasses__()]
    faults_of_ours = {"ConditionFailedError", "TableUnavailableError", "DeploymentExistsError"}
    faults_of_ours |= {"InstanceBusyError", "LedgerGoneError"}
    assert len(leaves) > 12
    for kind in leaves:
        if not issubclass(kind, store_errors.StoreError):
            continue
        count = kind.__init__.__code__.co_argcount - 1 if "__init__" in vars(kind) else 1
        found = of_store(kind(*arguments.get(kind.__name__, ["x"] * count)))
        assert (found is None) == (kind.__name__ in faults_of_ours), kind
        assert found is None or found.code in modelled | {"ValidationException"}


class BrokenTable:
    """Raises on every call."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def __getattr__(self, verb: str) -> Any:
        raise self._fault


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (TableBusyError("busy"), 400, "ThrottlingException"),
        (TableUnavailableError("secret detail"), 500, "InternalFailure"),
        (KeyError("secret detail"), 500, "InternalFailure"),
    ],
)
def test_a_fault_of_ours_is_logged_and_not_told(
    world: World, fault: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.table = BrokenTable(fault)  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR), pytest.raises(Refused) as caught:
        world.call("ListApplications")
    assert (caught.value.status, caught.value.code) == (status, code)
    assert "secret" not in caught.value.message
    assert ("req-1" in caplog.text) == (status == 500)
