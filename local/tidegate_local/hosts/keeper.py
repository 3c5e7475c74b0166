"""The keeper: one small process that starts the hosts of a fleet and never outlives the local cloud.

It is a process of its own because namespaces must be made by one that has a single thread, and
because the kernel's "kill me with my parent" follows the thread that started a process.

Run as ``python -I -S -c <entry> <descriptor> <isolation> <folder>``; the standard library alone is needed.
"""

import contextlib
import os
import select
import signal
import socket
import sys
from pathlib import Path

from tidegate_local.hosts import kernel, wire
from tidegate_local.hosts.first_process import FirstProcess
from tidegate_local.hosts.isolation import Isolation
from tidegate_local.hosts.mounts import Mount, parse_mountinfo, to_cover
from tidegate_local.hosts.rootfs import RootFilesystem, name_host
from tidegate_local.hosts.skeleton import build

_FOLDERS = ("etc", "opt", "srv", "usr/local/bin", "var/log", "var/tmp", "tmp", "run", "root", "home")


class Keeper:
    """Answers ``start`` and ``end``; ends all hosts when the local cloud is gone."""

    def __init__(self, end: socket.socket, isolation: Isolation, folder: Path) -> None:
        self._end = end
        self._isolation = isolation
        self._folder = folder
        self._hosts: dict[str, int] = {}
        kernel.adopt_orphans()
        self._cloud = _watch(os.getppid())
        self._skeleton: Path | None = None
        self._cover: list[Mount] = []

    def prepare(self) -> None:
        """Do once what all hosts share."""
        if self._isolation is Isolation.FOLDER:
            return
        for name in ("stage", "skeleton"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_text())
        self._cover = to_cover(mounts, [str(self._folder)])
        if self._isolation is Isolation.USER_NAMESPACE:
            _become_root_of_a_user_namespace()
            self._skeleton = self._folder / "skeleton"
            kernel.mount("tmpfs", str(self._skeleton), "tmpfs", options="mode=755")
            build(Path("/"), self._skeleton, os.getuid())

    def serve(self) -> None:
        """Work until the local cloud closes its end or dies."""
        sources = [self._end.fileno()] + ([] if self._cloud is None else [self._cloud])
        while True:
            ready = select.select(sources, [], [])[0]
            message, descriptors = wire.receive(self._end) if self._end.fileno() in ready else (None, [])
            if message is None:
                break
            if message["do"] == "start":
                self._start(message, descriptors[0])
            else:
                self._finish(message["name"])
                wire.send(self._end, {"gone": message["name"]})
        for name in list(self._hosts):
            self._finish(name)

    def _start(self, message: wire.Message, descriptor: int) -> None:
        # The host begins when this pipe ends: it must first be this process's own child.
        gate, opener = os.pipe()
        try:
            process = self._fork_host(message, descriptor, gate, opener)
            self._hosts[message["name"]] = process
            wire.send(self._end, {"process": process})
        except OSError as error:
            wire.send(self._end, {"error": str(error)})
        finally:
            for number in (gate, opener, descriptor):
                os.close(number)

    def _fork_host(self, message: wire.Message, descriptor: int, gate: int, opener: int) -> int:
        """The process id of the host's first process, by way of one that ends at once.

        Whoever asks for a new process namespace puts all its later children there; hence the one between.
        The first process then becomes this one's child, since this one adopts orphans.
        """
        if self._isolation is Isolation.FOLDER:
            process = os.fork()
            if process == 0:
                self._be_host(message, descriptor, gate, opener)
            return process
        result, report = os.pipe()
        between = os.fork()
        if between == 0:
            try:
                kernel.unshare(kernel.CLONE_NEWPID)
                process = os.fork()
                if process == 0:
                    self._be_host(message, descriptor, gate, opener)
                os.write(report, str(process).encode())
            except OSError as error:
                os.write(report, str(error).encode())
            finally:
                os._exit(0)
        os.waitpid(between, 0)
        answer = os.read(result, 4096).decode()
        os.close(result)
        os.close(report)
        if not answer.isdigit():
            raise OSError(answer)
        return int(answer)

    def _be_host(self, message: wire.Message, descriptor: int, gate: int, opener: int) -> None:
        """In the child: build the host and serve it; never returns."""
        end = wire.from_descriptor(descriptor)
        try:
            os.close(opener)
            os.read(gate, 1)
            alone = self._isolation is Isolation.FOLDER
            kernel.die_with_parent(signal.SIGTERM if alone else signal.SIGKILL)
            self._end.close()
            root = self._build_folder(message) if alone else self._build_namespaces(message)
            wire.send(end, {"ready": str(root)})
            FirstProcess(end, self._cloud, owns_processes=not alone).serve()
        except OSError as error:
            with contextlib.suppress(OSError):
                wire.send(end, {"error": str(error)})
        finally:
            os._exit(0)

    def _build_folder(self, message: wire.Message) -> Path:
        kernel.adopt_orphans()
        root = Path(message["root"])
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        return root

    def _build_namespaces(self, message: wire.Message) -> Path:
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.set_host_name(message["name"])
        root = RootFilesystem(self._folder / "stage", self._cover, self._skeleton).build()
        name_host(root, message["name"], message["names"])
        kernel.enter_root(str(root))
        kernel.drop_machine_capabilities()
        kernel.be_dumpable()
        return root

    def _finish(self, name: str) -> None:
        process = self._hosts.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM if self._isolation is Isolation.FOLDER else signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, 0)


def _watch(process: int) -> int | None:
    """A descriptor that becomes readable when the process dies; None before Linux 5.3."""
    try:
        return os.pidfd_open(process)
    except (OSError, AttributeError):
        return None


def _become_root_of_a_user_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    kernel.be_dumpable()
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)


def main() -> None:
    """Entry of the process."""
    descriptor, isolation, folder = sys.argv[1:4]
    end = wire.from_descriptor(int(descriptor))
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    keeper = Keeper(end, Isolation(isolation), Path(folder))
    try:
        keeper.prepare()
    except OSError as error:
        wire.send(end, {"error": str(error)})
        return
    wire.send(end, {"ready": os.getpid()})
    keeper.serve()
