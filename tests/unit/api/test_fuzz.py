"""Generated calls of every operation: known errors only, nothing written by a refused call, never a fault of ours.

``make fuzz`` runs many more of them (``FUZZ_EXAMPLES``).
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.api.fuzz_inputs import inputs
from tests.unit.api.world import CODEDEPLOY, TIDEGATE, World, s3

from tidegate.api import service_models
from tidegate.store.hooks import Hooks
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Cursor, Item, Key, Page, Put, Write, key_of

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300")) // 10
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


class StrictTable(MemoryTable):
    """A table that refuses the keys that the database refuses, and shows all that it holds."""

    def content(self) -> dict[Key, Item]:
        return self._items

    def get(self, key: Key) -> Item | None:
        check(key)
        return super().get(key)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        keys = list(keys)
        for key in keys:
            check(key)
        return super().get_many(keys)

    def query(self, pk: str, prefix: str = "", *, start: Cursor | None = None, **how: Any) -> Page:
        check((pk, prefix or "x"))
        return super().query(pk, prefix, start=start, **how)

    def write(self, *writes: Write) -> None:
        for write in writes:
            check(key_of(write.item) if isinstance(write, Put) else write.key)
        super().write(*writes)


def check(key: Key) -> None:
    assert 1 <= len(key[0].encode()) <= 2048, key
    assert 1 <= len(key[1].encode()) <= 1024, key


def prepared() -> World:
    """A world with something of everything in it."""
    world = World(table=StrictTable(), ids=["d-ENDED0001", "d-LAMBDA001", "d-LIVE00001"])
    world.shop(tags=[{"Key": "k", "Value": "v"}])
    world.group("idle")
    world.call("CreateApplication", applicationName="other")
    minimum = {"type": "HOST_COUNT", "value": 1}
    world.call("CreateDeploymentConfig", deploymentConfigName="mine", minimumHealthyHosts=minimum)
    world.end(world.deploy())
    functions = world.deploy("v2.zip", group="idle")
    world.services.deployments.amend(functions, {"computePlatform": "Lambda"})
    Hooks(world.table).open(functions, "run-1", event="BeforeAllowTraffic", now=world.now)
    world.end(functions, "Failed")
    world.fleet(world.deploy("v2.zip"), {"i-1": "InProgress", "i-2": None})
    world.call("RegisterApplicationRevision", applicationName="shop", revision=s3("v3.zip"))
    return world


@pytest.fixture(scope="module")
def base() -> dict[Key, Item]:
    table = prepared().table
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
