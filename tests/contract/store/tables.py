"""Tables for the contract tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tidegate.store.dynamodb import DynamoTable
from tidegate_local.patches import quicker

_numbers = itertools.count()


@contextmanager
def empty_dynamodb() -> Iterator[Any]:
    """A client of an empty DynamoDB."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "AWS_DATA_PATH"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        for owner, name, value in quicker.replacements():
            patch.setattr(owner, name, value, raising=False)
        with mock_aws():
            yield boto3.client("dynamodb", region_name="us-east-1")


def new_dynamo_table(client: Any) -> DynamoTable:
    """An empty table with the keys and indexes of the real one."""
    table_name = f"tidegate-{next(_numbers)}"
    names = ("PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK")
    client.create_table(
        TableName=table_name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=_schema("PK", "SK"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": _schema(f"{index}PK", f"{index}SK"),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in ("GSI1", "GSI2")
        ],
    )
    return DynamoTable(client, table_name, sleep=lambda seconds: None, jitter=lambda: 0.0)


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
