"""Looking at the host's processes through /proc."""

import os
import signal
from typing import Dict, List, NamedTuple, Set


class _Process(NamedTuple):
    parent: int
    group: int
    session: int


def groups_below(pid: int) -> Set[int]:
    """Give the process groups of a process, of its descendants, and of the sessions they lead.

    ``su`` starts its command in a session of its own, so the script's own group is not all of it.
    """
    table = _table()
    family = _descendants(pid, table)
    family.add(pid)
    members = [process for number, process in table.items() if number in family or process.session in family]
    groups = {process.group for process in members} | {pid}
    return groups - {0, 1, os.getpgrp()}


def signal_groups(groups: Set[int], number: int) -> None:
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue


def any_alive(groups: Set[int]) -> bool:
    for group in groups:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            continue
        except PermissionError:
            return True
        return True
    return False


def holders_of_pipes(inodes: Set[int]) -> List[int]:
    """Find who else has a pipe open, by the pipe's inode."""
    wanted = {"pipe:[%d]" % inode for inode in inodes}
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        folder = "/proc/%s/fd" % name
        try:
            links = {os.readlink(os.path.join(folder, descriptor)) for descriptor in os.listdir(folder)}
        except OSError:
            continue  # gone meanwhile, or another user's
        if links & wanted:
            found.append(int(name))
    return sorted(found)


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def _table() -> Dict[int, _Process]:
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as stream:
                # The command's name, in parentheses, may hold anything; numbers come behind the last one.
                fields = stream.read().rpartition(b")")[2].split()
        except OSError:
            continue
        table[int(name)] = _Process(int(fields[1]), int(fields[2]), int(fields[3]))
    return table


def _descendants(pid: int, table: Dict[int, _Process]) -> Set[int]:
    children: Dict[int, List[int]] = {}
    for number, process in table.items():
        children.setdefault(process.parent, []).append(number)
    found: Set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found
