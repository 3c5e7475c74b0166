"""The few Linux calls that Python 3.11 does not offer, by way of the C library.

Every function raises OSError with the call and its main argument in the text.
"""

import contextlib
import ctypes
import os

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36

# mount_setattr has this number on every architecture (it was added after numbers were unified).
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1

# What a host's root may not do, because it would reach the machine (numbers of capabilities(7)):
# change the network, which is shared; load modules; touch raw devices; set the clock; make device
# nodes; read the kernel log; watch or program the kernel.
_MACHINE_CAPABILITIES = (12, 16, 17, 25, 27, 34, 38, 39)

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own."""
    _check(_libc.unshare(flags), f"unshare(0x{flags:x})")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace an open descriptor stands for."""
    _check(_libc.setns(descriptor, kind), f"setns(0x{kind:x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    arguments = [text.encode() or None for text in (source, target, kind)]
    _check(
        _libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None),
        f"mount {kind or 'bind'} on {target}",
    )


def bind_read_only(source: str, target: str, flags: int = 0) -> None:
    """Show `source` at `target`, where nothing can be written through it; if not that, then not at all."""
    mount(source, target, flags=MS_BIND)
    try:
        mount("", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
    except OSError:
        unmount(target)
        raise


def make_read_only(target: str) -> None:
    """Make the mount at `target` and all mounts below it read-only (Linux 5.12 and later)."""
    attributes = _MountAttr(attr_set=_MOUNT_ATTR_RDONLY)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        _AT_FDCWD,
        target.encode(),
        _AT_RECURSIVE,
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _check(result, f"mount_setattr {target}")


def unmount(target: str) -> None:
    """Take the mount at `target` out of the tree, in use or not."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def enter_root(folder: str) -> None:
    """Make the mount at `folder` the root of this mount namespace and let go of the old one."""
    os.chdir(folder)
    _check(_libc.pivot_root(b".", b"."), f"pivot_root {folder}")
    # The old root is now stacked on the new one: the relative name finds it.
    unmount(".")
    os.chdir("/")


def set_host_name(name: str) -> None:
    """Name the host of this UTS namespace."""
    text = name.encode()
    _check(_libc.sethostname(text, ctypes.c_size_t(len(text))), f"sethostname {name}")


def die_with_parent(signal: int) -> None:
    """Ask for `signal` when the thread that started this process ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0), "prctl(PDEATHSIG)")


def be_dumpable() -> None:
    """Let the same user look into /proc/<pid> again, which a change of credentials takes away."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0), "prctl(DUMPABLE)")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl(SUBREAPER)")


def drop_machine_capabilities() -> None:
    """Take from all programs started later what would let them change the machine itself."""
    for capability in _MACHINE_CAPABILITIES:
        with contextlib.suppress(OSError):
            _check(_libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0), "prctl(CAPBSET)")
