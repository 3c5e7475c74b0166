"""The Install event: plan, remove the last install, carry out the plan."""

import os
import shutil
import stat
from typing import Callable, List

from tidegate_runner.access import set_acl, set_context
from tidegate_runner.cleanup import CleanupRecord, partial_name
from tidegate_runner.errors import EventError
from tidegate_runner.files import describe, write_json
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
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.permissions import group_id, user_id
from tidegate_runner.plan import View, make_plan
from tidegate_runner.pointers import Pointers

_CHUNK = 1024 * 1024


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
    archive = place.logical + "/deployment-archive"
    behavior = order.appspec.get("fileExistsBehavior") or order.file_exists_behavior
    record = CleanupRecord(host, order.group_id)
    try:
        plan = make_plan(order.appspec, behavior, archive, View(host, record.paths()))
        if record.lines():
            record.undo(log)
            plan = make_plan(order.appspec, behavior, archive, View(host))
        instructions = [instruction.to_json() for instruction in plan]
        write_json(host.instructions(order.group_id + "-install.json"), {"instructions": instructions})
        _carry_out(plan, host, order.group_id, record)
    except OSError as error:
        raise EventError("The Install event failed: %s." % describe(error)) from None
    Pointers(host, order.group_id).set_last_successful(place)


def _carry_out(plan: List[Instruction], host: HostPaths, group: str, record: CleanupRecord) -> None:
    record.start()
    try:
        for instruction in plan:
            _do(instruction, host, group, record)
    finally:
        record.close()


def _do(instruction: Instruction, host: HostPaths, group: str, record: CleanupRecord) -> None:
    if isinstance(instruction, Copy):
        record.add(instruction.destination)
        copy_file(host.at(instruction.source), host.at(instruction.destination), partial_name(group))
    elif isinstance(instruction, MakeFolder):
        os.mkdir(host.at(instruction.directory))
        record.add(instruction.directory)
    elif isinstance(instruction, ChangeOwner):
        change_owner(instruction, host.at(instruction.file))
    elif isinstance(instruction, ChangeMode):
        _change_mode(instruction, host.at(instruction.file))
    elif isinstance(instruction, SetAcl):
        set_acl(host.at(instruction.file), instruction.acl)
    elif isinstance(instruction, SetContext):
        set_context(host.at(instruction.file), instruction.context)
        record.add_context(instruction.file)


def copy_file(source: str, destination: str, partial: str) -> None:
    """Copy a file or link with mode, time and (as root) owner, in one step as seen from outside.

    Writing beside it and renaming means that no reader sees half a file, that a program in use can be
    replaced, and that an existing link is replaced and not written through.
    """
    temporary = os.path.join(os.path.dirname(destination), partial)
    if os.path.lexists(temporary):
        os.unlink(temporary)
    if os.path.islink(source):
        os.symlink(os.readlink(source), temporary)
        if os.geteuid() == 0:
            status = os.lstat(source)
            os.lchown(temporary, status.st_uid, status.st_gid)
    else:
        _copy_content(source, temporary)
    try:
        os.rename(temporary, destination)
    except OSError:
        os.unlink(temporary)
        raise


def _copy_content(source: str, temporary: str) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(reading, "rb") as from_stream:
        status = os.fstat(reading)
        writing = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(writing, "wb") as to_stream:
            shutil.copyfileobj(from_stream, to_stream, _CHUNK)
            to_stream.flush()
            if os.geteuid() == 0:
                os.fchown(writing, status.st_uid, status.st_gid)
            os.fchmod(writing, stat.S_IMODE(status.st_mode))
            os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))


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
