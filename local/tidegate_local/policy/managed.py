"""AWS managed policies that templates may attach, as statements (from the AWS managed policy reference)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
_XRAY = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:GetSamplingStatisticSummaries",
]


def _allow(*actions: str) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]


#: ARN to statements. The provisioner refuses an AWS managed policy that is not here.
MANAGED_POLICIES: Mapping[str, list[dict[str, Any]]] = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": _allow(*_LOGS),
    "arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole": _allow(
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams", *_LOGS
    ),
    "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole": _allow(
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS
    ),
    "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess": _allow(*_XRAY),
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess": _allow(*_XRAY),
    "arn:aws:iam::aws:policy/AdministratorAccess": _allow("*"),
    "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs": _allow(
        *_LOGS, "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"
    ),
    "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore": _allow("ssm:*", "ssmmessages:*", "ec2messages:*"),
}
