"""``tidegate connect``: what a shell needs so that the AWS CLI and boto3 talk to an installation."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate_cli.clients import UserError, user_errors
from tidegate_cli.connection import Application, EndpointUrl, GroupName, Region, StackName, find, scope_of

__all__ = ["Shell", "connect", "exports"]


class Shell(StrEnum):
    """How variables are set."""

    SH = "sh"
    FISH = "fish"
    POWERSHELL = "powershell"
    JSON = "json"


def _fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _powershell(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


_LINES: Final[Mapping[Shell, Callable[[str, str], str]]] = {
    Shell.SH: lambda name, value: f"export {name}={shlex.quote(value)}",
    Shell.FISH: lambda name, value: f"set -gx {name} {_fish(value)}",
    Shell.POWERSHELL: lambda name, value: f"$env:{name} = {_powershell(value)}",
}


def exports(variables: Mapping[str, str], shell: Shell) -> str:
    """Return the lines that set variables in a shell.

    >>> print(exports({"A": "it's"}, Shell.FISH))
    set -gx A 'it\\'s'
    >>> print(exports({"A": "it's"}, Shell.POWERSHELL))
    $env:A = 'it''s'
    """
    if shell is Shell.JSON:
        return json.dumps(dict(variables), indent=2)
    return "\n".join(_LINES[shell](name, value) for name, value in variables.items())


def default_folder(scope: tuple[str, ...], *, override_alarms: bool = False) -> Path:
    """The folder of the service models, one a scope and way to create: ``$XDG_DATA_HOME/tidegate/models/…``."""
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    name = hashlib.sha256("/".join(scope).encode()).hexdigest()[:12] if scope else "all"
    return base / "tidegate" / "models" / (f"{name}-overriding-alarms" if override_alarms else name)


def connect(
    stack: StackName = "",
    endpoint: EndpointUrl = "",
    region: Region = "",
    application: Application = "",
    group: GroupName = "",
    override_alarms: Annotated[
        bool,
        typer.Option(
            "--override-alarms", help="Create deployments by the path that may override their group's alarms."
        ),
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the service models go; made where it is missing.")] = None,
    shell: Annotated[Shell, typer.Option(help="Whose syntax to print.")] = Shell.SH,
) -> None:
    """Prepare the AWS CLI and boto3 for an installation, and print the variables: eval "$(tidegate connect)"."""
    from tidegate.api.client_model import write_client_models

    with user_errors():
        scope = scope_of(application, group)
        found = find(stack, endpoint, region)
        usual = default_folder(scope.names if scope else (), override_alarms=override_alarms)
        goal = (folder or usual).expanduser().absolute()
        try:
            write_client_models(goal, scope, override_alarms=override_alarms)
        except OSError as error:
            raise UserError(
                f"the folder {goal} cannot be written ({error.strerror}): name another with --folder"
            ) from None
        variables = {
            "AWS_ENDPOINT_URL_CODEDEPLOY": found.endpoint,
            "AWS_ENDPOINT_URL_TIDEGATE": found.endpoint,
            "AWS_DATA_PATH": str(goal),
            # boto3 reads the one, other SDKs the other.
            "AWS_DEFAULT_REGION": found.region,
            "AWS_REGION": found.region,
            # For `tidegate github` and `tidegate hosts`, whose work is beside the API.
            **({"TIDEGATE_STACK": found.stack} if found.stack else {}),
            **({"TIDEGATE_HOST_ROLE": found.host_role} if found.host_role else {}),
        }
        typer.echo(exports(variables, shell))
