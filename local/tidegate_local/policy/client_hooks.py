"""Judge and count every AWS call that a process makes, at the client.

Stands in for IAM's check at each service's door. It sits in botocore's own events, so no call of boto3 goes round it;
pre-signed URLs are judged when they are signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tidegate_local.policy.evaluate import Statement, is_allowed
from tidegate_local.policy.place import Place
from tidegate_local.policy.requests import needs

#: Gives the tags of an EC2 instance, or of a managed node that is none, by its id.
TagLookup = Callable[[str], Mapping[str, str]]

#: Services whose messages are counted, with the member that holds those of a batch.
_MESSAGES: Mapping[str, Mapping[str, str]] = {
    "sns": {"PublishBatch": "PublishBatchRequestEntries"},
    "events": {"PutEvents": "Entries"},
    "sqs": {"SendMessageBatch": "Entries"},
}
DYNAMODB_READS = frozenset({"GetItem", "Query", "Scan"})
DYNAMODB_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})


#: The resources whose tags conditions may ask for.
_TAGGED = ("instance/", "managed-instance/", "autoScalingGroupName/")


class Authoriser:
    """Says whether a role's statements allow a call.

    Parameters
    ----------
    role_arn
        Named in the error, as AWS does.
    statements
        The statements of all the role's policies.
    place
        Account and region of the calls.
    tags_of
        Looks up tags, for conditions on ``ssm:resourceTag/…``, ``aws:ResourceTag/…`` and their like; an Auto Scaling
        group is called ``autoScalingGroupName/`` and its name.
    """

    def __init__(self, role_arn: str, statements: Sequence[Statement], place: Place, tags_of: TagLookup) -> None:
        self._role_arn = role_arn
        self._statements = statements
        self._place = place
        self._tags_of = tags_of

    def check(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Raise AccessDeniedException (a botocore ClientError) unless all that the call needs is allowed."""
        for action, resource in needs(service, operation, params, self._place):
            if not is_allowed(self._statements, action, resource, self._lookup(resource, params)):
                raise denied(self._role_arn, action, resource, operation)

    def _lookup(self, resource: str, params: Mapping[str, Any]) -> Callable[[str], Sequence[str] | None]:
        def values(key: str) -> Sequence[str] | None:
            if key == "aws:requestedregion":
                return [self._place.region]
            if key == "aws:resourceaccount":
                return [self._place.account]
            if key == "events:source":
                return sorted({str(entry.get("Source", "")) for entry in params.get("Entries", [])}) or None
            if key == "s3:prefix":
                return [str(params["Prefix"])] if "Prefix" in params else None
            if key.startswith("aws:requesttag/"):
                given = [tag for tag in params.get("Tags", ()) if isinstance(tag, Mapping)]
                return _values({str(tag.get("Key")): str(tag.get("Value")) for tag in given}, key)
            if "resourcetag/" in key and resource.split(":")[-1].startswith(_TAGGED):
                return _values(self._tags_of(_tagged(resource)), key)
            return None

        return values


def _tagged(resource: str) -> str:
    last = resource.split(":")[-1]
    return last if last.startswith("autoScalingGroupName/") else last.rsplit("/", 1)[-1]


def _values(tags: Mapping[str, str], key: str) -> list[str] | None:
    """What the tag that a condition's key names has; IAM does not look at the case of tags' names."""
    wanted = key.split("/", 1)[1]
    return [value for name, value in tags.items() if name.lower() == wanted] or None


def node_tags(client: Callable[[str], Any], node_id: str) -> dict[str, str]:
    """The tags of an EC2 instance (``i-…``), of a managed node that is none (``mi-…``), or of an Auto Scaling group.

    Parameters
    ----------
    client
        Makes a client of a service, or gives one that was made.
    """
    kind, _, name = node_id.partition("/")
    if kind == "autoScalingGroupName":
        groups = [{"Name": "auto-scaling-group", "Values": [name]}]
        found = client("autoscaling").describe_tags(Filters=groups)["Tags"]
    elif node_id.startswith("mi-"):
        try:
            found = client("ssm").list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node_id)["TagList"]
        except ClientError:
            return {}  # There is no such node: nobody has a right on it by its tags.
    else:
        found = client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [node_id]}])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def denied(role_arn: str, action: str, resource: str, operation: str) -> ClientError:
    """Make the error that AWS gives when no statement allows a call."""
    message = (
        f"User: {role_arn} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
    return ClientError(
        {
            "Error": {"Code": "AccessDeniedException", "Message": message},
            "ResponseMetadata": {
                "RequestId": "",
                "HTTPStatusCode": 400,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
                "HostId": "",
            },
        },
        operation,
    )


def count_call(service: str, operation: str, params: Mapping[str, Any], counts: dict[str, int]) -> None:
    """Add a call to the counts of a deployment's cost: SSM by call, DynamoDB by item, messages one by one."""
    if service == "ssm":
        _add(counts, "ssm", 1)
    elif service in _MESSAGES:
        member = _MESSAGES[service].get(operation)
        _add(counts, service, len(params.get(member, [])) if member else 1)
    elif service == "dynamodb":
        if operation in DYNAMODB_READS:
            _add(counts, "dynamodbReads", 1)
        elif operation in DYNAMODB_WRITES:
            _add(counts, "dynamodbWrites", 1)
        elif operation in ("TransactWriteItems", "TransactGetItems"):
            kind = "dynamodbWrites" if operation == "TransactWriteItems" else "dynamodbReads"
            _add(counts, kind, len(params.get("TransactItems", [])))
        elif operation == "BatchWriteItem":
            _add(counts, "dynamodbWrites", sum(len(w) for w in params.get("RequestItems", {}).values()))
        elif operation == "BatchGetItem":
            _add(counts, "dynamodbReads", sum(len(r["Keys"]) for r in params.get("RequestItems", {}).values()))


def _add(counts: dict[str, int], name: str, number: int) -> None:
    counts[name] = counts.get(name, 0) + number


def watch_client(
    client: Any,
    authoriser: Authoriser | None,
    counts: dict[str, int],
    told: Callable[[str, str], None] | None = None,
) -> None:
    """Put a boto3 or botocore client under an authoriser and count its calls.

    Each call is judged before it is sent, where there is an authoriser; ``told`` gets ``before`` and
    ``service:Operation`` of each that is sent, and ``after`` with it when it succeeded.
    """

    def judge(params: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any) -> None:
        service = model.service_model.service_name
        if model.name == "CreateBucket" and context.get("is_presign_request"):
            return  # botocore borrows this operation for pre-signed POSTs, which _judge_posts judges
        if authoriser is not None:
            authoriser.check(service, model.name, params)

    def count(model: Any, context: Mapping[str, Any], **_: Any) -> None:
        if told is not None:
            told("before", f"{model.service_model.service_name}:{model.name}")
        count_call(model.service_model.service_name, model.name, context.get("tidegate_params", {}), counts)

    def keep(params: Mapping[str, Any], context: Any, **_: Any) -> None:
        # before-call sees the serialised request; the counts need the parameters.
        context["tidegate_params"] = dict(params)

    def done(http_response: Any, model: Any, **_: Any) -> None:
        if told is not None and http_response.status_code < 300:
            told("after", f"{model.service_model.service_name}:{model.name}")

    events = client.meta.events
    events.register_first("provide-client-params.*.*", judge)
    events.register_last("provide-client-params.*.*", keep)
    events.register("before-call.*.*", count)
    events.register_last("after-call.*.*", done)
    if authoriser is not None and client.meta.service_model.service_name == "s3":
        _judge_posts(client, authoriser)


def _judge_posts(client: Any, authoriser: Authoriser) -> None:
    # The event of a pre-signed POST names no key: judge it here, for the key or the prefix it grants.
    original = client.generate_presigned_post

    def generate_presigned_post(*args: Any, **kwargs: Any) -> Any:
        named = dict(zip(("Bucket", "Key"), args, strict=False)) | kwargs
        key = str(named["Key"]).replace("${filename}", "x")
        authoriser.check("s3", "PostObject", {"Bucket": named["Bucket"], "Key": key})
        return original(*args, **kwargs)

    client.generate_presigned_post = generate_presigned_post
