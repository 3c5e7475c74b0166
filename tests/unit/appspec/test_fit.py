"""What keeps an alias or a service from being shifted, by what was seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidegate.appspec import EcsAppSpec, LambdaAppSpec, ecs_misfit, lambda_misfit
from tidegate.model.shifts import AliasSeen, ServiceSeen

WANTED = LambdaAppSpec("shop", "live", "1", "2", {})
SEEN = AliasSeen("arn:f", "1")
ALIASES: list[tuple[str, LambdaAppSpec, AliasSeen, str, str]] = [
    ("function", WANTED, AliasSeen(), "FUNCTION", "'shop' does not exist"),
    ("alias", WANTED, AliasSeen("arn:f"), "FUNCTION", "no alias 'live'"),
    ("version", WANTED, replace(SEEN, missing=("1", "2")), "FUNCTION", "no version 1 and 2"),
    ("same", replace(WANTED, target_version="1"), SEEN, "CONFIGURATION", "both 1"),
    ("split", WANTED, replace(SEEN, weights={"2": 0.25}), "CONFIGURATION", "25% to version 2"),
    ("elsewhere", WANTED, replace(SEEN, version="3"), "CONFIGURATION", "points to version 3"),
]


@pytest.mark.parametrize(("wanted", "seen", "code", "words"), [row[1:] for row in ALIASES], ids=[r[0] for r in ALIASES])
def test_aliases_that_cannot_be_shifted(wanted: LambdaAppSpec, seen: AliasSeen, code: str, words: str) -> None:
    found = lambda_misfit(wanted, seen)
    assert found is not None
    assert (found[0], words in found[1]) == (f"INVALID_LAMBDA_{code}", True), found


def test_an_alias_that_can() -> None:
    assert lambda_misfit(WANTED, SEEN) is None


TASKS = EcsAppSpec("arn:t:7", "web", 80, None, None, (), {})
PRIMARY = {"status": "PRIMARY"}
SERVICE = ServiceSeen("arn:s", "ACTIVE", "CODE_DEPLOY", (PRIMARY,), {"web": [80, 443], "log": []})
SERVICES: list[tuple[str, ServiceSeen, str]] = [
    ("missing", ServiceSeen(), "'prod:web' (cluster:service) does not exist"),
    ("ending", replace(SERVICE, status="DRAINING"), "is DRAINING"),
    ("controller", replace(SERVICE, controller="ECS"), "deployment controller ECS"),
    ("no primary", replace(SERVICE, task_sets=()), "has 0 primary task sets"),
    ("two primaries", replace(SERVICE, task_sets=(PRIMARY, PRIMARY)), "has 2 primary task sets"),
    ("a second", replace(SERVICE, task_sets=({"status": "ACTIVE"}, PRIMARY)), "a task set beside its primary one"),
    ("task definition", replace(SERVICE, containers=None), "no active task definition arn:t:7"),
    ("container", replace(SERVICE, containers={"log": []}), "no container 'web'; it has log"),
    ("port", replace(SERVICE, containers={"web": [443]}), "does not open port 80; it opens 443"),
]


@pytest.mark.parametrize(("seen", "words"), [row[1:] for row in SERVICES], ids=[row[0] for row in SERVICES])
def test_services_that_cannot_be_deployed_to(seen: ServiceSeen, words: str) -> None:
    found = ecs_misfit(TASKS, "prod:web", seen)
    assert found is not None
    assert (found[0], words in found[1]) == ("INVALID_ECS_SERVICE", True), found


def test_a_service_that_can() -> None:
    assert ecs_misfit(TASKS, "prod:web", SERVICE) is None
    draining = (*SERVICE.task_sets, {"status": "DRAINING"})
    assert ecs_misfit(TASKS, "prod:web", replace(SERVICE, task_sets=draining)) is None
