"""Reading a target's log: segments in order, a page of lines at a time, from a position that stays good.

A segment only ever grows, so a position is a byte in a segment: who follows a log reads nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.model.logs import Segment

MOST_LINES: Final = 1000
_MOST_TEXT: Final = 1 << 19
_MOST_READS: Final = 8
_LONGEST_TEXT: Final = 1 << 16
_STREAMS: Final = ("stdout", "stderr", "runner")
_END: Final = "end"


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on: the byte of the segment, and whether the stage's end was read."""

    stage: str = ""
    number: int = 0
    offset: int = 0
    ended: bool = False

    @classmethod
    def of(cls, token: Any) -> Position | None:
        """The position that a token holds; None where it holds none."""
        match token:
            case [str() as stage, int() as number, int() as offset, bool() as ended] if number >= 0 and offset >= 0:
                return cls(stage, number, offset, ended)
        return None

    def token(self) -> list[Any]:
        """The position for a token."""
        return [self.stage, self.number, self.offset, self.ended]


@dataclass(slots=True)
class LogPage:
    """Lines of a log, where reading goes on, and whether there is more at once."""

    at: Position
    lines: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    _text: int = 0

    @property
    def full(self) -> bool:
        return len(self.lines) >= MOST_LINES or self._text >= _MOST_TEXT

    def take(self, segment: Segment, data: bytes, offset: int, event: str | None) -> None:
        """Take whole lines from what a segment holds from an offset on."""
        for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
            if self.full:
                break
            offset += len(line)
            record = _record(line)
            if record is None:
                continue
            if record["stream"] == _END:
                self.at = Position(segment.stage, segment.number, offset, ended=True)
            elif event in (None, record["lifecycleEventName"]):
                self.lines.append(record)
                self._text += len(record["text"])
        self.at = Position(segment.stage, segment.number, offset, ended=self.at.ended)


def merged(own: Iterable[Segment], late: Iterable[Segment] = ()) -> list[Segment]:
    """One segment of each number: the longest, since all that bear a number begin alike."""
    best: dict[tuple[str, int], Segment] = {}
    for segment in (*own, *late):
        name = (segment.stage, segment.number)
        if name not in best or best[name].size < segment.size:
            best[name] = segment
    return sorted(best.values(), key=lambda segment: (segment.stage, segment.number))


def in_order(segments: Sequence[Segment], read: Callable[[Segment, int], bytes]) -> list[Segment]:
    """The segments of several stages in the order in which the stages began."""
    firsts = {segment.stage: segment for segment in reversed(segments)}
    if len(firsts) < 2:
        return list(segments)
    began = {stage: _began(read(segment, 0)) for stage, segment in firsts.items()}
    return sorted(segments, key=lambda segment: (began[segment.stage], segment.stage, segment.number))


def read_page(
    segments: Sequence[Segment],
    start: Position | None,
    event: str | None,
    read: Callable[[Segment, int], bytes],
) -> LogPage:
    """Lines from a position on, as many as fit a page.

    Parameters
    ----------
    segments
        In order (`in_order`).
    event
        Only lines of this lifecycle event.
    read
        Gives what a segment holds from an offset on.
    """
    page = LogPage(at=start or Position())
    reads = 0
    for segment in _from(segments, start):
        offset = page.at.offset if (segment.stage, segment.number) == (page.at.stage, page.at.number) else 0
        if segment.size <= offset:
            continue
        if page.full or reads == _MOST_READS:
            page.more = True
            return page
        reads += 1
        if segment.stage != page.at.stage:
            page.at = Position(segment.stage, segment.number)
        page.take(segment, read(segment, offset), offset, event)
        page.more = page.full and page.at.offset < segment.size
        if page.more:
            return page
    return page


def _from(segments: Sequence[Segment], start: Position | None) -> Sequence[Segment]:
    """The segments from a position on. A stage that is no longer there was read; nothing is read twice."""
    if start is None or not start.stage:
        return segments
    at = [i for i, s in enumerate(segments) if s.stage == start.stage and s.number >= start.number]
    if at:
        return segments[at[0] :]
    return [segment for segment in segments if segment.stage != start.stage]


def _began(data: bytes) -> float:
    for line in data.splitlines():
        record = _record(line)
        if record is not None:
            return float(record["time"])
    return float("inf")


def _record(line: bytes) -> dict[str, Any] | None:
    """A line as the API shows it; None where a host wrote something else."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    match found:
        case [int() | float() as time, str() as event, str() as stream, str() as text] if (
            stream in (*_STREAMS, _END) and not isinstance(time, bool) and 0 < time < 1e11
        ):
            return {"time": time, "lifecycleEventName": event[:100], "stream": stream, "text": text[:_LONGEST_TEXT]}
    return None
