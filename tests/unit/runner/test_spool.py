"""The spool on its own: segments, bounds, and who may send what."""

import json
import os

from tidegate_runner import spool as spooling
from tidegate_runner.sender import send
from tidegate_runner.spool import Spool, prune, read_segment, segments, spooled_stages

DEAD = {"url": "http://127.0.0.1:9/", "fields": {"key": "progress/d-9/${filename}"}}


def written(folder, lines, **options):
    spool = Spool(str(folder), **options)
    for number in range(lines):
        spool.write(1764000000.0 + number, "Install", "stdout", "x" * 100)
    return spool


def records(folder):
    found = b"".join(read_segment(segment) for segment in segments(str(folder)))
    return [json.loads(line) for line in found.splitlines()]


def test_segments_are_bounded_and_hold_every_line_in_order(tmp_path):
    folder = tmp_path / "d-1" / "host"
    spool = written(folder, 2000)
    spool.close()
    found = segments(str(folder))
    assert [segment.number for segment in found] == list(range(len(found)))
    assert len(found) > 1
    assert all(len(read_segment(segment)) < spooling.SEGMENT_BYTES + 200 for segment in found)
    assert [record[0] for record in records(folder)] == [1764000000.0 + number for number in range(2000)]
    assert (folder / "000000.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_second_writer_uses_no_number_twice(tmp_path):
    folder = tmp_path / "d-1" / "host"
    written(folder, 3).close()
    written(folder, 3).close()
    assert [segment.number for segment in segments(str(folder))] == [0, 1]
    assert len(records(folder)) == 6


def test_a_spool_that_cannot_be_written_harms_nobody(tmp_path):
    (tmp_path / "d-1").write_text("a file where a folder is needed")
    spool = written(tmp_path / "d-1" / "host", 3)
    spool.end(1764000000.0, "Succeeded")
    spool.close()
    assert spooled_stages(str(tmp_path)) == []


def test_pruning_takes_the_oldest_first_and_leaves_living_writers_alone(tmp_path):
    for number in range(3):
        written(tmp_path / f"d-{number}" / "host", 1000).close()
        os.utime(tmp_path / f"d-{number}" / "host", (1764000000 + number, 1764000000 + number))
    living = written(tmp_path / "d-living" / "host", 1000)
    os.utime(tmp_path / "d-living" / "host", (1, 1))
    prune(str(tmp_path), now=1764000100.0, most_bytes=330_000)
    assert sorted(stage.deployment for stage in spooled_stages(str(tmp_path))) == ["d-2", "d-living"]
    living.close()
    prune(str(tmp_path), now=1764000100.0 + spooling.KEPT_SECONDS, most_bytes=1 << 40)
    assert list(tmp_path.iterdir()) == []


def test_a_sender_makes_room_for_one_with_a_fresher_grant(tmp_path):
    written(tmp_path / "d-1" / "host", 1).close()
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        (tmp_path / "newest").write_text(json.dumps("somebody else"))

    assert send(DEAD, "d-9", "i-1", str(tmp_path), monotonic=lambda: 0.0, sleep=sleep) is False
    assert len(waits) == 1
    assert [stage.deployment for stage in spooled_stages(str(tmp_path))] == ["d-1"]


def test_a_sender_gives_up_in_the_end_and_leaves_all_there(tmp_path):
    written(tmp_path / "d-1" / "host", 1).close()
    time = [0.0]

    def sleep(seconds):
        time[0] += 60 * seconds

    assert send(DEAD, "d-9", "i-1", str(tmp_path), monotonic=lambda: time[0], sleep=sleep) is False
    assert len(records(tmp_path / "d-1" / "host")) == 1


def test_a_sender_leaves_what_a_living_writer_holds(tmp_path, server):
    spool = written(tmp_path / "d-1" / "host", 2)
    grant = {"url": server.put("/progress", b""), "fields": {"key": "progress/d-1/${filename}"}}
    assert send(grant, "d-1", "i-1", str(tmp_path)) is True
    assert server.posts == []
    spool.end(1764000009.0, "Succeeded")
    spool.close()
    assert send(grant, "d-1", "i-1", str(tmp_path)) is True
    assert [record[2] for record in server.lines("progress/d-1/i-1/host.")] == ["stdout", "stdout", "end"]
    assert not (tmp_path / "d-1").exists()
