"""Who owns an access key, and what that caller may do.

Stands in for IAM behind API Gateway: users' keys and assumed roles' sessions, with their policies, as moto keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tidegate_local.adapters.sigv4 import Caller
from tidegate_local.policy.evaluate import ConditionLookup, Statement, as_list, is_allowed


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

    def may(self, caller: Caller, action: str, resource: str) -> bool:
        """Tell whether a caller may do something, by the policies of the identity and of the session.

        Policy variables and condition keys know the caller's name, id, ARN and tags. Tags and boundaries of sessions
        are not kept by moto, and not judged.
        """
        lookup = self._lookup(caller)
        allowed = is_allowed(self.statements_of(caller), action, resource, lookup)
        session = self._session_policy(caller)
        return allowed and (session is None or is_allowed(session, action, resource, lookup))

    def _session_policy(self, caller: Caller) -> list[Statement] | None:
        from moto.sts import sts_backends

        if caller.session_token is None:
            return None
        session = sts_backends[self._account]["aws"].get_assumed_role_from_access_key(caller.access_key)
        policy = session.policy if session is not None else None
        return list(_statements(policy)) if policy else None

    def _lookup(self, caller: Caller) -> ConditionLookup:
        from moto.iam import iam_backends

        iam = iam_backends[self._account]["aws"]
        kind, _, path = caller.arn.split(":", 5)[5].partition("/")
        owner = iam.get_role(path.split("/")[0]) if kind == "assumed-role" else iam.get_user(path.rsplit("/", 1)[-1])
        known = {f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in _tags(owner)}
        known |= {"aws:principalarn": owner.arn, "aws:userid": caller.user_id, "aws:principalaccount": caller.account}
        if kind == "user":
            known["aws:username"] = owner.name
        return lambda key: [known[key]] if key in known else None


def _tags(owner: Any) -> list[dict[str, str]]:
    return list(owner.tags.values()) if isinstance(owner.tags, dict) else list(owner.tags or [])


def _statements(policy: Any) -> Iterable[Statement]:
    if isinstance(policy, dict):
        policy = policy.get("PolicyDocument") or policy.get("policy_document") or policy
    elif not isinstance(policy, str):
        policy = next(v.document for v in policy.versions if v.version_id == policy.default_version_id)
    document = json.loads(policy) if isinstance(policy, str) else policy
    return as_list(document.get("Statement"))
