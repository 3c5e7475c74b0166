"""Log segments in the bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tidegate.gateways.logs import Logs
from tidegate.model.logs import Segment


@pytest.fixture
def bucket(cloud: Callable[[str], Any]) -> Any:
    client = cloud("s3")
    client.create_bucket(Bucket="own")
    return client


def test_segments_of_one_target_and_what_a_later_deployment_brought(bucket: Any) -> None:
    for key in (
        "progress/d-1/i-1/host.000000.jsonl",
        "progress/d-1/i-1/host.000001.jsonl",
        "progress/d-1/i-1/host.x.jsonl",
        "progress/d-1/i-1/sub/host.000000.jsonl",
        "progress/d-1/i-1.json",
        "progress/d-1/i-12/host.000000.jsonl",
        "progress/d-2/late/d-1/i-1/host.000002.jsonl",
    ):
        bucket.put_object(Bucket="own", Key=key, Body=b"12345")
    logs = Logs(bucket, "own")
    assert logs.segments("d-1", "i-1") == [
        Segment("host", number, f"progress/d-1/i-1/host.00000{number}.jsonl", 5) for number in range(2)
    ]
    assert [segment.number for segment in logs.segments("d-1", "i-1", "d-2")] == [2]
    assert logs.segments("d-1", "i-2") == []


def test_reading_goes_on_from_a_byte(bucket: Any) -> None:
    bucket.put_object(Bucket="own", Key="k", Body=b"12345")
    logs = Logs(bucket, "own")
    assert logs.read(Segment("host", 0, "k", 5), 0) == b"12345"
    assert logs.read(Segment("host", 0, "k", 5), 3) == b"45"
    assert logs.read(Segment("host", 0, "k", 5), 5) == b""
    assert logs.read(Segment("host", 0, "gone", 5), 0) == b""
