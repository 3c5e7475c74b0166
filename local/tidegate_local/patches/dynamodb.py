"""DynamoDB on moto: one request at a time, and transactions that change nothing unless all of them may.

Follows TransactWriteItems in the DynamoDB API reference, ClientRequestToken included (10 minutes).
"""

from __future__ import annotations

import copy
import json
import threading
import time
from typing import Any

#: Held by every request to the tables and their streams.
LOCK = threading.RLock()
_TOKEN_SECONDS = 600.0
#: (account, region, token) to (when, the request as text).
_TOKENS: dict[tuple[str, str, str], tuple[float, str]] = {}


def install() -> None:
    """Patch moto's tables."""
    _patch_lock()
    _patch_transactions()


def _patch_lock() -> None:
    from moto.dynamodb.responses import DynamoHandler

    original_action = DynamoHandler.call_action
    original_transaction = DynamoHandler.transact_write_items

    def call_action(self: Any) -> Any:
        with LOCK:
            return original_action(self)

    def transact_write_items(self: Any) -> Any:
        token = self.body.get("ClientRequestToken")
        text = json.dumps(self.body["TransactItems"], sort_keys=True, default=str)
        key = (str(self.current_account), str(self.region), str(token))
        if token is not None and _seen(key, text):
            from moto.core.responses import ActionResult

            return ActionResult({})
        result = original_transaction(self)
        if token is not None:
            _TOKENS[key] = (time.monotonic(), text)
        return result

    DynamoHandler.call_action = call_action
    DynamoHandler.transact_write_items = transact_write_items


def _seen(key: tuple[str, str, str], text: str) -> bool:
    oldest = time.monotonic() - _TOKEN_SECONDS
    for known in [k for k, (when, _) in _TOKENS.items() if when < oldest]:
        del _TOKENS[known]
    if key not in _TOKENS:
        return False
    if _TOKENS[key][1] != text:
        from moto.dynamodb.exceptions import DynamodbException

        kind = "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException"
        raise DynamodbException(kind, "The request parameters do not match those of an earlier request with this token")
    return True


def forget_tokens() -> None:
    """Forget all tokens: the tables were reset."""
    _TOKENS.clear()


def _patch_transactions() -> None:
    from moto.dynamodb.exceptions import (
        TooManyTransactionsException,
        TransactionCanceledException,
        TransactWriteSingleOpException,
    )
    from moto.dynamodb.models import DynamoDBBackend

    def transact_write_items(self: Any, transact_items: list[dict[str, Any]]) -> None:
        if len(transact_items) > 100:
            raise TooManyTransactionsException()
        if any(len(item) != 1 for item in transact_items):
            raise TransactWriteSingleOpException()
        with LOCK:
            operations = [next(iter(item.items())) for item in transact_items]
            keys = [_key(self, kind, operation) for kind, operation in operations]
            _refuse_repeated(operations, keys)
            reasons = [_reason(self, op, key) for (_, op), key in zip(operations, keys, strict=True)]
            if any(code is not None for code, _, _ in reasons):
                raise TransactionCanceledException(reasons)
            _apply(self, operations, keys)

    DynamoDBBackend.transact_write_items = transact_write_items


def _key(backend: Any, kind: str, operation: dict[str, Any]) -> dict[str, Any]:
    if kind not in ("Put", "Update", "Delete", "ConditionCheck"):
        raise ValueError(f"Unsupported transaction operation {kind!r}")
    if kind != "Put":
        key: dict[str, Any] = operation["Key"]
        return key
    table = backend.get_table(operation["TableName"])
    names = [table.hash_key_attr] + ([table.range_key_attr] if table.range_key_attr is not None else [])
    return {name: operation["Item"][name] for name in names}


def _refuse_repeated(operations: list[tuple[str, dict[str, Any]]], keys: list[dict[str, Any]]) -> None:
    from moto.dynamodb.exceptions import MultipleTransactionsException

    seen = set()
    for (_, operation), key in zip(operations, keys, strict=True):
        identity = (operation["TableName"], json.dumps(key, sort_keys=True))
        if identity in seen:
            raise MultipleTransactionsException()
        seen.add(identity)


def _reason(
    backend: Any, operation: dict[str, Any], key: dict[str, Any]
) -> tuple[str | None, str | None, dict[str, Any] | None]:
    """Say why an operation may not be done; all None where it may."""
    from moto.dynamodb.comparisons import get_filter_expression

    condition = operation.get("ConditionExpression")
    if condition is None:
        return None, None, None
    current = backend.get_item(operation["TableName"], key)
    test = get_filter_expression(
        condition, operation.get("ExpressionAttributeNames"), operation.get("ExpressionAttributeValues")
    )
    if test.expr(current):
        return None, None, None
    shown = operation.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current is not None
    item = current.to_json()["Attributes"] if shown else None
    return "ConditionalCheckFailed", "The conditional request failed", item


def _apply(backend: Any, operations: list[tuple[str, dict[str, Any]]], keys: list[dict[str, Any]]) -> None:
    """Do all operations; when one proves invalid put back the items touched, and only those."""
    undo: list[tuple[str, dict[str, Any], Any]] = []
    try:
        for (kind, operation), key in zip(operations, keys, strict=True):
            name = operation["TableName"]
            undo.append((name, key, copy.deepcopy(backend.get_item(name, key))))
            _do(backend, kind, operation, key)
    except Exception:
        for name, key, item in reversed(undo):
            if item is None:
                backend.delete_item(name, key)
            else:
                backend.put_item(name, item.to_json()["Attributes"])
        raise


def _do(backend: Any, kind: str, operation: dict[str, Any], key: dict[str, Any]) -> None:
    name = operation["TableName"]
    if kind == "Put":
        backend.put_item(name, operation["Item"])
    elif kind == "Delete":
        backend.delete_item(name, key)
    elif kind == "Update":
        # The condition held before the first operation; DynamoDB judges all against that state.
        backend.update_item(
            name,
            key,
            update_expression=operation["UpdateExpression"],
            expression_attribute_names=operation.get("ExpressionAttributeNames"),
            expression_attribute_values=operation.get("ExpressionAttributeValues"),
        )
