"""The twins of the table under the stores of a deployment's course."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.contract.store.tables import new_dynamo_table

from tidegate.store.memory import MemoryTable
from tidegate.store.table import Table


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """A client of an empty DynamoDB, one a module."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "AWS_DATA_PATH"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with mock_aws():
            yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Table:
    return MemoryTable() if request.param == "memory" else new_dynamo_table(request.getfixturevalue("dynamodb"))
