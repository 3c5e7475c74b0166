"""Deployment configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.api.paging import Paging
from tidegate.api.rules.configs import check_config
from tidegate.api.services import Call
from tidegate.model.names import PREDEFINED_PREFIX
from tidegate.store.configs import is_predefined

Given = Mapping[str, Any]


def create_deployment_config(call: Call, given: Given) -> dict[str, Any]:
    """CreateDeploymentConfig: it never changes once created."""
    name, platform = given["deploymentConfigName"], given.get("computePlatform", "Server")
    if name.startswith(PREDEFINED_PREFIX) and not is_predefined(name):
        message = f"Names that begin with '{PREDEFINED_PREFIX}' are reserved: {name!r}."
        raise ApiError("InvalidDeploymentConfigNameException", message)
    settings = check_config(given, platform)
    config_id = call.services.new_uuid()
    call.services.configs.create(
        {
            "deploymentConfigId": config_id,
            "deploymentConfigName": name,
            **settings,
            "computePlatform": platform,
            "createTime": call.services.clock(),
        }
    )
    return {"deploymentConfigId": config_id}


def get_deployment_config(call: Call, given: Given) -> dict[str, Any]:
    """GetDeploymentConfig, predefined or custom."""
    return {"deploymentConfigInfo": call.services.configs.get(given["deploymentConfigName"])}


def list_deployment_configs(call: Call, given: Given) -> dict[str, Any]:
    """ListDeploymentConfigs: the predefined ones of all platforms, then the custom ones."""
    rows = [{"name": name} for name in call.services.configs.names()]
    page, token = Paging(call.operation, given).of_rows(rows, key=lambda row: str(row["name"]))
    return {"deploymentConfigsList": [row["name"] for row in page], **token}


def delete_deployment_config(call: Call, given: Given) -> dict[str, Any]:
    """DeleteDeploymentConfig: an unknown one is fine."""
    name = given["deploymentConfigName"]
    if is_predefined(name):
        message = f"'{name}' is predefined and cannot be deleted."
        raise ApiError("InvalidOperationException", message)
    call.services.configs.delete(name)
    return {}
