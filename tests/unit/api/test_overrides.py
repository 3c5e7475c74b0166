"""An override of alarms needs a path of its own: IAM sees nothing but the path."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.test_paths import post
from tests.unit.api.world import CODEDEPLOY, Refused, World, s3

from tidegate.api.client_model import write_client_models
from tidegate_cli.proxy.translate import asked

OFF = {"enabled": False}
PATH, OVERRIDING = "/CreateDeployment/shop/prod", "/CreateDeploymentOverridingAlarms/shop/prod"


def test_an_override_is_refused_on_the_usual_path_with_the_remedy(shop: World) -> None:
    with pytest.raises(Refused) as caught:
        post(shop, PATH, revision=s3(), overrideAlarmConfiguration=OFF)
    assert caught.value.code == "AccessDeniedException"
    assert caught.value.status == 403
    assert "tidegate connect --override-alarms" in caught.value.message
    assert shop.call("ListDeployments") == {"deployments": []}
    post(shop, PATH, revision=s3(), overrideAlarmConfiguration={})


@pytest.mark.parametrize("target", ["", f"{CODEDEPLOY}.CreateDeployment"])
def test_the_other_path_is_the_same_operation_and_takes_it(shop: World, target: str) -> None:
    made = post(shop, OVERRIDING, target, revision=s3(), overrideAlarmConfiguration=OFF)
    assert shop.info(made["deploymentId"])["overrideAlarmConfiguration"] == OFF
    shop.end(made["deploymentId"])
    post(shop, OVERRIDING, revision=s3())
    (first, *_) = shop.call("ListChanges", "Tidegate_20261101", applicationName="shop")["changes"]
    assert first["operation"] == "CreateDeployment"


def test_the_path_needs_both_names(shop: World) -> None:
    with pytest.raises(Refused) as caught:
        post(shop, "/CreateDeploymentOverridingAlarms/shop", revision=s3())
    assert caught.value.code == "ValidationException"


def test_what_deployers_are_granted_does_not_fit_it() -> None:
    template = (Path(__file__).parents[3] / "template.yaml").read_text()
    granted = [
        line.rsplit("/v1/POST", 1)[1].rstrip('"').replace("${!aws:PrincipalTag/tidegate-application}", "shop")
        for line in template.splitlines()
        if "/v1/POST/" in line and '/v1/POST/*"' not in line
    ]
    assert any(fnmatchcase(PATH, pattern) for pattern in granted)
    assert not [pattern for pattern in granted if fnmatchcase(OVERRIDING, pattern)]


def test_clients_choose_the_path_once_and_the_proxy_by_the_input(tmp_path: Path) -> None:
    uris: list[Any] = []
    for override in (False, True):
        write_client_models(tmp_path / str(override), override_alarms=override)
        model = json.loads((tmp_path / str(override) / "codedeploy/2014-10-06/service-2.json").read_text())
        uris.append({name: each["http"]["requestUri"] for name, each in model["operations"].items()})
    names = "/{applicationName}/{deploymentGroupName}"
    assert uris[0].pop("CreateDeployment") == f"/CreateDeployment{names}"
    assert uris[1].pop("CreateDeployment") == f"/CreateDeploymentOverridingAlarms{names}"
    assert uris[0] == uris[1]
    headers = {"x-amz-target": f"{CODEDEPLOY}.CreateDeployment"}
    given = {"applicationName": "shop", "deploymentGroupName": "prod", "revision": s3()}
    plain = asked("/", headers, json.dumps(given).encode())
    assert plain.path(None) == PATH
    overriding = asked("/", headers, json.dumps({**given, "overrideAlarmConfiguration": OFF}).encode())
    assert overriding.path(None) == OVERRIDING
