"""What earlier deployments have left behind: the health of hosts, and the group's last good revision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.functions.world import START

from tidegate.appspec import compile_server_appspec
from tidegate.model.names import revision_key
from tidegate.store.table import Put, Update

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

EARLIER = "d-000000000"


def location_of(key: str) -> dict[str, Any]:
    """A revision's location."""
    return {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": key, "bundleType": "zip"}}


def leave_behind(world: SimWorld) -> None:
    """Write down what the scenario says of the time before."""
    _health(world)
    if world.scenario.last_good:
        _good(world, world.scenario.last_good)


def _health(world: SimWorld) -> None:
    revisions = {"current": revision_key(location_of("v0.zip")), "old": "0" * 40}
    puts = []
    for plan in world.scenario.hosts:
        if plan.health == "never":
            continue
        item = {"PK": f"GROUP#{world.group_id}", "SK": f"HOST#{plan.target_id}", "deploymentId": EARLIER}
        revision = {"revisionKey": revisions[plan.health]} if plan.health in revisions else {}
        puts.append(Put({**item, "time": START - 9, "healthy": plan.health != "unhealthy", **revision}))
    if puts:
        world.table.write_many(puts)


def _good(world: SimWorld, good: str) -> None:
    spec = compile_server_appspec(str(world.bundles.appspecs[good]), os=None).to_json()
    before = {"PK": f"DEP#{EARLIER}", "SK": "DEP", "deploymentId": EARLIER, "status": "Succeeded"}
    before["createTime"] = START - 9
    world.table.write_many([Put({**before, "appspec": json.dumps(spec), "hookSeconds": {}})])
    world.table.courses.clear()  # it is over and done with
    last = {"deploymentId": EARLIER, "location": location_of(good), "revisionKey": revision_key(location_of(good))}
    kept = {"lastGood": {**last, "fileExistsBehavior": "DISALLOW"}, "targetRevision": location_of(good)}
    world.table.write(Update(("APP#shop", "GROUP#prod"), set=kept))
