"""Generated calls of every operation: known errors only, nothing written by a refused call, never a fault of ours.

``make fuzz`` runs many more of them (``FUZZ_EXAMPLES``).
"""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.api.furnished import StrictTable, furnished
from tests.unit.api.fuzz_inputs import inputs
from tests.unit.api.world import CODEDEPLOY, TIDEGATE, World, s3

from tidegate.api import service_models
from tidegate.api.reference import NEVER
from tidegate.store.table import Item, Key, Put

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "600")) // 20
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
)
#: What any operation may answer beside the errors that it models (API reference: "Common Errors").
COMMON = {
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnsupportedOperationException",
    "ValidationException",
}
MODELS = {CODEDEPLOY: service_models.codedeploy(), TIDEGATE: service_models.tidegate()}
OPERATIONS = [(service, name) for service, model in MODELS.items() for name in model.operation_names]


@pytest.fixture(scope="module")
def base() -> dict[Key, Item]:
    table = furnished().table
    assert isinstance(table, StrictTable)
    return copy.deepcopy(table.content())


def restored(base: dict[Key, Item]) -> tuple[World, StrictTable]:
    table = StrictTable()
    table.write_many([Put(item) for item in base.values()])
    world = World(table=table)
    world._drawn = 100
    return world, table


class Account:
    """A world that is made anew once a call was let through."""

    def __init__(self, base: dict[Key, Item]) -> None:
        self._base = base
        self.world, self.table = restored(base)

    def send(self, service: str, operation: str, body: bytes) -> str:
        """Send a call and check the answer; returns the error's name, empty for none."""
        answer = self.world.send(f"{service}.{operation}", body)
        told = json.loads(answer.body)
        assert answer.headers["x-amzn-RequestId"] == "req-1"
        assert answer.status in (200, 400), (operation, body[:2000], told)
        if answer.status == 200:
            self.world, self.table = restored(self._base)
            return ""
        code = str(told["__type"])
        modelled = {shape.name for shape in MODELS[service].operation_model(operation).error_shapes}
        assert code in modelled | COMMON, (operation, body[:2000], told)
        # What is seen here does occur: then take it out of NEVER, and make docs.
        assert code not in NEVER.get(operation, {}), (operation, body[:2000], told)
        assert told["message"]
        assert len(told["message"]) < 3000, (operation, told)
        assert self.table.content() == self._base, (operation, body[:2000], told)
        assert not self.world.executions.started
        assert not self.world.signals.sent
        return code


def wire(value: Any) -> bytes:
    # Surrogates as \\u escapes, NaN and Infinity as the words that Python's reader takes.
    return json.dumps(value).encode()


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=[name for _, name in OPERATIONS])
def test_any_input_is_answered_or_refused_by_a_known_error(base: dict[Key, Item], service: str, operation: str) -> None:
    account = Account(base)
    shape = MODELS[service].operation_model(operation).input_shape
    drawn = inputs(shape) if shape is not None else st.just({})

    @FUZZ
    @given(drawn)
    def run(body: dict[str, Any]) -> None:
        account.send(service, operation, wire(body))

    run()


BODIES = [
    wire({"applicationName": "shop", "deploymentGroupName": "prod", "deploymentId": "d-LIVE00001", "revision": s3()}),
    b'{"applicationName": "shop", "applicationName": "nobody", "applicationName": 7}',
    b'{"deploymentId": ' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"deploymentId": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"deploymentId": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    b'{"deploymentId": 1' + b"0" * 5000 + b"}",
    b'{"deploymentId": 1e999, "applicationName": NaN}',
    b'{"applicationName": "\\ud83d"}',
    b'\xef\xbb\xbf{"applicationName": "shop"}',
    '{"applicationName": "shop"}'.encode("utf-16"),
]


@FUZZ
@given(
    operation=st.sampled_from(OPERATIONS),
    body=st.sampled_from(BODIES),
    harm=st.none() | st.tuples(st.integers(0, 400), st.binary(max_size=3)),
)
def test_any_bytes_are_answered_or_refused(
    base: dict[Key, Item], operation: tuple[str, str], body: bytes, harm: tuple[int, bytes] | None
) -> None:
    if harm:
        body = body[: harm[0]] + harm[1] + body[harm[0] + 1 :]
    Account(base).send(*operation, body)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies_that_readers_stumble_over(base: dict[Key, Item], body: bytes) -> None:
    account = Account(base)
    for service, operation in OPERATIONS:
        account.send(service, operation, body)
