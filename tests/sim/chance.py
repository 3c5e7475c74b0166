"""What goes wrong, drawn from a seed. Every fault has a name and can be left out when the seed is played again."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

#: Faults that any call of a function may meet; most calls meet none of them.
OF_CALLS = ("slow call", "killed before a call", "throttled", "killed after a call")


class Chance:
    """The faults of one play.

    Each kind of fault has a stream of its own: how often it was possible before it happens again. So a fault that is
    left out moves no other draw, and a play is the same again for the same seed and the same ``without``.

    Parameters
    ----------
    rates : how likely a fault of a kind is, each time it is possible
    without : names of faults that do not happen
    """

    def __init__(self, seed: int, rates: Mapping[str, float], without: frozenset[str] = frozenset()) -> None:
        self._seed, self._rates, self._without = seed, rates, without
        self._left: dict[str, float] = {kind: math.inf for kind, rate in rates.items() if rate <= 0}
        self._next: dict[str, int] = {}
        self._streams: dict[str, random.Random] = {}
        self.happened: list[str] = []
        self._calm = 0  # how many calls to come meet none of their faults
        self._passed = 0  # how many of these have been made, and are not yet taken off what is left

    def calm(self) -> bool:
        """Whether a call of a function meets none of its faults; where it may, each is to be asked for by itself."""
        if self._calm > 0:
            self._calm -= 1
            self._passed += 1
            return True
        self._settle()
        left = [self._left.get(kind, math.inf if kind not in self._rates else 1) for kind in OF_CALLS]
        self._calm = min(int(min(left)), 1 << 20) - 1 if min(left) < math.inf else 1 << 20
        return self._calm > 0 and self.calm()

    def _settle(self) -> None:
        for kind in OF_CALLS if self._passed else ():
            if kind in self._left:
                self._left[kind] -= self._passed
        self._passed = self._calm = 0

    def happens(self, kind: str) -> random.Random | None:
        """Whether a fault of this kind happens now; what is drawn for its details."""
        if self._passed and kind in OF_CALLS:
            self._settle()
        left = self._left.get(kind)
        if left is None:
            if kind not in self._rates:
                return None
            self._streams[kind] = random.Random(f"{self._seed} {kind}")
            left = self._next[kind] = self._gap(kind)
        if left > 1:
            self._left[kind] = left - 1
            return None
        times = self._next[kind]
        self._left[kind] = gap = self._gap(kind)
        self._next[kind] = times + gap
        return self.planned(f"{kind} #{times}")

    def planned(self, name: str) -> random.Random | None:
        """Whether a fault that the scenario plans happens."""
        if name in self._without:
            return None
        self.happened.append(name)
        return random.Random(f"{self._seed} {name}")

    def _gap(self, kind: str) -> int:
        rate = self._rates[kind]
        if rate >= 1:
            return 1
        return 1 + int(math.log(1 - self._streams[kind].random()) / math.log(1 - rate))
