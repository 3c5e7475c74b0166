"""Inputs of operations, drawn from the service model: mostly well made, now and then not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st
from tests.unit.api.platforms import content
from tests.unit.api.world import ROLE, s3

REVISION: Final = "0" * 40
PLACE: Final = "arn:aws:codedeploy:us-east-1:123456789012"

#: By shape: values that mean something in the world of the fuzz.
KNOWN: Final[Mapping[str, list[str]]] = {
    "ApplicationName": ["shop", "shop", "functions", "other", "fresh", "nobody"],
    "DeploymentGroupName": ["prod", "idle", "fresh", "nobody"],
    "DeploymentConfigName": ["mine", "CodeDeployDefault.OneAtATime", "CodeDeployDefault.LambdaAllAtOnce", "nobody"],
    "DeploymentId": ["d-LIVE00001", "d-ENDED0001", "d-LAMBDA001", "d-NOBODY001", "d-1"],
    "TargetId": ["i-1", "i-2", "i-9", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"],
    "InstanceId": ["i-1", "i-2", "i-9", "arn:aws:ec2:us-east-1:123456789012:instance/i-1"],
    "InstanceName": ["box", "i-1", "nobody"],
    "Arn": [f"{PLACE}:application:shop", f"{PLACE}:deploymentgroup:shop/prod", f"{PLACE}:deploymentconfig:mine", "a"],
    "Role": [ROLE, "role"],
    "S3Bucket": ["releases", "team-a", "elsewhere"],
    "S3Key": ["v1.zip", "v2.zip"],
    "BundleType": ["zip", "tar", "YAML"],
    "Repository": ["a/b", "a"],
    "CommitId": ["a" * 40, "main"],
    "RawStringContent": ["version: 0.0", "{}"],
    "RawStringSha256": ["a" * 64],
    "LifecycleEventHookExecutionId": ["run-1", "run-2", "run-9"],
    "ExternalId": ["x"],
    "IamUserArn": ["arn:aws:iam::123456789012:user/u", "u"],
    "IamSessionArn": ["arn:aws:sts::123456789012:assumed-role/r/s", "s"],
    "NextToken": ["x", "WyJ4Iiwge31d", "WyJhIiwiYiJd", "W1tdLFtdXQ==", "bnVsbA==", "e30="],
    "FilterValue": ["Succeeded", "Blue", "x"],
    "TriggerTargetArn": ["arn:aws:sns:us-east-1:123456789012:topic", "x"],
    "String": ["i-1", REVISION, "shop"],
}
ODD_TEXTS: Final = [
    "", " ", "a b", "a/b", "..", "é", "😀", "\0", "a\n", "\u2028", "\ud800", "%00", "$(x)", "aws:x", "d-", "NaN",
    "x" * 100, "x" * 101, "x" * 257, "x" * 1025, "é" * 3000, "x" * 70_000,
]  # fmt: skip
DEEP: Final[list[Any]] = []
_nested: Any = DEEP
for _ in range(300):
    _nested.append([])
    _nested = _nested[0]

WRONG: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        float("nan"),
        float("inf"),
        2**63,
        10**30,
        "text",
        "",
        [],
        {},
        [[]],
        [None],
        {"": {}},
        DEEP,
    ]
)
_NUMBERS: Final = st.one_of(st.integers(-2, 101), st.sampled_from([2**31, 2**62, -(2**62)]))
_TIMES: Final = st.one_of(
    st.sampled_from([0, -5, 1764000000, 1764000000.25, 9e10, -9e10, 99999999999.5]), st.floats(-1e12, 1e12)
)


#: By operation: members that mean nothing without each other, so they are mostly given.
USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "ContinueDeploymentInput": ("deploymentId",),
    "CreateDeploymentConfigInput": ("minimumHealthyHosts",),
    "CreateDeploymentInput": ("deploymentGroupName", "revision"),
    "PutLifecycleEventHookExecutionStatusInput": ("deploymentId", "lifecycleEventHookExecutionId", "status"),
    "SkipWaitTimeForInstanceTerminationInput": ("deploymentId",),
    "UpdateApplicationInput": ("applicationName", "newApplicationName"),
}
#: By shape: values that hang together.
WHOLE: Final[Mapping[str, list[dict[str, Any]]]] = {
    "RevisionLocation": [
        content(),
        s3("v1.zip"),
        s3("v9.zip"),
        {"revisionType": "GitHub", "gitHubLocation": {"repository": "a/b"}},
    ],
    "MinimumHealthyHosts": [{"type": "HOST_COUNT", "value": 1}, {"type": "FLEET_PERCENT", "value": 100}],
    "EC2TagFilter": [{"Key": "k", "Value": "v", "Type": "KEY_AND_VALUE"}, {"Key": "k", "Type": "KEY_ONLY"}],
    "Tag": [{"Key": "k", "Value": "v"}, {"Key": "aws:k", "Value": "v"}],
    "AutoRollbackConfiguration": [{"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}, {"enabled": True}],
    "TimeRange": [{"start": 1764000000, "end": 1764000001}, {"start": 2, "end": 1}, {"end": -5}, {"start": 9e10}],
}


@st.composite
def inputs(draw: st.DrawFn, shape: Any) -> dict[str, Any]:
    """Inputs of a structure: what it needs and a few members more; now and then less, or what no model knows."""
    usual = USUAL.get(shape.name, ())
    needed = [name for name in shape.members if name in shape.required_members or name in usual]
    optional = sorted(set(shape.members) - set(needed))
    names = needed + (draw(st.lists(st.sampled_from(optional), max_size=3, unique=True)) if optional else [])
    given = {name: draw(_of(shape.members[name])) for name in names}
    if given and _seldom(draw):
        del given[draw(st.sampled_from(sorted(given)))]
    if _seldom(draw):
        given["novelty"] = [dict(given)]
    return given


def _seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 14)) == 7


def _of(shape: Any) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "structure":
        right: st.SearchStrategy[Any] = inputs(shape)
        if shape.name in WHOLE:
            whole = st.sampled_from(WHOLE[shape.name])
            right = st.one_of(whole, whole, right)
    elif kind == "list":
        right = st.integers(0, 19).flatmap(lambda number: _lists(shape, number))
    elif kind == "map":
        right = st.dictionaries(_texts(shape.key), _of(shape.value), max_size=3)
    elif kind == "string":
        right = _texts(shape)
    elif kind == "boolean":
        right = st.booleans()
    elif kind == "timestamp":
        right = _TIMES
    else:
        right = _NUMBERS
    return _mostly(right)


def _lists(shape: Any, number: int) -> st.SearchStrategy[list[Any]]:
    if number == 0:
        return _of(shape.member).map(lambda each: [each] * 120)
    return st.lists(_of(shape.member), min_size=0 if number == 1 else 1, max_size=3)


def _texts(shape: Any) -> st.SearchStrategy[str]:
    choices = list(shape.metadata.get("enum", ())) or list(KNOWN.get(shape.name, ())) or ["x", "box"]
    return _mostly(st.sampled_from(choices), st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=30)))


def _mostly(right: st.SearchStrategy[Any], wrong: st.SearchStrategy[Any] = WRONG) -> st.SearchStrategy[Any]:
    return st.integers(0, 24).flatmap(lambda number: wrong if number == 0 else right)
