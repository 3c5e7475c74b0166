"""Trust policies of roles that functions assume. No cloud is started."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate_local.patches.sts import trusts

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def trust(principal: Any, external_id: str = "", effect: str = "Allow") -> dict[str, Any]:
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    return {"Statement": [{"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **condition}]}


@pytest.mark.parametrize(
    ("document", "external_id", "expected"),
    [
        (trust({"AWS": ROOT}), None, True),
        (trust({"AWS": ACCOUNT}), "any", True),
        (trust({"AWS": [f"arn:aws:iam::{ACCOUNT}:role/tidegate-x"]}), None, True),
        (trust("*"), None, True),
        (trust({"AWS": ROOT}, "mine"), "mine", True),
        (trust({"AWS": ROOT}, "mine"), "other", False),
        (trust({"AWS": ROOT}, "mine"), None, False),
        (trust({"AWS": "arn:aws:iam::210987654321:root"}), None, False),
        (trust({"Service": "codedeploy.amazonaws.com"}), None, False),
        (trust({"AWS": ROOT}, effect="Deny"), None, False),
        ({}, None, False),
    ],
)
def test_who_may_assume_a_role(document: dict[str, Any], external_id: str | None, expected: bool) -> None:
    assert trusts(document, ACCOUNT, external_id) is expected
