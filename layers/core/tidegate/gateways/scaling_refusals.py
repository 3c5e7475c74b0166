"""What Amazon EC2 Auto Scaling refuses, as the faults that a deployment or a group ends with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import ClientError

from tidegate.gateways.errors import (
    DeniedError,
    FleetFault,
    LimitReachedError,
    UnavailableError,
    error_code,
    translated,
)
from tidegate.gateways.service_roles import RolePermissionsError, ServiceRoleError
from tidegate.model.deployment import ErrorCode, Fault
from tidegate.model.scaling import ScalingFault


@dataclass(frozen=True, slots=True)
class Refusals:
    """How refusals are told.

    Attributes
    ----------
    fault : what is raised
    denied : the remedy where a right is missing
    invalid : the error code where Auto Scaling says ValidationError, as the group's settings do not allow what is asked
    remedy : the remedy then
    """

    fault: type[ScalingFault] | type[FleetFault]
    denied: str
    invalid: str
    remedy: str

    @contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """Raise the fault; throttling, and what else may pass, stays an error to be tried again."""
        try:
            with translated(doing):
                yield
        except RolePermissionsError as error:
            raise self.fault(ErrorCode.AUTO_SCALING_IAM_ROLE_PERMISSIONS, str(error)) from error
        except DeniedError as error:
            raise self.fault(ErrorCode.AUTO_SCALING_IAM_ROLE_PERMISSIONS, f"{error} {self.denied}") from error
        except LimitReachedError as error:
            raise self.fault(ErrorCode.RESOURCE_LIMIT_EXCEEDED, str(error)) from error
        except UnavailableError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and error_code(cause) == "ValidationError":
                raise self.fault(self.invalid, f"{error} {self.remedy}") from error
            raise


def code_of(refusal: Fault | ServiceRoleError) -> str:
    """The error code of what Auto Scaling refuses, or the service role that it is asked as."""
    return refusal.code if isinstance(refusal, Fault) else ErrorCode.AUTO_SCALING_IAM_ROLE_PERMISSIONS
