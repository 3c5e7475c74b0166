"""What an Install is to do, as values. Paths are logical."""

from typing import Any, Dict, List, NamedTuple, Optional, Union


class MakeFolder(NamedTuple):
    directory: str

    def to_json(self) -> Dict[str, Any]:
        return {"type": "mkdir", "directory": self.directory}


class Copy(NamedTuple):
    source: str
    destination: str

    def to_json(self) -> Dict[str, Any]:
        return {"type": "copy", "source": self.source, "destination": self.destination}


class ChangeOwner(NamedTuple):
    owner: Optional[str]
    group: Optional[str]
    file: str

    def to_json(self) -> Dict[str, Any]:
        return {"type": "chown", "owner": self.owner, "group": self.group, "file": self.file}


class ChangeMode(NamedTuple):
    mode: str
    file: str

    def to_json(self) -> Dict[str, Any]:
        return {"type": "chmod", "mode": self.mode, "file": self.file}


class SetAcl(NamedTuple):
    acl: List[str]
    file: str

    def to_json(self) -> Dict[str, Any]:
        return {"type": "setfacl", "acl": self.acl, "file": self.file}


class SetContext(NamedTuple):
    context: Dict[str, Optional[str]]
    file: str

    def to_json(self) -> Dict[str, Any]:
        return {"type": "semanage", "context": self.context, "file": self.file}


Instruction = Union[MakeFolder, Copy, ChangeOwner, ChangeMode, SetAcl, SetContext]
