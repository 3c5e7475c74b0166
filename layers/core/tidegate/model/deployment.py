"""Status words, events and constants of deployments, as CodeDeploy has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TERMINAL: Final = frozenset({"Succeeded", "Failed", "Stopped"})

#: Lifecycle events of an in-place deployment without a load balancer (AWS: "AppSpec 'hooks' section").
IN_PLACE_EVENTS: Final = (
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
)

#: Lifecycle events of the one target of a traffic shift. Start and End are the deployment's own and are not shown.
LAMBDA_EVENTS: Final = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
ECS_EVENTS: Final = (
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
)


def is_blue_green(settings: Mapping[str, Any]) -> bool:
    """Whether a deployment, or what the settings of a group make, goes from one fleet of servers to another."""
    servers = settings.get("computePlatform", "Server") == "Server"
    return servers and (settings.get("deploymentStyle") or {}).get("deploymentType") == "BLUE_GREEN"


#: The mode of a deployment that installs nothing: it restarts what the group's last good deployment installed.
RESTART: Final = "RESTART"

#: Lifecycle events of a restart: those of a deployment in place but what brings a revision.
RESTART_EVENTS: Final = tuple(event for event in IN_PLACE_EVENTS if event not in ("DownloadBundle", "Install"))

#: Events whose scripts come from the previous revision and which ``ignoreApplicationStopFailures`` covers.
PREVIOUS_REVISION_EVENTS: Final = frozenset({"ApplicationStop", "BeforeBlockTraffic", "AfterBlockTraffic"})

#: What a bundle may hold, checked before the deployment begins and again on each host.
MOST_MEMBERS: Final = 200_000
MOST_UNPACKED_BYTES: Final = 20 << 30

#: The attribute of a blue/green deployment whose original instances wait for their end, as the API shows it.
TERMINATION_WAIT_STARTED: Final = "instanceTerminationWaitTimeStarted"

#: The attribute of a deployment whose end has begun: it is settled how it ends, and a stop comes too late.
ENDING: Final = "ending"

#: Labels of the instances of a blue/green deployment: originals, and those that replace them.
BLUE: Final = "Blue"
GREEN: Final = "Green"

ROLLBACK_CREATOR: Final = "codeDeployRollback"
FOLLOW_UP_CREATOR: Final = "CodeDeployAutoUpdate"

#: The one host event of a deployment that takes an instance out of service.
LEAVING_EVENTS: Final = ("ApplicationStop",)


class ErrorCode:
    """The error codes of a deployment that this release can set (API: ErrorInformation)."""

    AGENT_ISSUE: Final = "AGENT_ISSUE"
    ALARM_ACTIVE: Final = "ALARM_ACTIVE"
    APPLICATION_MISSING: Final = "APPLICATION_MISSING"
    AUTOSCALING_VALIDATION_ERROR: Final = "AUTOSCALING_VALIDATION_ERROR"
    AUTO_SCALING_CONFIGURATION: Final = "AUTO_SCALING_CONFIGURATION"
    AUTO_SCALING_IAM_ROLE_PERMISSIONS: Final = "AUTO_SCALING_IAM_ROLE_PERMISSIONS"
    CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND: Final = "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
    DEPLOYMENT_GROUP_MISSING: Final = "DEPLOYMENT_GROUP_MISSING"
    ELASTIC_LOAD_BALANCING_INVALID: Final = "ELASTIC_LOAD_BALANCING_INVALID"
    ELB_INVALID_INSTANCE: Final = "ELB_INVALID_INSTANCE"
    HEALTH_CONSTRAINTS: Final = "HEALTH_CONSTRAINTS"
    HEALTH_CONSTRAINTS_INVALID: Final = "HEALTH_CONSTRAINTS_INVALID"
    IAM_ROLE_MISSING: Final = "IAM_ROLE_MISSING"
    IAM_ROLE_PERMISSIONS: Final = "IAM_ROLE_PERMISSIONS"
    INTERNAL_ERROR: Final = "INTERNAL_ERROR"
    INVALID_ECS_SERVICE: Final = "INVALID_ECS_SERVICE"
    INVALID_LAMBDA_CONFIGURATION: Final = "INVALID_LAMBDA_CONFIGURATION"
    INVALID_LAMBDA_FUNCTION: Final = "INVALID_LAMBDA_FUNCTION"
    INVALID_REVISION: Final = "INVALID_REVISION"
    MANUAL_STOP: Final = "MANUAL_STOP"
    MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION: Final = "MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION"
    MISSING_GITHUB_TOKEN: Final = "MISSING_GITHUB_TOKEN"  # noqa: S105 - a word of the API
    MISSING_ELB_INFORMATION: Final = "MISSING_ELB_INFORMATION"
    NO_EC2_SUBSCRIPTION: Final = "NO_EC2_SUBSCRIPTION"
    NO_INSTANCES: Final = "NO_INSTANCES"
    OVER_MAX_INSTANCES: Final = "OVER_MAX_INSTANCES"
    RESOURCE_LIMIT_EXCEEDED: Final = "RESOURCE_LIMIT_EXCEEDED"
    REVISION_MISSING: Final = "REVISION_MISSING"
    THROTTLED: Final = "THROTTLED"
    TIMEOUT: Final = "TIMEOUT"


#: Why a deployment was ended whose execution could not be started: nothing of it was done.
NOT_STARTED: Final[Mapping[str, str]] = {
    "code": ErrorCode.INTERNAL_ERROR,
    "message": "The deployment's execution could not be started; deploy again.",
}


class Fault(Exception):  # noqa: N818 - of what the deployment was given, not of ours
    """What a deployment ends with: ``code`` is its error code, ``message`` a sentence with the remedy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
