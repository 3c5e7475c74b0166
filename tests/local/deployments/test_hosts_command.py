"""``tidegate hosts`` against the local cloud: one command on each side makes a machine a target."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests import forked
from tests.local.deployments.conftest import Cloud

pytestmark = pytest.mark.local

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hosts(cloud: Cloud) -> Run:
    """``tidegate hosts …`` with nothing but what ``tidegate local env`` prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
    env = {**clean, **cloud.env, "TIDEGATE_LOCAL_DIR": str(cloud.folder)}

    def run(*args: str, group: str = "hosts", fails: bool = False) -> subprocess.CompletedProcess[str]:
        done = forked.calling_tidegate().run([group, *args], env)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def activations(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    wanted = [{"FilterKey": "DefaultInstanceName", "FilterValues": [name]}]
    found: list[dict[str, Any]] = cloud.client("ssm").describe_activations(Filters=wanted)["ActivationList"]
    return found


def listed(hosts: Run, name: str, *args: str) -> dict[str, Any]:
    rows = json.loads(hosts("list", "--json", *args).stdout)
    found: dict[str, Any] = next((row for row in rows if row["instanceName"] == name), {})
    return found


def test_a_machine_from_registration_to_deployment_and_out_again(cloud: Cloud, group: Any, hosts: Run) -> None:
    name = "whole-way"
    told = hosts("register", name, "--tag", "test=whole").stdout
    assert listed(hosts, name)["problem"] == "no machine has joined under this name"
    command = re.search(r"tidegate (local join .*)", told)
    assert command, told
    hosts(*shlex.split(command[1])[1:], group="local")

    row = listed(hosts, name)
    assert (row["reachable"], row["problem"], row["tags"]) == (True, None, {"test": "whole"})
    (node,) = row["nodes"]
    assert "can reach it" in hosts("list").stdout
    again = json.loads(hosts("register", name, "--tag", "more=1", "--json").stdout)
    assert again == {"instanceName": name, "new": False, "nodes": [node]}
    assert listed(hosts, name)["tags"] == {"test": "whole", "more": "1"}

    fleet = group(0, onPremisesInstanceTagFilters=[{"Key": "test", "Value": "whole", "Type": "KEY_AND_VALUE"}])
    deployment_id = fleet.deploy(fleet.push("x"))
    assert fleet.wait(deployment_id)["status"] == "Succeeded"
    shown = hosts("--host", name, group="report").stdout
    assert (name in shown, deployment_id in shown, "Succeeded" in shown) == (True, True, True)

    gone = json.loads(hosts("deregister", name, "--json").stdout)
    assert gone == {
        "instanceName": name,
        "wasRegistered": True,
        "deletedActivations": [],
        "deregisteredNodes": [node],
        "keptNodes": [],
    }
    assert "was not registered" in hosts("deregister", name).stdout
    assert listed(hosts, name) == {}
    assert listed(hosts, name, "--all")["registrationStatus"] == "Deregistered"
    known = cloud.client("ssm").describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [node]}])
    assert known["InstanceInformationList"] == []


def test_registering_again_replaces_an_unused_activation(cloud: Cloud, hosts: Run) -> None:
    first = json.loads(hosts("register", "twice", "--json").stdout)
    second = json.loads(hosts("register", "twice", "--json", "--hours", "1").stdout)
    assert (first["new"], second["new"]) == (True, False)
    assert [each["ActivationId"] for each in activations(cloud, "twice")] == [second["activationId"]]
    assert first["activationCode"] != second["activationCode"]
    hosts("deregister", "twice")
    assert activations(cloud, "twice") == []


def test_a_machine_that_lost_its_tag_is_let_in_again_and_a_kept_node_stays(cloud: Cloud, hosts: Run) -> None:
    made = json.loads(hosts("register", "closed", "--json").stdout)
    join = ("join", "--activation-id", made["activationId"], "--activation-code", made["activationCode"], "--json")
    node = json.loads(hosts(*join, group="local").stdout)["id"]
    ssm = cloud.client("ssm")
    ssm.remove_tags_from_resource(ResourceType="ManagedInstance", ResourceId=node, TagKeys=["tidegate:managed"])
    assert listed(hosts, "closed")["problem"] == "its node lacks the tag tidegate:managed=true"
    hosts("register", "closed")
    assert listed(hosts, "closed")["reachable"]
    fresh = json.loads(hosts("register", "closed", "--again", "--json").stdout)
    assert "activationCode" in fresh
    told = hosts("deregister", "closed", "--keep-node").stdout
    assert f"Its managed node {node} is left in Systems Manager." in told
    assert f"Its unused activation {fresh['activationId']} is deleted." in told


def test_what_fails_leaves_nothing_behind(cloud: Cloud, hosts: Run) -> None:
    tags = [text for number in range(11) for text in ("--tag", f"k{number}=v")]
    late = hosts("register", "undone", *tags, fails=True)
    assert "AddTagsToOnPremisesInstances was refused" in late.stderr
    assert activations(cloud, "undone") == []
    assert listed(hosts, "undone", "--all")["registrationStatus"] == "Deregistered"
    early = hosts("register", "undone-too", "--role", "tidegate-local-host", fails=True)
    assert "ssm service principal" in early.stderr
    assert listed(hosts, "undone-too", "--all") == {}
    for args, part in (
        (("register", "i-1"), "does not begin with 'i-'"),
        (("register", "x", "--tag", "Fleet"), "--tag 'Fleet' is not of the form KEY=VALUE"),
        (("deregister", "a b"), "letters, digits"),
    ):
        assert part in hosts(*args, fails=True).stderr
