"""What the demonstration does, step by step."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate_cli import decisions, report, watch
from tidegate_cli.clients import UserError, codedeploy, tidegate
from tidegate_cli.demo.cloud import DemoCloud, fetch_json
from tidegate_cli.demo.evidence import CALLS, Evidence, HostSeen
from tidegate_cli.demo.revisions import EXAMPLE, assemble
from tidegate_cli.deployment_view import DeploymentView
from tidegate_cli.words import duration

if TYPE_CHECKING:
    from mypy_boto3_codedeploy import CodeDeployClient
    from rich.console import Console

__all__ = ["FLEET", "tell"]

FLEET = 6
TAG = ("Fleet", "demo")
APPLICATION = "webapp"
GROUP = "demo"
BUCKET = "demo-revisions"
PORT = 8080
PATIENCE = 120.0
"""Seconds after which a deployment that has not ended is given up."""


def tell(cloud: DemoCloud, folder: Path, console: Console, seen: Evidence) -> None:
    """Run the whole demonstration and gather what is seen in `seen`, also when it stops half-way.

    Raises
    ------
    UserError
        When a step could not be made at all; a step that was made and went otherwise than it should shows in
        `seen`.
    """
    _heading(console, f"A local cloud with {FLEET} hosts")
    cloud.up(FLEET, "=".join(TAG))
    names = {host["id"]: host["name"] for host in cloud.hosts}
    client = codedeploy()
    _create(client)
    revisions = [_push(cloud, path) for path in assemble(EXAMPLE, folder)]

    _heading(console, "Revision 1, half of the fleet at a time")
    first = _deploy(cloud, client, console, seen, _start(client, revisions[0], "the first release"), names)
    if first.status != "Succeeded":
        console.print(decisions.render(decisions.decisions_of(tidegate(), first.deployment_id), names))
        raise UserError(
            f"{first.deployment_id} is {first.status}, so there is nothing to go back to: {first.error_message}"
        )
    seen.served_first = {host["name"]: _served(host) for host in cloud.hosts}
    _say_served(console, seen.served_first)

    _heading(console, "Revision 2, whose health page is broken")
    failed = _deploy(cloud, client, console, seen, _start(client, revisions[1], "with disk space"), names)

    _heading(console, "The rollback, a deployment of its own")
    _deploy(cloud, client, console, seen, _rollback_of(client, failed), names)
    seen.hosts = [HostSeen(host["id"], host["name"], _served(host)) for host in cloud.hosts]
    _say_served(console, {host.name: host.served for host in seen.hosts})

    _explain(console, seen, names)
    seen.calls = cloud.calls()


def _heading(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _create(client: CodeDeployClient) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket=BUCKET)
    client.create_application(applicationName=APPLICATION, computePlatform="Server")
    client.create_deployment_group(
        applicationName=APPLICATION,
        deploymentGroupName=GROUP,
        serviceRoleArn="arn:aws:iam::123456789012:role/deployments",
        deploymentConfigName="CodeDeployDefault.HalfAtATime",
        ec2TagFilters=[{"Key": TAG[0], "Value": TAG[1], "Type": "KEY_AND_VALUE"}],
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    )


def _push(cloud: DemoCloud, source: Path) -> dict[str, Any]:
    """Push a folder as ``aws deploy push`` does, and return the location it prints."""
    location = f"s3://{BUCKET}/{APPLICATION}-{source.name}.zip"
    printed = cloud.aws(
        "deploy", "push", "--application-name", APPLICATION, "--source", str(source), "--s3-location", location
    )
    found = re.search(r"--s3-location (\S+)", printed)
    if found is None:
        raise UserError(f"aws deploy push named no location: {printed.strip()}")
    s3 = dict(part.split("=", 1) for part in found[1].split(","))
    return {"revisionType": "S3", "s3Location": s3}


def _start(client: CodeDeployClient, revision: dict[str, Any], description: str) -> str:
    return client.create_deployment(
        applicationName=APPLICATION,
        deploymentGroupName=GROUP,
        revision=revision,  # type: ignore[arg-type]
        description=description,
    )["deploymentId"]


def _deploy(
    cloud: DemoCloud,
    client: CodeDeployClient,
    console: Console,
    seen: Evidence,
    deployment_id: str,
    names: dict[str, str],
) -> DeploymentView:
    """Watch a deployment to its end, and say what it took."""
    before = cloud.calls()
    watcher = watch.Watcher(client, deployment_id, names)
    last = watch.show(_patiently(watcher.views()), console)
    seen.deployments.append(last)
    counted = {name: count - before.get(name, 0) for name, count in cloud.calls().items() if name in CALLS}
    calls = ", ".join(f"{counted[name]} {name}" for name in CALLS if name in counted)
    console.print(f"{last.status} in {duration(last.seconds)}; calls but for those of the API: {calls}")
    return last


def _patiently(views: Iterator[DeploymentView]) -> Iterator[DeploymentView]:
    deadline = time.monotonic() + PATIENCE
    for view in views:
        yield view
        if not view.ended and time.monotonic() > deadline:
            raise UserError(f"{view.deployment_id} is {view.status} after {duration(PATIENCE)}")


def _rollback_of(client: CodeDeployClient, failed: DeploymentView) -> str:
    """Return the id of the deployment that rolls `failed` back, which may be linked a moment after its end."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        info = client.get_deployment(deploymentId=failed.deployment_id)["deploymentInfo"]
        if found := info.get("rollbackInfo", {}).get("rollbackDeploymentId"):
            return found
        time.sleep(0.2)
    raise UserError(f"{failed.deployment_id} is {failed.status} and was not rolled back")


def _served(host: dict[str, Any]) -> str:
    """Return the version that a host serves; empty when it does not answer."""
    try:
        return str(fetch_json(f"http://{host['address']}:{PORT}/")["version"])
    except (OSError, ValueError, KeyError):
        return ""


def _say_served(console: Console, served: dict[str, str]) -> None:
    said = ", ".join(f"{name} version {version or '?'}" for name, version in sorted(served.items()))
    console.print(f"Over HTTP: {said}")


def _explain(console: Console, seen: Evidence, names: dict[str, str]) -> None:
    client = tidegate()
    _heading(console, "Which revision went where")
    for view in seen.deployments:
        seen.installations += report.installations_of(client, deployment=view.deployment_id)
    console.print(report.render(seen.installations, names))
    for number, view in enumerate(seen.deployments):
        # Looked at again: the failed one's link to its rollback may have come after its end.
        seen.deployments[number] = watch.Watcher(codedeploy(), view.deployment_id, names).look(time.time())
        seen.decisions[view.deployment_id] = decisions.decisions_of(client, view.deployment_id)
        _heading(console, f"Why {view.deployment_id} {view.status.lower()}")
        console.print(decisions.render(seen.decisions[view.deployment_id], names))
