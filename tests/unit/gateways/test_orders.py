"""Orders and what is lent to hosts: URLs for one object, good for minutes, and a prefix to report under."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.stub import Stubber

from tidegate.gateways.errors import DeniedError
from tidegate.gateways.orders import Orders

PARAMETER = re.compile(r"^[A-Za-z0-9+/]{20,6000}={0,2}$")  # the document's allowed pattern
ORDER = {"schema": 1, "mode": "run", "deploymentId": "d-1", "text": "$(rm -rf /) `x` ${HOME}\n'\""}


@pytest.fixture
def bucket(cloud: Callable[[str], Any]) -> Any:
    client = cloud("s3")
    client.create_bucket(Bucket="own")
    return client


@pytest.fixture
def orders(bucket: Any, tmp_path: Path) -> Orders:
    archive = tmp_path / "runner.zip"
    archive.write_bytes(b"the runner")
    return Orders(bucket, "own", archive)


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_an_order_is_written_and_its_parameter_leads_to_it(orders: Orders, bucket: Any) -> None:
    parameter = orders.publish("orders/d-1/0001.00.json", ORDER, 300)
    assert PARAMETER.fullmatch(parameter)
    told = json.loads(base64.b64decode(parameter, validate=True))
    body = bucket.get_object(Bucket="own", Key="orders/d-1/0001.00.json")["Body"].read()
    assert set(told) == {"url", "sha256"}
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    assert json.loads(body) == ORDER
    assert urlsplit(told["url"]).path.endswith("/orders/d-1/0001.00.json")


@pytest.mark.parametrize(("good_for", "expected"), [(300, "300"), (3900, "3900"), (0, "1"), (-5, "1")])
def test_a_url_expires(orders: Orders, good_for: int, expected: str) -> None:
    told = query(orders.url("bundles/x", good_for))
    assert told["X-Amz-Expires"] == [expected]
    assert told["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


def test_a_publication_repeated_has_the_same_content(orders: Orders, bucket: Any) -> None:
    first, second = (json.loads(base64.b64decode(orders.publish("orders/d-1/a.json", ORDER, 300))) for _ in range(2))
    assert first["sha256"] == second["sha256"]


def test_the_progress_grant_is_bound_to_one_prefix_one_size_and_a_time(orders: Orders) -> None:
    grant = orders.progress_grant("d-1", 5000)
    policy = json.loads(base64.b64decode(grant["fields"]["policy"]))
    conditions = policy["conditions"]
    assert grant["fields"]["key"] == "progress/d-1/${filename}"
    assert ["starts-with", "$key", "progress/d-1/"] in conditions
    assert ["content-length-range", 0, 1 << 20] in conditions
    assert {"bucket": "own"} in conditions
    assert "expiration" in policy


def test_the_runner_is_put_there_once_under_its_sum(orders: Orders, bucket: Any, tmp_path: Path) -> None:
    sha = hashlib.sha256(b"the runner").hexdigest()
    lent = orders.runner(360)
    assert (lent["sha256"], query(lent["url"])["X-Amz-Expires"]) == (sha, ["360"])
    assert urlsplit(lent["url"]).path.endswith(f"/runner/{sha}.zip")
    first = bucket.head_object(Bucket="own", Key=f"runner/{sha}.zip")
    again = Orders(bucket, "own", tmp_path / "runner.zip").runner(360)
    assert again["sha256"] == sha
    assert bucket.head_object(Bucket="own", Key=f"runner/{sha}.zip")["LastModified"] == first["LastModified"]
    assert len(bucket.list_objects_v2(Bucket="own")["Contents"]) == 1


def test_windows_has_a_runner_of_its_own(orders: Orders, tmp_path: Path) -> None:
    (tmp_path / "runner_windows.zip").write_bytes(b"the runner for windows")
    assert orders.runner(360, "windows")["sha256"] == hashlib.sha256(b"the runner for windows").hexdigest()
    assert orders.runner(360)["sha256"] == hashlib.sha256(b"the runner").hexdigest()


def test_a_denied_look_for_the_runner_is_told_and_nothing_is_written(
    stubbed: Callable[[str], tuple[Any, Stubber]], tmp_path: Path
) -> None:
    (tmp_path / "r.zip").write_bytes(b"x")
    client, stub = stubbed("s3")
    stub.add_client_error("head_object", "403", "Forbidden", 403)
    with pytest.raises(DeniedError, match="keeping the host runner"):
        Orders(client, "own", tmp_path / "r.zip").runner(60)
