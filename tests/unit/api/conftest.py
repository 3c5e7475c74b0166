"""Fixtures of the API's tests."""

from __future__ import annotations

import pytest
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
