"""Tokens of GitHub accounts: a secret each in Secrets Manager, ``<prefix><name in lower case>``.

A token is for the repositories of the account whose name it bears. The secret's text is the token itself, or JSON:
``{"token": "…", "applications": ["shop", "team-*"]}``, which says which applications may be deployed with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code, translated

#: Secrets Manager says InvalidRequest of a secret that is marked for deletion.
_GONE = frozenset({"ResourceNotFoundException", "InvalidRequestException"})


@dataclass(frozen=True, slots=True)
class Token:
    """The token for a repository's account, or why there is none: then ``value`` is empty.

    ``value`` is never shown: not by ``repr``, and nobody puts it into a message.
    """

    name: str
    value: str = field(default="", repr=False)
    why_none: str = ""


class GitHubTokens:
    """Reads, lists and deletes tokens; each function's role allows it what it needs of that alone.

    Parameters
    ----------
    client
        Of Secrets Manager.
    prefix
        What the names of the secrets begin with, such as ``tidegate/github/``.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def token_for(self, repository: str, application: str) -> Token:
        """The token that a deployment of ``application`` uses for ``owner/repository``.

        Raises
        ------
        GatewayError
            Secrets Manager refuses; a secret that is not there is no error.
        """
        name = repository.partition("/")[0].lower()
        text = self._text(name)
        if text is None:
            return Token(name, why_none=f"no token '{name}' is stored")
        value, applications = _parsed(text)
        if not value:
            return Token(name, why_none=f"the secret of the token '{name}' holds none")
        if not any(fnmatchcase(application, pattern) for pattern in applications):
            return Token(name, why_none=f"the token '{name}' is not for application '{application}'")
        return Token(name, value)

    def names(self) -> list[str]:
        """Names of all tokens, in order."""
        pages = self._client.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [self._prefix]}], IncludePlannedDeletion=False
        )
        with translated("listing GitHub tokens"):
            # The filter compares words and not beginnings alone.
            found = [secret["Name"] for page in pages for secret in page["SecretList"] if "DeletedDate" not in secret]
        return sorted(name.removeprefix(self._prefix) for name in found if name.startswith(self._prefix))

    def delete(self, name: str) -> bool:
        """Delete a token at once and for good; whether there was one."""
        secret = self._prefix + name.lower()
        with translated(f"deleting the GitHub token '{name}'"):
            try:
                if "DeletedDate" in self._client.describe_secret(SecretId=secret):
                    return False
                # Not kept for days: who deletes a token wants it gone.
                self._client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
            except ClientError as error:
                if error_code(error) in _GONE:
                    return False
                raise
        return True

    def _text(self, name: str) -> str | None:
        with translated(f"reading the GitHub token '{name}'"):
            try:
                return str(self._client.get_secret_value(SecretId=self._prefix + name).get("SecretString") or "")
            except ClientError as error:
                if error_code(error) in _GONE:
                    return None
                raise


def _parsed(text: str) -> tuple[str, list[str]]:
    """The token and the patterns of the applications that it is for."""
    text = text.strip()
    if not text.startswith("{"):
        return text, ["*"]
    try:
        held = json.loads(text)
        applications = held.get("applications", ["*"])
        return str(held.get("token", "")).strip(), [str(each) for each in applications]
    except (ValueError, TypeError):
        return "", []
