"""ACLs and SELinux contexts, set by the system's own tools."""

import os
import stat
import subprocess
from typing import Dict, List, Optional

from tidegate_runner.errors import EventError


def set_acl(path: str, entries: List[str]) -> None:
    """Set exactly these entries, completed by the base entries of the file's mode and a mask."""
    if os.path.islink(path):
        return
    mode = stat.S_IMODE(os.stat(path).st_mode)
    command = ["setfacl", "--set", ",".join(complete_acl(entries, mode)), path]
    _run(command, "There was a problem with the acls permission settings of %s" % path, "acl")


def complete_acl(entries: List[str], mode: int) -> List[str]:
    """Add what an ACL must have: owner, group, others, a mask beside named entries, and their defaults."""
    user, group, other = _letters(mode >> 6), _letters(mode >> 3), _letters(mode)
    full = ["user::" + user, "group::" + group, "other::" + other]
    full.extend(entry for entry in entries if not entry.startswith("default:"))
    if _has_named(entries, "") and not any(entry.startswith("mask:") for entry in entries):
        full.append("mask::" + group)
    defaults = [entry for entry in entries if entry.startswith("default:")]
    if defaults:
        full.extend(defaults)
        for kind, letters in (("user", user), ("group", group), ("other", other)):
            if not any(entry.startswith("default:%s::" % kind) for entry in defaults):
                full.append("default:%s::%s" % (kind, letters))
        if _has_named(defaults, "default:") and not any(entry.startswith("default:mask:") for entry in defaults):
            full.append("default:mask::" + group)
    return full


def set_context(path: str, context: Dict[str, Optional[str]]) -> None:
    real = os.path.realpath(path)
    command = ["semanage", "fcontext", "-a"]
    if context.get("user"):
        command.extend(["-s", str(context["user"])])
    command.extend(["-t", str(context["type"])])
    if context.get("range"):
        command.extend(["-r", str(context["range"])])
    problem = "There was an error in the settings for the context parameter of %s" % path
    _run(command + [real], problem, "policycoreutils-python-utils")
    _run(["restorecon", "-v", real], problem, "policycoreutils")


def _has_named(entries: List[str], prefix: str) -> bool:
    named = [entry[len(prefix) :].split(":") for entry in entries if entry.startswith(prefix)]
    return any(parts[0] in ("user", "group") and parts[1] for parts in named)


def _letters(bits: int) -> str:
    return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def _run(command: List[str], problem: str, package: str) -> None:
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise EventError("%s: this host has no %s; install the package %s." % (problem, command[0], package)) from None
    output = process.communicate()[0].decode("utf-8", "replace").strip()
    if process.returncode != 0:
        raise EventError("%s: %s ended with %d: %s" % (problem, command[0], process.returncode, output[-500:]))
