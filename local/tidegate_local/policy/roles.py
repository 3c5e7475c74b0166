"""The IAM roles of the template and all that is allowed to them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from tidegate_local.policy.evaluate import Statement


class Roles:
    """Statements by role, gathered while the template is provisioned."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statements: dict[str, list[Statement]] = {}

    def allow(self, role: str, statements: Iterable[Statement]) -> None:
        """Add statements to a role, given by name or ARN."""
        with self._lock:
            self._statements.setdefault(_name(role), []).extend(statements)

    def statements_of(self, role: str) -> list[Statement]:
        """All statements of a role, given by name or ARN; none for an unknown one."""
        with self._lock:
            return list(self._statements.get(_name(role), []))


def _name(role: str) -> str:
    return role.rsplit("/", 1)[-1]
