"""IAM: statements, and what each call needs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tidegate_local.policy.client_hooks import Authoriser, count_call
from tidegate_local.policy.evaluate import UNKNOWN_RESOURCE, is_allowed
from tidegate_local.policy.place import Place
from tidegate_local.policy.requests import needs

PLACE = Place("123456789012", "us-east-1")
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t"


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {**allow(action, resource, **more), "Effect": "Deny"}


@pytest.mark.parametrize(
    ("statements", "action", "resource", "expected"),
    [
        ([], "s3:GetObject", "arn:aws:s3:::b/k", False),
        ([allow("s3:GetObject", "arn:aws:s3:::b/*")], "s3:GetObject", "arn:aws:s3:::b/k/l", True),
        ([allow("s3:GetObject", "arn:aws:s3:::b/*")], "s3:GetObject", "arn:aws:s3:::bb/k", False),
        ([allow("s3:GetObject", "arn:aws:s3:::b/*")], "s3:PutObject", "arn:aws:s3:::b/k", False),
        ([allow("S3:getobject")], "s3:GetObject", "arn:aws:s3:::b/k", True),
        ([allow(["s3:Put*", "s3:Get?bject"])], "s3:GetObject", "arn:aws:s3:::b/k", True),
        ([allow("s3:*"), deny("s3:Get*")], "s3:GetObject", "arn:aws:s3:::b/k", False),
        ([deny("s3:Get*", "arn:aws:s3:::other/*"), allow("s3:*")], "s3:GetObject", "arn:aws:s3:::b/k", True),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "iam:GetUser", "*", False),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "s3:GetObject", "x", True),
        ([{"Effect": "Allow", "Action": "*", "NotResource": TABLE}], "dynamodb:GetItem", TABLE, False),
        ([allow("dynamodb:GetItem", "arn:aws:s3:::[b]/*")], "dynamodb:GetItem", "arn:aws:s3:::b/k", False),
        ([allow("states:SendTaskSuccess", "arn:machine")], "states:SendTaskSuccess", UNKNOWN_RESOURCE, True),
        ([allow("states:StartExecution", "arn:machine")], "states:SendTaskSuccess", UNKNOWN_RESOURCE, False),
    ],
)
def test_statements(statements, action, resource, expected):
    assert is_allowed(statements, action, resource) is expected


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ({"StringEquals": {"k": "v"}}, ["v"], True),
        ({"StringEquals": {"k": ["w", "v"]}}, ["v"], True),
        ({"StringEquals": {"k": "v"}}, ["V"], False),
        ({"StringEquals": {"k": "v"}}, None, False),
        ({"StringEqualsIfExists": {"k": "v"}}, None, True),
        ({"StringEqualsIgnoreCase": {"K": "v"}}, ["V"], True),
        ({"StringLike": {"k": "a*c"}}, ["abc"], True),
        ({"StringNotEquals": {"k": "v"}}, ["v"], False),
        ({"StringNotEquals": {"k": "v"}}, None, True),
        ({"StringNotLike": {"k": ["a*", "b*"]}}, ["c"], True),
        ({"Bool": {"k": True}}, ["true"], True),
        ({"Null": {"k": "true"}}, None, True),
        ({"Null": {"k": "true"}}, ["v"], False),
        ({"ForAnyValue:StringEquals": {"k": "v"}}, ["w", "v"], True),
        ({"ForAllValues:StringEquals": {"k": "v"}}, ["w", "v"], False),
        ({"ForAllValues:StringEquals": {"k": "v"}}, None, True),
        ({"NumericLessThan": {"k": "5"}}, ["4"], False),
        ({"StringEquals": {"k": "v"}, "StringLike": {"k": "w*"}}, ["v"], False),
    ],
)
def test_conditions(condition, values, expected):
    statement = allow("a:B", Condition=condition)
    assert is_allowed([statement], "a:B", "*", lambda key: values if key == "k" else None) is expected


INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
NODE = "arn:aws:ssm:us-east-1:123456789012:managed-instance/mi-1"
DOCUMENT = "arn:aws:ssm:us-east-1:123456789012:document/d"


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("dynamodb", "GetItem", {"TableName": "t"}, [("dynamodb:GetItem", TABLE)]),
        ("dynamodb", "Query", {"TableName": "t", "IndexName": "g"}, [("dynamodb:Query", f"{TABLE}/index/g")]),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"t": {}}}, [("dynamodb:BatchGetItem", TABLE)]),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "t"}}]},
            [("dynamodb:PutItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)],
        ),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
        ("iam", "GetRole", {"RoleName": "r"}, [("iam:GetRole", "arn:aws:iam::123456789012:role/r")]),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
        (
            "s3",
            "GetObject",
            {"Bucket": "b", "Key": "k", "VersionId": "1"},
            [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "c", "Key": "l"}},
            [("s3:GetObject", "arn:aws:s3:::c/l"), ("s3:PutObject", "arn:aws:s3:::b/k")],
        ),
        ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        (
            "ssm",
            "SendCommand",
            {"DocumentName": "d", "InstanceIds": ["i-1"]},
            [("ssm:SendCommand", DOCUMENT), ("ssm:SendCommand", INSTANCE)],
        ),
        ("ssm", "ListCommands", {}, [("ssm:ListCommands", "*")]),
        (
            "ssm",
            "SendCommand",
            {"DocumentName": "d", "InstanceIds": ["mi-1"]},
            [("ssm:SendCommand", DOCUMENT), ("ssm:SendCommand", NODE)],
        ),
        (
            "ssm",
            "ListTagsForResource",
            {"ResourceType": "ManagedInstance", "ResourceId": "mi-1"},
            [("ssm:ListTagsForResource", NODE)],
        ),
        ("ssm", "DeregisterManagedInstance", {"InstanceId": "mi-1"}, [("ssm:DeregisterManagedInstance", NODE)]),
        ("stepfunctions", "StartExecution", {"stateMachineArn": "arn:m"}, [("states:StartExecution", "arn:m")]),
        ("stepfunctions", "SendTaskSuccess", {"taskToken": "t"}, [("states:SendTaskSuccess", UNKNOWN_RESOURCE)]),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": "http://x/123456789012/q"},
            [("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q")],
        ),
        ("sns", "PublishBatch", {"TopicArn": "arn:t"}, [("sns:Publish", "arn:t")]),
        (
            "events",
            "PutEvents",
            {"Entries": [{}]},
            [("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/default")],
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f"},
            [("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:f")],
        ),
        (
            "ecs",
            "DescribeServices",
            {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/prod", "services": ["web"]},
            [("ecs:DescribeServices", "arn:aws:ecs:us-east-1:123456789012:service/prod/web")],
        ),
        ("ecs", "DescribeTaskDefinition", {"taskDefinition": "web:1"}, [("ecs:DescribeTaskDefinition", "*")]),
        ("ec2", "DescribeInstances", {}, [("ec2:DescribeInstances", "*")]),
        ("elbv2", "DescribeTargetHealth", {}, [("elasticloadbalancing:DescribeTargetHealth", "*")]),
        ("sts", "GetCallerIdentity", {}, []),
    ],
)
def test_what_a_call_needs(service, operation, params, expected):
    assert needs(service, operation, params, PLACE) == expected


def authoriser(*statements, tags=None):
    return Authoriser("arn:aws:iam::123456789012:role/r", statements, PLACE, lambda _instance: tags or {})


def test_the_error_names_role_action_and_resource():
    with pytest.raises(ClientError) as caught:
        authoriser(allow("dynamodb:GetItem", TABLE)).check("dynamodb", "PutItem", {"TableName": "t"})
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "role/r" in error["Message"]
    assert f"dynamodb:PutItem on resource: {TABLE}" in error["Message"]


def test_a_command_needs_the_document_and_every_instance():
    call = ("ssm", "SendCommand", {"DocumentName": "d", "InstanceIds": ["i-1"]})
    with pytest.raises(ClientError, match="instance/i-1"):
        authoriser(allow("ssm:SendCommand", DOCUMENT)).check(*call)
    authoriser(allow("ssm:SendCommand", [DOCUMENT, INSTANCE])).check(*call)


@pytest.mark.parametrize(
    ("node", "resource"), [("i-1", "arn:aws:ec2:*:*:instance/*"), ("mi-1", "arn:aws:ssm:*:*:managed-instance/*")]
)
def test_instance_tags_decide(node, resource):
    call = ("ssm", "SendCommand", {"DocumentName": "d", "InstanceIds": [node]})
    statements = [
        allow("ssm:SendCommand", DOCUMENT),
        allow(
            "ssm:SendCommand",
            resource,
            Condition={"StringEquals": {"ssm:resourceTag/tidegate:managed": "true"}},
        ),
    ]
    authoriser(*statements, tags={"tidegate:managed": "true"}).check(*call)
    for tags in ({}, {"tidegate:managed": "false"}, {"other": "true"}):
        with pytest.raises(ClientError, match=f"instance/{node}"):
            authoriser(*statements, tags=tags).check(*call)


def test_the_source_of_events_decides():
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    ours = authoriser(allow("events:PutEvents", bus, Condition={"StringEquals": {"events:source": "tidegate"}}))
    ours.check("events", "PutEvents", {"Entries": [{"Source": "tidegate"}, {"Source": "tidegate"}]})
    for sources in (["other"], ["tidegate", "other"], [""]):
        with pytest.raises(ClientError, match="events:PutEvents"):
            ours.check("events", "PutEvents", {"Entries": [{"Source": each} for each in sources]})


def test_calls_are_counted_by_item():
    counts: dict[str, int] = {}
    for service, operation, params in (
        ("dynamodb", "Query", {}),
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{}, {}, {}]}),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"t": {"Keys": [1, 2]}}}),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"t": [1, 2, 3, 4]}}),
        ("ssm", "SendCommand", {}),
        ("s3", "GetObject", {}),
        ("sns", "PublishBatch", {"PublishBatchRequestEntries": [{}, {}]}),
        ("sns", "Publish", {}),
        ("events", "PutEvents", {"Entries": [{}]}),
        ("sqs", "SendMessage", {}),
    ):
        count_call(service, operation, params, counts)
    assert counts == {"dynamodbReads": 3, "dynamodbWrites": 7, "ssm": 1, "sns": 3, "events": 1, "sqs": 1}


@pytest.mark.parametrize(
    ("tags", "resource", "allowed"),
    [
        ({"application": "shop"}, "api/POST/Stop/shop", True),
        ({"application": "shop"}, "api/POST/Stop/bank", False),
        ({"application": "shop"}, "api/POST/Stop/shop2", False),
        ({}, "api/POST/Stop/", False),
        ({}, "api/POST/Stop/${aws:PrincipalTag/application}", False),
        ({"application": "*"}, "api/POST/Stop/shop", False),
        ({"application": "*"}, "api/POST/Stop/*", False),
    ],
)
def test_policy_variables_have_the_callers_values(tags: dict[str, str], resource: str, allowed: bool) -> None:
    statement = {"Effect": "Allow", "Action": "a:B", "Resource": "api/POST/Stop/${aws:PrincipalTag/application}"}

    def lookup(key: str) -> list[str] | None:
        value = tags.get(key.removeprefix("aws:principaltag/"))
        return None if value is None else [value]

    assert is_allowed([statement], "a:B", resource, lookup) is allowed
