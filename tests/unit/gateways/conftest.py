"""Clients without a network: moto's for what it models, stubbed ones for single answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws


@pytest.fixture(autouse=True)
def _own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DATA_PATH", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def cloud(_own_credentials: None) -> Iterator[Callable[[str], Any]]:
    """Clients of an empty account."""
    with mock_aws():
        yield lambda service: boto3.client(
            service, region_name="us-east-1", config=Config(signature_version="s3v4" if service == "s3" else None)
        )


@pytest.fixture
def stubbed(_own_credentials: None) -> Iterator[Callable[[str], tuple[Any, Stubber]]]:
    """Clients that answer what a test lays down, and nothing else."""
    stubbers: list[Stubber] = []

    def make(service: str) -> tuple[Any, Stubber]:
        client = boto3.client(service, region_name="us-east-1")
        stubber = Stubber(client)
        stubber.activate()
        stubbers.append(stubber)
        return client, stubber

    yield make
    for stubber in stubbers:
        stubber.assert_no_pending_responses()
