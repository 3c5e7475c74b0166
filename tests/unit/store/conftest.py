"""The twins of the table under the stores of a deployment's course."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.store.tables import empty_dynamodb, new_dynamo_table

from tidegate.store.memory import MemoryTable
from tidegate.store.table import Table


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """A client of an empty DynamoDB, one a module."""
    with empty_dynamodb() as client:
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Table:
    return MemoryTable() if request.param == "memory" else new_dynamo_table(request.getfixturevalue("dynamodb"))
