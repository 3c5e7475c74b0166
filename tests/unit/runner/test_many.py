"""Very many paths: kept by folder, and read back as they came."""

import os

from hypothesis import given
from hypothesis import strategies as st

from tidegate_runner.cleanup import CleanupRecord
from tidegate_runner.instructions import Copy, MakeFolder
from tidegate_runner.many import Destinations, Instructions, PathSet
from tidegate_runner.paths import HostPaths

FOLDERS = st.sampled_from(["", "/srv", "/srv/a", "/srv/a/b", "/var"])
NAMES = st.text("ab.é\udc80", min_size=1, max_size=3)
PATHS = st.lists(st.tuples(FOLDERS, NAMES), max_size=30)


@given(PATHS, PATHS)
def test_a_set_of_paths_holds_what_was_added(added, others):
    found = PathSet()
    for number, (folder, name) in enumerate(added):
        found.add(folder + "/" + name)
        if number % 3 == 0:  # asked in between
            assert folder + "/" + name in found
    paths = {folder + "/" + name for folder, name in added}
    assert set(found) == paths
    for folder, name in added + others:
        assert (folder + "/" + name in found) == (folder + "/" + name in paths)
        assert found.kept(folder, name) == (name if folder + "/" + name in paths else None)


@given(st.lists(st.tuples(FOLDERS, FOLDERS, NAMES) | st.just(None), max_size=30, unique=True))
def test_instructions_come_back_in_their_order(wanted):
    kept, made = Instructions(), []
    for number, one in enumerate(wanted):
        if one is None:
            made.append(MakeFolder(f"/made/{number}"))
            kept.append(made[-1])
        else:
            source, destination, name = one
            made.append(Copy(f"/archive{source}/{name}", destination + "/" + name))
            kept.copy("/archive" + source, destination, name)
    assert list(kept) == made
    copies = [one for one in made if isinstance(one, Copy)]
    assert list(Destinations(kept)) == [one.destination for one in copies]
    for one in copies:
        assert kept.source_of(one.destination) in {
            each.source for each in copies if one.destination == each.destination
        }
        assert one.destination in Destinations(kept)
    assert kept.source_of("/srv/nothing of it") is None


def test_a_record_longer_than_a_read_is_read_backwards(tmp_path):
    record = CleanupRecord(HostPaths(str(tmp_path)), "g")
    paths = [f"/srv/{'x' * (number % 97)}/{number}" for number in range(9_000)]
    paths.insert(4_000, "/srv/" + "y" * 200_000)  # longer than what is read at once
    record.start()
    for path in paths:
        record.add(path)
    record.close()
    assert os.path.getsize(record.path) > 500_000  # noqa: PTH202
    assert list(record.newest_first()) == paths[::-1]
    with open(record.path, "ab") as stream:  # noqa: PTH123
        stream.write(b"/srv/cut short")
    assert list(record.newest_first()) == paths[::-1]


def test_a_record_without_a_whole_line_is_empty(tmp_path):
    record = CleanupRecord(HostPaths(str(tmp_path)), "g")
    record.start()
    record.close()
    assert record.lines() == []
    with open(record.path, "ab") as stream:  # noqa: PTH123
        stream.write(b"/srv/cut short")
    assert record.lines() == []
