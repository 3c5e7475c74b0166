"""Run a program in a local host from any process of the same user: `tidegate local exec`."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from tidegate_local.hosts import kernel
from tidegate_local.hosts.isolation import (
    DEFAULT_ENVIRONMENT,
    HOST_ADDRESS_VARIABLE,
    HOST_ROOT_VARIABLE,
    HostError,
    Isolation,
)

_NAMESPACES = (
    ("mnt", kernel.CLONE_NEWNS),
    ("uts", kernel.CLONE_NEWUTS),
    ("ipc", kernel.CLONE_NEWIPC),
    ("pid", kernel.CLONE_NEWPID),
)


def exec_in_host(description: Mapping[str, Any], argv: Sequence[str]) -> int:
    """Run a program in a host, with this process's own standard streams and terminal.

    Parameters
    ----------
    description : as given by `LocalHost.describe`

    Returns
    -------
    int : its exit status; 128 and the signal's number when a signal ended it; 127 when it is not there

    Raises
    ------
    HostError : the host is not running, or belongs to another user
    """
    if not argv:
        raise HostError("no command was given; say for instance: tidegate local exec host-1 -- hostname")
    isolation = Isolation(description["isolation"])
    descriptors = [] if isolation is Isolation.FOLDER else _open_namespaces(description, isolation)
    if isolation is Isolation.FOLDER:
        os.write(2, f"(no isolation here: {HOST_ROOT_VARIABLE}={description['root']})\n".encode())
    sys.stdout.flush()
    sys.stderr.flush()
    # The terminal's interrupt is for the program; who waits for it must not die of it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # A process of its own, since one with several threads may not enter namespaces.
        helper = os.fork()
        if helper == 0:
            _enter(description, descriptors, argv)
        return _status(os.waitpid(helper, 0)[1])
    finally:
        signal.signal(signal.SIGINT, before)
        for descriptor, _ in descriptors:
            os.close(descriptor)


def _open_namespaces(description: Mapping[str, Any], isolation: Isolation) -> list[tuple[int, int]]:
    kinds = [*_NAMESPACES]
    if isolation is Isolation.USER_NAMESPACE:
        kinds.insert(0, ("user", kernel.CLONE_NEWUSER))  # the right to enter the others comes with it
    opened: list[tuple[int, int]] = []
    try:
        for name, kind in kinds:
            opened.append((os.open(f"/proc/{description['pid']}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind))
    except OSError as error:
        for descriptor, _ in opened:
            os.close(descriptor)
        if isinstance(error, PermissionError):
            raise HostError(f"{description['name']} was started by another user; use that user's account") from error
        raise HostError(f"{description['name']} is not running; start it with: tidegate local up") from error
    return opened


def _enter(description: Mapping[str, Any], descriptors: list[tuple[int, int]], argv: Sequence[str]) -> NoReturn:
    try:
        for descriptor, kind in descriptors:
            kernel.setns(descriptor, kind)
        if descriptors and os.uname().nodename != description["name"]:
            _fail(f"{description['name']} is not running; start it with: tidegate local up", 126)
        # Only children are in the process namespace that was entered.
        program = os.fork()
        if program == 0:
            _become(description, argv)
        os._exit(_status(os.waitpid(program, 0)[1]))
    except OSError as error:
        _fail(f"{description['name']}: cannot be entered: {error.strerror}", 126)


def _become(description: Mapping[str, Any], argv: Sequence[str]) -> NoReturn:
    environment = {**description.get("environment", {}), **DEFAULT_ENVIRONMENT, "HOME": "/root", "LANG": "C.UTF-8"}
    with suppress(KeyError):
        environment["TERM"] = os.environ["TERM"]
    if description["isolation"] == Isolation.FOLDER:
        environment[HOST_ROOT_VARIABLE] = description["root"]
        environment[HOST_ADDRESS_VARIABLE] = description["address"]
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.chdir("/")
        if description["isolation"] != Isolation.FOLDER:
            kernel.drop_machine_capabilities()
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606 - a program, no shell
    except OSError as error:
        _fail(f"{argv[0]}: {error.strerror}", 127 if isinstance(error, FileNotFoundError) else 126)


def _fail(text: str, status: int) -> NoReturn:
    os.write(2, f"{text}\n".encode())
    os._exit(status)


def _status(wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code
