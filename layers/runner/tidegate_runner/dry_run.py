"""Telling what a deployment by hand would do here, without doing it."""

import contextlib
import os
import tempfile
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from tidegate_runner.bundle import check_etag, content_folder, unpack_into
from tidegate_runner.cleanup import CleanupRecord, Forecast
from tidegate_runner.errors import EventError
from tidegate_runner.events import NOT_OF_HOSTS, scripts_for
from tidegate_runner.files import describe, remove_tree
from tidegate_runner.install import effective_behavior, refuse_unusable
from tidegate_runner.instructions import Copy, Instruction, MakeFolder
from tidegate_runner.order import Order
from tidegate_runner.owners import owners_of
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.plan import Plan, View, make_plan


class Collision(NamedTuple):
    """Something where the Install needs a ``file`` or ``directory`` of its own, and who put it there."""

    path: str
    needed: str
    owner: str
    group_id: Optional[str]
    deployment_id: Optional[str]


class PlannedScripts(NamedTuple):
    """The scripts an event would run, and of whose revision; of nobody's where there is none yet."""

    event: str
    deployment_id: Optional[str]
    scripts: List[Dict[str, Any]]


class InstallPlan(NamedTuple):
    """What a deployment would do here, as far as can be known without running its scripts."""

    instructions: List[Instruction]
    created: List[str]
    changed: List[str]
    kept: List[str]
    deleted: List[str]
    scripts: List[PlannedScripts]
    collisions: List[Collision]
    warnings: List[str]
    failed_event: Optional[str]
    failure: str


def plan_install(order: Order, host: HostPaths) -> InstallPlan:
    """Tell what a deployment would do here.

    The bundle is unpacked into a temporary folder, which is removed again; nothing else is touched.
    """
    found = InstallPlan([], [], [], [], [], [], [], [], None, "")
    event = "DownloadBundle"
    try:
        with _unpacked(order) as archive:
            scripts, early = _planned_scripts(order, host)
            found = found._replace(scripts=scripts, failed_event=early[0], failure=early[1])
            event = "Install"
            refuse_unusable(order.appspec)
            found = _with_files(found, order, host, archive)
    except OSError as error:
        return _with_failure(found, order, event, describe(error))
    except EventError as error:
        return _with_failure(found, order, event, str(error))
    return found


@contextlib.contextmanager
def _unpacked(order: Order) -> Iterator[str]:
    """Give the folder of the order's revision, unpacked as DownloadBundle would."""
    folder = tempfile.mkdtemp(prefix="tidegate-plan-")
    try:
        if not os.path.exists(order.bundle["path"]):
            raise EventError("There is no bundle %s." % order.bundle["path"])
        check_etag(order)
        target = os.path.join(folder, "revision")
        unpack_into(order, order.bundle["path"], target)
        yield target if order.bundle["type"] == "directory" else content_folder(target)
    finally:
        remove_tree(folder)


def _planned_scripts(order: Order, host: HostPaths) -> Tuple[List[PlannedScripts], Tuple[Optional[str], str]]:
    """Give each event's scripts, and the first event before Install that cannot but fail, with the reason."""
    planned: List[PlannedScripts] = []
    early: Tuple[Optional[str], str] = (None, "")
    current = DeploymentPaths.of(host, order.group_id, order.deployment_id)
    hooks = order.appspec.get("hooks") or {}
    downloaded = installed = False
    for event in order.events:
        downloaded, installed = downloaded or event == "DownloadBundle", installed or event == "Install"
        if event in ("DownloadBundle", "Install") or event in NOT_OF_HOSTS:
            continue
        if downloaded:
            planned.append(PlannedScripts(event, order.deployment_id, list(hooks.get(event) or [])))
            if order.appspec.get("error") and not installed and early[0] is None:
                early = (event, str(order.appspec["error"]))
            continue
        try:
            place, scripts = scripts_for(event, order, host)
        except LookupError:
            place, scripts = None, []
        except EventError as error:
            place, scripts = current, []
            early = early if early[0] else (event, str(error))
        planned.append(PlannedScripts(event, place.deployment_id if place else None, scripts))
    return planned, early


def _with_files(found: InstallPlan, order: Order, host: HostPaths, archive: str) -> InstallPlan:
    logical = DeploymentPaths.of(host, order.group_id, order.deployment_id).logical_archive
    record = CleanupRecord(host, order.group_id)
    forecast = record.forecast()
    view = View(host, forecast.removed, (logical, archive))
    plan = make_plan(order.appspec, effective_behavior(order), logical, view)
    found = _told(found, plan, host, record, forecast, order.group_id)
    try:
        plan.refuse()
    except EventError as error:
        return _with_failure(found, order, "Install", str(error))
    return found


def _told(
    found: InstallPlan, plan: Plan, host: HostPaths, record: CleanupRecord, forecast: Forecast, group_id: str
) -> InstallPlan:
    written = [change.destination for change in plan.instructions if isinstance(change, Copy)]
    folders = [change.directory for change in plan.instructions if isinstance(change, MakeFolder)]
    there = {path for path in written + folders if os.path.lexists(host.at(path))}
    replaced = there - {one.path for one in plan.in_the_way}
    files = set(written)
    again = files | set(folders)
    owners = owners_of([one.path for one in plan.in_the_way], host, group_id)
    return found._replace(
        instructions=list(plan.instructions),
        created=[path for path in _in_order(plan) if path not in there],
        changed=[
            path for path in _in_order(plan) if path in replaced and (path in files or not _is_folder(host.at(path)))
        ],
        kept=plan.retained + list(forecast.kept),
        deleted=[
            path for path in dict.fromkeys(record.newest_first()) if path in forecast.removed and path not in again
        ],
        collisions=[Collision(one.path, one.needed, *owners[one.path]) for one in plan.in_the_way],
        warnings=plan.warnings,
    )


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _in_order(plan: Plan) -> Iterator[str]:
    for change in plan.instructions:
        if isinstance(change, Copy):
            yield change.destination
        elif isinstance(change, MakeFolder):
            yield change.directory


def _with_failure(found: InstallPlan, order: Order, event: str, message: str) -> InstallPlan:
    """Keep the failure that comes first in the order's events."""
    if found.failed_event is not None and _position(order, found.failed_event) < _position(order, event):
        return found
    return found._replace(failed_event=event, failure=message)


def _position(order: Order, event: str) -> int:
    return order.events.index(event) if event in order.events else len(order.events)
