"""Deployment configurations (AWS: "Create a deployment configuration"; API: CreateDeploymentConfig)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError

_MINIMUM: Final = "InvalidMinimumHealthyHostValueException"
_ROUTING: Final = "InvalidTrafficRoutingConfigurationException"
_ZONES: Final = "InvalidZonalDeploymentConfigurationException"
#: Minutes between the first and the last shift.
_LONGEST_SHIFT: Final = 2880
_PARTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "TimeBasedCanary": ("timeBasedCanary", "canaryPercentage", "canaryInterval"),
    "TimeBasedLinear": ("timeBasedLinear", "linearPercentage", "linearInterval"),
}


def check_config(given: Mapping[str, Any], platform: str) -> dict[str, Any]:
    """The settings of a new configuration, checked: what its platform has, and nothing of another's.

    Returns
    -------
    ``minimumHealthyHosts`` and ``zonalConfig`` for servers, ``trafficRoutingConfig`` for Lambda and ECS.

    Raises
    ------
    ApiError
        In this order: hosts, traffic, zones.
    """
    if platform == "Server":
        settings = {"minimumHealthyHosts": _minimum(given.get("minimumHealthyHosts") or {})}
        if "trafficRoutingConfig" in given:
            message = "'trafficRoutingConfig' is for AWS Lambda and Amazon ECS; a server has 'minimumHealthyHosts'."
            raise ApiError(_ROUTING, message)
        if "zonalConfig" in given:
            settings["zonalConfig"] = _zones(given["zonalConfig"])
        return settings
    if "minimumHealthyHosts" in given:
        raise ApiError(_MINIMUM, f"'minimumHealthyHosts' is for servers; {platform} has 'trafficRoutingConfig'.")
    routing = _routing(given.get("trafficRoutingConfig") or {}, platform)
    if "zonalConfig" in given:
        raise ApiError(_ZONES, f"'zonalConfig' is for servers; not for platform {platform}.")
    return {"trafficRoutingConfig": routing}


def _minimum(minimum: Mapping[str, Any]) -> dict[str, Any]:
    kind, value = minimum.get("type"), minimum.get("value")
    if kind is None or value is None:
        raise ApiError(_MINIMUM, "A server's configuration needs 'minimumHealthyHosts' with 'type' and 'value'.")
    _check_count("minimumHealthyHosts", kind, value, _MINIMUM)
    return {"type": kind, "value": value}


def _check_count(path: str, kind: str, value: int, code: str) -> None:
    if value < 0 or (kind == "FLEET_PERCENT" and value > 99):
        span = "0 to 99" if kind == "FLEET_PERCENT" else "0 or more"
        raise ApiError(code, f"'{path}.value' must be {span} for {kind}; not {value}.")


def _routing(routing: Mapping[str, Any], platform: str) -> dict[str, Any]:
    kind = routing.get("type")
    if kind is None:
        raise ApiError(_ROUTING, f"A configuration for {platform} needs 'trafficRoutingConfig' with 'type'.")
    own = _PARTS.get(kind, ("", "", ""))[0]
    for name, *_ in _PARTS.values():
        if name in routing and name != own:
            raise ApiError(_ROUTING, f"'trafficRoutingConfig' of type {kind} does not have '{name}'.")
    if not own:
        return {"type": kind}
    _, percentage, interval = _PARTS[kind]
    part = routing.get(own) or {}
    percent, minutes = part.get(percentage), part.get(interval)
    if percent is None or not 1 <= percent <= 99:
        raise ApiError(_ROUTING, f"'{own}.{percentage}' must be 1 to 99; not {percent}.")
    # A canary waits once; in even steps there is a wait before each but the first.
    waits = 1 if kind == "TimeBasedCanary" else math.ceil(100 / percent) - 1
    if minutes is None or not 1 <= minutes * waits <= _LONGEST_SHIFT:
        message = f"'{own}.{interval}' must be 1 to {_LONGEST_SHIFT // waits} minutes"
        steps = "" if kind == "TimeBasedCanary" else f" for {waits + 1} steps within {_LONGEST_SHIFT} minutes"
        raise ApiError(_ROUTING, f"{message}{steps}; not {minutes}.")
    return {"type": kind, own: {percentage: percent, interval: minutes}}


def _zones(zones: Mapping[str, Any]) -> dict[str, Any]:
    """A zonal configuration as given; an empty one goes zone by zone too, without a minimum and a pause."""
    for name in ("firstZoneMonitorDurationInSeconds", "monitorDurationInSeconds"):
        if zones.get(name, 0) < 0:
            raise ApiError(_ZONES, f"'zonalConfig.{name}' must be 0 or more; not {zones[name]}.")
    minimum = zones.get("minimumHealthyHostsPerZone")
    if minimum is not None:
        if minimum.get("type") is None or minimum.get("value") is None:
            raise ApiError(_ZONES, "'zonalConfig.minimumHealthyHostsPerZone' needs 'type' and 'value'.")
        _check_count("zonalConfig.minimumHealthyHostsPerZone", minimum["type"], minimum["value"], _ZONES)
    return dict(zones)
