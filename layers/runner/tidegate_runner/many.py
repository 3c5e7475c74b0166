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


class _Run(NamedTuple):
    """Copies from one folder to another, one behind the other and in the order of their names."""

    source: str
    destination: str
    names: List[str]


class Instructions:
    """Instructions in order. Files of a folder that follow each other are kept by their names."""

    def __init__(self) -> None:
        self._kept: List[Union[Instruction, _Run]] = []
        self._runs: Dict[str, List[_Run]] = {}

    def append(self, instruction: Instruction) -> None:
        self._kept.append(instruction)

    def copy(self, source: str, destination: str, name: str) -> None:
        """Have a file copied from one folder to another."""
        last = self._kept[-1] if self._kept else None
        if isinstance(last, _Run) and last[:2] == (source, destination) and last.names[-1] < name:
            last.names.append(name)
            return
        run = _Run(source, destination, [name])
        self._kept.append(run)
        self._runs.setdefault(destination, []).append(run)

    def source_of(self, destination: str) -> Optional[str]:
        """Give what is copied to a path."""
        folder, _, name = destination.rpartition("/")
        for run in self._runs.get(folder, ()):
            place = bisect_left(run.names, name)
            if place < len(run.names) and run.names[place] == name:
                return run.source + "/" + name
        return None

    def __iter__(self) -> Iterator[Instruction]:
        for kept in self._kept:
            if isinstance(kept, _Run):
                for name in kept.names:
                    yield Copy(kept.source + "/" + name, kept.destination + "/" + name)
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
