"""Planning an Install, and what clean-up takes away."""

import os

import pytest

from tidegate_runner.cleanup import CleanupRecord, partial_name
from tidegate_runner.errors import EventError
from tidegate_runner.paths import HostPaths
from tidegate_runner.plan import View, make_plan

ARCHIVE = "/archive"


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "archive").mkdir()
    return HostPaths(str(tmp_path))


def put(paths, logical, text="x"):
    real = paths.at(logical)
    os.makedirs(os.path.dirname(real), exist_ok=True)  # noqa: PTH103, PTH120 - HostPaths gives text
    with open(real, "w") as stream:  # noqa: PTH123
        stream.write(text)


def plan(paths, *files, behavior="DISALLOW", forgotten=()):
    spec = {"files": [{"source": source, "destination": destination} for source, destination in files]}
    made = make_plan(spec, behavior, ARCHIVE, View(paths, forgotten))
    made.refuse()
    return [i.to_json() for i in made.instructions]


def targets(instructions):
    return [i.get("directory") or i["destination"] for i in instructions]


def test_folders_give_their_contents_and_files_go_into_the_destination(paths):
    for name in ("app/a", "app/.hidden", "app/sub/b", "one.txt"):
        put(paths, f"{ARCHIVE}/{name}")
    made = plan(paths, ("app", "/srv/app"), ("/one.txt", "/srv/app"))
    assert targets(made) == [
        "/srv", "/srv/app", "/srv/app/.hidden", "/srv/app/a", "/srv/app/sub", "/srv/app/sub/b", "/srv/app/one.txt",
    ]  # fmt: skip


def test_links_to_files_stay_links_and_links_to_folders_are_followed(paths, tmp_path):
    put(paths, f"{ARCHIVE}/real/a")
    (tmp_path / "archive" / "folder").symlink_to("real")
    (tmp_path / "archive" / "file").symlink_to("real/a")
    (tmp_path / "archive" / "nowhere").symlink_to("gone")
    assert targets(plan(paths, ("/", "/srv"))) == [
        "/srv", "/srv/file", "/srv/folder", "/srv/folder/a", "/srv/nowhere", "/srv/real", "/srv/real/a",
    ]  # fmt: skip


def test_what_cannot_be_planned(paths, tmp_path):
    for name in ("a", "sub/a", "d/a/x"):
        put(paths, f"{ARCHIVE}/{name}")
    (tmp_path / "archive" / "loop").mkdir()
    (tmp_path / "archive" / "loop" / "again").symlink_to("..")
    cases = [
        ([("a", "/srv"), ("sub/a", "/srv")], "specifies two source files named"),
        ([("d", "/srv"), ("a", "/srv")], "a file with that name already exists at the location ("),
        ([("a", "/srv"), ("d", "/srv")], "includes an mkdir command more than once for the same destination path"),
        ([("gone", "/srv"), ("gone-too", "/srv")], "No such file or directory in the revision: gone, gone-too"),
        ([("loop", "/srv")], "leads back to a folder it is in"),
    ]
    for files, fragment in cases:
        with pytest.raises(EventError) as caught:
            plan(paths, *files)
        assert fragment in str(caught.value)


def test_what_is_in_the_way(paths):
    put(paths, f"{ARCHIVE}/a")
    put(paths, "/srv/a")
    put(paths, "/file")
    with pytest.raises(EventError, match="already exists at this location: /srv/a"):
        plan(paths, ("a", "/srv"))
    with pytest.raises(EventError, match="a directory is needed there"):
        plan(paths, ("a", "/file"))
    with pytest.raises(EventError, match="invalid option was specified for fileExistsBehavior: MAYBE"):
        plan(paths, ("a", "/srv"), behavior="MAYBE")
    assert targets(plan(paths, ("a", "/srv"), behavior="OVERWRITE")) == ["/srv/a"]
    assert targets(plan(paths, ("a", "/srv"), behavior="RETAIN")) == []
    assert targets(plan(paths, ("a", "/srv"), forgotten=["/srv/a"])) == ["/srv/a"]


def test_clean_up_takes_only_what_was_made_newest_first(paths, tmp_path):
    log = []
    record = CleanupRecord(paths, "g")
    for name in ("/srv/app/a", "/srv/app/own", "/srv/b"):
        put(paths, name)
    put(paths, "/srv/" + partial_name("g"))
    os.symlink("/etc", paths.at("/srv/link"))  # noqa: PTH211
    record.start()
    for path in ("/srv", "/srv/app", "/srv/app/a", "/srv/b", "/srv/link", "/srv/gone"):
        record.add(path)
    record.close()
    with open(record.path, "ab") as stream:  # noqa: PTH123
        stream.write(b"/srv/app/ow")  # cut short by a crash
    record.undo(log.append)
    left = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "srv").rglob("*"))
    assert left == ["srv/app", "srv/app/own"]
    assert record.lines() == []
    assert any("Kept the directory /srv/app" in line for line in log)
    record.undo(log.append)  # again: nothing to do


def test_a_record_that_others_could_write_is_not_believed(paths):
    put(paths, "/srv/a")
    record = CleanupRecord(paths, "g")
    record.start()
    record.add("/srv/a")
    record.close()
    os.chmod(record.path, 0o666)  # noqa: PTH101
    record.undo(print)
    assert os.path.exists(paths.at("/srv/a"))  # noqa: PTH110
