"""What a function reads of its environment, and the limits that follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.functions.world import ENV

from tidegate.model.deployment import IN_PLACE_EVENTS
from tidegate.runtime import Runtime
from tidegate.settings import SettingError, Settings, stage_limit


@pytest.mark.parametrize("name", sorted(ENV))
def test_a_setting_that_is_missing_or_empty_is_named(name: str) -> None:
    for env in ({**ENV, name: ""}, {key: value for key, value in ENV.items() if key != name}):
        with pytest.raises(SettingError, match=f"{name} is not set"):
            Settings.from_env(env)


@pytest.mark.parametrize("name", sorted(each for each in ENV if each.endswith("_SECONDS")))
def test_a_duration_that_is_no_number_is_shown(name: str) -> None:
    with pytest.raises(SettingError, match=f"{name} is 'soon'; a number is expected"):
        Settings.from_env({**ENV, name: "soon"})


def test_settings_are_read_as_they_are_meant() -> None:
    settings = Settings.from_env({**ENV, "TIDEGATE_REVISION_BUCKETS": "a,b-*,"})
    assert settings.revision_buckets == ("a", "b-*")
    assert settings.opt_in_tag == ("tidegate:managed", "true")
    assert settings.runner_archive == Path("/opt/runner/tidegate_runner.zip")
    assert settings.instance_arn("i-1") == "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
    china = Settings.from_env(
        {**ENV, "TIDEGATE_MACHINE_ARN": ENV["TIDEGATE_MACHINE_ARN"].replace("arn:aws", "arn:aws-cn")}
    )
    assert china.instance_arn("i-1").startswith("arn:aws-cn:ec2:")


def test_a_stage_may_take_what_its_scripts_may_and_the_whole_time_where_that_is_not_known() -> None:
    hooks = {"BeforeInstall": 10, "AfterInstall": 5000, "ApplicationStop": 1}
    # ApplicationStop is the previous revision's, DownloadBundle and Install have no scripts: an hour each.
    assert stage_limit(hooks, list(IN_PLACE_EVENTS), 3600) == 3 * 3600 + 10 + 3600
    assert stage_limit({}, [], 3600) == 0


def test_the_rules_of_a_deployment() -> None:
    settings = Settings.from_env(ENV)
    deployment = {"createTime": 5.0, "hookSeconds": {"ValidateService": 30}, "events": IN_PLACE_EVENTS}
    rules = settings.rules(deployment)
    stage = 3 * 200 + 30
    assert (rules.started_at, rules.undelivered_after, rules.stage_limit) == (5.0, 120, 120 + stage)
    assert rules.drain_limit == 1200
    assert rules.total_limit == 7200
    assert settings.rules({**deployment, "startTime": 7.5}).started_at == 7.5
    assert Settings.from_env({**ENV, "TIDEGATE_DRAIN_SECONDS": "99999"}).rules(deployment).drain_limit == 2 * (
        120 + stage
    )


def test_the_floor_of_the_heartbeat_is_never_above_its_ceiling() -> None:
    rules = Settings.from_env({**ENV, "TIDEGATE_HEARTBEAT_SECONDS": "2"}).rules({"createTime": 1})
    assert rules.heartbeat_floor == rules.heartbeat_ceiling == 2


def test_a_runtime_calls_nobody_until_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("boto3.Session", refuse)
    runtime = Runtime(ENV)
    assert runtime.new_deployment_id() != runtime.new_deployment_id()
    with pytest.raises(AssertionError, match="a client was made"):
        _ = runtime.table
