"""AssumeRole as a function calls it: the role must exist and trust this account.

Follows "AssumeRole" of the STS API reference and "How to use an external ID" of the IAM user guide. moto gives a
session of any role, existing or not. Which function calls is not known here: a trust in any principal of the account
counts. What the administrator and the local cloud itself assume is not judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidegate_local.policy.evaluate import UNKNOWN_RESOURCE, as_list, is_allowed

#: The access key that functions have.
FUNCTIONS_KEY = "local"


def install() -> None:
    """Put this into moto."""
    from moto.iam import iam_backends
    from moto.sts.exceptions import STSClientError
    from moto.sts.responses import TokenResponse

    original = TokenResponse.assume_role

    def assume_role(self: Any) -> Any:
        arn = str(self._get_param("RoleArn"))
        if f"Credential={FUNCTIONS_KEY}/" in self.headers.get("Authorization", ""):
            roles = iam_backends[self.current_account]["aws"].roles.values()
            role = next((each for each in roles if each.arn == arn), None)
            document = json.loads(role.assume_role_policy_document) if role is not None else {}
            if not trusts(document, self.current_account, self._get_param("ExternalId")):
                message = f"User is not authorized to perform: sts:AssumeRole on resource: {arn}"
                raise STSClientError("AccessDenied", message)
        return original(self)

    TokenResponse.assume_role = assume_role


def trusts(document: Mapping[str, Any], account: str, external_id: str | None) -> bool:
    """Whether a trust policy lets somebody of an account assume its role, with this external id."""
    known = {"sts:externalid": [external_id]} if external_id else {}
    statements = [
        statement
        for statement in as_list(document.get("Statement"))
        if any(_is_of(str(each), account) for each in _principals(statement))
    ]
    return is_allowed(statements, "sts:AssumeRole", UNKNOWN_RESOURCE, known.get)


def _principals(statement: Mapping[str, Any]) -> list[Any]:
    principal = statement.get("Principal") or {}
    return [principal] if isinstance(principal, str) else as_list(principal.get("AWS"))


def _is_of(principal: str, account: str) -> bool:
    return principal in ("*", account) or principal.startswith(f"arn:aws:iam::{account}:")
