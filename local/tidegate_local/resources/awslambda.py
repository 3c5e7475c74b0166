"""Lambda functions, layers and what feeds them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from tidegate_local.adapters.worker_process import Function
from tidegate_local.resources.registry import Made, QueueFeed, Stack, StreamFeed, only, resource, tag_list
from tidegate_local.template import CHECKOUT, TemplateError


def _folder(stack: Stack, logical_id: str, code: dict[str, Any]) -> Path:
    if code.get("S3Bucket") != CHECKOUT:
        raise TemplateError(f"{logical_id}: its code is not a folder of the checkout: {code}")
    folder = (stack.checkout / str(code["S3Key"])).resolve()
    if not folder.is_dir():
        raise TemplateError(f"{logical_id}: its code folder {folder} does not exist")
    return folder


def _stub() -> bytes:
    # moto wants an archive; the code itself runs from the checkout.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README", "The code runs from the checkout.\n")
    return buffer.getvalue()


@resource(
    "AWS::Lambda::LayerVersion",
    "CompatibleArchitectures",
    "CompatibleRuntimes",
    "Content",
    "Description",
    "LayerName",
    "LicenseInfo",
)
def layer_version(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Lambda::LayerVersion. In a checkout a layer's ``python`` folder is the folder itself."""
    folder = _folder(stack, logical_id, props["Content"])
    published = stack.client("lambda").publish_layer_version(
        LayerName=props.get("LayerName", logical_id),
        Description=props.get("Description", ""),
        Content={"ZipFile": _stub()},
        CompatibleRuntimes=props.get("CompatibleRuntimes", []),
    )
    python = folder / "python"
    stack.layers[published["LayerVersionArn"]] = python if python.is_dir() else folder
    return Made(published["LayerVersionArn"], {"LayerVersionArn": published["LayerVersionArn"]})


@resource(
    "AWS::Lambda::Function",
    "Architectures",
    "Code",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FunctionName",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "Tags",
    "Timeout",
    "TracingConfig",
)
def function(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Lambda::Function: moto knows it, a worker runs it."""
    name = props.get("FunctionName") or stack.physical_name(logical_id)
    variables = {k: _text(v) for k, v in props.get("Environment", {}).get("Variables", {}).items()}
    folder = _folder(stack, logical_id, props["Code"])
    layers = props.get("Layers", [])
    created = stack.client("lambda").create_function(
        FunctionName=name,
        Role=props["Role"],
        Handler=props["Handler"],
        Runtime=props["Runtime"],
        Code={"ZipFile": _stub()},
        Description=props.get("Description", ""),
        Timeout=int(props.get("Timeout", 3)),
        MemorySize=int(props.get("MemorySize", 128)),
        Environment={"Variables": variables},
        Layers=layers,
        Architectures=props.get("Architectures", ["x86_64"]),
        Tags={tag["Key"]: tag["Value"] for tag in tag_list(props.get("Tags"))},
    )
    stack.workers.register(
        Function(
            name=name,
            arn=created["FunctionArn"],
            logical_id=logical_id,
            handler=props["Handler"],
            # Lambda puts later layers over earlier ones.
            path=(str(folder), *(str(stack.layers[arn]) for arn in reversed(layers))),
            variables=variables,
            timeout=float(props.get("Timeout", 3)),
            memory=int(props.get("MemorySize", 128)),
            role_arn=props["Role"],
        )
    )
    return Made(name, {"Arn": created["FunctionArn"]})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@resource("AWS::Lambda::Permission", "Action", "FunctionName", "Principal", "SourceAccount", "SourceArn")
def permission(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Lambda::Permission."""
    stack.client("lambda").add_permission(StatementId=logical_id, **props)
    return Made(stack.physical_name(logical_id))


_OF_STREAMS = frozenset(
    {
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "FilterCriteria",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "StartingPosition",
    }
)


@resource(
    "AWS::Lambda::EventSourceMapping",
    "BatchSize",
    "Enabled",
    "EventSourceArn",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
    *_OF_STREAMS,
)
def event_source_mapping(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Lambda::EventSourceMapping of an SQS queue or of a table's stream."""
    if ":dynamodb:" in props["EventSourceArn"]:
        return _stream_mapping(stack, logical_id, props)
    if ":sqs:" not in props["EventSourceArn"]:
        raise TemplateError(
            f"{logical_id}.EventSourceArn: only SQS queues and tables' streams feed functions in the local cloud"
        )
    if unknown := sorted(_OF_STREAMS & set(props)):
        raise TemplateError(f"{logical_id}.{unknown[0]}: the local cloud knows it of tables' streams only")
    types = props.get("FunctionResponseTypes", [])
    stack.mappings.append(
        QueueFeed(
            queue_arn=props["EventSourceArn"],
            function=props["FunctionName"],
            batch_size=int(props.get("BatchSize", 10)),
            window_seconds=float(props.get("MaximumBatchingWindowInSeconds", 0)),
            partial_failures="ReportBatchItemFailures" in types,
            enabled=str(props.get("Enabled", True)).lower() == "true",
        )
    )
    return Made(stack.physical_name(logical_id))


def _stream_mapping(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    for name in ("FunctionResponseTypes", "ScalingConfig"):
        if name in props:
            raise TemplateError(f"{logical_id}.{name}: the local cloud does not know it of tables' streams")
    criteria = only(f"{logical_id}.FilterCriteria", props.get("FilterCriteria", {}), "Filters")
    destinations = only(f"{logical_id}.DestinationConfig", props.get("DestinationConfig", {}), "OnFailure")
    stack.streams.append(
        StreamFeed(
            stream_arn=props["EventSourceArn"],
            function=props["FunctionName"],
            batch_size=int(props.get("BatchSize", 100)),
            window_seconds=float(props.get("MaximumBatchingWindowInSeconds", 0)),
            filters=tuple(str(each["Pattern"]) for each in criteria.get("Filters", ())),
            bisect=str(props.get("BisectBatchOnFunctionError", False)).lower() == "true",
            max_retries=int(props.get("MaximumRetryAttempts", -1)),
            max_age_seconds=float(props.get("MaximumRecordAgeInSeconds", -1)),
            on_failure=destinations.get("OnFailure", {}).get("Destination", ""),
            starting_position=props["StartingPosition"],
            enabled=_text(props.get("Enabled", True)).lower() == "true",
        )
    )
    return Made(stack.physical_name(logical_id))


@resource(
    "AWS::Lambda::EventInvokeConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier"
)
def event_invoke_config(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Lambda::EventInvokeConfig: how often an asynchronous call is tried again."""
    settings = {k: int(v) for k, v in props.items() if k.startswith("Maximum")}
    stack.client("lambda").put_function_event_invoke_config(FunctionName=props["FunctionName"], **settings)
    return Made(stack.physical_name(logical_id))
