"""Real local hosts for the tests; where the kernel does not allow them, NOT RUN and why."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidegate_local.hosts import Fleet, HostError, Isolation

NAMESPACED = [Isolation.NAMESPACES, Isolation.USER_NAMESPACE]


def start_fleet(directory: Path, isolation: Isolation, count: int) -> Fleet:
    """A fleet in that isolation, or the test is not run."""
    if isolation is Isolation.NAMESPACES and os.geteuid() != 0:
        pytest.skip("NOT RUN: namespaces without a user namespace need root")
    fleet = Fleet(directory, isolation)
    try:
        fleet.start(count, {"Fleet": "test"})
    except HostError as error:
        pytest.skip(f"NOT RUN: {error}")
    return fleet


@pytest.fixture(params=list(Isolation), ids=lambda isolation: isolation.value)
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    """Two hosts, once for every isolation."""
    fleet = start_fleet(tmp_path, request.param, 2)
    yield fleet
    fleet.stop()


@pytest.fixture(params=NAMESPACED, ids=lambda isolation: isolation.value)
def isolated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    """Two hosts, once for every isolation that really separates them."""
    fleet = start_fleet(tmp_path, request.param, 2)
    yield fleet
    fleet.stop()


@pytest.fixture
def starting() -> Callable[[Path, Isolation, int], Fleet]:
    """`start_fleet`; who calls it stops the fleet."""
    return start_fleet


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds; it fails after half a minute, so no speed is asserted."""

    def wait(holds: Callable[[], object]) -> None:
        end = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < end, "it did not come to hold within 30 s"
            time.sleep(0.01)

    return wait


@pytest.fixture
def processes_with() -> Callable[[str], list[int]]:
    """Process ids of all processes of the machine whose environment holds a text."""

    def find(text: str) -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and text.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    return find
