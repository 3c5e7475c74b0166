"""AppSpecs of Lambda and ECS: text in, what is to be shifted out, or what is wrong with it and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidegate.appspec import (
    AppSpecError,
    EcsAppSpec,
    LambdaAppSpec,
    compile_ecs_appspec,
    compile_lambda_appspec,
)

TASK = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:7"
HOOK = "arn:aws:lambda:us-east-1:123456789012:function:CodeDeployHook_check"


def function(**changes: Any) -> dict[str, Any]:
    properties = {"Name": "shop", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    return {key: value for key, value in {**properties, **changes}.items() if value is not None}


def service(**changes: Any) -> dict[str, Any]:
    balancer = {"ContainerName": "web", "ContainerPort": 80}
    properties = {"TaskDefinition": TASK, "LoadBalancerInfo": balancer}
    return {key: value for key, value in {**properties, **changes}.items() if value is not None}


def lambda_file(properties: Any, **sections: Any) -> dict[str, Any]:
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    return {"version": 0.0, "Resources": [{"Shop": resource}], **sections}


def ecs_file(properties: Any, **sections: Any) -> dict[str, Any]:
    resource = {"Type": "AWS::ECS::Service", "Properties": properties}
    return {"version": 0.0, "Resources": [{"TargetService": resource}], **sections}


def recased(value: Any, case: Callable[[str], str], path: tuple[str, ...] = ()) -> Any:
    """The same with every key in another case, but for the resource's own name and the events."""
    if isinstance(value, list):
        return [recased(each, case, path) for each in value]
    if not isinstance(value, dict):
        return value
    own = path[-1:] in (("Resources",), ("Hooks",))
    return {key if own else case(key): recased(each, case, (*path, key)) for key, each in value.items()}


WRITERS = [json.dumps, lambda value: json.dumps(value, indent="\t"), yaml.safe_dump]


@pytest.mark.parametrize("write", WRITERS, ids=["json", "json with tabs", "yaml"])
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_a_lambda_appspec_in_any_spelling(write: Callable[[Any], str], case: Callable[[str], str]) -> None:
    hooks = [{"BeforeAllowTraffic": "check"}, {"AfterAllowTraffic": HOOK}]
    found = compile_lambda_appspec(write(recased(lambda_file(function(CurrentVersion=1), Hooks=hooks), case)))
    checks = {"BeforeAllowTraffic": "check", "AfterAllowTraffic": HOOK}
    assert found == LambdaAppSpec("shop", "live", "1", "2", checks)
    assert (found.target_id, json.loads(json.dumps(found.to_json()))["hooks"]) == ("shop:live", checks)


def test_a_function_may_be_named_by_its_arn() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:shop"
    assert compile_lambda_appspec(json.dumps(lambda_file(function(Name=arn)))).function == "shop"


@pytest.mark.parametrize("write", WRITERS, ids=["json", "json with tabs", "yaml"])
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_an_ecs_appspec_in_any_spelling(write: Callable[[Any], str], case: Callable[[str], str]) -> None:
    network = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "DISABLED"}
    properties = service(
        LoadBalancerInfo={"ContainerName": "web", "ContainerPort": "8080"},
        PlatformVersion="1.4.0",
        NetworkConfiguration={"AwsvpcConfiguration": network},
        CapacityProviderStrategy=[
            {"Base": 1, "CapacityProvider": "FARGATE", "Weight": 2},
            {"CapacityProvider": "FARGATE_SPOT", "Base": 0},
        ],
    )
    hooks = [{event: "check"} for event in ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic")]
    found = compile_ecs_appspec(write(recased(ecs_file(properties, Hooks=hooks), case)))
    assert found == EcsAppSpec(
        TASK,
        "web",
        8080,
        "1.4.0",
        {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"},
        (
            {"capacityProvider": "FARGATE", "base": 1, "weight": 2},
            {"capacityProvider": "FARGATE_SPOT", "base": 0},
        ),
        {"BeforeInstall": "check", "AfterInstall": "check", "AfterAllowTestTraffic": "check"},
    )
    assert json.loads(json.dumps(found.to_json()))["port"] == 8080


def test_what_an_ecs_appspec_leaves_out_is_the_services_own() -> None:
    found = compile_ecs_appspec(yaml.safe_dump(ecs_file(service())))
    assert (found.platform_version, found.network, found.capacity, found.hooks) == (None, None, (), {})


def test_what_is_not_used_is_told() -> None:
    found = compile_lambda_appspec(json.dumps(lambda_file(function(Colour="red"), os="linux")))
    assert [warning.split(":")[0] for warning in found.warnings] == ["os", "resources[0].Shop.Properties.Colour"]


def test_a_brace_that_is_no_json_is_yaml() -> None:
    text = "{version: 0.0, resources: [{f: {type: AWS::Lambda::Function, properties: {name: shop, alias: live, "
    assert compile_lambda_appspec(text + "currentversion: 1, targetversion: 2}}}]}").target_version == "2"


PATH = "resources[0].Shop.Properties"
BAD_LAMBDA: list[tuple[str, Any, str, str]] = [
    ("nothing", "", "the AppSpec is empty", "(file)"),
    ("a list", "- a", "the AppSpec must be a map", "(file)"),
    ("no YAML", "a: [", "the AppSpec file is not valid YAML", "line"),
    ("a key twice", '{"version": 0.0, "version": 0.0}', "a key is given twice", "(file)"),
    ("nested too deeply", '{"a":' * 60 + "1" + "}" * 60, "nested too deeply", "(file)"),
    ("nested without end", '{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply", ""),
    ("too many values", json.dumps({"a": [0] * 100_001}), "too many values", "(file)"),
    ("two cases of a key", {**lambda_file(function()), "resources": []}, "resources is given twice", "resources"),
    ("another version", {**lambda_file(function()), "version": 1}, "invalid version value (1)", "version"),
    ("no version", {"Resources": lambda_file(function())["Resources"]}, "invalid version value ()", "version"),
    ("no resources", {"version": 0.0}, "resources must be a list with exactly one entry", "resources"),
    ("a map", {"version": 0.0, "Resources": {"a": 1}}, "resources must be a list with exactly one entry", "resources"),
    ("two resources", {"version": 0.0, "Resources": [{}, {}]}, "resources must be a list", "resources"),
    ("no name", {"version": 0.0, "Resources": ["a"]}, "a resource must be one name with a map", "resources[0]"),
    ("no map", {"version": 0.0, "Resources": [{"Shop": "a"}]}, "resources[0].Shop must be a map", "resources[0].Shop"),
    ("no properties", lambda_file(None), f"{PATH} must be a map", PATH),
    ("a service", ecs_file(function()), "unsupported resource type (AWS::ECS::Service)", "resources[0].Ta"),
    ("no function", lambda_file(function(Name=None)), "Name is missing", f"{PATH}.Name"),
    ("an empty alias", lambda_file(function(Alias="")), "Alias is missing", f"{PATH}.Alias"),
    ("no version of now", lambda_file(function(CurrentVersion=None)), "CurrentVersion is missing", f"{PATH}.Curr"),
    ("no version to come", lambda_file(function(TargetVersion=[])), "TargetVersion is missing", f"{PATH}.Target"),
    ("$LATEST", lambda_file(function(TargetVersion="$LATEST")), "invalid TargetVersion ($LATEST)", f"{PATH}.Target"),
    ("version nought", lambda_file(function(TargetVersion="0")), "invalid TargetVersion (0)", f"{PATH}.Target"),
    ("half a version", lambda_file(function(TargetVersion=1.5)), "invalid TargetVersion (1.5)", f"{PATH}.Target"),
    ("a strange name", lambda_file(function(Name="a b")), "invalid function name (a b)", f"{PATH}.Name"),
    ("a version as alias", lambda_file(function(Alias="7")), "invalid alias (7)", f"{PATH}.Alias"),
    ("hooks as a map", lambda_file(function(), hooks={"a": "b"}), "hooks must be a list", "hooks"),
    ("a hook as text", lambda_file(function(), hooks=["a"]), "hooks[0] must be one event", "hooks[0]"),
    ("a reserved event", lambda_file(function(), hooks=[{"AllowTraffic": "a"}]), "unknown lifecycle event", "hooks[0]"),
    ("an event of ECS", lambda_file(function(), hooks=[{"AfterInstall": "a"}]), "unknown lifecycle event", "hooks[0]"),
    (
        "an event twice",
        lambda_file(function(), hooks=[{"BeforeAllowTraffic": "a"}, {"BeforeAllowTraffic": "b"}]),
        "the event BeforeAllowTraffic is given twice",
        "hooks[1].BeforeAllowTraffic",
    ),
    (
        "a hook without a function",
        lambda_file(function(), hooks=[{"BeforeAllowTraffic": None}]),
        "BeforeAllowTraffic names no function",
        "hooks[0].BeforeAllowTraffic",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words", "path"), [row[1:] for row in BAD_LAMBDA], ids=[row[0] for row in BAD_LAMBDA])
def test_lambda_appspecs_that_are_refused(text: Any, words: str, path: str) -> None:
    texts = [text] if isinstance(text, str) else [json.dumps(text), yaml.safe_dump(text)]
    for each in texts:
        with pytest.raises(AppSpecError) as caught:
            compile_lambda_appspec(each)
        problem = caught.value.problems[0]
        assert problem.message.startswith(words)
        assert problem.path.startswith(path) or isinstance(text, str)
        assert problem.remedy


NET = {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "ENABLED"}


def networked(**changes: Any) -> dict[str, Any]:
    inner = {key: value for key, value in {**NET, **changes}.items() if value is not None}
    return ecs_file(service(NetworkConfiguration={"AwsvpcConfiguration": inner}))


def balanced(**changes: Any) -> dict[str, Any]:
    balancer = {"ContainerName": "web", "ContainerPort": 80, **changes}
    return ecs_file(service(LoadBalancerInfo={key: value for key, value in balancer.items() if value is not None}))


def provided(*providers: Any) -> dict[str, Any]:
    return ecs_file(service(CapacityProviderStrategy=list(providers)))


BAD_ECS: list[tuple[str, Any, str]] = [
    ("a function", lambda_file(service()), "unsupported resource type (AWS::Lambda::Function)"),
    ("no task definition", ecs_file(service(TaskDefinition=None)), "TaskDefinition is missing"),
    ("a placeholder", ecs_file(service(TaskDefinition="<TASK_DEFINITION>")), "invalid TaskDefinition (<TASK_"),
    ("no revision", ecs_file(service(TaskDefinition=TASK[:-2])), "invalid TaskDefinition"),
    ("no balancer", ecs_file(service(LoadBalancerInfo=None)), "LoadBalancerInfo must be a map"),
    ("no container", balanced(ContainerName=None), "ContainerName is missing"),
    ("no port", balanced(ContainerPort=None), "invalid ContainerPort"),
    ("a port's name", balanced(ContainerPort="http"), "invalid ContainerPort"),
    ("a port too far", balanced(ContainerPort=65536), "invalid ContainerPort"),
    ("a true port", balanced(ContainerPort=True), "invalid ContainerPort"),
    ("no subnets", networked(Subnets=None), "Subnets is missing"),
    ("subnets as text", networked(Subnets="subnet-1"), "Subnets is missing"),
    ("a list in subnets", networked(Subnets=[["subnet-1"]]), "Subnets is missing"),
    ("no security groups", networked(SecurityGroups=[]), "SecurityGroups is missing"),
    ("no word on public addresses", networked(AssignPublicIp=None), "invalid AssignPublicIp"),
    ("perhaps public", networked(AssignPublicIp="MAYBE"), "invalid AssignPublicIp"),
    ("a network of nothing", ecs_file(service(NetworkConfiguration={})), "NetworkConfiguration must hold"),
    ("a network as text", ecs_file(service(NetworkConfiguration="x")), "NetworkConfiguration must hold"),
    ("providers as a map", ecs_file(service(CapacityProviderStrategy={})), "CapacityProviderStrategy must be a list"),
    ("a provider as text", provided("FARGATE"), "resources[0].TargetService.Properties.CapacityProviderStrategy[0] m"),
    ("no provider", provided({"Base": 1}), "CapacityProvider is missing"),
    ("a base below nought", provided({"CapacityProvider": "a", "Base": -1}), "invalid Base"),
    ("a weight too heavy", provided({"CapacityProvider": "a", "Weight": 1001}), "invalid Weight"),
    (
        "two bases",
        provided({"CapacityProvider": "a", "Base": 1}, {"CapacityProvider": "b", "Base": 1}),
        "only one capacity provider may have a Base",
    ),
    ("an event of no use", ecs_file(service(), Hooks=[{"Install": "a"}]), "unknown lifecycle event (Install)"),
]


@pytest.mark.parametrize(("tree", "words"), [row[1:] for row in BAD_ECS], ids=[row[0] for row in BAD_ECS])
def test_ecs_appspecs_that_are_refused(tree: Any, words: str) -> None:
    for text in (json.dumps(tree), yaml.safe_dump(tree)):
        with pytest.raises(AppSpecError) as caught:
            compile_ecs_appspec(text)
        assert caught.value.problems[0].message.startswith(words)
        assert len(caught.value.problems) == 1


def test_all_that_is_wrong_is_told_at_once() -> None:
    tree = ecs_file({"LoadBalancerInfo": {}}, Hooks=[{"Install": "a"}])
    with pytest.raises(AppSpecError) as caught:
        compile_ecs_appspec(json.dumps(tree))
    assert [problem.message for problem in caught.value.problems] == [
        "TaskDefinition is missing",
        "ContainerName is missing",
        "invalid ContainerPort",
        "unknown lifecycle event (Install) in hooks",
    ]


COMPILERS = st.sampled_from([compile_lambda_appspec, compile_ecs_appspec])
KEYS = st.sampled_from(["version", "Resources", "hooks", "Type", "Properties", "Name", "TaskDefinition", "a"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6),
    st.sampled_from([0.0, "AWS::Lambda::Function", "AWS::ECS::Service", TASK]),
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def refused_or_compiled(compiler: Callable[[str], Any], text: str) -> None:
    problems = None
    try:
        json.dumps(compiler(text).to_json())
    except AppSpecError as error:
        problems = error.problems
    assert problems is None or all(str(problem) for problem in problems)
    assert problems != ()


@given(COMPILERS, st.text() | st.text(alphabet='{}[]:,"0a \n-&*!\\u'))
def test_any_text_is_compiled_or_refused(compiler: Callable[[str], Any], text: str) -> None:
    refused_or_compiled(compiler, text)
    refused_or_compiled(compiler, "{" + text)


@given(COMPILERS, TREES, st.booleans())
def test_any_tree_is_compiled_or_refused(compiler: Callable[[str], Any], tree: Any, as_json: bool) -> None:
    refused_or_compiled(compiler, json.dumps(tree) if as_json else yaml.safe_dump(tree))


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,40}", fullmatch=True)
VERSIONS = st.integers(1, 10**9)


@given(
    NAMES,
    NAMES,
    VERSIONS,
    VERSIONS,
    st.dictionaries(st.sampled_from(["BeforeAllowTraffic", "AfterAllowTraffic"]), NAMES),
)
def test_what_is_written_is_what_is_read(
    name: str, alias: str, current: int, target: int, hooks: dict[str, str]
) -> None:
    properties = function(Name=name, Alias=alias, CurrentVersion=str(current), TargetVersion=target)
    tree = lambda_file(properties, hooks=[{event: check} for event, check in hooks.items()])
    expected = LambdaAppSpec(name, alias, str(current), str(target), hooks)
    assert compile_lambda_appspec(json.dumps(tree)) == expected
    assert compile_lambda_appspec(yaml.safe_dump(tree)) == expected
