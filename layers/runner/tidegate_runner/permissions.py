"""The ``permissions`` section: which paths get which owner, mode, ACL and SELinux context."""

import re
from typing import Any, Callable, Dict, List, Pattern, Set, Union

from tidegate_runner.errors import EventError
from tidegate_runner.instructions import ChangeMode, ChangeOwner, Instruction, SetAcl, SetContext
from tidegate_runner.many import Destinations
from tidegate_runner.paths import logical_path

Copies = Union[Dict[str, str], Destinations]
_EVERYTHING = "**"


def plan_permissions(
    entries: List[Dict[str, Any]],
    copies: Copies,
    folders: Set[str],
    is_folder: Callable[[str], bool],
    warn: Callable[[str], None],
) -> List[Instruction]:
    """Plan the changes for what this Install copies (`copies`) and makes (`folders`).

    Entries that reach nothing are told to `warn`: the agent passes them over in silence.

    Raises
    ------
    EventError
        For a path named twice, a file given what only directories take, or an unknown user or group.
    """
    instructions: List[Instruction] = []
    seen: Set[str] = set()
    for entry in entries:
        target = logical_path(entry["object"])
        if target in copies:
            paths = _file_object(entry, target)
        elif target in folders or is_folder(target):
            paths = _below(entry, target, copies, folders)
        else:
            paths = []
        _warn_of_idle(entry, target, bool(paths), is_folder(target), warn)
        for path in paths:
            if path in seen:
                raise EventError("The AppSpec's permissions setting for (%s) is specified more than once" % path)
            seen.add(path)
            if path in copies:
                _refuse_default_acl(entry, path)
            instructions.extend(_changes(entry, path))
    return instructions


def _warn_of_idle(
    entry: Dict[str, Any], target: str, reaches: bool, is_folder: bool, warn: Callable[[str], None]
) -> None:
    where = "The permissions entry for %s" % target
    for kind, name in [("pattern", entry["pattern"])] + [("except", name) for name in entry["except"]]:
        if "/" in name:
            warn("%s can never match by its %s %r: names only, no paths." % (where, kind, name))
    if reaches:
        return
    if is_folder:
        reason = "nothing of this install below it fits its pattern, except and type"
    else:
        reason = "it is neither a file of this install nor a directory"
    warn("%s changed nothing: %s." % (where, reason))


def user_id(name: str) -> int:
    import pwd  # not everywhere

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise EventError(
            "can't find user for %s: create the user on the host or mend permissions.owner" % name
        ) from None


def group_id(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise EventError(
            "can't find group for %s: create the group on the host or mend permissions.group" % name
        ) from None


def _file_object(entry: Dict[str, Any], target: str) -> List[str]:
    if "file" not in entry["type"]:
        return []
    if entry["pattern"] != _EVERYTHING:
        raise EventError("invalid pattern (%s) for the file %s: a file takes only **" % (entry["pattern"], target))
    if entry["except"]:
        raise EventError("The except parameter is not allowed for the file %s" % target)
    return [target]


def _below(entry: Dict[str, Any], target: str, copies: Copies, folders: Set[str]) -> List[str]:
    """Give what lies strictly below a directory; patterns and exceptions look at direct children only."""
    prefix = target.rstrip("/") + "/"
    wanted = None if entry["pattern"] == _EVERYTHING else _name_pattern(entry["pattern"])
    excluded = [_name_pattern(name) for name in entry["except"]]
    candidates: List[str] = []
    if "directory" in entry["type"]:
        candidates.extend(folders)
    if "file" in entry["type"]:
        candidates.extend(copies)
    found = []
    for path in sorted(candidates):
        if not path.startswith(prefix):
            continue
        name = path[len(prefix) :]
        if wanted is not None and not wanted.fullmatch(name):
            continue
        if not any(pattern.fullmatch(name) for pattern in excluded):
            found.append(path)
    return found


def _name_pattern(text: str) -> Pattern[str]:
    return re.compile("[^/]*".join(re.escape(part) for part in text.split("*")))


def _refuse_default_acl(entry: Dict[str, Any], path: str) -> None:
    if any(acl.startswith("default:") for acl in entry["acls"]):
        raise EventError("default ACL entries: This parameter is supported for directories only, not for %s" % path)


def _changes(entry: Dict[str, Any], path: str) -> List[Instruction]:
    """Owner before mode: changing the owner of a file clears set-user-ID, which the mode then sets."""
    changes: List[Instruction] = []
    owner, group = entry.get("owner"), entry.get("group")
    if owner or group:
        if owner:
            user_id(owner)
        if group:
            group_id(group)
        changes.append(ChangeOwner(owner, group, path))
    if entry.get("mode"):
        changes.append(ChangeMode(entry["mode"], path))
    if entry.get("acls"):
        changes.append(SetAcl(list(entry["acls"]), path))
    if entry.get("context"):
        changes.append(SetContext(entry["context"], path))
    return changes
