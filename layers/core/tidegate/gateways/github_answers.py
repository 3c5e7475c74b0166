"""What GitHub's answers mean for a deployment (GitHub: "Rate limits for the REST API", "Troubleshooting the REST API").

No message holds a token, nor the address of a redirection, which may hold one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tidegate.gateways.errors import RevisionFault, UnavailableError
from tidegate.gateways.github_tokens import Token
from tidegate.model.deployment import ErrorCode

_LONGEST = 200


class AgainError(Exception):
    """Worth another try: after ``wait`` seconds where the server says so; ``limited``: by a rate limit."""

    def __init__(self, message: str, wait: float | None = None, *, limited: bool = False) -> None:
        super().__init__(message)
        self.wait, self.limited = wait, limited


def refusal(
    name: str, token: Token, status: int, headers: Mapping[str, str], body: bytes, now: float, *, from_api: bool = True
) -> Exception:
    """The error that an answer other than the archive means.

    Parameters
    ----------
    name
        The revision's, for messages.
    headers
        Of the answer; any case.
    now
        Epoch seconds.
    from_api
        Whether the API said it, and not the host of archives.
    """
    said = _said(body, token)
    answer = f"{status}{': ' + said if said else ''}"
    if status == 429 or (status == 403 and _limited(headers, said)):
        hint = "" if token.value else f" Without a token GitHub allows few requests ({token.why_none})."
        message = f"GitHub's rate limit is used up ({answer}).{hint}"
        return AgainError(message, _pause(headers, now), limited=True)
    if status >= 500 or status == 408:
        return AgainError(f"GitHub answered {answer}")
    if status in (401, 403):
        return RevisionFault(ErrorCode.MISSING_GITHUB_TOKEN, _without_rights(name, token, answer))
    if status in (404, 409, 410, 422, 451):
        return RevisionFault(ErrorCode.REVISION_MISSING, _missing(name, token, answer, from_api))
    return UnavailableError(f"{name} cannot be fetched: GitHub answered {answer}.")


def _without_rights(name: str, token: Token, answer: str) -> str:
    remedy = f"'tidegate github add-token {token.name}'"
    if not token.value:
        return f"{name} cannot be read without a token ({answer}), and {token.why_none}. Store one with {remedy}."
    if answer.startswith("401"):
        return (
            f"GitHub refused the token '{token.name}' ({answer}), so {name} cannot be read: it has expired or was "
            f"revoked. Store a new one with {remedy}."
        )
    return (
        f"The token '{token.name}' may not read {name} ({answer}). Grant it read access to the repository's contents, "
        f"or store another one with {remedy}."
    )


def _missing(name: str, token: Token, answer: str, from_api: bool) -> str:
    if not from_api:
        return f"The archive of {name} is not to be had ({answer}), though GitHub knows it. Deploy again later."
    gone = f"{name} was not found ({answer}). Either there is no such repository or commit"
    if token.value:
        return (
            f"{gone}, or the token '{token.name}' cannot read it: GitHub does not tell. Check the names, and that the "
            "token has read access to the repository's contents."
        )
    return (
        f"{gone}, or the repository is private and {token.why_none}: GitHub does not tell. Check the names, or store "
        f"a token with 'tidegate github add-token {token.name}'."
    )


def _limited(headers: Mapping[str, str], said: str) -> bool:
    exhausted = headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in headers
    return exhausted or "rate limit" in said.lower()


def _pause(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until GitHub wants to be asked again."""
    try:
        if "Retry-After" in headers:
            return max(1.0, float(headers["Retry-After"]))
        if headers.get("X-RateLimit-Remaining") == "0":
            return max(1.0, float(headers["X-RateLimit-Reset"]) - now)
    except (KeyError, ValueError):
        pass
    return None


def _said(body: bytes, token: Token) -> str:
    """GitHub's own sentence, shortened; whatever else answers is not quoted."""
    try:
        said = str(json.loads(body).get("message", ""))
    except (ValueError, AttributeError):
        return ""
    if token.value and token.value in said:
        return ""
    said = "".join(each if each.isprintable() else " " for each in said)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"
