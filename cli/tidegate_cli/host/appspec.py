"""The AppSpec of a bundle on this machine, compiled before anything is run.

The bundle is only read here. What is wrong with it as an archive is found, and said, by DownloadBundle; here a
broken one just holds no AppSpec.
"""

from __future__ import annotations

import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.appspec import AppSpecError, compile_server_appspec, find_appspec
from tidegate.appspec.find import DEFAULT_NAME, FALLBACK_NAMES
from tidegate_cli.host.lifecycle import install_problem
from tidegate_cli.host.options import BundleType

__all__ = ["Compiled", "compile_bundle"]

_MOST_TEXT = 1 << 20
_MOST_MEMBERS = 200_000
_MOST_UNPACKED = 20 << 30
_MOST_HOPS = 8
_WITHOUT_SLASHES = (0, 10, 11, 14)  # made on FAT or NTFS: names may have backslashes


@dataclass(frozen=True, slots=True)
class Compiled:
    """The ``appspec`` of an order (the compiled form, or ``error``), and what its author should know."""

    document: dict[str, Any]
    warnings: tuple[str, ...] = ()


def compile_bundle(
    bundle: Path, kind: BundleType, asked_for: str | None, events: Sequence[str], possible: Sequence[str] | None
) -> Compiled:
    """Find, read and compile the AppSpec of a bundle.

    Parameters
    ----------
    bundle : Path
    kind : BundleType
    asked_for : str, optional
        The file's name in the bundle.
    events : sequence of str
        What is going to be run; those CodeDeploy does not know take their scripts from the AppSpec as well.
    possible : sequence of str, optional
        All events the AppSpec may name; None where unknown ones are ignored.
    """
    name, data = _in_folder(bundle, asked_for) if kind is BundleType.DIRECTORY else _in_archive(bundle, kind, asked_for)
    if data is None:
        return Compiled({"error": _missing(bundle, asked_for)})
    if len(data) > _MOST_TEXT:
        return Compiled({"error": f"The AppSpec file {name} is larger than 1 MiB."})
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Compiled({"error": f"The AppSpec file {name} is not UTF-8 text: {error}."})
    return _compile(name, asked_for, text, events, possible)


def _compile(
    name: str, asked_for: str | None, text: str, events: Sequence[str], possible: Sequence[str] | None
) -> Compiled:
    try:
        spec = compile_server_appspec(text, custom_events=[*events, *(possible or ())])
    except AppSpecError as error:
        return Compiled({"error": str(error)})
    document = spec.to_json()
    problem = install_problem(posixpath.basename(name), spec.event_names, events, possible)
    if problem:
        document["installError"] = problem
    warnings = list(spec.warnings)
    if asked_for and not name.endswith(_clean(asked_for)):
        warnings.insert(0, f"the bundle holds no {asked_for}; {name} is used in its place")
    return Compiled(document, tuple(warnings))


def _missing(bundle: Path, asked_for: str | None) -> str:
    wanted = asked_for or " or ".join(FALLBACK_NAMES)
    return (
        f"The host did not find an AppSpec file in the bundle {bundle}: it holds no {wanted}. "
        "Put it at the bundle's top, or name it with --appspec."
    )


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _in_folder(folder: Path, asked_for: str | None) -> tuple[str, bytes | None]:
    # A name given for a folder can be looked up at once, so another file in its place would be a surprise.
    names: Collection[str] = (asked_for,) if asked_for else (DEFAULT_NAME, *FALLBACK_NAMES)
    for name in names:
        path = folder / _clean(name)
        if path.is_file():
            with path.open("rb") as stream:
                return name, stream.read(_MOST_TEXT + 1)
    return "", None


def _in_archive(archive: Path, kind: BundleType, asked_for: str | None) -> tuple[str, bytes | None]:
    try:
        if kind is BundleType.ZIP:
            return _in_zip(archive, asked_for)
        return _in_tar(archive, kind, asked_for)
    except Exception:  # the archive libraries raise nearly anything for damaged input; DownloadBundle tells
        return "", None


def _in_zip(path: Path, asked_for: str | None) -> tuple[str, bytes | None]:
    with zipfile.ZipFile(path) as archive:
        members = {_zip_name(member): member for member in archive.infolist()}
        name = find_appspec(members, asked_for)
        shown = name or ""
        for _ in range(_MOST_HOPS):
            if name is None or name not in members:
                break
            with archive.open(members[name]) as stream:
                data = stream.read(_MOST_TEXT + 1)
            if not stat.S_ISLNK(members[name].external_attr >> 16):
                return shown, data
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), data.decode()))
    return shown, None


def _zip_name(member: zipfile.ZipInfo) -> str:
    name = member.filename
    return name.replace("\\", "/") if member.create_system in _WITHOUT_SLASHES and "/" not in name else name


def _in_tar(path: Path, kind: BundleType, asked_for: str | None) -> tuple[str, bytes | None]:
    # As hosts read them: a tar may be compressed in any way, a tgz is compressed with gzip.
    with tarfile.open(path, "r:gz" if kind is BundleType.TGZ else "r:*") as archive:
        members: dict[str, tarfile.TarInfo] = {}
        size = 0
        for member in archive:
            members[member.name] = member
            size += member.size
            if len(members) > _MOST_MEMBERS or size > _MOST_UNPACKED:
                return "", None
        name = find_appspec(members, asked_for)
        content = archive.extractfile(members[name]) if name is not None else None  # follows links within the archive
        return name or "", content.read(_MOST_TEXT + 1) if content else None
