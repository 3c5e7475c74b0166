"""Deliver EventBridge events to their targets, and fire schedules.

Stands in for EventBridge: "Events and event patterns", "Targets" and "Schedules" of its user guide. Delivery is
asynchronous, at least once, and in no order; faults can lose, double and delay it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate_local.background import Background
from tidegate_local.faults import Faults

_LOG = logging.getLogger(__name__)
#: Calls a function by ARN with an event, and does not wait.
InvokeAsync = Callable[[str, Any], None]
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


class Events:
    """The event bus's delivery.

    Parameters
    ----------
    client
        Gives the administrator's boto3 client of a service.
    invoke_async
        Calls a Lambda function.
    background
        Runs deliveries.
    faults
        What is to go wrong.
    account, region
        Stamped on events.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        invoke_async: InvokeAsync,
        background: Background,
        faults: Faults,
        account: str,
        region: str,
    ) -> None:
        self._client = client
        self._invoke_async = invoke_async
        self._background = background
        self._faults = faults
        self._account = account
        self._region = region
        self._stopped = False

    def install(self) -> None:
        """Put this delivery in place of moto's."""
        from moto.events.models import Rule

        deliver = self._deliver_to_rule

        def send_to_targets(rule: Any, original_event: Mapping[str, Any], transform_input: bool = True) -> None:
            del transform_input
            # A rule that has a schedule and no pattern matches nothing; moto lets it match everything.
            if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
                return
            if rule.event_pattern.matches_event(original_event):
                deliver(rule, tidy(original_event))

        Rule.send_to_targets = send_to_targets

    def stop(self) -> None:
        """Fire no more schedules."""
        self._stopped = True

    def emit(self, event: Mapping[str, Any]) -> None:
        """Put an event on the default bus.

        Parameters
        ----------
        event
            In EventBridge's form: ``source``, ``detail-type``, ``detail``, and where wanted ``resources``; the rest is
            filled in.
        """
        from moto.events.models import events_backends

        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": list(event.get("resources", [])),
        }
        events_backends[self._account][self._region].put_events([entry])

    def start_schedules(self) -> None:
        """Begin to fire the rules that have a rate, each first after one period, as EventBridge does."""
        from moto.events.models import events_backends

        for bus in events_backends[self._account][self._region].event_buses.values():
            for rule in bus.rules.values():
                if rule.scheduled_expression:
                    self._schedule(rule, rate_seconds(rule.scheduled_expression))

    def _schedule(self, rule: Any, period: float) -> None:
        def fire() -> None:
            if self._stopped:
                return
            self._schedule(rule, period)
            if rule.state == "ENABLED":
                self._deliver_to_rule(rule, scheduled_event(rule.arn, self._account, self._region, datetime.now(UTC)))

        self._background.submit(fire, period)

    def _deliver_to_rule(self, rule: Any, event: dict[str, Any]) -> None:
        for target in list(rule.targets):
            for _ in range(self._faults.deliveries()):
                self._background.submit(self._delivery(rule, target, event), self._faults.delay_seconds)

    def _delivery(self, rule: Any, target: Mapping[str, Any], event: dict[str, Any]) -> Callable[[], None]:
        def deliver() -> None:
            try:
                self._send(target, target_input(target, event, rule.arn))
            except Exception:
                _LOG.exception("the event %s of rule %s could not be delivered", event.get("id"), rule.name)

        return deliver

    def _send(self, target: Mapping[str, Any], text: str) -> None:
        arn = target["Arn"]
        service, resource = arn.split(":")[2], arn.split(":", 5)[5]
        if service == "sqs":
            group = target.get("SqsParameters", {}).get("MessageGroupId")
            extra = {"MessageGroupId": group} if group else {}
            url = self._client("sqs").get_queue_url(QueueName=resource)["QueueUrl"]
            self._client("sqs").send_message(QueueUrl=url, MessageBody=text, **extra)
        elif service == "lambda":
            self._invoke_async(arn, json.loads(text))
        elif service == "states":
            self._client("stepfunctions").start_execution(stateMachineArn=arn, input=text)
        elif service == "sns":
            self._client("sns").publish(TopicArn=arn, Message=text)
        elif service == "logs":
            self._log_event(resource.removeprefix("log-group:").removesuffix(":*"), text)
        else:
            raise NotImplementedError(f"targets of {service} are not known to the local cloud: {arn}")

    def _log_event(self, group: str, text: str) -> None:
        logs = self._client("logs")
        stream = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(datetime.now(UTC).timestamp() * 1000)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": text}])


def tidy(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give an event as it is delivered: its time in ISO 8601, without moto's own members."""
    result = {
        name: value for name, value in event.items() if name not in ("ingestion-time", "archive-name", "replay-name")
    }
    if not isinstance(result.get("time"), str):
        moment = datetime.fromtimestamp(float(result.get("time") or datetime.now(UTC).timestamp()), UTC)
        result["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return result


def scheduled_event(rule_arn: str, account: str, region: str, now: datetime) -> dict[str, Any]:
    """Make the event that a schedule sends."""
    return {
        "version": "0",
        "id": f"{int(now.timestamp() * 1000):032x}",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }


def rate_seconds(expression: str) -> float:
    """Give the period of ``rate(5 minutes)`` in seconds; ValueError for any other expression."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip())
    if found is None or int(found.group(1)) < 1:
        raise ValueError(f"the schedule {expression!r} is not a rate such as rate(5 minutes)")
    return int(found.group(1)) * _UNITS[found.group(2)]


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """Give what a target receives: the event, a constant, a part, or a template filled in, as JSON text."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(pick(target["InputPath"], event))
    transformer = target.get("InputTransformer")
    if transformer is None:
        return json.dumps(event)
    values = {name: pick(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event.json": event,
    }
    return _fill(transformer["InputTemplate"], values)


def pick(path: str, event: Mapping[str, Any]) -> Any:
    """Give the part of an event that a simple JSON path names; None where there is none."""
    value: Any = event
    for part in re.findall(r"[^.\[\]'\"]+", path.removeprefix("$")):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return None
    return value


_STRING_OR_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|<([^<>\s]+)>')
_NAME = re.compile(r"<([^<>\s]+)>")


def _fill(template: str, values: Mapping[str, Any]) -> str:
    def in_string(match: re.Match[str]) -> str:
        if match.group(1) not in values:
            return match.group(0)
        value = values[match.group(1)]
        # Inside a string only the text goes in; other values as JSON, escaped.
        return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]

    def replace(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return _NAME.sub(in_string, match.group(0))
        return json.dumps(values[match.group(1)]) if match.group(1) in values else match.group(0)

    return _STRING_OR_NAME.sub(replace, template)
