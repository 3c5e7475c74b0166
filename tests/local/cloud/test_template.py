"""Templates: intrinsic functions, parameters, and what the provisioner refuses."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tidegate_local.adapters.lambda_workers import LambdaWorkers
from tidegate_local.counters import Counters
from tidegate_local.faults import Faults
from tidegate_local.intrinsics import Resolver, parameter_values
from tidegate_local.policy.roles import Roles
from tidegate_local.provisioner import Provisioner
from tidegate_local.resources.registry import Stack
from tidegate_local.template import MOST_KEPT, TemplateError, load_template


def resolver(template=None, **values):
    known = {"Thing": "thing-1"}
    return Resolver(
        template or {}, {"AWS::Region": "us-east-1", **values}, known.__getitem__, lambda name, at: f"{name}/{at}"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Thing"}, "thing-1"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["Thing", "Arn"]}, "Thing/Arn"),
        ({"Fn::GetAtt": "Thing.Nested.Arn"}, "Thing/Nested.Arn"),
        ({"Fn::Sub": "a-${Thing}-${Thing.Arn}-${!Literal}"}, "a-thing-1-Thing/Arn-${Literal}"),
        ({"Fn::Sub": ["${x}${Thing}", {"x": {"Ref": "AWS::Region"}}]}, "us-east-1thing-1"),
        ({"Fn::Join": ["+", ["a", {"Ref": "Thing"}]]}, "a+thing-1"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b,c"]}]}, "b"),
        ({"Fn::If": ["Yes", "y", "n"]}, "y"),
        ({"Fn::If": ["No", "y", {"Ref": "AWS::NoValue"}]}, None),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "k"]}, "v"),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"a": [{"Ref": "AWS::NoValue"}, 1], "b": {"Ref": "AWS::NoValue"}}, {"a": [1]}),
        ({"Condition": {"StringEquals": {"k": {"Ref": "Thing"}}}}, {"Condition": {"StringEquals": {"k": "thing-1"}}}),
    ],
)
def test_functions(value, expected):
    template = {
        "Conditions": {
            "Yes": {"Fn::And": [{"Fn::Equals": ["1", 1]}, {"Fn::Not": [{"Condition": "No"}]}]},
            "No": {"Fn::Or": [{"Fn::Equals": ["a", "b"]}, {"Fn::Equals": ["c", "d"]}]},
        },
        "Mappings": {"M": {"us-east-1": {"k": "v"}}},
    }
    assert resolver(template).resolve(value) == expected


def test_an_unknown_function_is_an_error():
    with pytest.raises(TemplateError, match="Fn::Cidr"):
        resolver().resolve({"Fn::Cidr": ["10.0.0.0/8", 1]})


PARAMETERS = {
    "Parameters": {
        "Number": {"Type": "Number", "Default": 5, "MinValue": 1, "MaxValue": 9},
        "List": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Choice": {"Type": "String", "Default": "x", "AllowedValues": ["x", "y"]},
        "Shape": {"Type": "String", "Default": "abc", "AllowedPattern": "[a-z]+"},
    }
}


def test_parameters_have_their_defaults():
    assert parameter_values(PARAMETERS, {}) == {"Number": "5", "List": ["a", "b"], "Choice": "x", "Shape": "abc"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Number", "10", "from 1 to 9"),
        ("Number", "many", "give a number"),
        ("Choice", "z", "one of x, y"),
        ("Shape", "A1", r"must match \[a-z\]\+"),
        ("Missing", "1", "no parameter Missing; it has: Choice"),
    ],
)
def test_parameters_that_are_not_allowed(name, value, text):
    with pytest.raises(TemplateError, match=text):
        parameter_values(PARAMETERS, {name: value})


def test_a_parameter_without_a_value():
    with pytest.raises(TemplateError, match="the parameter P has no default"):
        parameter_values({"Parameters": {"P": {"Type": "String"}}}, {})


class NoCloud:
    """A client of any service that must not be used."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was called")


def provision(resources, tmp_path, **template):
    workers = LambdaWorkers(
        tmp_path, "1", "us-east-1", dict, lambda _role: [], Counters(), Faults(chance=random.Random(1))
    )
    stack = Stack("s", "abc", "1", "us-east-1", tmp_path, lambda _service: NoCloud(), workers, Roles())
    try:
        return Provisioner({"Resources": resources, **template}, stack, {}).run()
    finally:
        workers.stop()


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ({"A": {"Type": "AWS::EC2::VPC"}}, "A: the type AWS::EC2::VPC is not known"),
        (
            {"A": {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red"}}},
            r"A \(AWS::SQS::Queue\): the property Colour is not known .* known: .*VisibilityTimeout",
        ),
        ({"A": {"Type": "AWS::SQS::Queue", "CreationPolicy": {}}}, "CreationPolicy is not known"),
        ({"A": {"Type": "AWS::SQS::Queue", "DependsOn": "B"}}, "B is referred to"),
        (
            {
                "A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "B"}}},
                "B": {"Type": "AWS::SQS::Queue", "DependsOn": ["A"]},
            },
            "in a circle: A -> B -> A",
        ),
        ({"A": {"Type": "AWS::SSM::Document", "Properties": {"Content": {}}}}, "no schemaVersion"),
        (
            {
                "A": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Code": {"S3Bucket": "elsewhere", "S3Key": "k"}, "Handler": "a.b", "Role": "r"},
                }
            },
            "not a folder of the checkout",
        ),
        ({"A": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p"}}}, "'Roles' is missing"),
        (
            {"A": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "cron(0 1 * * ? *)"}}},
            r"runs rate\(…\) only",
        ),
    ],
)
def test_what_the_provisioner_refuses(resources, text, tmp_path):
    with pytest.raises(TemplateError, match=text):
        provision(resources, tmp_path)


def test_a_resource_whose_condition_fails_is_not_made(tmp_path):
    resources = {"A": {"Type": "AWS::SQS::Queue", "Condition": "Never"}}
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    outputs = {"X": {"Value": {"Ref": "A"}, "Condition": "Never"}, "Y": {"Value": "y"}}
    assert provision(resources, tmp_path, Conditions=conditions, Outputs=outputs) == {"Y": "y"}


def test_a_template_is_expanded_and_then_found_in_the_cache(tmp_path):
    stack = Path(__file__).parent / "stack" / "template.yaml"
    first = load_template(stack, {}, tmp_path)
    kept = list(tmp_path.iterdir())
    assert len(kept) == 1
    assert first["Resources"]["EchoFunction"]["Properties"]["Code"] == {
        "S3Bucket": "local-checkout",
        "S3Key": "functions/echo/",
    }
    assert load_template(stack, {}, tmp_path) == first
    assert list(tmp_path.iterdir()) == kept
    kept[0].write_text("not JSON")
    assert load_template(stack, {}, tmp_path) == first


def test_the_cache_keeps_the_templates_used_last(tmp_path):
    template = tmp_path / "template.yaml"
    cache = tmp_path / "cache"

    def load(description):
        template.write_text(f"Description: {description}\nResources: {{B: {{Type: AWS::S3::Bucket}}}}\n")
        return load_template(template, {}, cache)

    load("first")
    (first,) = cache.iterdir()
    (cache / "somebody-elses").write_text("x")
    for number in range(MOST_KEPT + 5):
        before = set(cache.iterdir())
        load(f"{number}")
        (made,) = set(cache.iterdir()) - before
        os.utime(made, (number + 1, number + 1))
        os.utime(first, (0, 0))
        load("first")
    kept = set(cache.glob("template-*"))
    assert len(kept) == MOST_KEPT
    assert first in kept
    assert (cache / "somebody-elses").exists()


def test_a_template_that_cannot_be_used(tmp_path):
    with pytest.raises(TemplateError, match="cannot be read"):
        load_template(tmp_path / "none.yaml", {}, tmp_path)
    broken = tmp_path / "broken.yaml"
    broken.write_text("Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {Nonsense: 1}}}")
    with pytest.raises(TemplateError, match=r"F.*Nonsense"):
        load_template(broken, {}, tmp_path)
