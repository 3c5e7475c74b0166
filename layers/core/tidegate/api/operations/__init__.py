"""The operations by the target prefix and name that clients call them by.

All of CodeDeploy's are there. What a later model adds is refused as ``UnsupportedOperationException``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from tidegate.api.operations import (
    applications,
    changes,
    configs,
    deployments,
    external,
    github,
    groups,
    history,
    hooks,
    instances,
    logs,
    onpremises,
    revisions,
    steering,
    tags,
    targets,
)
from tidegate.api.service_models import CODEDEPLOY_TARGET, TIDEGATE_TARGET
from tidegate.api.services import Call

Operation: TypeAlias = Callable[[Call, Mapping[str, Any]], dict[str, Any]]

_CODEDEPLOY: Final[Mapping[str, Operation]] = {
    "AddTagsToOnPremisesInstances": onpremises.add_tags_to_on_premises_instances,
    "BatchGetApplicationRevisions": revisions.batch_get_application_revisions,
    "BatchGetApplications": applications.batch_get_applications,
    "BatchGetDeploymentGroups": groups.batch_get_deployment_groups,
    "BatchGetDeploymentInstances": instances.batch_get_deployment_instances,
    "BatchGetDeploymentTargets": targets.batch_get_deployment_targets,
    "BatchGetDeployments": deployments.batch_get_deployments,
    "BatchGetOnPremisesInstances": onpremises.batch_get_on_premises_instances,
    "ContinueDeployment": steering.continue_deployment,
    "CreateApplication": applications.create_application,
    "CreateDeployment": deployments.create_deployment,
    "CreateDeploymentConfig": configs.create_deployment_config,
    "CreateDeploymentGroup": groups.create_deployment_group,
    "DeleteApplication": applications.delete_application,
    "DeleteDeploymentConfig": configs.delete_deployment_config,
    "DeleteDeploymentGroup": groups.delete_deployment_group,
    "DeregisterOnPremisesInstance": onpremises.deregister_on_premises_instance,
    "DeleteResourcesByExternalId": external.delete_resources_by_external_id,
    "DeleteGitHubAccountToken": github.delete_git_hub_account_token,
    "GetApplication": applications.get_application,
    "GetApplicationRevision": revisions.get_application_revision,
    "GetDeployment": deployments.get_deployment,
    "GetDeploymentConfig": configs.get_deployment_config,
    "GetDeploymentGroup": groups.get_deployment_group,
    "GetDeploymentInstance": instances.get_deployment_instance,
    "GetDeploymentTarget": targets.get_deployment_target,
    "GetOnPremisesInstance": onpremises.get_on_premises_instance,
    "ListApplicationRevisions": revisions.list_application_revisions,
    "ListApplications": applications.list_applications,
    "ListDeploymentConfigs": configs.list_deployment_configs,
    "ListDeploymentGroups": groups.list_deployment_groups,
    "ListDeploymentInstances": instances.list_deployment_instances,
    "ListDeploymentTargets": targets.list_deployment_targets,
    "ListDeployments": deployments.list_deployments,
    "ListOnPremisesInstances": onpremises.list_on_premises_instances,
    "ListTagsForResource": tags.list_tags_for_resource,
    "PutLifecycleEventHookExecutionStatus": hooks.put_lifecycle_event_hook_execution_status,
    "ListGitHubAccountTokenNames": github.list_git_hub_account_token_names,
    "RegisterApplicationRevision": revisions.register_application_revision,
    "RegisterOnPremisesInstance": onpremises.register_on_premises_instance,
    "RemoveTagsFromOnPremisesInstances": onpremises.remove_tags_from_on_premises_instances,
    "SkipWaitTimeForInstanceTermination": steering.skip_wait_time_for_instance_termination,
    "StopDeployment": steering.stop_deployment,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateApplication": applications.update_application,
    "UpdateDeploymentGroup": groups.update_deployment_group,
}

_TIDEGATE: Final[Mapping[str, Operation]] = {
    "GetLogs": logs.get_logs,
    "ListChanges": changes.list_changes,
    "ListDecisions": history.list_decisions,
    "ListInstallations": history.list_installations,
}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    **{(CODEDEPLOY_TARGET, name): run for name, run in _CODEDEPLOY.items()},
    **{(TIDEGATE_TARGET, name): run for name, run in _TIDEGATE.items()},
}
