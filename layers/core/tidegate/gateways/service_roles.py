"""Service roles of deployment groups, and the sessions in which the coordinator acts as them (STS API: AssumeRole)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from botocore.exceptions import ClientError

from tidegate.gateways.errors import GatewayError, error_code, is_denial, translated

#: A session of a role that is assumed by a role lasts an hour at most (IAM: "Role chaining").
_SECONDS: Final = 3600


class ServiceRoleError(GatewayError):
    """The service role of a deployment cannot be used; says what stands in the way, with the remedy."""


class RoleMissingError(ServiceRoleError):
    """There is no such role."""


class RolePermissionsError(ServiceRoleError):
    """The role may not be used here, cannot be assumed, or lacks a right."""


@dataclass(frozen=True, slots=True)
class RoleSettings:
    """When the coordinator acts as service roles.

    Attributes
    ----------
    always : ``ActAsServiceRole`` is ``always``; otherwise roles are only stored, and its own rights are used
    allowed : ARNs, or patterns with ``*``, of the roles that it may act as
    external_id : given with each AssumeRole; empty for none
    """

    always: bool
    allowed: tuple[str, ...]
    external_id: str


@dataclass(frozen=True, slots=True)
class RoleSession:
    """Keys of a session, as arguments of a boto3 client, and until when they are good (epoch seconds)."""

    keys: Mapping[str, str]
    expires: float


class ServiceRoles:
    """Assumes service roles.

    Parameters
    ----------
    client
        Makes the coordinator's own client of a service (``sts``, ``iam``).
    account
        Whose roles can be looked at.
    """

    def __init__(self, client: Callable[[str], Any], settings: RoleSettings, account: str) -> None:
        self._client, self._settings, self._account = client, settings, account

    def assume(self, role_arn: str, name: str) -> RoleSession:
        """A session of a role; ``name`` is what logs of the account call it.

        Raises
        ------
        RoleMissingError, RolePermissionsError
        GatewayError
            STS does not answer.
        """
        if not any(fnmatchcase(role_arn, each) for each in self._settings.allowed):
            raise RolePermissionsError(
                f"The coordinator may not act as the service role {role_arn}: it is not among those of the stack "
                "parameter ServiceRoleArns. Add it there, or give the deployment group another role."
            )
        external = {"ExternalId": self._settings.external_id} if self._settings.external_id else {}
        with translated(f"assuming the service role {role_arn} through AWS STS"):
            try:
                answer = self._client("sts").assume_role(
                    RoleArn=role_arn, RoleSessionName=name, DurationSeconds=_SECONDS, **external
                )
            except ClientError as error:
                if is_denial(error):
                    raise self._refusal(role_arn, error) from error
                raise
        found = answer["Credentials"]
        keys = {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }
        return RoleSession(keys, found["Expiration"].timestamp())

    def _refusal(self, role_arn: str, error: ClientError) -> ServiceRoleError:
        """STS refuses in the same words what is not there and what is not trusting."""
        if role_arn.split(":")[4] == self._account and self._is_missing(role_arn.rpartition("/")[2]):
            return RoleMissingError(
                f"There is no IAM role {role_arn}, the service role of the deployment group; make it, or give the "
                "deployment group another one."
            )
        external = " with the stack's external id" if self._settings.external_id else ""
        return RolePermissionsError(
            f"The service role {role_arn} cannot be assumed: its trust policy must allow sts:AssumeRole to the roles "
            f"of the coordinator's functions{external}. {error.response['Error'].get('Message', '')}".strip()
        )

    def _is_missing(self, name: str) -> bool:
        try:
            self._client("iam").get_role(RoleName=name)
        except ClientError as error:
            return error_code(error) == "NoSuchEntity"
        return False
