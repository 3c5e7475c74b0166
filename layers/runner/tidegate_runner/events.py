"""Lifecycle events: what each does, and whose scripts it runs."""

import os
from typing import Mapping, Optional

from tidegate_runner.bundle import download_bundle
from tidegate_runner.environment import base_environment, deployment_variables
from tidegate_runner.errors import EventError, ScriptError
from tidegate_runner.files import read_json
from tidegate_runner.hooks import run_scripts
from tidegate_runner.install import install
from tidegate_runner.logs import ScriptLog
from tidegate_runner.order import Order
from tidegate_runner.paths import DeploymentPaths, HostPaths
from tidegate_runner.pointers import Pointers

# Their scripts are those of the revision that is on the host, and their failure can be ignored.
STOP_EVENTS = ("BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop")
_AFTER_TRAFFIC = ("BeforeAllowTraffic", "AfterAllowTraffic")


def run_event(event: str, order: Order, host: HostPaths, environ: Mapping[str, str], log: ScriptLog) -> None:
    """Run one lifecycle event.

    Raises
    ------
    EventError
        When it failed.
    """
    if event == "DownloadBundle":
        download_bundle(order, host, lambda text: log.line("[stderr]Warning: " + text))
    elif event == "Install":
        install(order, host, log.line)
    else:
        _run_hooks(event, order, host, environ, log)


def revision_for(event: str, order: Order, host: HostPaths) -> Optional[DeploymentPaths]:
    """Choose the deployment whose revision's scripts an event runs.

    Once the current deployment has been downloaded it is always the current one. Before that, the stop
    events take the group's last successful install; ``None`` when there is none (the event does nothing).
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
    if event in _AFTER_TRAFFIC and rolls_traffic_back:
        return pointers.last_successful()
    raise EventError("did not find an AppSpec file: this deployment's revision has not been downloaded to this host")


def _run_hooks(event: str, order: Order, host: HostPaths, environ: Mapping[str, str], log: ScriptLog) -> None:
    place = revision_for(event, order, host)
    if place is None:
        return
    appspec = read_json(place.appspec)
    if appspec is None or not os.path.isdir(place.archive):
        log.line(
            "[stderr]Warning: the scripts of deployment %s are no longer on this host; %s does nothing."
            % (place.deployment_id, event)
        )
        return
    scripts = (appspec.get("hooks") or {}).get(event) or []
    if not scripts:
        return
    log.line("LifecycleEvent - %s" % event)
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
