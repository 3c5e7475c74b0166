"""What can go wrong at a door.

::

    GatewayError
    ├── ThrottledError     the service asked to slow down, for longer than the retries last
    ├── DeniedError        our own role lacks a right: names action and remedy
    ├── LimitReachedError  a quota of the account is used up
    ├── ResourceMissingError  something of the stack's own is gone
    └── UnavailableError   anything else the service refused
    RevisionFault          the revision cannot be used: a deployment's error code and a sentence
    BalancerFault          a load balancer cannot be used: likewise
    FleetFault             the fleet cannot be found as the group asks: likewise
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.model.deployment import Fault

#: How services say that they are asked too often; in general, and in the models of the operations that are called here.
THROTTLES = frozenset(
    {
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RateExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "DependencyThrottle",  # Elastic Load Balancing, of the services that it asks itself
        "KmsThrottlingException",  # Step Functions
        "KMSThrottling",  # Amazon SNS
        "KmsThrottled",  # Amazon SQS
    }
)
#: How services say that a quota is used up, which no patience mends: in general, and in the models of the operations
#: that are called here. Systems Manager's SendCommand has no word for it, nor have DynamoDB's reads and writes.
_LIMITS = frozenset(
    {
        "LimitExceededException",
        "ResourceLimitExceeded",
        "ServiceQuotaExceededException",
        "LimitExceeded",  # Auto Scaling
        "TooManyTargets",  # Elastic Load Balancing: RegisterTargets
        "TooManyRegistrationsForTargetId",
        "ExecutionLimitExceeded",  # Step Functions: StartExecution
        "InstanceLimitExceeded",  # EC2, which has no models of errors ("Error codes for the Amazon EC2 API")
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
    }
)
#: How services say that what only the stack itself makes (its SSM documents, its bucket, its table) is not there.
OWN_GONE = frozenset({"InvalidDocument", "NoSuchBucket"})
#: How services say that a right is missing.
DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"})


class GatewayError(Exception):
    """Root of what doors raise."""


class ThrottledError(GatewayError):
    """The service throttled us beyond bounded patience."""


class DeniedError(GatewayError):
    """Our role may not do what was asked."""


class LimitReachedError(GatewayError):
    """A quota of the account is used up."""


class ResourceMissingError(GatewayError):
    """Something that the stack makes for itself is gone."""


class UnavailableError(GatewayError):
    """The service could not be reached or refused."""


class RevisionFault(Fault):
    """The revision cannot be deployed."""


class BalancerFault(Fault):
    """A load balancer cannot be used."""


class FleetFault(Fault):
    """The instances that a group selects cannot be found."""


def name_services(client: Any) -> Any:
    """Let the errors of a client say which service they come from; gives the client."""

    def note(parsed: MutableMapping[str, Any], model: Any, **_: Any) -> None:
        if "Error" in parsed:
            parsed["Error"]["Service"] = model.service_model.metadata["serviceFullName"]

    client.meta.events.register("after-call", note)
    return client


def error_code(error: ClientError) -> str:
    """The service's own code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denial(error: ClientError) -> bool:
    """Whether a right is missing."""
    return error_code(error) in DENIALS


@contextmanager
def translated(doing: str, own: Collection[str] = ()) -> Iterator[None]:
    """Turn botocore's errors into ours.

    Parameters
    ----------
    doing : what was asked, for the message
    own : codes that say that something of the stack's own is gone (`OWN_GONE`)
    """
    try:
        yield
    except ClientError as error:
        code, text = error_code(error), error.response.get("Error", {}).get("Message", "")
        if code in THROTTLES:
            service = error.response.get("Error", {}).get("Service", "the service")
            raise ThrottledError(
                f"{doing}: {code}: {text.rstrip('.')}. {service} asked to slow down for longer than the tries lasted: "
                "deploy again when fewer requests are made, or have the account's quota raised."
            ) from error
        if code in _LIMITS:
            raise LimitReachedError(
                f"{doing}: {code}: {text.rstrip('.')}. A quota of the account is used up: free some of it, or have it "
                "raised (Service Quotas), and deploy again."
            ) from error
        if code in own:
            raise ResourceMissingError(
                f"{doing}: {code}: {text.rstrip('.')}. Something that belongs to Tidegate's stack is gone: deploy the "
                "stack again, then the revision."
            ) from error
        if is_denial(error):
            raise DeniedError(f"{doing}: {code}: {text}") from error
        raise UnavailableError(f"{doing}: {code}: {text}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{doing}: {error}") from error
