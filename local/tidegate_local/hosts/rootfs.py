"""The file system of one host: everything of the machine's can be read, nothing reaches it.

Writes land in a tmpfs that only the host's own mount namespace has, and are gone with it.
"""

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tidegate_local.hosts import kernel
from tidegate_local.hosts.mounts import Mount, has_mounts_below, is_fresh, overlay_options

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
# Through these even a process in a namespace changes the machine itself.
_MACHINE_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi")
_SMALL_FILE = 1 << 20


class RootFilesystem:
    """Builds a host's root in a mount namespace that is already private.

    Parameters
    ----------
    stage : an empty folder to mount on; seen from the machine it stays empty
    cover : what is mounted beside ``/`` (`mounts.to_cover`)
    skeleton : in a user namespace, the layer of folders the host's root may write to
    """

    def __init__(self, stage: Path, cover: Sequence[Mount], skeleton: Path | None) -> None:
        self._stage = stage
        self._root = stage / "root"
        self._points = [mount.point for mount in cover]
        self._skeleton = skeleton
        self._layers = 0

    def build(self) -> Path:
        """Mount everything; returns the folder to make the root."""
        kernel.mount("tmpfs", str(self._stage), "tmpfs", options="mode=755")
        for name in ("root", "upper", "work"):
            (self._stage / name).mkdir()
        if self._skeleton is None:
            self._overlay("/")
            for point in self._points:
                self._cover(point)
        else:
            # A mount that has others on it, which this namespace may not lift, cannot be a layer.
            kernel.mount("tmpfs", str(self._root), "tmpfs", options="mode=755")
            self._mirror_folder("/")
        self._make_fresh()
        return self._root

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _overlay(self, path: str) -> None:
        self._layers += 1
        upper, work = self._stage / "upper" / str(self._layers), self._stage / "work" / str(self._layers)
        upper.mkdir()
        work.mkdir()
        # An overlay's root looks like its uppermost layer's.
        with suppress(OSError):
            upper.chmod(stat.S_IMODE(Path(path).stat().st_mode))
        lower = [path]
        if self._skeleton is not None and (self._skeleton / path.lstrip("/")).is_dir():
            lower.insert(0, str(self._skeleton / path.lstrip("/")))
        options = overlay_options(lower, str(upper), str(work), self._skeleton is not None)
        kernel.mount("overlay", str(self._at(path)), "overlay", options=options)

    def _cover(self, point: str) -> None:
        """Bring a mount into the host. Whatever fails leaves what lies under it, in the host's own layer."""
        target = self._at(point)
        try:
            if not Path(point).is_dir():
                self._copy_file(point)
            elif target.is_dir():
                self._overlay(point)
        except OSError:
            with suppress(OSError):
                kernel.bind_read_only(point, str(target))

    def _mirror_folder(self, path: str) -> None:
        if not has_mounts_below(path, [*self._points, *(["/proc"] if path == "/" else [])]):
            try:
                self._overlay(path)
            except OSError:
                with suppress(OSError):  # an empty folder is left where even reading is impossible
                    kernel.bind_read_only(path, str(self._at(path)))
            return
        with suppress(PermissionError), os.scandir(path) as entries:
            for entry in entries:
                if not is_fresh(entry.path):
                    self._mirror_entry(entry)

    def _mirror_entry(self, entry: os.DirEntry[str]) -> None:
        target = self._at(entry.path)
        if entry.is_symlink():
            target.symlink_to(os.readlink(entry.path))  # noqa: PTH115 - byte for byte
        elif entry.is_dir():
            target.mkdir()
            if os.access(entry.path, os.R_OK | os.X_OK):
                with suppress(OSError):
                    target.chmod(stat.S_IMODE(entry.stat().st_mode) | stat.S_IRWXU)
                self._mirror_folder(entry.path)
        elif entry.is_file():
            with suppress(OSError):
                self._copy_file(entry.path)

    def _copy_file(self, path: str) -> None:
        target = self._at(path)
        if Path(path).stat().st_size <= _SMALL_FILE:
            target.unlink(missing_ok=True)
            shutil.copy(path, target)
            return
        target.touch()
        kernel.bind_read_only(path, str(target))

    def _make_fresh(self) -> None:
        for name, mode in (("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("run", 0o755), ("tmp", 0o1777)):
            (self._root / name).mkdir(exist_ok=True)
            if name not in ("proc", "sys"):
                kernel.mount("tmpfs", str(self._root / name), "tmpfs", options=f"mode={mode:o}")
        self._make_proc()
        self._make_sys()
        self._make_dev()
        (self._root / "run/lock").mkdir()
        (self._root / "run/lock").chmod(0o1777)
        if (self._root / "var/run").is_dir() and not (self._root / "var/run").is_symlink():
            kernel.mount(str(self._root / "run"), str(self._root / "var/run"), flags=kernel.MS_BIND)

    def _make_proc(self) -> None:
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        proc = self._root / "proc"
        kernel.mount("proc", str(proc), "proc", flags)
        for name in _MACHINE_PROC:
            if (proc / name).exists():
                kernel.bind_read_only(str(proc / name), str(proc / name), flags)

    def _make_sys(self) -> None:
        target = str(self._root / "sys")
        try:
            if self._skeleton is None:
                kernel.mount("sysfs", target, "sysfs", kernel.MS_RDONLY)
                return
            kernel.mount("/sys", target, flags=kernel.MS_BIND | kernel.MS_REC)
        except OSError:
            return
        try:
            kernel.make_read_only(target)
        except OSError:
            kernel.unmount(target)  # an older kernel: rather no /sys than one that can be written to

    def _make_dev(self) -> None:
        dev = self._root / "dev"
        for name in _DEVICES:
            (dev / name).touch()
            kernel.mount(f"/dev/{name}", str(dev / name), flags=kernel.MS_BIND)
        for name, target in _DEVICE_LINKS.items():
            (dev / name).symlink_to(target)
        for name in ("pts", "shm"):
            (dev / name).mkdir()
        kernel.mount("devpts", str(dev / "pts"), "devpts", options="newinstance,ptmxmode=0666,mode=620")
        kernel.mount("tmpfs", str(dev / "shm"), "tmpfs", options="mode=1777")


def name_host(root: Path, name: str, names: str) -> None:
    """Write the files that say who the host is: /etc/hostname, /etc/hosts, and a resolver that works."""
    resolver = _text_of(Path("/etc/resolv.conf"))
    replace_file(root / "etc/hostname", f"{name}\n")
    replace_file(root / "etc/hosts", names)
    if resolver is not None and (root / "etc/resolv.conf").is_symlink():
        replace_file(root / "etc/resolv.conf", resolver)  # it points into /run, which the host has afresh


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def replace_file(path: Path, text: str) -> None:
    """Put a new file in place of the old one, which may belong to a user the host does not have."""
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o644)
