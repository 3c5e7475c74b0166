"""Tables and buckets."""

from __future__ import annotations

import json
from typing import Any

from tidegate_local.resources.registry import Made, Stack, only, resource, tag_list

_TABLE_AS_IS = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
    "TableClass",
)


@resource(
    "AWS::DynamoDB::Table",
    *_TABLE_AS_IS,
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "StreamSpecification",
    "TableName",
    "Tags",
    "TimeToLiveSpecification",
)
def table(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::DynamoDB::Table."""
    name = props.get("TableName") or stack.physical_name(logical_id, 255)
    dynamodb = stack.client("dynamodb")
    settings = {key: props[key] for key in _TABLE_AS_IS if key in props}
    if "SSESpecification" in props:
        given = only(
            f"{logical_id}.SSESpecification", props["SSESpecification"], "SSEEnabled", "SSEType", "KMSMasterKeyId"
        )
        rest = {k: v for k, v in given.items() if k != "SSEEnabled"}
        settings["SSESpecification"] = {"Enabled": given["SSEEnabled"], **rest}
    if "StreamSpecification" in props:
        settings["StreamSpecification"] = {"StreamEnabled": True, **props["StreamSpecification"]}
    created = dynamodb.create_table(TableName=name, Tags=tag_list(props.get("Tags")), **settings)["TableDescription"]
    if "PointInTimeRecoverySpecification" in props:
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification=props["PointInTimeRecoverySpecification"]
        )
    if "TimeToLiveSpecification" in props:
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=props["TimeToLiveSpecification"])
    stream = {"StreamArn": created["LatestStreamArn"]} if "LatestStreamArn" in created else {}
    return Made(name, {"Arn": created["TableArn"], **stream})


@resource(
    "AWS::S3::Bucket",
    "BucketEncryption",
    "BucketName",
    "LifecycleConfiguration",
    "NotificationConfiguration",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
)
def bucket(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::S3::Bucket."""
    name = props.get("BucketName") or stack.physical_name(logical_id, 63, lower=True)
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=name)
    if "BucketEncryption" in props:
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_encryption(props["BucketEncryption"]))
    if "PublicAccessBlockConfiguration" in props:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=props["PublicAccessBlockConfiguration"])
    if "OwnershipControls" in props:
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=props["OwnershipControls"])
    if "VersioningConfiguration" in props:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=props["VersioningConfiguration"])
    if "LifecycleConfiguration" in props:
        where = f"{logical_id}.LifecycleConfiguration"
        rules = only(where, props["LifecycleConfiguration"], "Rules")["Rules"]
        s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": [_lifecycle(f"{where}.Rules", rule) for rule in rules]}
        )
    if "NotificationConfiguration" in props:
        _notify(s3, name, f"{logical_id}.NotificationConfiguration", props["NotificationConfiguration"])
    if "Tags" in props:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(props["Tags"])})
    domain = {"DomainName": f"{name}.s3.amazonaws.com", "RegionalDomainName": f"{name}.s3.{stack.region}.amazonaws.com"}
    return Made(name, {"Arn": f"arn:aws:s3:::{name}", **domain})


def _encryption(given: dict[str, Any]) -> dict[str, Any]:
    renamed = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
    rules = given["ServerSideEncryptionConfiguration"]
    return {"Rules": [{renamed.get(key, key): value for key, value in rule.items()} for rule in rules]}


def _lifecycle(where: str, rule: dict[str, Any]) -> dict[str, Any]:
    only(
        where,
        rule,
        *("Id", "Prefix", "Status", "ExpirationInDays"),
        *("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"),
    )
    result: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        result["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        result["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in rule:
            result[name] = rule[name]
    return result


def _notify(s3: Any, name: str, where: str, given: dict[str, Any]) -> None:
    only(where, given, "EventBridgeConfiguration")
    enabled = given["EventBridgeConfiguration"].get("EventBridgeEnabled", True)
    if str(enabled).lower() == "true":
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


@resource("AWS::S3::BucketPolicy", "Bucket", "PolicyDocument")
def bucket_policy(stack: Stack, logical_id: str, props: dict[str, Any]) -> Made:
    """AWS::S3::BucketPolicy.

    Statements that deny plain HTTP are left out: the local cloud has no other transport.
    """
    document = props["PolicyDocument"]
    statements = [s for s in document["Statement"] if not _needs_https(s)]
    if statements:
        policy = json.dumps({**document, "Statement": statements})
        stack.client("s3").put_bucket_policy(Bucket=props["Bucket"], Policy=policy)
    return Made(stack.physical_name(logical_id))


def _needs_https(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    return statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false"
