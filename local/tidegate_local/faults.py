"""Faults that can be switched on while the local cloud runs."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_KILL_MOMENTS = ("before", "after")


class FaultsError(ValueError):
    """The faults asked for are not of the known form."""


@dataclass
class Faults:
    """Which faults are on; all off at first.

    Parameters
    ----------
    chance
        Source of randomness for lost and doubled events.
    """

    chance: random.Random = field(default_factory=random.Random)
    lose: float = 0.0
    double: float = 0.0
    delay_seconds: float = 0.0
    throttle: dict[str, int] = field(default_factory=dict)
    kill: dict[str, Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def set(self, wanted: Mapping[str, Any]) -> None:
        """Replace the faults of each kind named; kinds not named stay as they are.

        Raises
        ------
        FaultsError
            Naming the member, what was found, and what is expected.
        """
        unknown = sorted(set(wanted) - {"events", "throttle", "kill"})
        if unknown:
            raise FaultsError(f"unknown fault {unknown[0]!r}: use events, throttle or kill")
        events = _events(wanted["events"]) if "events" in wanted else None
        throttle = _throttle(wanted["throttle"]) if "throttle" in wanted else None
        kill = _kill(wanted["kill"]) if "kill" in wanted else None
        with self._lock:
            if events is not None:
                self.lose, self.double, self.delay_seconds = events
            if throttle is not None:
                self.throttle = throttle
            if "kill" in wanted:
                self.kill = kill

    def describe(self) -> dict[str, Any]:
        """Give the faults in the form that `set` takes."""
        with self._lock:
            return {
                "events": {"lose": self.lose, "double": self.double, "delay_seconds": self.delay_seconds},
                "throttle": dict(self.throttle),
                "kill": dict(self.kill) if self.kill else None,
            }

    def deliveries(self) -> int:
        """How often to deliver the next event: 0, 1 or 2 times."""
        with self._lock:
            if self.chance.random() < self.lose:
                return 0
            return 2 if self.chance.random() < self.double else 1

    def take_throttle(self, call: str) -> bool:
        """Tell whether this call is to be throttled, and use one up."""
        with self._lock:
            left = self.throttle.get(call, 0)
            if left > 0:
                self.throttle[call] = left - 1
            return left > 0

    def kill_of(self, function: str) -> dict[str, str]:
        """The call before or after which this function's worker is to die, if any: ``{"before" or "after": call}``."""
        with self._lock:
            if self.kill and self.kill["function"] == function and self.kill["times"] > 0:
                return {when: self.kill[when] for when in _KILL_MOMENTS if when in self.kill}
            return {}

    def killed(self) -> None:
        """One kill was carried out."""
        with self._lock:
            if self.kill:
                self.kill["times"] -= 1


def _number(where: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise FaultsError(f"{where} is {value!r}: give a number from {low:g} to {high:g}")
    return float(value)


def _mapping(where: str, value: Any, members: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FaultsError(f"{where} is {value!r}: give an object")
    unknown = sorted(set(value) - members) if members is not None else []
    if unknown:
        raise FaultsError(f"{where}.{unknown[0]} is not known: use {', '.join(sorted(members or ()))}")
    return value


def _events(value: Any) -> tuple[float, float, float]:
    members = _mapping("events", value, {"lose", "double", "delay_seconds"})
    return (
        _number("events.lose", members.get("lose", 0), 0, 1),
        _number("events.double", members.get("double", 0), 0, 1),
        _number("events.delay_seconds", members.get("delay_seconds", 0), 0, 3600),
    )


#: Services whose calls name their operation in a header (SNS: in a form), so that they can be throttled at the door;
#: of S3's, only PostObject is known, by its form.
THROTTLED_SERVICES = ("dynamodb", "events", "logs", "s3", "sns", "sqs", "ssm", "stepfunctions")


def _throttle(value: Any) -> dict[str, int]:
    result = {}
    for call, number in _mapping("throttle", value).items():
        if call.partition(":")[0] not in THROTTLED_SERVICES or not call.partition(":")[2]:
            raise FaultsError(
                f"throttle.{call} is not known: name a call as service:Operation of {', '.join(THROTTLED_SERVICES)}"
            )
        result[call] = int(_number(f"throttle.{call}", number, 0, 1_000_000))
    return result


def _kill(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    members = _mapping("kill", value, {"function", *_KILL_MOMENTS, "times"})
    moments = [name for name in _KILL_MOMENTS if name in members]
    if len(moments) > 1:
        raise FaultsError("kill.before and kill.after are both given: give one of them")
    for name in ("function", moments[0] if moments else "after"):
        if not isinstance(members.get(name), str):
            raise FaultsError(
                f"kill.{name} is {members.get(name)!r}: "
                "give the function's logical id and a call such as ssm:SendCommand"
            )
    return {**members, "times": int(_number("kill.times", members.get("times", 1), 0, 1000))}
