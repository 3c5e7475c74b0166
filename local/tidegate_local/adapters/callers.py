"""Who owns an access key, and what that caller may do.

Stands in for IAM behind API Gateway: users' keys and assumed roles' sessions, with their policies, as moto keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tidegate_local.adapters.sigv4 import Caller
from tidegate_local.policy.evaluate import Statement, as_list


class Callers:
    """Looks callers up in moto's IAM and STS of one account."""

    def __init__(self, account: str) -> None:
        self._account = account

    def find(self, access_key: str) -> Caller | None:
        """Give the owner of an active access key; None for an unknown or inactive one."""
        from moto.iam import iam_backends
        from moto.sts import sts_backends

        iam = iam_backends[self._account]["aws"]
        user = iam.get_user_from_access_key_id(access_key)
        if user is not None:
            key = next(k for k in user.access_keys if k.access_key_id == access_key)
            if key.status != "Active":
                return None
            return Caller(access_key, key.secret_access_key, self._account, user.arn, user.id)
        session = sts_backends[self._account]["aws"].get_assumed_role_from_access_key(access_key)
        if session is None:
            return None
        return Caller(
            access_key, session.secret_access_key, self._account, session.arn, session.user_id, session.session_token
        )

    def statements_of(self, caller: Caller) -> list[Statement]:
        """Give the identity statements of a caller."""
        from moto.iam import access_control

        headers = {"X-Amz-Security-Token": caller.session_token} if caller.session_token else {}
        kind = access_control.AssumedRoleAccessKey if caller.session_token else access_control.IAMUserAccessKey
        key = kind(self._account, "aws", caller.access_key, headers)
        return [statement for policy in key.collect_policies() for statement in _statements(policy)]


def _statements(policy: Any) -> Iterable[Statement]:
    if isinstance(policy, dict):
        policy = policy.get("PolicyDocument") or policy.get("policy_document") or policy
    elif not isinstance(policy, str):
        policy = policy.document
    document = json.loads(policy) if isinstance(policy, str) else policy
    return as_list(document.get("Statement"))
