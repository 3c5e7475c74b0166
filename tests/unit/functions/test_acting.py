"""Which ports act as a deployment's service role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.functions.test_balanced import balanced, deploy
from tests.unit.functions.test_steps_failing import Failing
from tests.unit.functions.world import ENV, Account, hosts

from tidegate.course.live_deployments import sweep_live_deployments
from tidegate.gateways.service_roles import RolePermissionsError
from tidegate.runtime import Runtime

ALWAYS = {**ENV, "TIDEGATE_ACT_AS_SERVICE_ROLE": "always", "TIDEGATE_SERVICE_ROLE_EXTERNAL_ID": "shop-17"}
ROLE = "arn:aws:iam::123456789012:role/tidegate-web"
SOURCE = Path(__file__).parents[3] / "layers/core/tidegate/runtime.py"


def test_ports_to_the_customers_resources_get_their_clients_from_acting() -> None:
    own = set(re.findall(r'self\._client\("(\w+)"\)', SOURCE.read_text()))
    acting = set(re.findall(r'self\.acting\.client\("(\w+)"\)', SOURCE.read_text()))
    assert not own & {"ec2", "elb", "elbv2", "autoscaling", "cloudwatch", "lambda", "ecs"}
    assert not acting & {"ssm", "s3", "dynamodb", "stepfunctions", "secretsmanager"}
    assert {"cloudwatch", "lambda", "ecs"} <= acting
    assert {"Balancers(self.acting.client)", "Instances(self.acting.client)"} <= set(
        re.findall(r"\w+\(self\.acting\.client\)", SOURCE.read_text())
    )


def test_a_step_acts_for_its_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(hosts(1))
    acted: list[Any] = []
    monkeypatch.setattr(account.runtime.acting, "act_for", lambda role, on: acted.append((role, on)))
    with_role = account.deploy("v1.zip", serviceRoleArn=ROLE)
    account.run()
    assert set(acted) == {(ROLE, with_role)}
    acted.clear()
    without = account.deploy("v1.zip")  # as an earlier release made it
    account.run()
    assert set(acted) == {(None, without)}


def test_the_sweep_acts_for_each_deployment_that_it_looks_after(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(hosts(1))
    first = account.deploy("v1.zip", serviceRoleArn=ROLE)
    account.queue.clear()
    acted: list[Any] = []
    account.abort(first)
    monkeypatch.setattr(account.runtime.acting, "act_for", lambda role, on: acted.append((role, on)))
    account.clock.pass_time_until(account.now + 300, lambda: False)
    assert sweep_live_deployments(account.runtime, account.now + 60) == {"revived": 1}
    assert acted == [(ROLE, first)]


def test_a_rollback_acts_as_the_role_of_what_it_rolls_back() -> None:
    account = Account(hosts(2))
    account.deploy("v1.zip")
    account.run()
    for host in account.hosts.values():
        host.fails = frozenset({"v2.zip"})
    rolls_back = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    failed = account.deploy("v2.zip", serviceRoleArn=ROLE, autoRollback=rolls_back)
    account.run()
    rollback = account.deployment(failed)["rollback"]["rollbackDeploymentId"]
    assert account.deployment(rollback)["serviceRoleArn"] == ROLE


def test_the_stack_says_whether_roles_are_acted_as() -> None:
    assert Runtime(ENV).settings.service_roles.always is False
    settings = Runtime({**ALWAYS, "TIDEGATE_SERVICE_ROLE_ARNS": "arn:a,arn:b-*"}).settings.service_roles
    assert (settings.always, settings.allowed, settings.external_id) == (True, ("arn:a", "arn:b-*"), "shop-17")


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_right_that_is_lost_midway_ends_it_and_is_waited_for_within_the_drain(comes_back: bool) -> None:
    """The instance is out of its target group then: it is given back as soon as the role may, until the limit."""
    account, group = balanced(2)
    began = account.now
    account.ports["balancers"] = group
    denied = RolePermissionsError("The service role r has no right to elasticloadbalancing:RegisterTargets.")
    until = began + 600 if comes_back else began + 1e6
    account.wrap(
        lambda name, port: Failing(port, "allow", denied, lambda: account.now < until) if name == "balancers" else port
    )
    deployed = deploy(account)
    item = account.deployment(deployed)
    assert (item["status"], item["error"]["code"]) == ("Failed", "IAM_ROLE_PERMISSIONS")
    assert item["error"]["message"].startswith(str(denied))
    assert group.healthy() == (2 if comes_back else 1)
    assert sorted(account.statuses(deployed).values()) == (
        ["Skipped", "Succeeded"] if comes_back else ["Failed", "Skipped"]
    )
    assert item["completeTime"] - began < 1200 + 300
