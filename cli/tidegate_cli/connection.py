"""Where an installation's API is: by its stack, by its URL, or as the environment says."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from tidegate_cli.clients import UserError

__all__ = ["Application", "Connection", "EndpointUrl", "GroupName", "Region", "StackName", "find", "scope_of"]

ENDPOINT = "AWS_ENDPOINT_URL_CODEDEPLOY"
DEFAULT_STACK = "tidegate"
_OUTPUT = "ApiUrl"
#: Read from stacks that have it: an installation may be older than the role.
_HOST_ROLE = "OnPremisesHostRoleName"
_EXECUTE_API = re.compile(r"[a-z0-9]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

StackName = Annotated[
    str,
    typer.Option("--stack", help=f"CloudFormation stack of the installation. [without --endpoint: {DEFAULT_STACK}]"),
]
EndpointUrl = Annotated[str, typer.Option("--endpoint", help="URL of the API, in place of a stack.")]
Region = Annotated[str, typer.Option("--region", help="Region of the installation.")]
Application = Annotated[
    str, typer.Option("--application", help="Confine calls by deployment id to this application, as policies may ask.")
]
GroupName = Annotated[str, typer.Option("--group", help="Confine them to this deployment group of it.")]


@dataclass(frozen=True, slots=True)
class Connection:
    """An API's URL, without a slash at its end, and its Region.

    ``stack`` and ``host_role`` (of on-premises machines) are known of an installation that was found by its stack,
    and empty otherwise.
    """

    endpoint: str
    region: str
    stack: str = ""
    host_role: str = ""


def find(stack: str, endpoint: str, region: str) -> Connection:
    """Find an installation by what the user gave; where that is nothing, by the environment, else by the usual stack.

    Raises
    ------
    UserError
        Nothing is there, or what was given cannot be used.
    """
    if stack and endpoint:
        raise UserError("--stack and --endpoint exclude each other: give one of them")
    given = endpoint or ("" if stack else os.environ.get(ENDPOINT, ""))
    if given:
        url = _checked(given)
        found = _EXECUTE_API.fullmatch(urlsplit(url).hostname or "")
        return Connection(url, region or (found[1] if found else "") or _usual_region())
    region = region or _usual_region()
    return _of_stack(stack or DEFAULT_STACK, region)


def _usual_region() -> str:
    import boto3

    region = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
    if not region:
        raise UserError("no Region is known: give --region, or set AWS_DEFAULT_REGION")
    return str(region)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    try:
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        port_is_right = False
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not port_is_right
        or parts.query
        or parts.username
    ):
        raise UserError(
            f"{url!r} is no endpoint: give a URL such as https://abc.execute-api.eu-west-1.amazonaws.com/v1"
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UserError(f"{url!r} is not encrypted: give an https URL (http is for this machine alone)")
    return url.rstrip("/")


def _of_stack(stack: str, region: str) -> Connection:
    import boto3
    from botocore.exceptions import ClientError

    client: Any = boto3.session.Session().client("cloudformation", region_name=region)
    try:
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        detail = error.response["Error"]
        if detail.get("Code") == "ValidationError":
            raise UserError(
                f"there is no stack {stack!r} in {region}: name another with --stack and --region, or give --endpoint"
            ) from None
        raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}
    if _OUTPUT not in outputs:
        raise UserError(
            f"the stack {stack!r} in {region} ({found['StackStatus']}) has no output {_OUTPUT}: "
            "either it is not Tidegate's, or it is not ready yet"
        )
    # Its name, also where it was given by its ARN: names of secrets begin with it.
    return Connection(_checked(outputs[_OUTPUT]), region, found["StackName"], outputs.get(_HOST_ROLE, ""))


def scope_of(application: str, group: str) -> Any:
    """The scope that the options name, or None.

    Raises
    ------
    UserError
        A group without its application, or a name that no application can have.
    """
    from tidegate.api.addresses import Scope
    from tidegate.model.names import NAME

    if group and not application:
        raise UserError("--group needs --application beside it")
    for option, name in (("--application", application), ("--group", group)):
        if name and (not NAME.fullmatch(name) or name in (".", "..")):
            raise UserError(f"{option} {name!r} is no name: 1 to 100 letters, digits and characters of +=,.@_-")
    return Scope(application, group or None) if application else None
