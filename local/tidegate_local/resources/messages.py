"""Queues, topics and event rules."""

from __future__ import annotations

import json
from typing import Any

from tidegate_local.policy.evaluate import as_list
from tidegate_local.resources.registry import Made, Stack, resource, tag_list
from tidegate_local.template import TemplateError

_QUEUE_NUMBERS = (
    "DelaySeconds",
    "KmsDataKeyReusePeriodSeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)


@resource(
    "AWS::SQS::Queue",
    *_QUEUE_NUMBERS,
    "KmsMasterKeyId",
    "QueueName",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "Tags",
)
def queue(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::SQS::Queue."""
    name = props.get("QueueName") or stack.physical_name(logical_id, 80)
    attributes = {n: str(props[n]) for n in (*_QUEUE_NUMBERS, "KmsMasterKeyId") if n in props}
    if "SqsManagedSseEnabled" in props:
        attributes["SqsManagedSseEnabled"] = str(props["SqsManagedSseEnabled"]).lower()
    if "RedrivePolicy" in props:
        attributes["RedrivePolicy"] = json.dumps(props["RedrivePolicy"])
    tags = {tag["Key"]: tag["Value"] for tag in tag_list(props.get("Tags"))}
    url = stack.client("sqs").create_queue(QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"]
    return Made(url, {"Arn": stack.arn("sqs", name), "QueueName": name, "QueueUrl": url})


@resource("AWS::SQS::QueuePolicy", "PolicyDocument", "Queues")
def queue_policy(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::SQS::QueuePolicy."""
    for url in props["Queues"]:
        stack.client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": json.dumps(props["PolicyDocument"])}
        )
    return Made(stack.physical_name(logical_id))


@resource("AWS::SNS::Topic", "DisplayName", "KmsMasterKeyId", "Tags", "TopicName")
def topic(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::SNS::Topic."""
    name = props.get("TopicName") or stack.physical_name(logical_id)
    arn = stack.client("sns").create_topic(Name=name, Tags=tag_list(props.get("Tags")))["TopicArn"]
    return Made(arn, {"TopicArn": arn, "TopicName": name})


@resource(
    "AWS::Events::Rule",
    "Description",
    "EventBusName",
    "EventPattern",
    "Name",
    "RoleArn",
    "ScheduleExpression",
    "State",
    "Targets",
)
def rule(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::Events::Rule with its targets."""
    name = props.get("Name") or stack.physical_name(logical_id)
    if "ScheduleExpression" in props and not props["ScheduleExpression"].startswith("rate("):
        raise TemplateError(f"{logical_id}.ScheduleExpression: the local cloud runs rate(…) only")
    settings = {k: v for k, v in props.items() if k not in ("Targets", "EventPattern", "Name")}
    if "EventPattern" in props:
        settings["EventPattern"] = json.dumps(props["EventPattern"])
    events = stack.client("events")
    arn = events.put_rule(Name=name, **settings)["RuleArn"]
    bus = {"EventBusName": props["EventBusName"]} if "EventBusName" in props else {}
    targets = as_list(props.get("Targets"))
    if targets:
        answer = events.put_targets(Rule=name, Targets=targets, **bus)
        if answer.get("FailedEntryCount"):
            raise TemplateError(f"{logical_id}.Targets: {answer['FailedEntries']}")
    return Made(name, {"Arn": arn})
