"""Lifecycle events: what each does, and whose scripts it runs."""

import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

from tidegate_runner.environment import base_environment, deployment_variables
from tidegate_runner.errors import EventError, ScriptError
from tidegate_runner.files import read_json
from tidegate_runner.logs import ScriptLog
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.pointers import Pointers

# Their scripts are those of the revision that is on the host, and their failure can be ignored.
STOP_EVENTS = ("BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop")
# Done against the load balancer; no host has a part in them.
NOT_OF_HOSTS = ("BlockTraffic", "AllowTraffic")
_AFTER_TRAFFIC = ("BeforeAllowTraffic", "AfterAllowTraffic")


def run_event(event: str, order: Order, host: HostPaths, environ: Mapping[str, str], log: ScriptLog) -> None:
    """Run one lifecycle event.

    Raises
    ------
    EventError
        When it failed.
    """
    # Imported where they are used: a repeated command, or one with nothing to unpack, should be quick.
    if event == "DownloadBundle":
        from tidegate_runner.bundle import download_bundle

        download_bundle(order, host, lambda text: log.line("[stderr]Warning: " + text))
    elif event == "Install":
        from tidegate_runner.install import install

        install(order, host, log.line)
    elif event not in NOT_OF_HOSTS:
        _run_hooks(event, order, host, environ, log)


def revision_for(event: str, order: Order, host: HostPaths) -> Optional[DeploymentPaths]:
    """Choose the deployment whose revision's scripts an event runs.

    Once the current deployment has been downloaded it is always the current one. Before that, the stop
    events, and all events of a restart, take the group's last successful install; ``None`` when there is none
    (the event does nothing).
    """
    current = DeploymentPaths.of(host, order.group_id, order.deployment_id)
    if os.path.isdir(current.archive):
        return current
    pointers = Pointers(host, order.group_id)
    rolls_traffic_back = order.deployment_creator == "codeDeployRollback" and order.deployment_type == "BLUE_GREEN"
    if event == "ApplicationStop":
        return pointers.last_successful()
    if event in STOP_EVENTS:
        return pointers.most_recent() if rolls_traffic_back else pointers.last_successful()
    if (event in _AFTER_TRAFFIC and rolls_traffic_back) or order.is_restart:
        return pointers.last_successful()
    raise EventError("did not find an AppSpec file: this deployment's revision has not been downloaded to this host")


def scripts_for(event: str, order: Order, host: HostPaths) -> Tuple[Optional[DeploymentPaths], List[Dict[str, Any]]]:
    """Give the deployment whose scripts an event runs, and the scripts; neither runs anything nor changes it.

    Raises
    ------
    EventError
        Where this deployment's AppSpec is not usable: every event that reads it fails then, hook or none.
    LookupError
        Where the scripts are no longer on this host; its text says whose.
    """
    place = revision_for(event, order, host)
    if place is None:
        return None, []
    appspec = read_json(place.appspec)
    if appspec is None or not os.path.isdir(place.archive):
        raise LookupError(place.deployment_id)
    if appspec.get("error"):
        raise EventError(str(appspec["error"]))
    return place, list((appspec.get("hooks") or {}).get(event) or [])


def _run_hooks(event: str, order: Order, host: HostPaths, environ: Mapping[str, str], log: ScriptLog) -> None:
    try:
        place, scripts = scripts_for(event, order, host)
    except LookupError as missing:
        log.line(
            "[stderr]Warning: the scripts of deployment %s are no longer on this host; %s does nothing."
            % (missing, event)
        )
        return
    if place is None or not scripts:
        return
    from tidegate_runner.hooks import run_scripts

    log.line("LifecycleEvent - %s" % event)
    if place.deployment_id != order.deployment_id:
        log.line("These scripts are of the revision of deployment %s, which is on this host." % place.deployment_id)
    variables = deployment_variables(order, event)
    try:
        run_scripts(scripts, place.archive, base_environment(environ), variables, host.at("/"), log)
    except ScriptError as error:
        if place.deployment_id == order.deployment_id:
            raise
        raise ScriptError(error.error_code, error.script_name, str(error) + _way_out(place)) from None


def _way_out(place: DeploymentPaths) -> str:
    return (
        ". This script is of the revision installed before, by deployment %s; to deploy past it, deploy with "
        "ignoreApplicationStopFailures" % place.deployment_id
    )
