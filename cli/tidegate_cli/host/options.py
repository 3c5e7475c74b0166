"""The options that ``tidegate host deploy`` and ``tidegate host plan`` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from tidegate_cli.host.errors import usage_problems

__all__ = ["BundleType", "Creator", "DeploymentType", "Request", "command"]


class BundleType(StrEnum):
    """How the bundle is read. The type decides, not the file's name."""

    DIRECTORY = "directory"
    TAR = "tar"
    TGZ = "tgz"
    ZIP = "zip"


class DeploymentType(StrEnum):
    """CodeDeploy's deployment types."""

    IN_PLACE = "IN_PLACE"
    BLUE_GREEN = "BLUE_GREEN"


class Creator(StrEnum):
    """Who made the deployment, as far as the host's behaviour depends on it."""

    USER = "user"
    ROLLBACK = "codeDeployRollback"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, as it was written; None where an option was left out."""

    bundle: str
    bundle_type: BundleType
    appspec: str | None = None
    application: str | None = None
    deployment_group: str | None = None
    deployment_group_id: str | None = None
    deployment_id: str | None = None
    deployment_type: DeploymentType = DeploymentType.IN_PLACE
    creator: Creator = Creator.USER
    file_exists_behavior: str | None = None
    events: str | None = None
    all_possible_events: str | None = None
    ignore_application_stop_failures: bool = False
    revision: str | None = None
    object_etag: str | None = None
    root: str | None = None
    as_json: bool = False


def _read(  # each parameter is an option of the command line
    bundle: Annotated[str, typer.Option(help="The revision: a folder or an archive on this machine.")],
    bundle_type: Annotated[BundleType, typer.Option(help="How to read it; the file's name does not matter.")],
    appspec: Annotated[
        str | None, typer.Option(metavar="NAME", help="AppSpec file in the bundle (default: appspec.yml).")
    ] = None,
    application: Annotated[
        str | None, typer.Option(metavar="NAME", help="APPLICATION_NAME of the scripts (default: the bundle's path).")
    ] = None,
    deployment_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="DEPLOYMENT_GROUP_NAME of the scripts (default: LocalFleet).")
    ] = None,
    deployment_group_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose last install is replaced (default: default-local-deployment-group)."),
    ] = None,
    deployment_id: Annotated[
        str | None, typer.Option(metavar="ID", help="DEPLOYMENT_ID of the scripts (default: a new d-XXXXXXXXX-local).")
    ] = None,
    deployment_type: Annotated[
        DeploymentType, typer.Option(help="Decides, with --creator, whose scripts run.")
    ] = DeploymentType.IN_PLACE,
    creator: Annotated[Creator, typer.Option(help="Who made the deployment.")] = Creator.USER,
    file_exists_behavior: Annotated[
        str | None,
        typer.Option(
            metavar="BEHAVIOR",
            help="DISALLOW, OVERWRITE or RETAIN files that exist, where the AppSpec does not say (default: DISALLOW).",
        ),
    ] = None,
    events: Annotated[
        str | None, typer.Option(metavar="E1,E2,...", help="Run these, in this order, instead of all.")
    ] = None,
    all_possible_events: Annotated[
        str | None, typer.Option(metavar="E1,E2,...", help="Fail Install for any other event in the AppSpec.")
    ] = None,
    ignore_application_stop_failures: Annotated[
        bool, typer.Option("--ignore-application-stop-failures", help="Go on when the old revision cannot be stopped.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="JSON", help="Revision location, as in the API: gives scripts BUNDLE_*.")
    ] = None,
    object_etag: Annotated[
        str | None, typer.Option(metavar="ETAG", help="What the store reported: must equal the revision's eTag.")
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            metavar="STATE_DIR",
            help="Where revisions and records are kept (default: /opt/codedeploy-agent/deployment-root).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> Request:
    values = dict(locals())
    return Request(**values)


def command(action: Callable[[Request], None]) -> Callable[..., None]:
    """Make a command of `action` that takes the shared options; bad usage ends with status 2."""

    @functools.wraps(_read)  # the command line is read off the signature
    def run(**values: Any) -> None:
        with usage_problems():
            action(_read(**values))

    run.__name__ = action.__name__
    run.__doc__ = action.__doc__
    return run
