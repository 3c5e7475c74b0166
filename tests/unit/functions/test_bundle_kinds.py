"""Deployments from archives of every kind that lie in S3: what hosts are told to fetch is what was uploaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.unit.functions.world import APPSPEC, Account, hosts
from tests.unit.gateways.test_bundles import packed

from tidegate.gateways.bundles import Bundles
from tidegate.gateways.errors import DeniedError
from tidegate.model.names import revision_key


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DATA_PATH", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("releases", "bucket"):
            client.create_bucket(Bucket=bucket)
        yield client


def deploy(account: Account, key: str, kind: str, **more: str) -> str:
    given = {"bucket": "releases", "key": key, "bundleType": kind, **more}
    location = {"revisionType": "S3", "s3Location": given}
    deployed = account.deploy(key, location=location, revisionKey=revision_key(location))
    account.run()
    return deployed


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_an_archive_of_each_kind_reaches_every_host(s3: Any, kind: str) -> None:
    account = Account(hosts(2))
    vars(account.runtime)["bundles"] = Bundles(s3, "bucket")
    content = packed(kind, {"appspec.yml": APPSPEC.encode(), "scripts/validate.sh": b"#!/bin/sh\n"})
    etag = s3.put_object(Bucket="releases", Key=f"v1.{kind}", Body=content)["ETag"].strip('"')
    deployed = deploy(account, f"v1.{kind}", kind, eTag=etag)

    assert account.deployment(deployed)["status"] == "Succeeded"
    assert {host.revision for host in account.hosts.values()} == {f"v1.{kind}"}
    orders = [order for order, _ in account.orders.published.values()]
    assert len(orders) == 2
    for order in orders:
        bundle = order["bundle"]
        assert (bundle["type"], bundle["size"], bundle["objectEtag"]) == (kind, len(content), etag)
        assert bundle["sha256"] == hashlib.sha256(content).hexdigest()
        key = bundle["url"].removeprefix("https://bucket.test/").partition("?")[0]
        assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == content
        assert order["appspec"]["hooks"]["ValidateService"][0]["location"] == "scripts/validate.sh"


@pytest.mark.parametrize(("kind", "really"), [("tgz", "tar"), ("tar", "zip"), ("zip", "tgz")])
def test_an_archive_of_another_kind_ends_the_deployment_before_any_host_is_touched(
    s3: Any, kind: str, really: str
) -> None:
    account = Account(hosts(2))
    vars(account.runtime)["bundles"] = Bundles(s3, "bucket")
    s3.put_object(Bucket="releases", Key="v1", Body=packed(really, {"appspec.yml": APPSPEC.encode()}))
    error = account.deployment(deploy(account, "v1", kind))["error"]
    assert error["code"] == "INVALID_REVISION"
    assert f"s3://releases/v1 cannot be read as {kind}" in error["message"]
    assert account.fleet.commands == {}


def test_a_bucket_that_is_no_longer_allowed_is_named_and_no_host_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(hosts(2))

    def denied(*_: Any) -> Any:
        raise DeniedError("reading s3://releases/v1.tgz: 403: Forbidden")

    monkeypatch.setattr(account.bundles, "copy", denied)
    item = account.deployment(deploy(account, "v1.tgz", "tgz"))
    assert (item["status"], item["error"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert "s3://releases/v1.tgz: 403" in item["error"]["message"]
    assert account.fleet.commands == {}
