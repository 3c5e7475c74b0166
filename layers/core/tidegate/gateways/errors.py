"""What can go wrong at a door.

::

    GatewayError
    ├── ThrottledError     the service asked to slow down, for longer than the retries last
    ├── DeniedError        our own role lacks a right: names action and remedy
    └── UnavailableError   anything else the service refused
    RevisionFault          the revision cannot be used: a deployment's error code and a sentence
    BalancerFault          a load balancer cannot be used: likewise
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

_THROTTLES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ThrottledException",
        "SlowDown",
        "RateExceeded",
    }
)
#: How services say that a right is missing.
DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"})


class GatewayError(Exception):
    """Root of what doors raise."""


class ThrottledError(GatewayError):
    """The service throttled us beyond bounded patience."""


class DeniedError(GatewayError):
    """Our role may not do what was asked."""


class UnavailableError(GatewayError):
    """The service could not be reached or refused."""


class RevisionFault(Exception):  # noqa: N818 - a fault of the user's revision, not of ours
    """The revision cannot be deployed. ``code`` is the deployment's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class BalancerFault(Exception):  # noqa: N818 - a fault of the user's balancers, not of ours
    """A load balancer cannot be used. ``code`` is the deployment's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def error_code(error: ClientError) -> str:
    """The service's own code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denial(error: ClientError) -> bool:
    """Whether a right is missing."""
    return error_code(error) in DENIALS


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's errors into ours; ``doing`` says what was asked, for the message."""
    try:
        yield
    except ClientError as error:
        code, text = error_code(error), error.response.get("Error", {}).get("Message", "")
        if code in _THROTTLES:
            raise ThrottledError(f"{doing}: {code}: {text}") from error
        if is_denial(error):
            raise DeniedError(f"{doing}: {code}: {text}") from error
        raise UnavailableError(f"{doing}: {code}: {text}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{doing}: {error}") from error
