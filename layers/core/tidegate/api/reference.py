"""What the reference of the API (``docs/api.md``) says beside the service models; no handler imports this.

``NEVER`` names the modelled errors that cannot occur here, with the reason; ``DIFFERENCES`` what else is unlike AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_CONFIG_STAYS: Final = "a configuration that a group refers to cannot be deleted"
_OUTLIVES: Final = "a deployment is read by its id and outlives its group and application"
_IN_PLACE: Final = "only deployments in place are run so far, and those never wait to be continued"
_ROLE: Final = "the role's ARN is checked for its form only; what else is wrong with it, deployments find out"
_NOT_TAKEN: Final = "ARNs of configurations are answered by ArnNotSupportedException"
_TOKENS: Final = {
    "OperationNotSupported": "tokens are kept in every Region",
    "ResourceValidation": "a faulty name is InvalidGitHubAccountTokenNameException",
}

#: By operation: modelled errors (without the suffix ``Exception``) that cannot occur, and why.
_NEVER: Final[Mapping[str, Mapping[str, str]]] = {
    "BatchGetDeploymentGroups": {"DeploymentConfigDoesNotExist": _CONFIG_STAYS},
    "BatchGetDeploymentTargets": {"InstanceDoesNotExist": "DeploymentTargetDoesNotExistException says it"},
    "ContinueDeployment": {"DeploymentIsNotInReadyState": _IN_PLACE, "InvalidDeploymentStatus": _IN_PLACE},
    "CreateDeployment": {
        "InvalidAutoScalingGroup": "Auto Scaling groups are checked with the group",
        "InvalidGitHubAccountToken": "revisions are not checked against GitHub when a deployment is created",
        "InvalidLoadBalancerInfo": "load balancers are checked with the group",
        "InvalidRole": _ROLE,
        "InvalidECSService": "services are checked with the group, and again when the deployment begins",
        "InvalidTrafficRoutingConfiguration": "another platform's configuration is InvalidComputePlatformException's",
    },
    "DeleteApplication": {"InvalidRole": _ROLE},
    "DeleteDeploymentGroup": {"InvalidRole": _ROLE},
    "DeleteGitHubAccountToken": _TOKENS,
    "GetDeploymentConfig": {"InvalidComputePlatform": "a configuration of any platform is shown"},
    "GetDeploymentGroup": {"DeploymentConfigDoesNotExist": _CONFIG_STAYS},
    "GetDeploymentTarget": {"InvalidInstanceName": "InvalidDeploymentTargetIdException says it"},
    "ListDeploymentInstances": {
        "ApplicationDoesNotExist": _OUTLIVES,
        "DeploymentGroupDoesNotExist": _OUTLIVES,
        "InvalidTargetFilterName": "the operation has no filters by name",
    },
    "ListDeploymentTargets": {"ApplicationDoesNotExist": _OUTLIVES, "DeploymentGroupDoesNotExist": _OUTLIVES},
    "ListGitHubAccountTokenNames": _TOKENS,
    "ListDeployments": {"InvalidInput": "every fault has a name of its own"},
    "SkipWaitTimeForInstanceTermination": {"DeploymentNotStarted": _IN_PLACE},
    "StopDeployment": {
        "DeploymentGroupDoesNotExist": _OUTLIVES,
        "UnsupportedActionForDeploymentType": "every deployment can be stopped",
    },
    "TagResource": {"DeploymentConfigDoesNotExist": _NOT_TAKEN},
    "UntagResource": {
        "DeploymentConfigDoesNotExist": _NOT_TAKEN,
        "InvalidTagsToAdd": "keys that are not there are passed over",
    },
}

#: By operation: modelled errors that cannot occur, by their whole names, and why.
NEVER: Final[Mapping[str, Mapping[str, str]]] = {
    operation: {f"{error}Exception": reason for error, reason in errors.items()} for operation, errors in _NEVER.items()
}

#: By operation: what a caller may find different from AWS, each with its reason.
DIFFERENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "BatchGetDeployments": ("100 ids a call, as AWS's quotas say; the API reference says 25.",),
    "CreateApplication": ("Quotas are counted just before: callers at the same time may go over them by a few.",),
    "CreateDeployment": (
        "'overrideAlarmConfiguration' is taken by POST /CreateDeploymentOverridingAlarms/<application>/<group> alone, "
        "in place of the right to UpdateDeploymentGroup; POST /CreateDeployment/… answers AccessDeniedException.",
    ),
    "CreateDeploymentConfig": ("As CreateApplication: the quota is counted just before.",),
    "CreateDeploymentGroup": (
        "The service role is neither assumed nor looked at; deployments, and hooks of Auto Scaling groups, act as it "
        "where the stack says so.",
        "As CreateApplication: the quota is counted just before.",
    ),
    "DeleteApplication": ("A live deployment runs on, without a group: it is not rolled back.",),
    "DeleteDeploymentGroup": ("A live deployment runs on, without a group: it is not rolled back.",),
    "DeleteResourcesByExternalId": ("Does nothing: no resource here has an external id.",),
    "ListDeployments": (
        "'externalId' finds nothing: no deployment here has one.",
        "A filter by status looks at 1,000 deployments a call: a page may be short or empty and have a token.",
    ),
    "ListOnPremisesInstances": ("A filter looks at 1,000 instances a call: a page may be short and have a token.",),
    "ListTagsForResource": (
        "What does not exist is InvalidArnException's, since the operation models no other error for it.",
    ),
    "RegisterApplicationRevision": (
        "Of what lies in S3 or on GitHub the form is checked (and the bucket against the stack parameter "
        "RevisionBuckets), and nothing is fetched: the API's functions may read no revision. It is checked whole when "
        "it is deployed.",
        "The text of a 'String' or 'AppSpecContent' is in the call, so all of it is checked at once: one that no "
        "deployment could use is InvalidRevisionException's.",
    ),
    "TagResource": ("A key twice in one call is refused.",),
    "UpdateApplication": (
        "What is history keeps the old name: ended deployments, and installations (ListInstallations).",
    ),
    "UpdateDeploymentGroup": (
        "Hooks that cannot be put are an error, but the settings are kept: call again when it is mended.",
        "A group cannot be renamed while a deployment of it is live (InvalidInputException).",
    ),
}
