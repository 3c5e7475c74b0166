"""Connecting to the local cloud, and the proxy: real signatures, policies, functions and hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance import javascript_sdk

pytestmark = pytest.mark.local


@pytest.fixture
def shell(cloud: Any, tmp_path: Path) -> Callable[..., str]:
    """Runs a script in a shell that has what `tidegate local env` prints, and gives what it prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    more = {"PATH": path, "AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": "", "TIDEGATE_PROXY_DIR": str(tmp_path)}
    environment = {**clean, **cloud.env, **more, "XDG_DATA_HOME": str(tmp_path)}

    def run(script: str) -> str:
        done = subprocess.run(
            ["sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_javascript_deploys_to_hosts_through_the_proxy(
    cloud: Any, group: Callable[..., Any], shell: Callable[..., str]
) -> None:
    fleet = group(2)
    location = fleet.push("from javascript")["s3Location"]
    endpoint = shell("tidegate proxy --detach").strip()
    try:
        seen = javascript_sdk.run("deploy.mjs", endpoint, location["bucket"], location["key"], f"test-{fleet.name}")
    finally:
        ended = shell("tidegate proxy --stop")
    assert endpoint.rpartition("/")[0] in ended
    assert (seen["waited"], [status for status, _ in seen["targets"]]) == ("SUCCESS", ["Succeeded"] * 2)
    assert all(events >= 6 for _, events in seen["targets"])
    assert fleet.files() == ["from javascript"] * 2


def test_a_scope_is_put_on_top_of_the_local_cloud(shell: Callable[..., str], group: Callable[..., Any]) -> None:
    fleet = group(0)
    deployment = fleet.deploy(fleet.push("x"))
    script = f"""
        eval "$(tidegate connect --application {fleet.name})"
        aws deploy get-deployment --deployment-id {deployment} --query deploymentInfo.applicationName --output text
        eval "$(tidegate connect --application other)"
        aws deploy get-deployment --deployment-id {deployment} 2>&1 || true
        eval "$(tidegate connect)"
        tidegate changes --application {fleet.name}
    """
    name, *rest = shell(script).splitlines()
    assert name == fleet.name
    assert any("DeploymentDoesNotExistException" in line for line in rest)
    assert [words.split()[3] for words in rest[-3:]] == [
        "CreateDeployment",
        "CreateDeploymentGroup",
        "CreateApplication",
    ]
    assert all("user/administrator" in line for line in rest[-3:])
