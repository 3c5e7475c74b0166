"""The first process of a host: starts programs in it, adopts orphans, and takes all with it when it ends.

In namespaces it is process 1, so the kernel ends everything else when it dies. Over a re-rooted
folder there is no such help: it adopts every descendant and ends them itself.
"""

import contextlib
import os
import select
import signal
import socket
from pathlib import Path

from tidegate_local.hosts import kernel, wire
from tidegate_local.hosts.rootfs import replace_file

_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)


class FirstProcess:
    """Serves one host's requests until the other end, or whoever is watched, is gone.

    Parameters
    ----------
    end : where requests come from and reports go to
    watched : a descriptor that becomes readable when the local cloud's process has died, or None
    owns_processes : True where the kernel ends all processes of the host with this one
    """

    def __init__(self, end: socket.socket, watched: int | None, owns_processes: bool) -> None:
        self._end = end
        self._watched = watched
        self._owns_processes = owns_processes
        self._running: dict[int, int] = {}  # process id -> the number it was asked for with
        self._groups: dict[int, int] = {}  # that number -> process group, as long as it has members

    def serve(self) -> None:
        """Work until told to stop."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        stopped: list[int] = []
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        sources = [self._end.fileno(), wake_read] + ([] if self._watched is None else [self._watched])
        going_on = True
        while going_on and not stopped:
            self._reap()
            ready = select.select(sources, [], [])[0]
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
            if self._watched in ready:
                break
            if self._end.fileno() in ready:
                going_on = self._answer()
        if not self._owns_processes:
            end_descendants()

    def _answer(self) -> bool:
        message, descriptors = wire.receive(self._end)
        try:
            if message is None or message["do"] == "stop":
                return False
            if message["do"] == "start":
                self._start(message, descriptors)
            elif message["do"] == "signal":
                self._signal(message["number"], message["signal"], message["group"])
            elif message["do"] == "names":
                replace_file(Path("/etc/hosts"), message["text"])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _start(self, message: wire.Message, descriptors: list[int]) -> None:
        try:
            process = os.fork()
        except OSError as error:
            self._report({"number": message["number"], "error": f"fork: {error.strerror}"})
            return
        if process == 0:
            _become(message, descriptors)
        self._running[process] = message["number"]
        self._groups[message["number"]] = process
        # Reported before anything else is answered: a signal can only follow the start.
        self._report({"number": message["number"], "process": process})

    def _signal(self, number: int, which: int, group: bool) -> None:
        process = self._groups.get(number)
        if process is None or not (group or process in self._running):
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process, which) if group else os.kill(process, which)

    def _reap(self) -> None:
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if process == 0:
                break
            number = self._running.pop(process, None)
            if number is not None:
                self._report({"number": number, "ended": os.waitstatus_to_exitcode(status)})
        # A number must not be kept longer than its group: it may be given to a stranger.
        self._groups = {
            number: group for number, group in self._groups.items() if group in self._running or _has_members(group)
        }

    def _report(self, message: wire.Message) -> None:
        with contextlib.suppress(OSError):
            wire.send(self._end, message)


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _become(message: wire.Message, descriptors: list[int]) -> None:
    """In the child: a session of its own, the given files, no others; never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for which in _RESET_SIGNALS:
            signal.signal(which, signal.SIG_DFL)
        os.setsid()
        # Copies first: a given file may have one of the numbers that are about to be replaced.
        copies = [_above_standard(descriptor) for descriptor in descriptors]
        for number, copy in enumerate(copies):
            os.dup2(copy, number)
        os.closerange(3, 1024)
        os.umask(0o022)
        os.chdir(message["cwd"])
        os.execvpe(message["argv"][0], message["argv"], message["env"])  # noqa: S606 - a program, no shell
    except OSError as error:
        os.write(2, f"{message['argv'][0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    finally:
        os._exit(126)


def _above_standard(descriptor: int) -> int:
    import fcntl  # only the child of a host's first process needs it

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 3)


def end_descendants() -> None:
    """Kill every descendant of this process, until there is none."""
    kernel.adopt_orphans()
    while True:
        for process in _descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants(process: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found
