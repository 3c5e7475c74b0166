"""Hooks that deleted deployment groups have left behind are tried again for a day, then given up and said."""

from __future__ import annotations

import logging

import pytest
from functions.sweep_deployments import app as sweep_deployments
from functions.sweep_deployments.app import SweepError
from tests.unit.functions.scaling_groups import GROUP_ID, ScalingGroups
from tests.unit.functions.test_scaling import scaling
from tests.unit.functions.world import Account

from tidegate.model.scaling import ScalingFault
from tidegate.scaling.hook_settling import all_hooks

DENIED = ScalingFault("AUTO_SCALING_IAM_ROLE_PERMISSIONS", "no right to DeleteLifecycleHook")


def left_behind() -> tuple[Account, ScalingGroups]:
    """A group that is deleted, and could not take its hook off."""
    account, port = scaling(terminationHookEnabled=True)
    port.faults["delete"] = DENIED
    group = account.group()
    account.runtime.scaled_groups.leave_hooks(group, all_hooks(group), account.now)
    account.runtime.groups.delete("shop", "prod")
    return account, port


def swept(account: Account, after: float = 300) -> dict[str, int]:
    account.clock.pass_time_until(account.now + after, lambda: False)
    return sweep_deployments.run({}, account.runtime)["waiting instances"]


def test_a_hook_that_was_left_is_removed_once_it_can_be() -> None:
    account, port = left_behind()
    assert swept(account) == {"hooks left": 1}
    assert len(port.all["web"].hooks) == 2
    port.faults.clear()
    assert swept(account) == {"hooks removed": 1}
    assert port.all["web"].hooks == {}
    assert swept(account) == {}


def test_after_a_day_it_is_given_up_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    account, port = left_behind()
    assert swept(account, 80_000) == {"hooks left": 1}
    logging.disable(logging.NOTSET)
    with pytest.raises(SweepError, match="1 of waiting instances"):
        swept(account, 7_000)
    (told,) = [record.getMessage() for record in caplog.records if record.name.endswith("left_hooks")]
    assert "delete them by hand" in told
    assert all(name in told for name in port.all["web"].hooks)
    assert swept(account) == {}


def test_who_died_before_the_group_was_deleted_loses_no_hook() -> None:
    account, port = scaling()
    group = account.group()
    account.runtime.scaled_groups.leave_hooks(group, all_hooks(group), account.now)
    assert swept(account) == {"groups": 1}
    assert len(port.all["web"].hooks) == 1
    assert account.group()["deploymentGroupId"] == GROUP_ID
