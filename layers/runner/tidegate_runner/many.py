"""Very many paths in little memory: of each its name alone, by folder."""

from bisect import bisect_left
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Union

from tidegate_runner.instructions import Copy, Instruction


class PathSet:
    """Paths that are added one by one, then asked for; a folder's names are sorted when it is first asked for."""

    def __init__(self) -> None:
        self._names: Dict[str, List[str]] = {}
        self._sorted: Set[str] = set()

    def add(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._names.setdefault(folder, []).append(name)
        self._sorted.discard(folder)

    def __contains__(self, path: object) -> bool:
        folder, _, name = str(path).rpartition("/")
        return self.kept(folder, name) is not None

    def kept(self, folder: str, name: str) -> Optional[str]:
        """Give the name as it is kept here, so that who keeps it as well need not keep a second one."""
        names = self._names.get(folder)
        if names is None:
            return None
        if folder not in self._sorted:
            names.sort()
            self._sorted.add(folder)
        place = bisect_left(names, name)
        return names[place] if place < len(names) and names[place] == name else None

    def __iter__(self) -> Iterator[str]:
        return (folder + "/" + name for folder, names in self._names.items() for name in names)

    def names(self, folder: str) -> List[str]:
        """Give the names of what is directly in a folder."""
        return self._names.get(folder, [])


class _Files:
    """Files that go from one folder to another, in the order of their names."""

    def __init__(self, source: str, destination: str) -> None:
        self.source = source
        self.destination = destination
        self.names: List[str] = []


class _Run(NamedTuple):
    """Some files of a folder, one behind the other: up to `end`, where the next run of it begins."""

    files: _Files
    begin: int
    end: int


class Instructions:
    """Instructions in order. Of copies only the names are kept, by folder."""

    def __init__(self) -> None:
        self._kept: List[Union[Instruction, _Run]] = []
        self._files: Dict[str, List[_Files]] = {}

    def append(self, instruction: Instruction) -> None:
        self._kept.append(instruction)

    def copy(self, source: str, destination: str, name: str) -> None:
        """Have a file copied from one folder to another."""
        known = self._files.setdefault(destination, [])
        if not known or known[-1].source != source or known[-1].names[-1] >= name:
            known.append(_Files(source, destination))
        files = known[-1]
        files.names.append(name)
        end = len(files.names)
        last = self._kept[-1] if self._kept else None
        if isinstance(last, _Run) and last.files is files:
            self._kept[-1] = last._replace(end=end)
        else:
            self._kept.append(_Run(files, end - 1, end))

    def source_of(self, destination: str) -> Optional[str]:
        """Give what is copied to a path."""
        folder, _, name = destination.rpartition("/")
        for files in self._files.get(folder, ()):
            place = bisect_left(files.names, name)
            if place < len(files.names) and files.names[place] == name:
                return files.source + "/" + name
        return None

    def __iter__(self) -> Iterator[Instruction]:
        for kept in self._kept:
            if isinstance(kept, _Run):
                source, destination = kept.files.source + "/", kept.files.destination + "/"
                for place in range(kept.begin, kept.end):
                    name = kept.files.names[place]
                    yield Copy(source + name, destination + name)
            else:
                yield kept


class Destinations:
    """The paths that instructions copy something to."""

    def __init__(self, instructions: Instructions) -> None:
        self._instructions = instructions

    def __contains__(self, path: object) -> bool:
        return self._instructions.source_of(str(path)) is not None

    def __iter__(self) -> Iterator[str]:
        return (one.destination for one in self._instructions if isinstance(one, Copy))
