"""Which IAM actions on which resources an API call needs.

Stands in for the check each AWS service makes; follows the tables of the "Service Authorization Reference". A call that
is not listed needs ``service:Operation`` on ``*``, so a policy that scopes it to an ARN is refused here: add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate_local.policy.capacity import autoscaling, ec2
from tidegate_local.policy.evaluate import UNKNOWN_RESOURCE
from tidegate_local.policy.place import Need, Params, Place


def _full(place: Place, service: str, prefix: str, name: str) -> str:
    return name if name.startswith("arn:") else place.arn(service, f"{prefix}{name}")


# -- DynamoDB -------------------------------------------------------------------------------------------------------


def _table(place: Place, name: str) -> str:
    return _full(place, "dynamodb", "table/", name)


_TRANSACT = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def _dynamodb(op: str, params: Params, place: Place) -> list[Need]:
    if op == "TransactWriteItems":
        return [
            (f"dynamodb:{_TRANSACT.get(kind, kind)}", _table(place, write["TableName"]))
            for item in params.get("TransactItems", [])
            for kind, write in item.items()
        ]
    if op == "TransactGetItems":
        return [("dynamodb:GetItem", _table(place, i["Get"]["TableName"])) for i in params.get("TransactItems", [])]
    if op in ("BatchGetItem", "BatchWriteItem"):
        return [(f"dynamodb:{op}", _table(place, name)) for name in params.get("RequestItems", {})]
    if "TableName" in params:
        arn = _table(place, params["TableName"])
        index = params.get("IndexName")
        return [(f"dynamodb:{op}", f"{arn}/index/{index}" if index else arn)]
    return [(f"dynamodb:{op}", "*")]


# -- S3 -------------------------------------------------------------------------------------------------------------

_S3_OBJECT = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "PostObject": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
_S3_BUCKET = {"ListObjectsV2": "ListBucket", "ListObjects": "ListBucket", "HeadBucket": "ListBucket"}


def _s3(op: str, params: Params, _place: Place) -> list[Need]:
    bucket = params.get("Bucket")
    if bucket is None:
        return [("s3:ListAllMyBuckets" if op == "ListBuckets" else f"s3:{op}", "*")]
    bucket_arn = str(bucket) if str(bucket).startswith("arn:") else f"arn:aws:s3:::{bucket}"
    if op == "DeleteObjects":
        return [("s3:DeleteObject", f"{bucket_arn}/{o['Key']}") for o in params["Delete"]["Objects"]]
    if "Key" not in params:
        return [(f"s3:{_S3_BUCKET.get(op, op)}", bucket_arn)]
    target = f"{bucket_arn}/{params['Key']}"
    if op in ("CopyObject", "UploadPartCopy"):
        return [("s3:GetObject", f"arn:aws:s3:::{_copy_source(params['CopySource'])}"), ("s3:PutObject", target)]
    action = _S3_OBJECT.get(op, op)
    if action == "GetObject" and params.get("VersionId"):
        action = "GetObjectVersion"
    return [(f"s3:{action}", target)]


def _copy_source(source: Any) -> str:
    if isinstance(source, Mapping):
        return f"{source['Bucket']}/{source['Key']}"
    return str(source).lstrip("/").split("?", 1)[0]


# -- others ---------------------------------------------------------------------------------------------------------


def _ssm(op: str, params: Params, place: Place) -> list[Need]:
    if op == "SendCommand":
        # AWS's own documents belong to no account.
        name = str(params["DocumentName"])
        own = f"arn:aws:ssm:{place.region}::document/{name}" if name.startswith("AWS-") else None
        needs = [("ssm:SendCommand", own or _full(place, "ssm", "document/", name))]
        for instance in params.get("InstanceIds", []):
            kind, service = ("managed-instance", "ssm") if instance.startswith("mi-") else ("instance", "ec2")
            needs.append(("ssm:SendCommand", place.arn(service, f"{kind}/{instance}")))
        return needs
    if op in ("GetParameter", "PutParameter", "DeleteParameter", "GetParameterHistory"):
        return [(f"ssm:{op}", _parameter(place, params.get("Name")))]
    if op in ("GetParameters", "DeleteParameters"):
        return [(f"ssm:{op}", _parameter(place, name)) for name in params.get("Names") or [""]]
    if op == "GetParametersByPath":
        return [(f"ssm:{op}", _parameter(place, params.get("Path")))]
    if params.get("ResourceType") == "ManagedInstance" and "ResourceId" in params:
        return [(f"ssm:{op}", place.arn("ssm", f"managed-instance/{params['ResourceId']}"))]
    if op == "DeregisterManagedInstance":
        return [(f"ssm:{op}", place.arn("ssm", f"managed-instance/{params['InstanceId']}"))]
    if op in ("GetDocument", "DescribeDocument"):
        return [(f"ssm:{op}", _full(place, "ssm", "document/", str(params["Name"])))]
    return [(f"ssm:{op}", "*")]


def _parameter(place: Place, name: Any) -> str:
    """The ARN of a parameter or a path; a name may end in ``:version`` or ``:label``."""
    text = str(name or "")
    return text if text.startswith("arn:") else place.arn("ssm", f"parameter/{text.lstrip('/').partition(':')[0]}")


def _secretsmanager(op: str, params: Params, place: Place) -> list[Need]:
    name = params.get("SecretId") or params.get("Name")
    return [(f"secretsmanager:{op}", _full(place, "secretsmanager", "secret:", str(name)) if name else "*")]


def _states(op: str, params: Params, _place: Place) -> list[Need]:
    if op.startswith("SendTask"):
        return [(f"states:{op}", UNKNOWN_RESOURCE)]
    for member in ("executionArn", "stateMachineArn", "activityArn", "resourceArn"):
        if member in params:
            return [(f"states:{op}", str(params[member]))]
    return [(f"states:{op}", "*")]


def _sqs(op: str, params: Params, place: Place) -> list[Need]:
    action = {
        "SendMessageBatch": "SendMessage",
        "DeleteMessageBatch": "DeleteMessage",
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    }.get(op, op)
    name = str(params["QueueUrl"]).rsplit("/", 1)[-1] if "QueueUrl" in params else params.get("QueueName")
    return [(f"sqs:{action}", place.arn("sqs", name) if name else "*")]


def _events(op: str, params: Params, place: Place) -> list[Need]:
    if op == "PutEvents":
        buses = {entry.get("EventBusName", "default") for entry in params.get("Entries", [])}
        return [("events:PutEvents", _full(place, "events", "event-bus/", bus)) for bus in sorted(buses)]
    return [(f"events:{op}", _full(place, "events", "rule/", params["Name"]) if "Name" in params else "*")]


def _lambda(op: str, params: Params, place: Place) -> list[Need]:
    action = "InvokeFunction" if op == "Invoke" else op
    name = params.get("FunctionName")
    return [(f"lambda:{action}", _full(place, "lambda", "function:", name) if name else "*")]


def _ecs(op: str, params: Params, place: Place) -> list[Need]:
    if op == "DescribeServices":
        cluster = str(params.get("cluster") or "default").rpartition("/")[2]
        names = [str(each) for each in params.get("services") or ()]
        return [("ecs:DescribeServices", _full(place, "ecs", f"service/{cluster}/", name)) for name in names]
    return [(f"ecs:{op}", "*")]


def _balancing(op: str, params: Params, place: Place) -> list[Need]:
    resource = params.get("TargetGroupArn", "*")
    if "LoadBalancerName" in params:
        resource = place.arn("elasticloadbalancing", f"loadbalancer/{params['LoadBalancerName']}")
    # Looks have no resource-level rights.
    return [(f"elasticloadbalancing:{op}", "*" if op.startswith("Describe") else str(resource))]


def _sns(op: str, params: Params, _place: Place) -> list[Need]:
    action = "Publish" if op == "PublishBatch" else op
    return [(f"sns:{action}", str(params.get("TopicArn") or params.get("TargetArn") or "*"))]


def _logs(op: str, params: Params, place: Place) -> list[Need]:
    group = params.get("logGroupName")
    if group is None:
        return [(f"logs:{op}", "*")]
    stream = params.get("logStreamName")
    tail = f":log-stream:{stream}" if stream else ":*"
    return [(f"logs:{op}", place.arn("logs", f"log-group:{group}{tail}"))]


def _sts(op: str, params: Params, _place: Place) -> list[Need]:
    # GetCallerIdentity needs no permission: AWS answers it even when a policy denies it.
    return [] if op == "GetCallerIdentity" else [(f"sts:{op}", str(params.get("RoleArn", "*")))]


def _iam(op: str, params: Params, place: Place) -> list[Need]:
    # By its name alone a role's path is not known here: roles without one are meant.
    name = params.get("RoleName")
    return [(f"iam:{op}", f"arn:aws:iam::{place.account}:role/{name}" if name else "*")]


def _cloudwatch(op: str, params: Params, place: Place) -> list[Need]:
    if op == "DescribeAlarms" and params.get("AlarmNames"):
        return [(f"cloudwatch:{op}", place.arn("cloudwatch", f"alarm:{n}")) for n in params["AlarmNames"]]
    return [(f"cloudwatch:{op}", "*")]


_RULES: Mapping[str, Callable[[str, Params, Place], list[Need]]] = {
    "dynamodb": _dynamodb,
    "s3": _s3,
    "ssm": _ssm,
    "secretsmanager": _secretsmanager,
    "stepfunctions": _states,
    "sqs": _sqs,
    "events": _events,
    "lambda": _lambda,
    "ecs": _ecs,
    "elb": _balancing,
    "elbv2": _balancing,
    "sns": _sns,
    "logs": _logs,
    "sts": _sts,
    "iam": _iam,
    "cloudwatch": _cloudwatch,
    "autoscaling": autoscaling,
    "ec2": ec2,
}
# botocore's service name, where IAM's prefix is another one.
_PREFIX = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}


def needs(service: str, operation: str, params: Params, place: Place) -> list[Need]:
    """List the (action, resource ARN) pairs that a call needs, all of them.

    Parameters
    ----------
    service
        botocore's service name (``dynamodb``, ``stepfunctions``, …).
    operation
        The API operation's name.
    params
        The call's parameters as given to boto3.
    place
        Account and region of the call.
    """
    rule = _RULES.get(service)
    if rule is not None:
        return rule(operation, params, place)
    return [(f"{_PREFIX.get(service, service)}:{operation}", "*")]
