"""Deployment configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.errors import ApiError, not_yet
from tidegate.api.paging import Paging
from tidegate.api.services import Call
from tidegate.model.names import PREDEFINED_PREFIX
from tidegate.store.configs import is_predefined

Given = Mapping[str, Any]


def create_deployment_config(call: Call, given: Given) -> dict[str, Any]:
    """CreateDeploymentConfig: it never changes once created."""
    name, platform = given["deploymentConfigName"], given.get("computePlatform", "Server")
    if platform != "Server":
        raise not_yet("InvalidComputePlatformException", f"Compute platform {platform} is")
    if name.startswith(PREDEFINED_PREFIX) and not is_predefined(name):
        message = f"Names that begin with '{PREDEFINED_PREFIX}' are reserved: {name!r}."
        raise ApiError("InvalidDeploymentConfigNameException", message)
    if "trafficRoutingConfig" in given:
        message = "'trafficRoutingConfig' is for AWS Lambda and Amazon ECS; a server has 'minimumHealthyHosts'."
        raise ApiError("InvalidTrafficRoutingConfigurationException", message)
    if "zonalConfig" in given:
        raise not_yet("InvalidZonalDeploymentConfigurationException", "Deployments by Availability Zone are")
    config_id = call.services.new_uuid()
    call.services.configs.create(
        {
            "deploymentConfigId": config_id,
            "deploymentConfigName": name,
            "minimumHealthyHosts": _minimum(given.get("minimumHealthyHosts", {})),
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


def _minimum(minimum: Mapping[str, Any]) -> dict[str, Any]:
    code, kind, value = "InvalidMinimumHealthyHostValueException", minimum.get("type"), minimum.get("value")
    if kind is None or value is None:
        raise ApiError(code, "A server's configuration needs 'minimumHealthyHosts' with 'type' and 'value'.")
    if value < 0 or (kind == "FLEET_PERCENT" and value > 99):
        span = "0 to 99" if kind == "FLEET_PERCENT" else "0 or more"
        raise ApiError(code, f"'minimumHealthyHosts.value' must be {span} for {kind}; not {value}.")
    return {"type": kind, "value": value}
