"""Handlers run under their own role's policies: one that is too tight fails here as it would on AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.local


def test_a_missing_right_ends_the_deployment_and_is_named(
    separate_cloud: Callable[[Callable[[str], str]], Any], make_group: Callable[..., Any]
) -> None:
    def without_bundles(template: str) -> str:
        right = "Sid: KeepBundles\n              Effect: Allow\n              Action: [s3:GetObject, s3:PutObject,"
        assert right in template
        return template.replace(right, right.replace("s3:PutObject", "s3:PutObjectTagging"))

    cloud = separate_cloud(without_bundles)
    fleet = make_group(cloud, "tight", 1)

    info = fleet.wait(fleet.deploy(fleet.push("x")))

    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "INTERNAL_ERROR")
    assert "s3:PutObject" in info["errorInformation"]["message"]
