"""How the DynamoDB twin answers what only a real database does: conflicts, throttles, work left over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tidegate.store.dynamodb import ATTEMPTS, DynamoTable
from tidegate.store.errors import ConditionFailedError, TableBusyError, TableUnavailableError
from tidegate.store.table import Absent, Check, Present, Put, Update

A, B = {"PK": "P", "SK": "a"}, {"PK": "P", "SK": "b"}


class Client:
    """Answers each call with the next of the given replies; an exception is raised."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.calls.append((verb, request))
            reply = self.replies.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply

        return call


def refused(code: str, **response: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}, **response}, "Any")  # type: ignore[typeddict-item]


def cancelled(*codes: str) -> ClientError:
    return refused("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def a_table(client: Client, slept: list[float] | None = None) -> DynamoTable:
    sleeps = [] if slept is None else slept
    return DynamoTable(client, "t", sleep=sleeps.append, jitter=lambda: 1.0)


@pytest.mark.parametrize(
    "passing",
    [
        cancelled("None", "TransactionConflict"),
        cancelled("ThrottlingError", "None"),
        refused("TransactionInProgressException"),
        refused("ThrottlingException"),
        refused("ProvisionedThroughputExceededException"),
    ],
    ids=["conflict", "throttled part", "in progress", "throttled", "throughput"],
)
def test_what_passes_is_tried_again_after_a_pause(passing: ClientError) -> None:
    slept: list[float] = []
    client = Client(passing, passing, {})
    a_table(client, slept).write(Put(A), Put(B))
    assert [verb for verb, _ in client.calls] == ["transact_write_items"] * 3
    assert slept == [0.05, 0.1]


def test_a_single_write_in_conflict_with_a_transaction_is_tried_again() -> None:
    client = Client(refused("TransactionConflictException"), {})
    a_table(client).write(Put(A))
    assert len(client.calls) == 2


def test_tries_are_bounded_and_end_as_busy() -> None:
    slept: list[float] = []
    client = Client(*[cancelled("TransactionConflict")] * ATTEMPTS)
    with pytest.raises(TableBusyError, match="TransactionConflict"):
        a_table(client, slept).write(Put(A), Put(B))
    assert len(slept) == ATTEMPTS - 1
    assert max(slept) <= 2.0


def test_a_failed_condition_counts_more_than_a_conflict_beside_it() -> None:
    client = Client(cancelled("TransactionConflict", "ConditionalCheckFailed"))
    with pytest.raises(ConditionFailedError) as caught:
        a_table(client).write(Put(A), Check(("P", "b"), Present()))
    assert (caught.value.index, caught.value.item) == (1, None)


def test_other_refusals_are_not_tried_again() -> None:
    client = Client(refused("AccessDeniedException"))
    with pytest.raises(TableUnavailableError, match="AccessDeniedException: no"):
        a_table(client).get(("P", "a"))
    client = Client(cancelled("ValidationError", "None"))
    with pytest.raises(TableUnavailableError, match="ValidationError"):
        a_table(client).write(Put(A), Put(B))


def test_no_connection_is_a_domain_error() -> None:
    with pytest.raises(TableUnavailableError, match="could not be asked"):
        a_table(Client(EndpointConnectionError(endpoint_url="http://x"))).write(Put(A, Absent()))


def test_items_left_over_from_a_batch_are_written_after_a_pause() -> None:
    left = {"UnprocessedItems": {"t": [{"PutRequest": {"Item": {"PK": {"S": "P"}, "SK": {"S": "b"}}}}]}}
    slept: list[float] = []
    client = Client(left, {})
    a_table(client, slept).write_many([Put(A), Put(B)])
    assert [len(request["RequestItems"]["t"]) for _, request in client.calls] == [2, 1]
    assert slept == [0.05]


def test_keys_left_over_from_a_batch_are_read_after_a_pause() -> None:
    key = {"PK": {"S": "P"}, "SK": {"S": "b"}}
    first = {
        "Responses": {"t": [{"PK": {"S": "P"}, "SK": {"S": "a"}}]},
        "UnprocessedKeys": {"t": {"Keys": [key]}},
    }
    client = Client(first, {"Responses": {"t": [key]}})
    assert a_table(client).get_many([("P", "a"), ("P", "b")]) == {("P", "a"): A, ("P", "b"): B}
    assert client.calls[1][1]["RequestItems"]["t"]["Keys"] == [key]


def test_the_failed_item_of_a_single_write_comes_along() -> None:
    client = Client(refused("ConditionalCheckFailedException", Item={"PK": {"S": "P"}, "n": {"N": "2"}}))
    with pytest.raises(ConditionFailedError) as caught:
        a_table(client).update_returning(Update(("P", "a"), add={"n": 1}, condition=Absent()))
    assert caught.value.item == {"PK": "P", "n": 2}
