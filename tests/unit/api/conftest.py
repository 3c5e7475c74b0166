"""Fixtures of the API's tests."""

from __future__ import annotations

import pytest
from tests.unit.api.platforms import made
from tests.unit.api.world import World


@pytest.fixture
def world() -> World:
    """An account with nothing in it."""
    return World()


@pytest.fixture
def shop(world: World) -> World:
    """An account with application ``shop`` and its group ``prod``."""
    world.shop()
    return world


@pytest.fixture
def functions(world: World) -> World:
    """An application of platform Lambda with its group ``prod``."""
    return made(world, "Lambda")


@pytest.fixture
def services(world: World) -> World:
    """An application of platform ECS with its group ``prod``."""
    return made(world, "ECS")
