"""The process that forks the workers of Lambda functions, each with what all of them import already there.

Importing boto3, Powertools and the layer takes longer than most calls. This process does it once and forks a worker a
request, much as "Lambda SnapStart" in the Lambda developer guide starts from a snapshot. It knows nothing of any
function: variables, credentials, policies and the handler's name reach the worker after the fork, past this process.

It has one thread, always: a fork copies the calling thread alone, and all locks as they are.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate_local.preload import preload
from tidegate_local.worker import serve

FORK = b"fork"
READY = b"ready"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Job:
    """What a forked worker is handed: descriptors of its requests, its answers and its log."""

    requests: int
    answers: int
    log: int


class ForkServer:
    """Forks a worker for each message on its socket, and tells of each worker's end.

    A message brings four descriptors: those of a `Job`, and the worker's leash. The leash is a socket between the
    local cloud and this process: its end kills the worker, whose exit status goes back on it.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._leashes: dict[int, socket.socket] = {}
        self._killed: set[int] = set()
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> Job | None:
        """Serve until the local cloud is gone. In a forked worker it returns, too: with the worker's job."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._control.send(READY)
        while True:
            held: dict[Any, int] = {leash: pid for pid, leash in self._leashes.items() if pid not in self._killed}
            readable, _, _ = select.select([self._control, self._wake, *held], [], [])
            if self._wake in readable:
                os.read(self._wake, 1 << 12)
            for leash in held.keys() & set(readable):
                self._kill(held[leash])
            self._reap()
            if self._control not in readable:
                continue
            descriptors = self._next()
            job = self._fork(Job(*descriptors[:3]), descriptors[3]) if descriptors else None
            if job is not None or not descriptors:
                return job

    def _next(self) -> list[int]:
        try:
            return socket.recv_fds(self._control, len(FORK), 4)[1]
        except ConnectionResetError:
            return []  # the local cloud went without having read all that was sent to it

    def _fork(self, job: Job, leash: int) -> Job | None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(server, job)
            return job
        for descriptor in (job.requests, job.answers, job.log):
            os.close(descriptor)
        self._leashes[pid] = socket.socket(fileno=leash)
        return None

    def _become_worker(self, server: int, job: Job) -> None:
        die_with_parent(server)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Nothing is kept of this process, nor of other workers, whose pipes would never end otherwise.
        for other in (self._control, *self._leashes.values()):
            other.detach()
        kept = {0, 1, 2, job.requests, job.answers, job.log}
        for descriptor in {int(path.name) for path in Path("/proc/self/fd").iterdir()} - kept:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the one that listed them
        os.dup2(job.log, 1)
        os.dup2(job.log, 2)
        os.close(job.log)

    def _kill(self, pid: int) -> None:
        # Nobody has waited for it yet: the number is still this worker's.
        self._killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._leashes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._killed.discard(pid)
            with self._leashes.pop(pid) as leash:
                try:
                    leash.send(str(os.waitstatus_to_exitcode(status)).encode())
                except OSError:
                    continue  # nobody wants to know any more

    def end(self) -> None:
        """Kill all workers; they are gone when this returns."""
        for pid in self._leashes:
            os.kill(pid, signal.SIGKILL)
        for pid in self._leashes:
            os.waitpid(pid, 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, named by its id, ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main(control_fd: int, parent: int, path: list[str]) -> None:
    """Be a fork server: import what there is on the path, say so, and fork.

    Parameters
    ----------
    control_fd
        Descriptor of the socket to the local cloud (SOCK_SEQPACKET).
    parent
        Process id of the local cloud.
    path
        Folders of layers, before all others on ``sys.path``.
    """
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:0] = path
    brought = preload()
    # Collecting garbage would write to what all workers share, and copy it.
    gc.collect()
    gc.freeze()
    server = ForkServer(socket.socket(fileno=control_fd))
    try:
        job = server.run()
    except BrokenPipeError:
        return  # the local cloud was stopped before all was imported
    if job is None:
        server.end()
    else:
        serve(job.requests, job.answers, path, brought)
