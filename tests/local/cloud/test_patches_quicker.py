"""moto answers the same with what makes it quicker as without; and each of these patches is in effect."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core import responses
from moto.core.serialize import ResponseSerializer, XFormedAttributePicker
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.responses import DynamoHandler
from moto.moto_server import werkzeug_app
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException

from tidegate_local.patches import quicker

NESTED = {
    "texts": {"L": [{"S": "a"}, {"S": ""}, {"M": {"b": {"N": "1.50"}, "none": {"NULL": True}}}]},
    "flags": {"M": {"on": {"BOOL": True}, "off": {"BOOL": False}}},
    "sets": {"L": [{"SS": ["x", "y"]}, {"NS": ["1", "2"]}]},
    "empty": {"M": {}},
    "none": {"L": []},
    "bytes": {"B": b"\x00\xff"},
    "deep": {"M": {"bytes": {"L": [{"B": b"\x01"}]}}},
    "S": {"S": "named as a type"},
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes moto quicker, in this process until the test ends."""
    for owner, name, value in quicker.replacements():
        monkeypatch.setattr(owner, name, value, raising=False)


def client(service: str) -> Any:
    return boto3.client(service, "us-east-1", aws_access_key_id="k", aws_secret_access_key="s")


def filled() -> Any:
    """A table of three partitions, with an index."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK", "G")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "G", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    for number in (5, 3, 8, 1, 7, 2):
        for partition in ("b", "a", "c"):
            item = {"PK": {"S": partition}, "SK": {"S": f"{number}"}, "n": {"N": f"{number}"}, **NESTED}
            dynamodb.put_item(TableName="t", Item={**item, **({"G": {"S": "g"}} if number % 2 else {})})
    return dynamodb


def asked() -> dict[str, Any]:
    """Answers of several services to calls of all sorts, without what differs from one time to the next."""
    dynamodb = filled()
    found: dict[str, Any] = {
        "item": dynamodb.get_item(TableName="t", Key={"PK": {"S": "a"}, "SK": {"S": "3"}}),
        "no item": dynamodb.get_item(TableName="t", Key={"PK": {"S": "z"}, "SK": {"S": "3"}}),
        "projected": dynamodb.get_item(
            TableName="t", Key={"PK": {"S": "a"}, "SK": {"S": "3"}}, ProjectionExpression="flags, texts[2]"
        ),
        "scan": dynamodb.scan(TableName="t"),
        "schema": dynamodb.describe_table(TableName="t")["Table"]["KeySchema"],
        "updated": dynamodb.update_item(
            TableName="t",
            Key={"PK": {"S": "a"}, "SK": {"S": "3"}},
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": "9"}},
            ReturnValues="ALL_NEW",
        ),
    }
    for name, more in {
        "forwards": {},
        "backwards": {"ScanIndexForward": False},
        "a page": {"Limit": 2},
        "the next": {"Limit": 2, "ExclusiveStartKey": {"PK": {"S": "a"}, "SK": {"S": "2"}}},
        "filtered": {"FilterExpression": "n > :n", "ExpressionAttributeValues": {":p": {"S": "a"}, ":n": {"N": "4"}}},
        "counted": {"Select": "COUNT"},
    }.items():
        given = {"ExpressionAttributeValues": {":p": {"S": "a"}}, **more}
        found[name] = dynamodb.query(TableName="t", KeyConditionExpression="PK = :p", **given)
    for key, value in {"PK = :v": "none", "G = :v": "g", "PK = :v AND SK > :s": "b"}.items():
        values = {":v": {"S": value}, **({":s": {"S": "3"}} if ":s" in key else {})}
        more = {"IndexName": "by-g"} if key.startswith("G") else {}
        found[key] = dynamodb.query(TableName="t", KeyConditionExpression=key, ExpressionAttributeValues=values, **more)
    queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    found["queue"] = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])
    client("sns").create_topic(Name="n", Tags=[{"Key": "k", "Value": "v"}])
    found["topics"] = client("sns").list_topics()
    found["images"] = client("ec2").describe_availability_zones()
    client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}", MaxSessionDuration=7200)
    found["duration"] = client("iam").get_role(RoleName="r")["Role"]["MaxSessionDuration"]
    for answer in found.values():
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata", None)
    return found


@pytest.fixture
def plain_answers() -> dict[str, Any]:
    """What moto answers by itself; asked before it is made quicker."""
    with mock_aws():
        return asked()


def test_moto_answers_the_same(plain_answers: dict[str, Any], quick: None) -> None:
    with mock_aws():
        assert asked() == plain_answers
    assert [item["SK"]["S"] for item in plain_answers["forwards"]["Items"]] == ["1", "2", "3", "5", "7", "8"]
    assert len(plain_answers["G = :v"]["Items"]) == 12


def test_a_query_sorts_its_partition_alone(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: set[str] = set()

    def less(self: DynamoType, other: DynamoType) -> bool:
        compared.add(self.value)
        return bool(self.value < other.value)

    with mock_aws():
        dynamodb = filled()
        monkeypatch.setattr(DynamoType, "__lt__", less)
        values = {":v": {"S": "a"}}
        found = dynamodb.query(TableName="t", KeyConditionExpression="PK = :v", ExpressionAttributeValues=values)
        assert found["Count"] == 6
    assert compared <= {"1", "2", "3", "5", "7", "8"}, "partitions were sorted too"


def test_a_table_is_copied_once_for_a_transaction_and_one_that_fails_changes_nothing(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock_aws():
        dynamodb = filled()
        before = dynamodb.scan(TableName="t")["Items"]
        copied: list[None] = []
        original = LimitedSizeDict.__new__
        monkeypatch.setattr(LimitedSizeDict, "__new__", lambda cls: copied.append(None) or original(cls))
        new = [{"Put": {"TableName": "t", "Item": {"PK": {"S": "d"}, "SK": {"S": f"{n}"}}}} for n in range(3)]
        old = {"Put": {**new[0]["Put"], "ConditionExpression": "attribute_exists(PK)"}}
        old["Put"]["Item"] = {"PK": {"S": "e"}, "SK": {"S": "1"}}
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
            dynamodb.transact_write_items(TransactItems=[*new, old])
        assert len(copied) < 2 * len(before)
        assert dynamodb.scan(TableName="t")["Items"] == before
        dynamodb.transact_write_items(TransactItems=new)
        assert dynamodb.scan(TableName="t")["Count"] == len(before) + 3


def test_names_of_a_member_are_looked_for_once_and_attributes_not_at_all(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mock_aws():
        dynamodb = filled()
        key = {"PK": {"S": "a"}, "SK": {"S": "3"}}
        dynamodb.get_item(TableName="t", Key=key, ProjectionExpression="n")
        looked: list[str] = []
        parents: set[str] = set()
        original, serialize = XFormedAttributePicker.get_possible_keys, ResponseSerializer._serialize_structure_member

        def get_possible_keys(self: Any, context: Any) -> Any:
            looked.append(context.shape.name)
            return original(self, context)

        def member_of(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
            parents.add(shape.parent.name)
            serialize(self, serialized, value, shape, key)

        monkeypatch.setattr(XFormedAttributePicker, "get_possible_keys", get_possible_keys)
        monkeypatch.setattr(ResponseSerializer, "_serialize_structure_member", member_of)
        dynamodb.get_item(TableName="t", Key=key, ProjectionExpression="texts, flags")
        assert (looked, parents) == ([], {"GetItemOutput"})


def test_moto_lists_its_folders_once_a_service(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[None] = []
    original = werkzeug_app.backends.list_of_moto_modules
    monkeypatch.setattr(werkzeug_app.backends, "list_of_moto_modules", lambda: listed.append(None) or original())
    application = DomainDispatcherApplication(lambda _: None)  # type: ignore[arg-type,return-value]
    host = "dynamodb.us-east-1.amazonaws.com"
    assert {application.get_backend_for_host(host) for _ in range(3)} == {"dynamodb"}
    assert len(listed) == 1


def test_the_methods_of_a_service_are_listed_once(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        filled()
        monkeypatch.setattr("inspect.getmembers", lambda *_, **__: pytest.fail("they were listed again"))
        client("dynamodb").list_tables()


def test_an_operation_that_a_service_is_given_later_is_known(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sing" not in responses.method_names_from_class(DynamoHandler)
    monkeypatch.setattr(DynamoHandler, "sing", lambda self: "", raising=False)
    assert "sing" in responses.method_names_from_class(DynamoHandler)


def test_a_state_machine_is_parsed_once_and_each_execution_has_its_own(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = '{"StartAt": "S", "States": {"S": {"Type": "Wait", "Seconds": 1, "End": true}}}'
    first, _ = AmazonStateLanguageParser.parse(definition)
    with pytest.raises(ASLParserException):
        AmazonStateLanguageParser.parse('{"StartAt": ')
    monkeypatch.setattr(ASLParser, "state_machine", lambda _: pytest.fail("it was parsed again"))
    second, _ = AmazonStateLanguageParser.parse(definition)
    assert first is not second
    assert type(first) is type(second)
