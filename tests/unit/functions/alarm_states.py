"""CloudWatch alarms in virtual time, and the event that tells of one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.unit.functions.machine import Killed

from tidegate.gateways.errors import GatewayError

if TYPE_CHECKING:
    from tests.unit.functions.world import Account


class AlarmStates:
    """The alarms of an account; its port is ``alarms``.

    Attributes
    ----------
    fault : what CloudWatch answers in place of states
    looks : when they were read
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._states: dict[str, str] = {}
        self.fault: GatewayError | None = None
        self.looks: list[float] = []

    def states(self, names: Sequence[str]) -> dict[str, str]:
        self.looks.append(self._account.now)
        if self.fault is not None:
            raise self.fault
        return {name: self._states[name] for name in names if name in self._states}

    def put(self, name: str, state: str = "OK", tells_after: float | None = 2) -> None:
        """Bring an alarm into a state; EventBridge tells of ALARM so many seconds later, None: never."""
        self._states[name] = state
        if state == "ALARM" and tells_after is not None:
            self._account.clock.at(self._account.now + tells_after, lambda: self._tell(name))

    def _tell(self, name: str) -> None:
        body = {"source": "aws.cloudwatch", "detail": {"alarmName": name, "state": {"value": "ALARM"}}}
        wake = importlib.import_module("functions.wake_deployment.app")
        try:
            wake.run({"Records": [{"messageId": name, "body": json.dumps(body)}]}, self._account.runtime)
        except Killed:
            self._account.clock.at(self._account.now + 30, lambda: self._tell(name))
