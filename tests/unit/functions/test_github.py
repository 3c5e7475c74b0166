"""A deployment of a revision on GitHub: what the functions make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.functions.world import Account, hosts

from tidegate.gateways.bundles import Bundle
from tidegate.gateways.errors import RevisionFault
from tidegate.model.names import revision_key

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCATION = {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": COMMIT}}


class GitHubBundles:
    """Gives the copy of a revision, or what is wrong with it."""

    def __init__(self, fault: RevisionFault | None = None) -> None:
        self.fault = fault
        self.asked: list[tuple[str, str]] = []

    def copy(self, location: Mapping[str, Any], key: str, application: str) -> Bundle:
        assert location == LOCATION
        self.asked.append((key, application))
        if self.fault is not None:
            raise self.fault
        return Bundle("bundles/v1.zip", 100, "ab" * 32, "tgz")


def deployed(bundles: GitHubBundles) -> dict[str, Any]:
    account = Account(hosts(2))
    account.runtime.github_bundles = bundles  # type: ignore[assignment]
    deployment = account.deploy("v1.zip", location=LOCATION, revisionKey=revision_key(LOCATION))
    return account.run().deployment(deployment)


def test_it_is_deployed_as_any_other() -> None:
    bundles = GitHubBundles()
    item = deployed(bundles)
    assert (item["status"], item["bundle"]["type"]) == ("Succeeded", "tgz")
    assert bundles.asked == [(revision_key(LOCATION), "shop")]


@pytest.mark.parametrize("code", ["MISSING_GITHUB_TOKEN", "REVISION_MISSING", "THROTTLED"])
def test_what_is_wrong_with_it_ends_the_deployment_before_a_host_is_touched(code: str) -> None:
    item = deployed(GitHubBundles(RevisionFault(code, "because")))
    assert (item["status"], item["error"]) == ("Failed", {"code": code, "message": "because"})
    assert not any(item["overview"].values())
