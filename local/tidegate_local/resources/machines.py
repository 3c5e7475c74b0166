"""State machines and SSM documents."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from tidegate_local.resources.registry import Made, Stack, lower_first, resource, tag_list
from tidegate_local.template import TemplateError


@resource(
    "AWS::StepFunctions::StateMachine",
    "Definition",
    "DefinitionString",
    "DefinitionSubstitutions",
    "LoggingConfiguration",
    "RoleArn",
    "StateMachineName",
    "StateMachineType",
    "Tags",
    "TracingConfiguration",
)
def state_machine(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::StepFunctions::StateMachine, with its substitutions made."""
    kind = props.get("StateMachineType", "STANDARD")
    if kind != "STANDARD":
        raise TemplateError(f"{logical_id}.StateMachineType is {kind}: the local cloud runs STANDARD machines")
    definition = props["DefinitionString"] if "DefinitionString" in props else json.dumps(props["Definition"])
    name = props.get("StateMachineName") or stack.physical_name(logical_id, 80)
    created = stack.client("stepfunctions").create_state_machine(
        name=name,
        definition=_substitute(logical_id, definition, props.get("DefinitionSubstitutions", {})),
        roleArn=props["RoleArn"],
        type=kind,
        tags=lower_first(tag_list(props.get("Tags"))),
        loggingConfiguration=lower_first(props.get("LoggingConfiguration", {"Level": "OFF"})),
        tracingConfiguration=lower_first(props.get("TracingConfiguration", {"Enabled": False})),
    )
    arn = created["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": name})


def _substitute(logical_id: str, definition: str, substitutions: dict[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in substitutions:
            raise TemplateError(f"{logical_id}: ${{{name}}} of its definition is not among DefinitionSubstitutions")
        # Inside a JSON string.
        return json.dumps(str(substitutions[name]))[1:-1]

    return re.sub(r"\$\{([A-Za-z0-9_]+)\}", value, definition)


@resource(
    "AWS::SSM::Document",
    "Content",
    "DocumentFormat",
    "DocumentType",
    "Name",
    "Tags",
    "TargetType",
    "UpdateMethod",
    "VersionName",
)
def document(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::SSM::Document; its content is an object, or text in its format."""
    name = props.get("Name") or stack.physical_name(logical_id, 128)
    content = props["Content"]
    parsed = yaml.safe_load(content) if isinstance(content, str) else content
    if not isinstance(parsed, dict) or "schemaVersion" not in parsed:
        raise TemplateError(f"{logical_id}.Content has no schemaVersion: give a document such as SSM takes")
    stack.client("ssm").create_document(
        Name=name,
        Content=json.dumps(parsed),
        DocumentFormat="JSON",
        DocumentType=props.get("DocumentType", "Command"),
        **({"TargetType": props["TargetType"]} if "TargetType" in props else {}),
        Tags=tag_list(props.get("Tags")),
    )
    return Made(name)


@resource("AWS::SSM::Parameter", "AllowedPattern", "Description", "Name", "Tier", "Type", "Value")
def parameter(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::SSM::Parameter."""
    name = props.get("Name") or stack.physical_name(logical_id)
    stack.client("ssm").put_parameter(**{**props, "Name": name})
    return Made(name, {"Type": props["Type"], "Value": props["Value"]})
