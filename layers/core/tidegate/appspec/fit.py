"""Whether what an AppSpec asks for can be done to what is there: pure, from what was seen to what is wrong with it.

Follows AWS's "Deployments on an AWS Lambda compute platform" and "… on an Amazon ECS compute platform".
"""

from __future__ import annotations

from tidegate.appspec.aws_lambda import LambdaAppSpec
from tidegate.appspec.ecs import EcsAppSpec
from tidegate.model.deployment import ErrorCode
from tidegate.model.shifts import AliasSeen, ServiceSeen

#: A deployment's error code, and a sentence.
Misfit = tuple[str, str]


def lambda_misfit(wanted: LambdaAppSpec, seen: AliasSeen) -> Misfit | None:
    """What keeps an alias from being shifted; ``None`` where nothing does."""
    name = f"The function '{wanted.function}'"
    unknown, unfit = ErrorCode.INVALID_LAMBDA_FUNCTION, ErrorCode.INVALID_LAMBDA_CONFIGURATION
    if not seen.function_arn:
        return unknown, f"{name} does not exist in this account and Region. Create it, or correct the AppSpec's Name."
    if not seen.version:
        return unknown, f"{name} has no alias '{wanted.alias}'. Create it, or correct the AppSpec's Alias."
    if seen.missing:
        versions = " and ".join(seen.missing)
        return unknown, f"{name} has no version {versions}. Publish it, or correct the AppSpec."
    if wanted.target_version == wanted.current_version:
        version = wanted.current_version
        return unfit, f"CurrentVersion and TargetVersion are both {version}: there is nothing to shift."
    if seen.weights:
        shares = ", ".join(f"{share:.0%} to version {version}" for version, share in sorted(seen.weights.items()))
        return unfit, (
            f"The alias '{wanted.alias}' already splits its traffic ({shares}), as a deployment leaves it that was "
            "stopped half-way. Remove its routing configuration, then deploy again."
        )
    if seen.version != wanted.current_version:
        return unfit, (
            f"The alias '{wanted.alias}' points to version {seen.version}; the AppSpec's CurrentVersion is "
            f"{wanted.current_version}. Correct the AppSpec."
        )
    return None


def ecs_misfit(wanted: EcsAppSpec, service_id: str, seen: ServiceSeen) -> Misfit | None:
    """What keeps a service from being given a new task set; ``None`` where nothing does.

    Parameters
    ----------
    service_id
        ``cluster:service``.
    """
    reason = _service_misfit(service_id, seen) or _task_misfit(wanted, seen)
    return (ErrorCode.INVALID_ECS_SERVICE, reason) if reason else None


def _service_misfit(service_id: str, seen: ServiceSeen) -> str | None:
    name = f"The Amazon ECS service '{service_id}' (cluster:service)"
    if not seen.arn:
        return f"{name} does not exist. Create it, or correct the deployment group's 'ecsServices'."
    if seen.status != "ACTIVE":
        return f"{name} is {seen.status}; only an ACTIVE service can be deployed to."
    if seen.controller != "CODE_DEPLOY":
        return (
            f"{name} has the deployment controller {seen.controller}; it must be CODE_DEPLOY, which is set when a "
            "service is created."
        )
    statuses = [str(each.get("status")) for each in seen.task_sets]
    if statuses.count("PRIMARY") != 1:
        return f"{name} has {statuses.count('PRIMARY')} primary task sets; it must have one that takes the traffic."
    if "ACTIVE" in statuses:
        return (
            f"{name} has a task set beside its primary one, as another deployment makes it. Delete it, or let it end."
        )
    return None


def _task_misfit(wanted: EcsAppSpec, seen: ServiceSeen) -> str | None:
    if seen.containers is None:
        return f"There is no active task definition {wanted.task_definition}. Register it, or correct the AppSpec."
    ports = seen.containers.get(wanted.container)
    if ports is None:
        found = ", ".join(sorted(seen.containers)) or "none"
        return f"The task definition has no container '{wanted.container}'; it has {found}. Correct the AppSpec."
    if wanted.port not in ports:
        found = ", ".join(str(port) for port in sorted(ports)) or "none"
        return f"The container '{wanted.container}' does not open port {wanted.port}; it opens {found}."
    return None
