"""What provokes the modelled errors that need another platform than servers, or the rules of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.unit.api.platforms import ECS_GROUP, PAIR, SHA, TOPIC, content, create, made
from tests.unit.api.world import World

from tidegate.store.memory import MemoryTable

Change = dict[str, Any] | Callable[[World], dict[str, Any]]

_TRIGGER: Final = {"triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentSuccess"]}
_HALF_A_PAIR: Final = {**PAIR, "targetGroups": [{"name": "blue"}]}
_UNKNOWN: Final = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": SHA}}


def _anew(world: World, platform: str) -> None:
    world.table = MemoryTable()
    made(world, platform)


def _deployed(**given: Any) -> Callable[[World], dict[str, Any]]:
    def change(world: World) -> dict[str, Any]:
        _anew(world, "Lambda")
        return {"deploymentGroupName": "prod", "revision": content(), **given}

    return change


def _mapped(world: World) -> dict[str, Any]:
    _anew(world, "ECS")
    create(world, "idle", **{**ECS_GROUP, "ecsServices": [{"serviceName": "other"}]})
    return {"currentDeploymentGroupName": "idle", "ecsServices": ECS_GROUP["ecsServices"]}


def _taken(world: World) -> dict[str, Any]:
    _anew(world, "ECS")
    return dict(ECS_GROUP)


_GROUPS: Final[Mapping[str, Change]] = {
    "InvalidLoadBalancerInfo": {"loadBalancerInfo": {"elbInfoList": [{}]}},
    "InvalidTargetGroupPair": {"loadBalancerInfo": {"targetGroupPairInfoList": [_HALF_A_PAIR]}},
    "TriggerTargetsLimitExceeded": {"triggerConfigurations": [_TRIGGER | {"triggerName": f"t{n}"} for n in range(11)]},
}
#: By operation: changes to a good input.
PLATFORM: Final[Mapping[str, Mapping[str, Change]]] = {
    "CreateDeployment": {
        "InvalidIgnoreApplicationStopFailuresValue": _deployed(ignoreApplicationStopFailures=True),
        "InvalidUpdateOutdatedInstancesOnlyValue": _deployed(updateOutdatedInstancesOnly=True),
        "RevisionDoesNotExist": _deployed(revision=_UNKNOWN),
    },
    "CreateDeploymentGroup": {"ECSServiceMappingLimitExceeded": _taken, **_GROUPS},
    "UpdateDeploymentGroup": {"ECSServiceMappingLimitExceeded": _mapped, **_GROUPS},
}
