"""From options to an order: what the coordinator would send to a host, for a bundle on this machine."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate_cli.host.appspec import compile_bundle
from tidegate_cli.host.errors import UsageProblem
from tidegate_cli.host.lifecycle import check_order, ordered_events, parse_events
from tidegate_cli.host.options import BundleType, Creator, DeploymentType, Request
from tidegate_runner import door
from tidegate_runner.order import Order
from tidegate_runner.paths import DEPLOYMENT_ROOT, HostPaths

__all__ = ["Prepared", "new_deployment_id", "prepare"]

GROUP_NAME = "LocalFleet"
GROUP_ID = "default-local-deployment-group"
BEHAVIORS = ("DISALLOW", "OVERWRITE", "RETAIN")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_ID_CHARACTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order for this machine, where its state is kept, and what the user should know before it runs."""

    order: Order
    host: HostPaths
    warnings: tuple[str, ...]


def prepare(request: Request) -> Prepared:
    """Check the options and make the order.

    Raises
    ------
    UsageProblem
        For the first option that cannot be used. A bundle or AppSpec that is no good is none of these: it fails
        an event, as it does on a host.
    """
    bundle = _bundle(request)
    _check_appspec_name(request.appspec)
    root = _state_folder(request, bundle)
    asked_for = parse_events("--events", request.events or "")
    check_order(asked_for, request.creator is Creator.ROLLBACK and request.deployment_type is DeploymentType.BLUE_GREEN)
    events = ordered_events(asked_for)
    possible = None
    if request.all_possible_events is not None:
        possible = parse_events("--all-possible-events", request.all_possible_events)
    compiled = compile_bundle(bundle, request.bundle_type, request.appspec, events, possible)
    document = {
        "schema": 1,
        "deploymentId": _id("--deployment-id", request.deployment_id) or new_deployment_id(),
        "events": events,
        "applicationName": request.application or request.bundle,
        "deploymentGroupName": request.deployment_group or GROUP_NAME,
        "deploymentGroupId": _id("--deployment-group-id", request.deployment_group_id) or GROUP_ID,
        "deploymentCreator": request.creator.value,
        "deploymentType": request.deployment_type.value,
        "ignoreApplicationStopFailures": request.ignore_application_stop_failures,
        "fileExistsBehavior": request.file_exists_behavior,
        "revision": _revision(request),
        "bundle": _bundle_field(request, bundle),
        "appspec": compiled.document,
    }
    warnings = (*_behavior_warnings(request), *compiled.warnings)
    return Prepared(door.make_order(document), door.open_state(root), warnings)


def new_deployment_id() -> str:
    """Make up an id as ``codedeploy-local`` does: ``d-``, nine letters or digits, ``-local``."""
    return "d-" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(9)) + "-local"


def _bundle(request: Request) -> Path:
    path = Path(request.bundle)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", request.bundle):
        remedy = "Download it first, and give --revision where scripts need BUNDLE_*"
        raise UsageProblem("--bundle", request.bundle, "is not on this machine", remedy)
    if not request.bundle or not path.exists():
        raise UsageProblem("--bundle", request.bundle, "does not exist", "Name a folder or an archive")
    if request.bundle_type is BundleType.DIRECTORY and not path.is_dir():
        remedy = "Give --bundle-type tar, tgz or zip for an archive"
        raise UsageProblem("--bundle", request.bundle, "is not a directory", remedy)
    if request.bundle_type is not BundleType.DIRECTORY and not path.is_file():
        remedy = "Give --bundle-type directory for a folder" if path.is_dir() else "Name an archive"
        raise UsageProblem("--bundle", request.bundle, f"is not a {request.bundle_type} file", remedy)
    return path.resolve()


def _bundle_field(request: Request, bundle: Path) -> dict[str, Any]:
    field: dict[str, Any] = {"path": str(bundle), "type": request.bundle_type.value}
    if request.object_etag is not None:
        field["objectEtag"] = request.object_etag
    return field


def _check_appspec_name(name: str | None) -> None:
    if name is None:
        return
    if not name.strip("/.") or name.startswith("/") or ".." in name.split("/") or "\0" in name:
        remedy = "Give a path inside the bundle, such as deploy/appspec.yml"
        raise UsageProblem("--appspec", name, "is no file of the bundle", remedy)


def _state_folder(request: Request, bundle: Path) -> str | None:
    """Give the folder for ``--root``; it is not made here."""
    if request.root is None:
        return None
    if not request.root:
        raise UsageProblem("--root", request.root, "is empty", f"Name a folder, or leave it out for {DEPLOYMENT_ROOT}")
    root = Path(request.root).resolve()
    if root.exists() and not root.is_dir():
        raise UsageProblem("--root", request.root, "is not a directory", "Name a folder")
    if request.bundle_type is BundleType.DIRECTORY and (root == bundle or bundle in root.parents):
        raise UsageProblem("--root", request.root, "lies inside the bundle", "Name a folder outside of it")
    return str(root)


def _id(option: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not _FILE_NAME.fullmatch(value):
        remedy = "Use up to 128 letters, digits, '_', '-' and '.', not '.' first"
        raise UsageProblem(option, value, "cannot name a folder", remedy)
    return value


def _revision(request: Request) -> dict[str, Any]:
    if request.revision is None:
        kind = "Directory" if request.bundle_type is BundleType.DIRECTORY else "File"
        return {"revisionType": f"Local {kind}"}
    text = request.revision
    try:
        location = json.loads(text)
    except ValueError as error:
        raise UsageProblem("--revision", text, f"is not JSON ({error})", _REVISION_REMEDY) from None
    if not isinstance(location, dict):
        raise UsageProblem("--revision", text, "is not a JSON object", _REVISION_REMEDY)
    for member, needed in _LOCATIONS.items():
        if member in location:
            _check_location(text, member, location[member], needed)
    if not any(member in location for member in _LOCATIONS):
        raise UsageProblem("--revision", text, f"holds none of {', '.join(_LOCATIONS)}", _REVISION_REMEDY)
    return location


def _check_location(text: str, member: str, found: object, needed: tuple[str, ...]) -> None:
    if not isinstance(found, Mapping):
        raise UsageProblem("--revision", text, f"holds a {member} that is not an object", _REVISION_REMEDY)
    for name in needed:
        if not isinstance(found.get(name), str) or not found[name]:
            raise UsageProblem("--revision", text, f"lacks the text {member}.{name}", _REVISION_REMEDY)


_LOCATIONS: dict[str, tuple[str, ...]] = {
    "s3Location": ("bucket", "key"),
    "gitHubLocation": ("repository", "commitId"),
}
_REVISION_REMEDY = (
    "Write it as in CreateDeployment, for example "
    '{"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip"}}'
)


def _behavior_warnings(request: Request) -> tuple[str, ...]:
    value = request.file_exists_behavior
    if value is None or value.upper() in BEHAVIORS:
        return ()
    # As on a host: it matters, and fails Install, only where a file is in the way.
    return (f"--file-exists-behavior: {value!r} is none of {', '.join(BEHAVIORS)}",)
