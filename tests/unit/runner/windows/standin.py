"""Makes a Python on Linux look like one on Windows, as far as the host runner can see, and runs a program in it.

``python standin.py [-I -S] -c PROGRAM ARGUMENT...``, as ``sys.executable`` is called. It takes away the modules and
calls that Windows does not have, has paths joined and split the way of Windows, and stands in for ``msvcrt``. It is no
Windows: what Windows itself does with files, locks and processes is not tried here.
"""

import builtins
import fcntl
import io
import ntpath
import os
import posixpath
import shutil
import subprocess
import sys
import tempfile  # noqa: F401  (while paths are still those of Linux)
import types
import zipfile  # noqa: F401

NO_MODULES = ("fcntl", "pwd", "grp", "resource", "termios", "pty", "posix", "syslog", "readline")
NO_CALLS = (
    "fork",
    "forkpty",
    "setsid",
    "setpgid",
    "getpgrp",
    "killpg",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "fchmod",
    "fchown",
    "chown",
    "lchown",
    "statvfs",
    "sendfile",
    "set_blocking",
    "pwrite",
    "pread",
    "mkfifo",
    "O_NOFOLLOW",
    "O_DIRECTORY",
    "getpgid",
    "getsid",
    "posix_spawn",
    "copy_file_range",
    "sched_getaffinity",
)
NO_SIGNALS = ("SIGKILL", "SIGHUP", "SIGPIPE", "SIGCHLD", "SIGUSR1")
#: CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_BREAKAWAY_FROM_JOB
KNOWN_FLAGS = 0x200 | 0x8000000 | 0x1000000
_real_popen = subprocess.Popen
set_mode = os.chmod


def plain(path):
    """Give the path on this machine: what joins with a backslash here means folders."""
    return path.replace("\\", "/") if isinstance(path, str) else path


def translating(call, places=1):
    def translated(*arguments, **more):
        return call(*[plain(each) if n < places else each for n, each in enumerate(arguments)], **more)

    return translated


class Popen(_real_popen):
    """Takes Windows' creation flags; finds Windows' programs in the folder of stand-ins."""

    def __init__(self, command, creationflags=0, cwd=None, **more):
        assert not creationflags & ~KNOWN_FLAGS, hex(creationflags)
        assert "start_new_session" not in more
        assert "preexec_fn" not in more
        if os.environ.get("STANDIN_JOB") and creationflags & 0x1000000:
            raise PermissionError(13, "Access is denied")
        if isinstance(command, str):  # cmd's own quoting
            program, _, rest = command.partition(" /s /c ")
            assert rest.startswith('""'), command
            assert rest.endswith('""'), command
            command = [program, "/s", "/c", rest[2:-2]]
        program = ntpath.basename(command[0])
        found = posixpath.join(os.environ["STANDIN_BIN"], program)
        if not posixpath.exists(found):
            found = plain(command[0])
            if posixpath.exists(found):
                set_mode(found, 0o755)  # Windows has no right to execute
        command = [found, *command[1:]]
        super().__init__(command, start_new_session=creationflags != 0, cwd=plain(cwd), **more)

    def kill(self):
        os.kill(self.pid, 9)


class SearchPath(list):
    """Takes paths as Windows joins them: Python's own import is Linux's here."""

    def insert(self, index, path):
        super().insert(index, plain(path))


def msvcrt():
    module = types.ModuleType("msvcrt")
    module.LK_NBLCK = 2

    def locking(descriptor, mode, count):
        assert (mode, count) == (2, 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) > 1 << 20, "a byte that is read by others must not be locked"
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None

    module.locking = locking
    return module


def windows_paths():
    """Give an ``os.path`` that reads text as Windows does and looks at this machine's files."""
    module = types.ModuleType("ntpath")
    module.__dict__.update({name: value for name, value in vars(ntpath).items() if not name.startswith("__")})
    on_disk = (
        "exists",
        "lexists",
        "isfile",
        "isdir",
        "islink",
        "ismount",
        "getsize",
        "getmtime",
        "realpath",
        "samefile",
    )
    for name in on_disk:
        setattr(module, name, translating(getattr(posixpath, name)))
    module.abspath = lambda path: posixpath.abspath(plain(path))
    return module


def become_windows():
    one = (
        "open",
        "mkdir",
        "rmdir",
        "remove",
        "unlink",
        "lstat",
        "stat",
        "listdir",
        "scandir",
        "utime",
        "chmod",
        "readlink",
        "truncate",
        "access",
        "makedirs",
        "chdir",
    )
    for name in one:
        setattr(os, name, translating(getattr(os, name)))
    for name in ("rename", "replace", "link", "symlink"):
        setattr(os, name, translating(getattr(os, name), 2))
    rename = os.replace

    def windows_rename(source, target):
        if posixpath.lexists(plain(target)):
            raise FileExistsError(17, "Cannot create a file when that file already exists", source)
        rename(source, target)

    os.rename = windows_rename
    os.walk = translating(os.walk)
    builtins.open = io.open = translating(open)
    os.path = sys.modules["os.path"] = shutil.os.path = windows_paths()
    os.sep = "\\"
    os.O_BINARY = 0
    room = shutil.disk_usage("/")
    shutil.disk_usage = lambda _: room
    # Windows changes nothing here; Linux' own removal goes through calls that Windows lacks.
    shutil._use_fd_functions = shutil._USE_CP_SENDFILE = False
    subprocess.Popen = Popen
    for name in NO_CALLS:
        if hasattr(os, name):
            delattr(os, name)
    import select
    import signal

    del select.poll
    for name in NO_SIGNALS:
        delattr(signal, name)
    for name in NO_MODULES:
        sys.modules[name] = None
    sys.modules["msvcrt"] = msvcrt()
    sys.path = SearchPath(sys.path)


def main(arguments):
    sys.executable = os.environ["STANDIN_PYTHON"]
    while arguments[0] in ("-I", "-S"):
        arguments = arguments[1:]
    assert arguments[0] in ("-c", "-"), arguments
    program = sys.stdin.read() if arguments[0] == "-" else arguments[1]
    sys.argv = ["-c", *arguments[2:]]
    become_windows()
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main(sys.argv[1:])
