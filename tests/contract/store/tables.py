"""Tables for the contract tests."""

from __future__ import annotations

import itertools
from typing import Any

from tidegate.store.dynamodb import DynamoTable

_numbers = itertools.count()


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
