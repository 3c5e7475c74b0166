"""AWS's SDK for JavaScript, unmodified, through ``tidegate proxy``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.credentials import Credentials
from tests.conformance import javascript_sdk
from tests.conformance.signed_server import ALICE, SignedServer

from tidegate_cli.connection import Connection
from tidegate_cli.proxy.server import Proxy


@pytest.fixture
def installation() -> Iterator[SignedServer]:
    server = SignedServer()
    yield server
    server.stop()


@pytest.fixture
def endpoint(installation: SignedServer) -> Iterator[str]:
    keys = Credentials(ALICE.access_key, ALICE.secret_key)
    proxy = Proxy(Connection(installation.url, "us-east-1"), None, lambda: keys, "secret-of-the-test")
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    yield proxy.endpoint
    proxy.stop()
    thread.join()
    proxy.close()


def test_the_sdk_for_javascript_deploys(installation: SignedServer, endpoint: str) -> None:
    seen = javascript_sdk.run("deploy.mjs", endpoint, "releases", "v1.zip", "none")
    errors = {name: error["name"] for name, error in seen["errors"].items()}
    assert errors == {
        "twice": "ApplicationAlreadyExistsException",
        "busy": "DeploymentLimitExceededException",
        "unknown": "DeploymentDoesNotExistException",
        "groupMissing": "DeploymentGroupNameRequiredException",
    }
    assert all(error["known"] and error["message"] for error in seen["errors"].values())
    assert f"'{seen['deploymentId']}'" in seen["errors"]["busy"]["message"]
    created = datetime.fromtimestamp(installation.world.now, UTC)
    assert datetime.fromisoformat(seen["createTime"]) == created
    assert seen["flags"] == [False, False]
    assert seen["listed"] == [seen["deploymentId"]]
    assert seen["stopped"] == "Pending"
    assert seen["revisions"][0]["s3Location"]["key"] == "v1.zip"
    assert (seen["configs"] >= 17, seen["groups"]) == (True, ["prod+1"])
    assert seen["ranged"] == [seen["deploymentId"]]
    assert len(seen["called"]) >= 10
    assert "/CreateDeployment/from-javascript/prod%2B1" in installation.paths
