"""The AppSpec of server deployments (EC2 and on-premises), compiled and checked."""

import ntpath
import posixpath
import re
from collections.abc import Collection
from typing import Literal

from tidegate.appspec.checks import Findings, describe, entries_of, is_absent, leaves_folder, text_of
from tidegate.appspec.errors import AppSpecError, Problem
from tidegate.appspec.model import FileMapping, Script, ServerAppSpec
from tidegate.appspec.permissions import OctalReading, compile_permissions
from tidegate.appspec.reader import Node, Scalar, read_yaml
from tidegate.appspec.windows import check_windows_script, refuse_permissions

SCRIPTABLE_EVENTS = (
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)
FILE_EXISTS_BEHAVIORS = ("DISALLOW", "OVERWRITE", "RETAIN")
DEFAULT_TIMEOUT = 3600
LONGEST_COMMAND = 172_800  # seconds; SSM Run Command's own limit (48 hours)


def compile_server_appspec(
    text: str,
    octal: OctalReading = "as-written",
    custom_events: Collection[str] = (),
    os: Literal["linux", "windows"] | None = "linux",
) -> ServerAppSpec:
    """Compile the AppSpec file of a server revision.

    Parameters
    ----------
    text : str
        The file, YAML 1.1, at most 1 MiB of UTF-8.
    octal : {"as-written", "1.8.1"}
        How to read a mode with a leading zero and without quotes: as its author meant it, or as version 1.8.1
        of CodeDeploy's agent does, for which ``0644`` is 0420 and ``0755`` an error.
    custom_events : collection of str
        Names that run scripts beside CodeDeploy's own; hosts run them only when they are told to by hand.
    os : {"linux", "windows"} or None
        What the hosts run; the file must say the same. ``None``: whatever the file says.

    Returns
    -------
    ServerAppSpec
        With ``warnings`` for what is allowed but probably not meant.

    Raises
    ------
    AppSpecError
        With every problem found. Its text begins with the fragment the CodeDeploy agent uses for the
        first one; the order is the agent's: version, os, hooks, files, permissions, file_exists_behavior.
    """
    tree, warnings = read_yaml(text)
    if is_absent(tree):
        raise AppSpecError([_EMPTY])
    findings = Findings(warnings=warnings)
    if not isinstance(tree, dict):
        findings.problem("the AppSpec file must be a map", "(file)", tree, "keys such as version and os", "Add them")
        raise AppSpecError(findings.problems)
    _check_version(tree.get("version"), findings)
    os = _read_os(tree.get("os"), os, findings)
    hooks, names = _compile_hooks(tree.get("hooks"), custom_events, os, findings)
    files = _compile_files(tree.get("files"), os, findings)
    permissions = compile_permissions(tree.get("permissions"), findings, octal)
    if os == "windows" and permissions:
        refuse_permissions(tree.get("permissions"), findings)
    behavior = _compile_file_exists_behavior(tree.get("file_exists_behavior"), findings)
    if findings.problems:
        raise AppSpecError(findings.problems)
    return ServerAppSpec(os, behavior, files, hooks, permissions, tuple(findings.warnings), names)


_EMPTY = Problem(
    "application specification file was empty",
    "(file)",
    "nothing",
    "an AppSpec with version and os",
    "Write at least 'version: 0.0' and 'os: linux'",
)


def _check_version(node: "Node | None", findings: Findings) -> None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return
    shown = node.text if isinstance(node, Scalar) else ""
    message = f"invalid version value ({shown}) in the AppSpec file"
    findings.problem(message, "version", node, "the number 0.0", "Write 'version: 0.0' without quotes")


def _read_os(
    node: "Node | None", os: Literal["linux", "windows"] | None, findings: Findings
) -> Literal["linux", "windows"]:
    """Give the system that the rest is read for."""
    value = node.value if isinstance(node, Scalar) else None
    if value == "linux" and os in (value, None):
        return "linux"
    if value == "windows" and os in (value, None):
        return "windows"
    shown = value if isinstance(value, str) else describe(node)
    expected = os or "linux or windows"
    remedy = f"Write 'os: {os}'" if os else "Write 'os: linux' or 'os: windows'"
    if value in ("linux", "windows"):
        remedy = f"The hosts run {os}; deploy a revision that is made for it"
    findings.problem(f"unsupported operating system ({shown})", "os", node, expected, remedy)
    return os or "linux"


def _compile_hooks(
    node: "Node | None", custom_events: Collection[str], os: str, findings: Findings
) -> tuple[dict[str, tuple[Script, ...]], tuple[str, ...]]:
    if is_absent(node):
        return {}, ()
    if not isinstance(node, dict):
        findings.problem(
            "hooks must be a map", "hooks", node, "event names with lists of scripts", "Indent them below hooks"
        )
        return {}, ()
    hooks: dict[str, tuple[Script, ...]] = {}
    for event, scripts in node.items():
        path = f"hooks.{event}"
        if event not in SCRIPTABLE_EVENTS and event not in custom_events:
            findings.warn(path, "not an event that runs scripts on servers; its scripts never run")
            continue
        entries = entries_of(scripts, path, findings)
        compiled = tuple(_compile_script(where, entry, os, findings) for where, entry in entries)
        if compiled:
            hooks[event] = compiled
        total = sum(script.timeout for script in compiled)
        if total > LONGEST_COMMAND:
            findings.warn(path, f"the timeouts add up to {total} s; a host's command ends after {LONGEST_COMMAND} s")
    return hooks, tuple(node)


def _compile_script(path: str, entry: "dict[str, Node]", os: str, findings: Findings) -> Script:
    location = text_of(entry.get("location"))
    if not location:
        findings.problem(
            "specifies a script with no location value",
            f"{path}.location",
            entry.get("location"),
            "a path in the revision",
            "Name the script's file",
        )
        location = ""
    elif leaves_folder(_portable(location, os)):
        _outside(f"{path}.location", entry.get("location"), findings)
    runas = text_of(entry.get("runas")) or None
    if runas is not None and runas.startswith("-"):
        findings.problem("invalid user name", f"{path}.runas", entry.get("runas"), "a user name", "Name a user")
    sudo = _sudo(path, entry.get("sudo"), findings)
    if os == "windows":
        check_windows_script(path, entry, location, sudo, findings)
    return Script(location, _timeout(path, entry, findings), runas, sudo)


def _timeout(path: str, entry: "dict[str, Node]", findings: Findings) -> int:
    """Read a timeout as Ruby's ``to_i`` does: the leading digits count, the rest is dropped."""
    node = entry.get("timeout")
    if is_absent(node):
        return DEFAULT_TIMEOUT
    seconds = 0
    if isinstance(node, Scalar) and not isinstance(node.value, bool):
        if isinstance(node.value, int):
            seconds = node.value
        else:
            match = re.match(r"\s*([-+]?[0-9]{1,12})", node.text)
            seconds = int(match.group(1)) if match else 0
            findings.warn(f"{path}.timeout", f"{node.text!r} is not a whole number of seconds; read as {seconds}")
    if seconds <= 0:
        findings.problem(
            "invalid timeout value was provided for a script",
            f"{path}.timeout",
            node,
            "a whole number of seconds above 0",
            "Write for example 'timeout: 300'",
        )
    return seconds


def _sudo(path: str, node: "Node | None", findings: Findings) -> bool:
    if is_absent(node):
        return False
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    # The agent takes every value but false and nothing for true, the text "false" included.
    findings.warn(f"{path}.sudo", f"{describe(node)} counts as true; write true or false without quotes")
    return True


def _compile_files(node: "Node | None", os: str, findings: Findings) -> tuple[FileMapping, ...]:
    files = []
    for path, entry in entries_of(node, "files", findings):
        source = text_of(entry.get("source"))
        destination = text_of(entry.get("destination"))
        if not source:
            found = entry.get("source")
            message = "specifies a destination file, but no source file"
            findings.problem(message, f"{path}.source", found, "a path in the revision", "Add 'source'")
        elif not destination:
            found = entry.get("destination")
            message = f"specifies only a source file ({source})"
            findings.problem(message, f"{path}.destination", found, "a directory on the host", "Add 'destination'")
        elif leaves_folder(_portable(source, os)):
            _outside(f"{path}.source", entry.get("source"), findings)
        elif "\0" in source + destination or "\n" in source + destination:
            message = "a path must not hold line breaks or NUL"
            findings.problem(message, path, entry.get("source"), "plain paths", "Rename it")
        else:
            files.append(FileMapping(source, _absolute(path, destination, os, findings)))
    return tuple(files)


def _portable(path: str, os: str) -> str:
    """Give a path in the revision with the separators of its archive."""
    return path.replace("\\", "/") if os == "windows" else path


def _absolute(path: str, destination: str, os: str, findings: Findings) -> str:
    if os == "windows":
        if not ntpath.splitdrive(destination)[0]:
            findings.warn(f"{path}.destination", f"{destination!r} names no drive; the system's drive is taken")
        return ntpath.normpath(destination)
    if not destination.startswith("/"):
        findings.warn(f"{path}.destination", f"{destination!r} is not absolute; read as '/{destination}'")
    return "/" + posixpath.normpath("/" + destination).lstrip("/")


def _compile_file_exists_behavior(node: "Node | None", findings: Findings) -> str | None:
    if is_absent(node):
        return None
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and value in FILE_EXISTS_BEHAVIORS:
        return value
    shown = node.text if isinstance(node, Scalar) else describe(node)
    findings.problem(
        f"invalid file_exists_behavior value ({shown})",
        "file_exists_behavior",
        node,
        "DISALLOW, OVERWRITE or RETAIN",
        "Use one of them, in capitals",
    )
    return None


def _outside(path: str, node: "Node | None", findings: Findings) -> None:
    message = "a path leaves the revision's folder"
    findings.problem(message, path, node, "a path inside the revision", "Remove the '..'")
