"""Log groups, alarms and dashboards."""

from __future__ import annotations

import json
from typing import Any

from tidegate_local.resources.registry import Made, Stack, resource, tag_list


@resource("AWS::Logs::LogGroup", "KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags")
def log_group(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Logs::LogGroup."""
    name = props.get("LogGroupName") or stack.physical_name(logical_id, 512)
    logs = stack.client("logs")
    logs.create_log_group(logGroupName=name, tags={t["Key"]: t["Value"] for t in tag_list(props.get("Tags"))})
    if "RetentionInDays" in props:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(props["RetentionInDays"]))
    return Made(name, {"Arn": stack.arn("logs", f"log-group:{name}:*")})


@resource("AWS::Logs::MetricFilter", "FilterName", "FilterPattern", "LogGroupName", "MetricTransformations")
def metric_filter(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Logs::MetricFilter."""
    name = props.get("FilterName") or stack.physical_name(logical_id, 512)
    transformations = [
        {key[0].lower() + key[1:]: value for key, value in transformation.items()}
        for transformation in props["MetricTransformations"]
    ]
    stack.client("logs").put_metric_filter(
        logGroupName=props["LogGroupName"],
        filterName=name,
        filterPattern=props["FilterPattern"],
        metricTransformations=transformations,
    )
    return Made(name)


_ALARM_NUMBERS = {"Period": int, "EvaluationPeriods": int, "DatapointsToAlarm": int, "Threshold": float}


@resource(
    "AWS::CloudWatch::Alarm",
    *_ALARM_NUMBERS,
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "Dimensions",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Statistic",
    "TreatMissingData",
    "Unit",
)
def alarm(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::CloudWatch::Alarm."""
    name = props.get("AlarmName") or stack.physical_name(logical_id, 255)
    settings = {key: _ALARM_NUMBERS[key](value) if key in _ALARM_NUMBERS else value for key, value in props.items()}
    stack.client("cloudwatch").put_metric_alarm(**{**settings, "AlarmName": name})
    return Made(name, {"Arn": stack.arn("cloudwatch", f"alarm:{name}")})


@resource("AWS::CloudWatch::Dashboard", "DashboardBody", "DashboardName")
def dashboard(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::CloudWatch::Dashboard."""
    name = props.get("DashboardName") or stack.physical_name(logical_id, 255)
    body = props["DashboardBody"]
    text = body if isinstance(body, str) else json.dumps(body)
    stack.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=text)
    return Made(name)
