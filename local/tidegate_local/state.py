"""What a running local cloud leaves in its folder for others to find."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_FILE = "state.json"


@dataclass
class State:
    """A running local cloud, as written to ``state.json``.

    Attributes
    ----------
    pid, started
        Its process, and when that started by the kernel's clock: pids are used again.
    options
        What it was started with.
    environment
        Variables for clients, as `tidegate local env` prints them.
    balancers
        Why load balancers are forwarded in plain Python; empty where haproxy does it.
    """

    pid: int
    started: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    stack: str = ""
    balancers: str = ""

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""
        return start_time(self.pid) == self.started != ""


def start_time(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name in parentheses may hold anything; a dead child not yet waited for is Z.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def write_private(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that only the owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_state(directory: Path, state: State) -> None:
    """Write the state."""
    write_private(directory / _FILE, asdict(state))


def read_state(directory: Path) -> State | None:
    """Read the state; None where there is none."""
    try:
        return State(**json.loads((directory / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def remove_state(directory: Path) -> None:
    """Remove the state."""
    (directory / _FILE).unlink(missing_ok=True)
