"""Pure: how Windows reads paths and names, and what starts a script there. Not run on Windows yet.

Logical paths keep one spelling in the whole runner: forward slashes, an absolute path, the drive's letter in capitals
(``C:/srv/app``, ``//server/share/app``). Windows itself takes that spelling.
"""

import ntpath
import re
from typing import Dict, Iterable, List, Mapping, Tuple, Union

from tidegate_runner.errors import EventError

_DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\xb9\xb2\xb3]) *(?:[.:].*)?", re.I | re.S
)
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
POWERSHELL = "WindowsPowerShell\\v1.0\\powershell.exe"


def logical_path(text: str, system_drive: str = "C:") -> str:
    """Give the one spelling of a path; a path without a drive is on the system's.

    >>> logical_path("c:\\\\temp\\\\..\\\\app")
    'C:/app'
    """
    drive, rest = ntpath.splitdrive(text.replace("/", "\\"))
    rest = ntpath.normpath("\\" + rest.lstrip("\\"))
    drive = drive.upper() if drive.endswith(":") else drive
    return (drive or system_drive).replace("\\", "/") + rest.replace("\\", "/")


def drive_of(path: str) -> str:
    """Give a logical path's drive or share."""
    return ntpath.splitdrive(path)[0]


def real_path(path: str, root: str) -> str:
    """Put another root in front of a logical path; a drive is a folder there."""
    drive, rest = ntpath.splitdrive(path)
    return "%s/%s%s" % (root, drive.replace(":", "").lstrip("/"), rest) if root else path


def destination_path(text: str, system_drive: str = "C:") -> str:
    """Give the logical path of a destination of the AppSpec.

    Raises
    ------
    EventError
        Where the path is a device's, or holds a name that Windows has no file for.
    """
    if text.replace("/", "\\").startswith(("\\\\?\\", "\\\\.\\")):
        raise EventError("The AppSpec file names the device path %s as destination; name a folder." % text)
    path = logical_path(text, system_drive)
    for part in ntpath.splitdrive(path)[1].split("/"):
        problem = part and _problem(part)
        if problem:
            raise EventError("The AppSpec file names the destination %s, in which %r %s." % (text, part, problem))
    return path


def check_member(name: str) -> None:
    """Refuse a bundle's member that would not be a file of that name on Windows.

    Raises
    ------
    EventError
    """
    for part in name.split("/"):
        problem = part not in ("", ".", "..") and _problem(part)
        if problem:
            raise EventError("The bundle holds the member %r, in which %r %s on Windows." % (name, part, problem))


def _problem(part: str) -> str:
    if _FORBIDDEN.search(part):
        return 'has a character (one of <>:"|?*\\ or a control character) that no name may have'
    if part[-1] in ". ":
        return "ends in a dot or blank, which would be dropped"
    return "is the name of a device" if _DEVICE.fullmatch(part) else ""


def same(path: str) -> str:
    """Give the text in which two spellings of one path agree: Windows does not tell capitals apart."""
    return logical_path(path).lower()


def refuse_doubles(copies: Iterable[Tuple[str, str]]) -> None:
    """Refuse pairs of source and destination where two destinations differ in capitals only.

    Raises
    ------
    EventError
    """
    seen: Dict[str, Tuple[str, str]] = {}
    for source, destination in copies:
        first = seen.setdefault(same(destination), (source, destination))
        if first[1] != destination:
            raise EventError(
                "The AppSpec file specifies two source files named %s and %s for the same destination %s: Windows does "
                "not tell capital letters from small ones" % (first[0], source, destination)
            )


def system_program(name: str, environ: Mapping[str, str]) -> str:
    """Give the path of a program of Windows itself: by its name alone another one might be found first."""
    return "%s\\System32\\%s" % (environ.get("SYSTEMROOT") or environ.get("SystemRoot") or "C:\\Windows", name)


def script_command(path: str, environ: Mapping[str, str]) -> Union[str, List[str]]:
    """Give what starts a script: by the ending of its name, as CodeDeploy's agent does.

    Raises
    ------
    ValueError
        Where Windows cannot start such a file.
    """
    path = path.replace("/", "\\")
    ending = ntpath.splitext(path)[1].lower()
    if ending == ".ps1":
        return [system_program(POWERSHELL, environ), "-ExecutionPolicy", "Bypass", "-File", path]
    if ending in (".bat", ".cmd"):
        if "%" in path:
            raise ValueError("its path holds %, with which cmd marks variables")
        # One text, not a list: with /s, cmd takes the outer quotes away and all between them as it is.
        return '%s /s /c ""%s""' % (system_program("cmd.exe", environ), path)
    if ending == ".exe":
        return [path]
    raise ValueError("Windows hosts run .ps1, .bat, .cmd and .exe files only")
