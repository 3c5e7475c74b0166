"""Rolling deployments behind a load balancer that really forwards, while requests keep coming."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from tests.local.deployments.conftest import LIMITS, ROOT, Cloud, Group, ended, made_group, started, tidegate
from tests.local.deployments.traffic import answers_well, ask, traffic

pytestmark = pytest.mark.local

WEBAPP = ROOT / "examples" / "webapp" / "v1"
PORT = 8080
HOSTS = 6
STYLE = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
#: The balancers' limit is lowered: what never gets healthy is to fail while a test waits.
BALANCED = {**LIMITS, "HostEventSeconds": "20", "BalancerSeconds": "20", "BalancerIntervalSeconds": "1"}
EVENTS = [
    "BeforeBlockTraffic",
    "BlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
]


@pytest.fixture(scope="module")
def balanced_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("balanced")
    parameters = itertools.chain.from_iterable(("--parameter", f"{k}={v}") for k, v in BALANCED.items())
    up = tidegate(folder, "local", "up", "--hosts", str(HOSTS), "--detach", *parameters)
    assert up.returncode == 0, up.stdout + up.stderr
    yield started(folder)
    ended(folder)


def make_balancer(cloud: Cloud, name: str, health: str = "/health") -> str:
    """A load balancer with one listener and one target group, all of that name; the target group's ARN."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    (group,) = elb.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=PORT,
        VpcId=vpc,
        TargetType="instance",
        HealthCheckPath=health,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
    )["TargetGroups"]
    arn = str(group["TargetGroupArn"])
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=delay)
    (balancer,) = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    return arn


def make_fleet(cloud: Cloud, name: str, hosts: int, balancers: dict[str, Any], keep: int) -> Group:
    config = f"keep-{name}"
    cloud.client("codedeploy").create_deployment_config(
        deploymentConfigName=config, minimumHealthyHosts={"type": "HOST_COUNT", "value": keep}
    )
    return made_group(cloud, name, hosts, config=config, deploymentStyle=STYLE, loadBalancerInfo=balancers)


def webapp(fleet: Group, version: str) -> dict[str, Any]:
    """The example application as a revision of some version."""
    files = {str(p.relative_to(WEBAPP)): p.read_text() for p in WEBAPP.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    note = '#!/bin/sh\necho "$LIFECYCLE_EVENT $(cat "$(dirname "$0")/../app/VERSION")" >>/var/tmp/traffic\n'
    events = ("BeforeBlockTraffic", "AfterBlockTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
    files["scripts/note.sh"] = note
    files["app/VERSION"] = version + "\n"
    files["appspec.yml"] += "".join(
        f"  {event}:\n    - location: scripts/note.sh\n      timeout: 10\n" for event in events
    )
    return fleet.upload(fleet.archive(files))


def address_of(cloud: Cloud, name: str) -> str:
    return next(str(each["address"]) for each in cloud.page("balancers") if each["name"] == name)


def held_healthy(cloud: Cloud, arn: str) -> Callable[[], int]:
    """Counts the targets that a target group holds for healthy."""

    def count() -> int:
        health = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return sum(row["TargetHealth"]["State"] == "healthy" for row in health)

    return count


def answering(hosts: Iterable[dict[str, Any]]) -> Callable[[], int]:
    """Counts the hosts whose application says that it is healthy."""
    addresses = [f"{host['address']}:{PORT}" for host in hosts]
    return lambda: sum(map(answers_well, addresses))


def test_no_request_fails_and_the_minimum_holds_while_a_fleet_is_deployed_to(balanced_cloud: Cloud) -> None:
    cloud, name, keep = balanced_cloud, "rolling", 4
    arn = make_balancer(cloud, name)
    fleet = make_fleet(cloud, name, HOSTS, {"targetGroupInfoList": [{"name": name}]}, keep)
    first = fleet.wait(fleet.deploy(webapp(fleet, "1"), deploymentConfigName="CodeDeployDefault.AllAtOnce"), 240)
    assert first["status"] == "Succeeded", first
    address = address_of(cloud, name)

    with traffic(address, [held_healthy(cloud, arn), answering(fleet.hosts)]) as seen:
        second = fleet.deploy(webapp(fleet, "2"))
        info = fleet.wait(second, 300)
        time.sleep(0.5)

    assert info["status"] == "Succeeded", "\n".join(fleet.reasons(second))
    assert (seen.failed, set(seen.versions)) == (0, {"1", "2"})
    assert sum(seen.versions.values()) == seen.requests > 1000
    assert seen.looks > 20
    assert keep <= min(seen.fewest)
    assert seen.fewest[0] < HOSTS
    for host in fleet.names:
        assert list(fleet.events(second, host)) == EVENTS
        assert set(fleet.events(second, host).values()) == {"Succeeded"}
        # Those around BlockTraffic are the previous revision's scripts, the others the new one's.
        assert cloud.read(host, "/var/tmp/traffic").splitlines() == [
            "BeforeAllowTraffic 1",
            "AfterAllowTraffic 1",
            "BeforeBlockTraffic 1",
            "AfterBlockTraffic 1",
            "BeforeAllowTraffic 2",
            "AfterAllowTraffic 2",
        ]
    listed = json.loads(tidegate(cloud.folder, "local", "balancers", "--json").stdout)
    (own,) = [each for each in listed if each["name"] == name]
    assert (own["address"], set(own["targets"].values())) == (address, {"healthy"})


def test_an_instance_that_never_gets_healthy_fails_by_the_limit(balanced_cloud: Cloud) -> None:
    cloud, name = balanced_cloud, "sick"
    make_balancer(cloud, name, health="/no-such-page")
    fleet = make_fleet(cloud, name, 1, {"targetGroupInfoList": [{"name": name}]}, 0)
    deployment = fleet.deploy(fleet.push("x"))
    info = fleet.wait(deployment, 180)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    events = fleet.events(deployment, "host-1")
    assert (events["ValidateService"], events["AllowTraffic"], events["AfterAllowTraffic"]) == (
        "Succeeded",
        "Failed",
        "Skipped",
    )
    told = next(reason for reason in fleet.reasons(deployment) if "AllowTraffic" in reason)
    assert "in target group 'sick' after 20 s" in told
    assert "still unhealthy (Target." in told


def test_a_target_group_that_does_not_exist(balanced_cloud: Cloud) -> None:
    fleet = make_fleet(balanced_cloud, "nobody", 1, {"targetGroupInfoList": [{"name": "nobody"}]}, 0)
    info = fleet.wait(fleet.deploy(fleet.push("x")))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "ELASTIC_LOAD_BALANCING_INVALID")
    assert "target group 'nobody'" in info["errorInformation"]["message"]
    assert fleet.files() == [""]


def test_a_classic_load_balancer_drains_and_takes_the_instances_back(balanced_cloud: Cloud) -> None:
    cloud, name, port = balanced_cloud, "classic", 8090
    elb = cloud.client("elb")
    elb.create_load_balancer(
        LoadBalancerName=name,
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": port}],
        AvailabilityZones=["us-east-1a"],
    )
    elb.configure_health_check(
        LoadBalancerName=name,
        HealthCheck={
            "Target": f"HTTP:{port}/file.txt",
            "Interval": 5,
            "Timeout": 2,
            "HealthyThreshold": 2,
            "UnhealthyThreshold": 2,
        },
    )
    draining = {"ConnectionDraining": {"Enabled": True, "Timeout": 5}}
    elb.modify_load_balancer_attributes(LoadBalancerName=name, LoadBalancerAttributes=draining)
    fleet = make_fleet(cloud, name, 2, {"elbInfoList": [{"name": name}]}, 1)
    hooks = "hooks:\n  ApplicationStart:\n    - location: serve.sh\n      timeout: 20\n"
    serve = f'cd /srv/{name} && setsid python3 -m http.server {port} --bind "$(uname -n)" </dev/null'
    scripts = {"serve.sh": f"#!/bin/sh\n{serve} >/dev/null 2>&1 &\n"}
    deployment = fleet.deploy(fleet.push("served", hooks, scripts))
    info = fleet.wait(deployment, 120)
    assert info["status"] == "Succeeded", "\n".join(fleet.reasons(deployment))
    states = elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    assert {(row["InstanceId"], row["State"]) for row in states} == {(host["id"], "InService") for host in fleet.hosts}
    assert ask(address_of(cloud, name), "/file.txt") == (200, b"served")
    assert list(fleet.events(deployment, fleet.names[0])) == EVENTS
