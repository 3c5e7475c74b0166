"""Inputs of operations, drawn from the service model: mostly well made, now and then not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st
from tests.unit.api.world import ROLE

REVISION: Final = "0" * 40
PLACE: Final = "arn:aws:codedeploy:us-east-1:123456789012"

#: By shape: values that mean something in the world of the fuzz.
KNOWN: Final[Mapping[str, list[str]]] = {
    "ApplicationName": ["shop", "other", "fresh", "nobody"],
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


def inputs(shape: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Inputs of a structure; some with a member that the model does not know."""
    known = _structure(shape)
    return st.one_of(known, known, known, known.map(lambda given: {**given, "novelty": [given]}))


def _of(shape: Any) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "structure":
        right: st.SearchStrategy[Any] = _structure(shape)
    elif kind == "list":
        right = st.one_of(st.lists(_of(shape.member), max_size=3), st.lists(_of(shape.member), min_size=1, max_size=1))
        right = st.one_of(right, right, right, right, right, right, _of(shape.member).map(lambda each: [each] * 120))
    elif kind == "map":
        right = st.dictionaries(_of(shape.key).filter(lambda key: isinstance(key, str)), _of(shape.value), max_size=3)
    elif kind == "string":
        right = _texts(shape)
    elif kind == "boolean":
        right = st.booleans()
    elif kind == "timestamp":
        right = _TIMES
    else:
        right = _NUMBERS
    return _mostly(right)


def _structure(shape: Any) -> st.SearchStrategy[dict[str, Any]]:
    required = {name: _of(shape.members[name]) for name in shape.required_members}
    optional = {name: _of(member) for name, member in shape.members.items() if name not in required}
    whole = st.fixed_dictionaries(required, optional=optional)
    holed = whole.flatmap(
        lambda given: st.sets(st.sampled_from(sorted(given) or [""])).map(lambda gone: _less(given, gone))
    )
    lean = st.fixed_dictionaries(required, optional={}) if required else whole
    return st.one_of(whole, lean, lean, holed)


def _less(given: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in gone}


def _texts(shape: Any) -> st.SearchStrategy[str]:
    choices = list(shape.metadata.get("enum", ())) or list(KNOWN.get(shape.name, ())) or ["x", "box"]
    return _mostly(st.sampled_from(choices), st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=30)))


def _mostly(right: st.SearchStrategy[Any], wrong: st.SearchStrategy[Any] = WRONG) -> st.SearchStrategy[Any]:
    return st.integers(0, 24).flatmap(lambda number: wrong if number == 0 else right)
