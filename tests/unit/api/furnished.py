"""An account with something of everything in it, over a table that is as strict about keys as the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.unit.api.world import ROLE, World, s3

from tidegate.store.hooks import Hooks
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Cursor, Item, Key, Page, Put, Write, key_of


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


def furnished() -> World:
    """Deployments that live (``d-LIVE00001``), ended (``d-ENDED0001``) and to Lambda (``d-LAMBDA001``, ended)."""
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
    world.call("CreateApplication", applicationName="functions", computePlatform="Lambda")
    world.call("CreateDeploymentGroup", applicationName="functions", deploymentGroupName="prod", serviceRoleArn=ROLE)
    box = {"instanceName": "box", "iamUserArn": "arn:aws:iam::123456789012:user/u"}
    world.call("RegisterOnPremisesInstance", **box)
    world.call("AddTagsToOnPremisesInstances", instanceNames=["box"], tags=[{"Key": "k", "Value": "v"}])
    return world
