"""IAM roles and policies."""

from __future__ import annotations

import json
from typing import Any

from tidegate_local.policy.evaluate import as_list
from tidegate_local.policy.managed import MANAGED_POLICIES
from tidegate_local.resources.registry import Made, Stack, resource, tag_list
from tidegate_local.template import TemplateError


def _document(document: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(document) if isinstance(document, str) else dict(document)
    # SAM's policy statements carry no version; IAM takes them, moto does not.
    return {"Version": "2012-10-17", **parsed}


def _attach(stack: Stack, role: str, name: str, document: Any) -> None:
    policy = _document(document)
    stack.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
    stack.roles.allow(role, as_list(policy["Statement"]))


@resource(
    "AWS::IAM::Role",
    "AssumeRolePolicyDocument",
    "Description",
    "ManagedPolicyArns",
    "MaxSessionDuration",
    "Path",
    "PermissionsBoundary",
    "Policies",
    "RoleName",
    "Tags",
)
def role(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::IAM::Role."""
    if "PermissionsBoundary" in props:
        raise TemplateError(f"{logical_id}.PermissionsBoundary is not judged by the local cloud: leave it out")
    name = props.get("RoleName") or stack.physical_name(logical_id)
    created = stack.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(_document(props["AssumeRolePolicyDocument"])),
        Path=props.get("Path", "/"),
        Description=props.get("Description", ""),
        Tags=tag_list(props.get("Tags")),
    )["Role"]
    for arn in props.get("ManagedPolicyArns", []):
        _attach_managed(stack, name, logical_id, arn)
    for policy in props.get("Policies", []):
        _attach(stack, name, policy["PolicyName"], policy["PolicyDocument"])
    return Made(name, {"Arn": created["Arn"], "RoleId": created["RoleId"]})


def _attach_managed(stack: Stack, name: str, logical_id: str, arn: str) -> None:
    if arn in MANAGED_POLICIES:
        _attach(stack, name, arn.rsplit("/", 1)[-1], {"Statement": MANAGED_POLICIES[arn]})
        return
    if arn.startswith("arn:aws:iam::aws:"):
        known = ", ".join(sorted(MANAGED_POLICIES))
        raise TemplateError(f"{logical_id}: the managed policy {arn} is not known to the local cloud; known: {known}")
    iam = stack.client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    stack.roles.allow(name, as_list(document["Statement"]))


@resource("AWS::IAM::Policy", "PolicyDocument", "PolicyName", "Roles")
def policy(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::IAM::Policy, on roles."""
    for name in props["Roles"]:
        _attach(stack, name, props["PolicyName"], props["PolicyDocument"])
    return Made(stack.physical_name(logical_id))


@resource("AWS::IAM::ManagedPolicy", "Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles")
def managed_policy(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::IAM::ManagedPolicy."""
    name = props.get("ManagedPolicyName") or stack.physical_name(logical_id)
    document = _document(props["PolicyDocument"])
    iam = stack.client("iam")
    arn = iam.create_policy(PolicyName=name, Path=props.get("Path", "/"), PolicyDocument=json.dumps(document))[
        "Policy"
    ]["Arn"]
    for attached in props.get("Roles", []):
        iam.attach_role_policy(RoleName=attached, PolicyArn=arn)
        stack.roles.allow(attached, as_list(document["Statement"]))
    return Made(arn, {"PolicyArn": arn})
