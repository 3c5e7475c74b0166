"""The Install event: plan, remove the last install, carry out the plan."""

import errno
import json
import os
import stat
from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator

from tidegate_runner.access import set_acl, set_context
from tidegate_runner.cleanup import CleanupRecord, partial_name
from tidegate_runner.errors import EventError
from tidegate_runner.files import describe, write_pieces
from tidegate_runner.instructions import (
    ChangeMode,
    ChangeOwner,
    Copy,
    Instruction,
    MakeFolder,
    SetAcl,
    SetContext,
)
from tidegate_runner.order import Order
from tidegate_runner.owners import owners_of
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.permissions import group_id, user_id
from tidegate_runner.plan import Plan, View, make_plan
from tidegate_runner.pointers import Pointers
from tidegate_runner.system import IS_WINDOWS

_CHUNK = 8 * 1024 * 1024
_AT_ONCE = 500


def install(order: Order, host: HostPaths, log: Callable[[str], None]) -> None:
    """Install the downloaded revision in place of the group's last one.

    Raises
    ------
    EventError
        Before anything was changed where planning finds a conflict; else with what was done so far
        recorded for the next Install's clean-up.
    """
    place = DeploymentPaths.of(host, order.group_id, order.deployment_id)
    if not os.path.isdir(place.archive):
        raise EventError("There is no unpacked revision of this deployment; DownloadBundle comes before Install.")
    refuse_unusable(order.appspec)
    record = CleanupRecord(host, order.group_id)
    try:
        plan = make_plan(
            order.appspec, effective_behavior(order), place.logical_archive, View(host, record.forecast().removed)
        )
        _name_owners(plan, host, order.group_id).refuse()
        for warning in plan.warnings:
            log("[stderr]Warning: " + warning)
        record.undo(log)
        write_pieces(host.instructions(order.group_id + "-install.json"), _as_json(plan.instructions))
        _carry_out(plan.instructions, host, order.group_id, record)
    except OSError as error:
        raise EventError("The Install event failed: %s." % describe(error)) from None
    Pointers(host, order.group_id).set_last_successful(place)


def _as_json(instructions: Iterable[Instruction]) -> Iterator[bytes]:
    yield b'{"instructions": ['
    left, between = iter(instructions), ""
    for some in iter(lambda: [instruction.to_json() for instruction in islice(left, _AT_ONCE)], []):
        yield (between + json.dumps(some)[1:-1]).encode("ascii")
        between = ", "
    yield b"]}"


def effective_behavior(order: Order) -> str:
    """Tell what happens to files that exist: the AppSpec's word goes before the deployment's."""
    return str(order.appspec.get("fileExistsBehavior") or order.file_exists_behavior)


def refuse_unusable(appspec: Dict[str, Any]) -> None:
    """Fail with what was found wrong in an AppSpec that did not compile, or is not for this system.

    Raises
    ------
    EventError
    """
    problem = appspec.get("error") or appspec.get("installError")
    if problem:
        raise EventError(str(problem))


def _name_owners(plan: Plan, host: HostPaths, group: str) -> Plan:
    """Say beside each path in the way which other group's install made it."""
    if not plan.in_the_way:
        return plan
    owners = owners_of([found.path for found in plan.in_the_way], host, group)
    named = []
    for found in plan.in_the_way:
        owner = owners[found.path]
        note = " (of %s)" % owner.text if owner.group_id and not found.note else found.note
        named.append(found._replace(note=note))
    return plan._replace(in_the_way=named)


def _carry_out(plan: Iterable[Instruction], host: HostPaths, group: str, record: CleanupRecord) -> None:
    record.start()
    partial = partial_name(group)
    copy = _copier()
    try:
        for instruction in plan:
            if isinstance(instruction, Copy):
                record.add(instruction.destination)
                copy(host.at(instruction.source), host.at(instruction.destination), partial)
            elif isinstance(instruction, MakeFolder):
                _make_folder(instruction.directory, host, record)
            else:
                _change(instruction, host, record)
    finally:
        record.close()


def _copier() -> Callable[[str, str, str], None]:
    if not IS_WINDOWS:
        return copy_file
    from tidegate_runner import windows_files

    return windows_files.copy_file


def _change(instruction: Instruction, host: HostPaths, record: CleanupRecord) -> None:
    if isinstance(instruction, ChangeOwner):
        change_owner(instruction, host.at(instruction.file))
    elif isinstance(instruction, ChangeMode):
        _change_mode(instruction, host.at(instruction.file))
    elif isinstance(instruction, SetAcl):
        set_acl(host.at(instruction.file), instruction.acl)
    elif isinstance(instruction, SetContext):
        set_context(host.at(instruction.file), instruction.context)
        record.add_context(instruction.file)


def _make_folder(directory: str, host: HostPaths, record: CleanupRecord) -> None:
    try:
        os.mkdir(host.at(directory))
    except FileExistsError:
        if not os.path.isdir(host.at(directory)):
            raise
        return  # somebody made it since the plan was made: it is theirs
    record.add(directory)


def copy_file(source: str, destination: str, partial: str) -> None:
    """Copy a file or link with mode, time and (as root) owner, in one step as seen from outside.

    Writing beside it and renaming means that no reader sees half a file, that a program in use can be
    replaced, and that an existing link is replaced and not written through.
    """
    temporary = destination.rpartition("/")[0] + "/" + partial
    try:
        _copy_content(source, temporary)
    except FileExistsError:  # left by a crash
        os.unlink(temporary)
        _copy_content(source, temporary)
    try:
        os.rename(temporary, destination)
    except OSError:
        os.unlink(temporary)
        raise


def _copy_content(source: str, temporary: str) -> None:
    try:
        reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        _copy_link(source, temporary)
        return
    try:
        status = os.fstat(reading)
        writing = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            _copy_bytes(reading, writing, status.st_size)
            if _is_root() and (status.st_uid or status.st_gid):
                os.fchown(writing, status.st_uid, status.st_gid)
            os.fchmod(writing, stat.S_IMODE(status.st_mode))
            os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(writing)
    except OSError as error:
        if error.errno != errno.EEXIST and os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    finally:
        os.close(reading)


def _copy_link(source: str, temporary: str) -> None:
    os.symlink(os.readlink(source), temporary)
    if _is_root():
        status = os.lstat(source)
        os.lchown(temporary, status.st_uid, status.st_gid)


def _copy_bytes(reading: int, writing: int, size: int) -> None:
    """Have the kernel copy; where it cannot between these files, copy by hand."""
    try:
        while size > 0:
            copied = os.sendfile(writing, reading, None, min(size, _CHUNK))
            size = size - copied if copied else 0
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise
        for chunk in iter(lambda: os.read(reading, _CHUNK), b""):
            left = memoryview(chunk)
            while left:
                left = left[os.write(writing, left) :]


def _is_root() -> bool:
    return os.geteuid() == 0


def change_owner(instruction: ChangeOwner, path: str) -> None:
    """Set owner and group. What is already so needs no right to change it.

    Raises
    ------
    EventError
        Where the host does not allow it, with the reason.
    """
    owner = user_id(instruction.owner) if instruction.owner else -1
    group = group_id(instruction.group) if instruction.group else -1
    status = os.lstat(path)
    if owner in (-1, status.st_uid) and group in (-1, status.st_gid):
        return
    try:
        os.lchown(path, owner, group)
    except OSError as error:
        if os.geteuid() != 0:
            reason = "the runner is not root"
        else:
            reason = "this host does not allow it (a user namespace may not know that user or group)"
        raise EventError(
            "Cannot give %s to owner %s, group %s: %s: %s. Leave owner and group out of permissions there, or run "
            "the host's SSM agent as root."
            % (
                instruction.file,
                instruction.owner or "(as it is)",
                instruction.group or "(as it is)",
                reason,
                error.strerror,
            )
        ) from None


def _change_mode(instruction: ChangeMode, path: str) -> None:
    if not os.path.islink(path):  # a link has no mode of its own, and what it points to is not ours to change
        os.chmod(path, int(instruction.mode, 8))
