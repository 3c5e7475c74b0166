"""The table in DynamoDB, over boto3's low-level client."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.store.errors import (
    ConditionFailedError,
    InvalidCursorError,
    ItemTooLargeError,
    TableBusyError,
    TableError,
    TableUnavailableError,
)
from tidegate.store.expressions import Expression
from tidegate.store.marshal import marshal, marshal_key, marshal_value, unmarshal
from tidegate.store.table import (
    MAX_TRANSACTION_WRITES,
    Check,
    Cursor,
    Delete,
    Item,
    Key,
    Page,
    Put,
    Update,
    Write,
    check_cursor,
    is_empty,
    key_of,
)

T = TypeVar("T")

ATTEMPTS = 9
FIRST_DELAY = 0.05
LONGEST_DELAY = 2.0
BATCH_GET = 100
BATCH_WRITE = 25

_PASSING = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
    "ThrottlingException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
}


class _PassingError(Exception):
    """Worth another try after a pause."""


class DynamoTable:
    """One DynamoDB table.

    Parameters
    ----------
    client
        boto3's ``dynamodb`` client.
    name
        Name of the table.
    sleep, jitter
        How to wait (seconds) between tries, and a source of numbers in [0, 1) that spreads the tries of rivals.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep
        self._jitter = jitter

    def get(self, key: Key) -> Item | None:
        answer = self._call(
            lambda: self._client.get_item(TableName=self._name, Key=marshal_key(key), ConsistentRead=True)
        )
        return unmarshal(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        found: dict[Key, Item] = {}
        for chunk in _chunks(list(dict.fromkeys(keys)), BATCH_GET):
            rest: list[Any] = [marshal_key(key) for key in chunk]

            def read(left: list[Any] = rest) -> None:
                request = {self._name: {"Keys": list(left), "ConsistentRead": True}}
                answer = self._client.batch_get_item(RequestItems=request)
                for raw in answer["Responses"].get(self._name, ()):
                    item = unmarshal(raw)
                    found[key_of(item)] = item
                left[:] = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
                if left:
                    raise _PassingError(f"{len(left)} keys were not read")

            self._call(read)
        return found

    def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        between: tuple[str, str] | None = None,
        index: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        start: Cursor | None = None,
    ) -> Page:
        if is_empty(between):
            return Page([])
        request = self._query_request(pk, prefix, between, index)
        request["ScanIndexForward"] = not descending
        if start is not None:
            check_cursor(start, pk, index)
            request["ExclusiveStartKey"] = marshal(start)
        items: list[Item] = []
        while True:
            if limit is not None:
                request["Limit"] = limit - len(items)
            answer = self._call(lambda: self._query(request, start))
            items += [unmarshal(raw) for raw in answer["Items"]]
            last = answer.get("LastEvaluatedKey")
            if not last or (limit is not None and len(items) >= limit):
                return Page(items, unmarshal(last) if last else None)
            request["ExclusiveStartKey"] = last

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        request = self._query_request(pk, prefix, None, index) | {"Select": "COUNT"}
        found = 0
        while True:
            answer = self._call(lambda: self._client.query(**request))
            found += int(answer["Count"])
            if not answer.get("LastEvaluatedKey"):
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        if not 1 <= len(writes) <= MAX_TRANSACTION_WRITES:
            raise ValueError(f"A transaction holds 1 to {MAX_TRANSACTION_WRITES} writes, not {len(writes)}.")
        if len({key_of(w.item) if isinstance(w, Put) else w.key for w in writes}) < len(writes):
            raise ValueError("A transaction may name each key only once.")
        if len(writes) == 1 and not isinstance(writes[0], Check):
            verb, request = self._request(writes[0])
            method = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[verb]
            self._call(lambda: getattr(self._client, method)(**request))
            return
        actions = [dict([self._request(each)]) for each in writes]
        self._call(lambda: self._client.transact_write_items(TransactItems=actions))

    def update_returning(self, update: Update) -> Item:
        _, request = self._request(update)
        answer = self._call(lambda: self._client.update_item(**request, ReturnValues="ALL_NEW"))
        return unmarshal(answer["Attributes"])

    def write_many(self, writes: Sequence[Put | Delete]) -> None:
        if any(write.condition is not None for write in writes):
            raise ValueError("write_many takes unconditional writes only.")
        by_key = {key_of(w.item) if isinstance(w, Put) else w.key: _batch_entry(w) for w in writes}
        for chunk in _chunks(list(by_key.values()), BATCH_WRITE):
            rest: list[Any] = list(chunk)

            def put(left: list[Any] = rest) -> None:
                answer = self._client.batch_write_item(RequestItems={self._name: list(left)})
                left[:] = answer.get("UnprocessedItems", {}).get(self._name, [])
                if left:
                    raise _PassingError(f"{len(left)} items were not written")

            self._call(put)

    def _query(self, request: Mapping[str, Any], start: Cursor | None) -> Any:
        try:
            return self._client.query(**request)
        except ClientError as error:
            # A position may come from outside, and be of the right form and yet none that a query can begin at.
            if start is not None and error.response["Error"].get("Code") == "ValidationException":
                raise InvalidCursorError("The paging position does not belong to this query.") from error
            raise

    def _query_request(
        self, pk: str, prefix: str, between: tuple[str, str] | None, index: str | None
    ) -> dict[str, Any]:
        partition, sort = ("PK", "SK") if index is None else (f"{index}PK", f"{index}SK")
        expression = Expression(marshal_value)
        text = f"{expression.name(partition)} = {expression.value(pk)}"
        if between is not None:
            low, high = (expression.value(each) for each in between)
            text += f" AND {expression.name(sort)} BETWEEN {low} AND {high}"
        elif prefix:
            text += f" AND begins_with({expression.name(sort)}, {expression.value(prefix)})"
        request = {"TableName": self._name, "KeyConditionExpression": text, **expression.attributes()}
        return request | ({"IndexName": index} if index else {"ConsistentRead": True})

    def _request(self, write: Write) -> tuple[str, dict[str, Any]]:
        expression = Expression(marshal_value)
        request: dict[str, Any] = {"TableName": self._name}
        if isinstance(write, Put):
            verb, request["Item"] = "Put", marshal(write.item)
        else:
            request["Key"] = marshal_key(write.key)
            verb = {Check: "ConditionCheck", Delete: "Delete", Update: "Update"}[type(write)]
        if isinstance(write, Update):
            request["UpdateExpression"] = expression.update(write)
        if write.condition is not None:
            request["ConditionExpression"] = expression.condition(write.condition)
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return verb, request | expression.attributes()

    def _call(self, action: Callable[[], T]) -> T:
        """Do it, again after a pause where the reason passes; only domain errors come out."""
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except _PassingError as error:
                reason = str(error)
            except ClientError as error:
                failure = _domain_error(error)
                if not isinstance(failure, TableBusyError):
                    raise failure from error
                reason = str(failure)
            except BotoCoreError as error:
                raise TableUnavailableError(f"DynamoDB could not be asked: {error}") from error
            if attempt < ATTEMPTS - 1:
                self._sleep(min(LONGEST_DELAY, FIRST_DELAY * 2**attempt) * self._jitter())
        raise TableBusyError(f"The Amazon DynamoDB table {self._name} stayed busy through {ATTEMPTS} tries: {reason}.")


def _domain_error(error: ClientError) -> TableError:
    response: Mapping[str, Any] = error.response
    code = response["Error"].get("Code", "")
    if code == "ConditionalCheckFailedException":
        return ConditionFailedError(0, unmarshal(response["Item"]) if response.get("Item") else None)
    if code == "TransactionCanceledException":
        return _cancelled(response)
    if code in _PASSING:
        return TableBusyError(code)
    if _tells_size(code, response["Error"].get("Message")):
        return ItemTooLargeError()
    return TableUnavailableError(f"DynamoDB refused: {code}: {response['Error'].get('Message', '')}")


def _cancelled(response: Mapping[str, Any]) -> TableError:
    reasons = response.get("CancellationReasons", [])
    for position, reason in enumerate(reasons):
        if reason.get("Code") == "ConditionalCheckFailed":
            return ConditionFailedError(position, unmarshal(reason["Item"]) if reason.get("Item") else None)
    if any(_tells_size(reason.get("Code"), reason.get("Message")) for reason in reasons):
        return ItemTooLargeError()
    codes = [reason["Code"] for reason in reasons if reason.get("Code", "None") != "None"]
    if any(code in _PASSING for code in codes):
        return TableBusyError(", ".join(codes))
    return TableUnavailableError(f"DynamoDB cancelled the transaction: {', '.join(codes) or 'no reason given'}")


def _tells_size(code: str | None, message: str | None) -> bool:
    return code in ("ValidationException", "ValidationError") and "Item size" in (message or "")


def _batch_entry(write: Put | Delete) -> dict[str, Any]:
    if isinstance(write, Put):
        return {"PutRequest": {"Item": marshal(write.item)}}
    return {"DeleteRequest": {"Key": marshal_key(write.key)}}


def _chunks(values: list[T], size: int) -> Iterator[list[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
