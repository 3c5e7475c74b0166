"""Tokens of GitHub accounts: their names. What they hold is read by nobody but ValidateRevision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.paging import Paging
from tidegate.api.services import Call

#: What the name of a secret may have, without slashes (Secrets Manager: CreateSecret).
_NAME: Final = re.compile(r"[A-Za-z0-9_.@+=-]{1,100}")


def list_git_hub_account_token_names(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """ListGitHubAccountTokenNames, by name."""
    rows = [{"name": name} for name in call.services.github_tokens.names()]
    page, token = Paging(call.operation, given).of_rows(rows, key=lambda row: str(row["name"]))
    return {"tokenNameList": [row["name"] for row in page], **token}


def delete_git_hub_account_token(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteGitHubAccountToken: at once and for good; names count without case, as GitHub's do."""
    name = given.get("tokenName")
    if not name:
        raise ApiError("GitHubAccountTokenNameRequiredException", "'tokenName' is missing.")
    if not _NAME.fullmatch(name):
        message = f"'tokenName' may have 1 to 100 letters, digits and characters of _.@+=-; not {name[:100]!r}."
        raise ApiError("InvalidGitHubAccountTokenNameException", message)
    if name.lower() not in call.services.github_tokens.names():
        raise _unknown(name)
    # Nothing else of it is in the table: this leaves the record of who did it, before it is done.
    call.services.table.write()
    if not call.services.github_tokens.delete(name):
        raise _unknown(name)
    return {"tokenName": name}


def _unknown(name: str) -> ApiError:
    message = f"There is no token '{name}'. ListGitHubAccountTokenNames names those that there are."
    return ApiError("GitHubAccountTokenDoesNotExistException", message)
