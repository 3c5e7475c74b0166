"""Every modelled error of every operation is provoked here, or cannot occur for a reason that the reference gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from tests.unit.api.error_cases import CHANGES, GONE, GOOD, GROUP, REFUSES_ALL, SPECIAL, UNKNOWN, busy
from tests.unit.api.furnished import furnished
from tests.unit.api.platform_cases import PLATFORM
from tests.unit.api.world import CODEDEPLOY, TIDEGATE, Refused, World, s3

from tidegate.api import service_models
from tidegate.api.operations import OPERATIONS
from tidegate.api.reference import DIFFERENCES, NEVER

TABLED: Final = [pair for pair in sorted(OPERATIONS) if pair[1] in GOOD]
#: Operations whose errors have tables of their own.
ELSEWHERE: Final = {
    "AddTagsToOnPremisesInstances",
    "BatchGetOnPremisesInstances",
    "DeleteGitHubAccountToken",
    "DeregisterOnPremisesInstance",
    "GetOnPremisesInstance",
    "ListGitHubAccountTokenNames",
    "ListOnPremisesInstances",
    "RegisterOnPremisesInstance",
    "RemoveTagsFromOnPremisesInstances",
}


def modelled(service: str, operation: str) -> list[str]:
    model = service_models.by_target(service)
    assert model is not None
    return [shape.name.removesuffix("Exception") for shape in model.operation_model(operation).error_shapes]


def pairs() -> list[tuple[str, str, str]]:
    return [
        (service, operation, error)
        for service, operation in TABLED
        for error in modelled(service, operation)
        if f"{error}Exception" not in NEVER.get(operation, {})
    ]


def change_for(service: str, operation: str, error: str) -> dict[str, Any] | Callable[[World], dict[str, Any]]:
    if error == "Throttling":
        return busy
    special = {**SPECIAL.get(operation, {}), **PLATFORM.get(operation, {})}
    if error in special:
        return special[error]
    model = service_models.by_target(service)
    assert model is not None
    members = set(model.operation_model(operation).input_shape.members)
    fitting = [change for change in CHANGES.get(error, []) if set(change) <= members]
    assert fitting, f"No case provokes {error} of {operation}; add one, or say in api/reference.py why it cannot occur."
    return fitting[0]


@pytest.mark.parametrize(("service", "operation", "error"), pairs(), ids=[f"{p[1]}-{p[2]}" for p in pairs()])
def test_modelled_error(service: str, operation: str, error: str) -> None:
    world = furnished()
    change = change_for(service, operation, error)
    changed = change(world) if callable(change) else change
    given = {name: value for name, value in {**GOOD[operation], **changed}.items() if value is not GONE}
    with pytest.raises(Refused) as caught:
        world.call(operation, service, **given)
    assert caught.value.code == f"{error}Exception", caught.value
    assert caught.value.status == 400


@pytest.mark.parametrize(("service", "operation"), TABLED, ids=[name for _, name in TABLED])
def test_the_good_inputs_are_good(service: str, operation: str) -> None:
    world = furnished()
    if operation in REFUSES_ALL:
        with pytest.raises(Refused) as caught:
            world.call(operation, service, **GOOD[operation])
        assert caught.value.code == REFUSES_ALL[operation]
    else:
        world.call(operation, service, **GOOD[operation])


def test_every_operation_has_its_table() -> None:
    missing = {name for service, name in OPERATIONS if service == CODEDEPLOY and name not in GOOD}
    assert missing <= ELSEWHERE


def test_the_reference_speaks_of_what_there_is() -> None:
    names = {CODEDEPLOY: set(service_models.codedeploy().operation_names)}
    names[TIDEGATE] = set(service_models.tidegate().operation_names)
    assert set(NEVER) | set(DIFFERENCES) <= names[CODEDEPLOY] | names[TIDEGATE]
    for operation, errors in NEVER.items():
        known = {f"{error}Exception" for error in modelled(CODEDEPLOY, operation)}
        assert set(errors) <= known, operation
        assert all(reason and not reason.endswith(".") for reason in errors.values())


NOBODY: Final = {"applicationName": "nobody", "deploymentGroupName": "nobody"}
#: Of several faults: which one is told.
ORDER = [
    ("a wrong type before what is missing", "CreateDeploymentGroup", {"tags": "x"}, "Serialization"),
    ("missing before wrong", "CreateDeploymentGroup", {"applicationName": "a b"}, "DeploymentGroupNameRequired"),
    ("missing in the model's order", "CreateDeploymentGroup", {}, "ApplicationNameRequired"),
    ("wrong before unknown", "GetDeploymentGroup", NOBODY | {"deploymentGroupName": "/"}, "InvalidDeploymentGroupName"),
    ("an application before its group", "GetDeploymentGroup", NOBODY, "ApplicationDoesNotExist"),
    ("missing before unknown", "CreateDeployment", {"applicationName": "nobody"}, "DeploymentGroupNameRequired"),
    ("too long before unknown", "CreateDeployment", NOBODY | {"description": "x" * 257}, "DescriptionTooLong"),
    (
        "unknown before a state",
        "CreateDeployment",
        {**GROUP, "revision": s3(), "deploymentConfigName": "nobody"},
        "DeploymentConfigDoesNotExist",
    ),
    (
        "a wrong filter before unknown",
        "ListDeploymentTargets",
        {"deploymentId": UNKNOWN, "targetFilters": {"TargetStatus": ["Done"]}},
        "InvalidInstanceStatus",
    ),
    (
        "unknown before a filter that does not fit",
        "ListDeploymentTargets",
        {"deploymentId": UNKNOWN, "targetFilters": {"ServerInstanceLabel": ["Blue"]}},
        "DeploymentDoesNotExist",
    ),
    ("too many before unknown", "BatchGetApplications", {"applicationNames": ["x"] * 101}, "BatchLimitExceeded"),
    (
        "the platform before the hook",
        "PutLifecycleEventHookExecutionStatus",
        {"deploymentId": "d-ENDED0001", "lifecycleEventHookExecutionId": "run-9", "status": "Failed"},
        "UnsupportedActionForDeploymentType",
    ),
]


@pytest.mark.parametrize(("operation", "given", "error"), [o[1:] for o in ORDER], ids=[o[0] for o in ORDER])
def test_of_several_faults_the_first_in_order_is_told(operation: str, given: dict[str, Any], error: str) -> None:
    with pytest.raises(Refused) as caught:
        furnished().call(operation, **given)
    assert caught.value.code == f"{error}Exception", caught.value
