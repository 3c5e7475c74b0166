"""PURE: what is mounted on the machine, and what a host has to put over it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Folders a host gets of its own, made fresh: nothing of the machine's shows in them.
FRESH = ("/proc", "/sys", "/dev", "/run", "/tmp")  # noqa: S108


class Mount(NamedTuple):
    """Something mounted: where, and which kind of file system."""

    point: str
    kind: str


def parse_mountinfo(text: str) -> list[Mount]:
    """Mounts that can be reached by their names, outer ones before those inside them.

    Follows proc(5): fields 1, 2 and 5 are the mount, its parent and its point, with blanks and the
    like written as octal; the kind stands after the lone hyphen. Lines are in no useful order; a
    mount can be hidden by a later one at its own point or at a folder above it.
    """
    lines: dict[str, _Line] = {}
    for text_line in text.splitlines():
        left, _, right = text_line.partition(" - ")
        fields = left.split(" ")
        if len(fields) >= 6 and right:
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
            lines[fields[0]] = _Line(fields[1], Mount(point, right.split(" ")[0]))
    children: dict[str, list[str]] = defaultdict(list)
    for number, line in lines.items():
        children[line.parent].append(number)
    outermost = [number for number, line in lines.items() if line.parent not in lines or line.parent == number]
    pending = [number for number in outermost if lines[number].mount.point == "/"][:1]
    reached: list[Mount] = []
    while pending:
        number = _uppermost(pending.pop(0), lines, children)
        reached.append(lines[number].mount)
        inside = [child for child in children[number] if child != number]
        points = [lines[child].mount.point for child in inside]
        pending += [child for child in inside if not _is_inside_any(lines[child].mount.point, points)]
    return reached


class _Line(NamedTuple):
    parent: str
    mount: Mount


def _uppermost(number: str, lines: dict[str, _Line], children: dict[str, list[str]]) -> str:
    """The mount one sees: the last of those stacked at one point."""
    for child in children[number]:
        if child != number and lines[child].mount.point == lines[number].mount.point:
            return _uppermost(child, lines, children)
    return number


def _is_inside_any(point: str, points: Iterable[str]) -> bool:
    return any(is_below(point, other) for other in points)


def is_below(path: str, folder: str) -> bool:
    """Whether `path` lies inside `folder` (and is not the folder itself)."""
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def is_fresh(path: str) -> bool:
    """Whether the host has something of its own at `path`."""
    return any(path == folder or is_below(path, folder) for folder in FRESH)


def to_cover(mounts: Iterable[Mount], own: Sequence[str]) -> list[Mount]:
    """Mounts beside ``/`` that a host must cover, outer ones first.

    Parameters
    ----------
    own : folders whose mounts are the hosts' own workings
    """
    chosen = [
        mount
        for mount in mounts
        if mount.point != "/"
        and not is_fresh(mount.point)
        and not any(mount.point == folder or is_below(mount.point, folder) for folder in own)
    ]
    return sorted(chosen, key=lambda mount: mount.point.count("/"))


def has_mounts_below(path: str, points: Iterable[str]) -> bool:
    """Whether something is mounted inside `path`."""
    return any(is_below(point, path) for point in points)


def overlay_options(lower: Sequence[str], upper: str, work: str, user: bool) -> str:
    """Mount options of an overlay; in a user namespace its marks are kept in user attributes."""
    names = ":".join(_escape(name) for name in lower)
    options = f"lowerdir={names},upperdir={_escape(upper)},workdir={_escape(work)}"
    return options + (",userxattr" if user else "")


def _escape(path: str) -> str:
    return re.sub(r"([\\:,])", r"\\\1", path)
