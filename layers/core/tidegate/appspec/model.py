"""The compiled form of a server AppSpec: what an order carries to a host."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FileMapping:
    """An entry of ``files``. ``source`` is relative to the revision, ``destination`` absolute."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Script:
    """A script of a lifecycle event. ``timeout`` is in seconds."""

    location: str
    timeout: int = 3600
    runas: str | None = None
    sudo: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """An entry of ``permissions``. ``mode`` is octal text of four digits."""

    object: str
    pattern: str = "**"
    excluded: tuple[str, ...] = ()
    type: tuple[str, ...] = ("file", "directory")
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    acls: tuple[str, ...] = ()
    context: Mapping[str, str | None] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the entry as the host contract spells it (``excluded`` is ``except`` there)."""
        return {
            "object": self.object,
            "pattern": self.pattern,
            "except": list(self.excluded),
            "type": list(self.type),
            "owner": self.owner,
            "group": self.group,
            "mode": self.mode,
            "acls": list(self.acls),
            "context": dict(self.context) if self.context is not None else None,
        }


@dataclass(frozen=True, slots=True)
class ServerAppSpec:
    """A checked AppSpec of a server revision, with what is legal in it but probably not meant."""

    os: str
    file_exists_behavior: str | None = None
    files: tuple[FileMapping, ...] = ()
    hooks: Mapping[str, tuple[Script, ...]] = field(default_factory=dict)
    permissions: tuple[Permission, ...] = ()
    warnings: tuple[str, ...] = ()
    event_names: tuple[str, ...] = ()
    """All names below ``hooks`` in the file, those included that no host runs."""

    def to_json(self) -> dict[str, Any]:
        """Give the compiled form of the host contract: a JSON object, ready for ``json.dumps``."""
        return {
            "os": self.os,
            "fileExistsBehavior": self.file_exists_behavior,
            "files": [asdict(entry) for entry in self.files],
            "hooks": {event: [asdict(script) for script in self.hooks[event]] for event in self.hooks},
            "permissions": [entry.to_json() for entry in self.permissions],
        }
