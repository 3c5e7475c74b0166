"""What goes wrong, drawn from a seed. Every fault has a name and can be left out when the seed is played again."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping


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

    def happens(self, kind: str) -> random.Random | None:
        """Whether a fault of this kind happens now; what is drawn for its details."""
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
