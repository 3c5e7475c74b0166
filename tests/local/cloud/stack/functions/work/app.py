import os
import time
import uuid

import boto3

ID = uuid.uuid4().hex
TABLE = os.environ["TABLE"]


def put(event):
    boto3.client("dynamodb").put_item(
        TableName=TABLE, Item={"PK": {"S": event["key"]}, "SK": {"S": "-"}, "by": {"S": ID}}
    )
    return {"by": ID}


def batch(event):
    dynamodb = boto3.client("dynamodb")
    failures = []
    for record in event["Records"]:
        if "poison" in record["body"]:
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        dynamodb.put_item(
            TableName=TABLE,
            Item={"PK": {"S": "JOB"}, "SK": {"S": record["messageId"]}, "body": {"S": record["body"]}},
        )
    return {"batchItemFailures": failures}


def park(event):
    if event.get("answer"):
        raise RuntimeError("asked to answer by itself, which its role does not allow")
    boto3.client("dynamodb").put_item(
        TableName=TABLE,
        Item={"PK": {"S": event["key"]}, "SK": {"S": "TOKEN"}, "token": {"S": event["token"]}},
    )


def lend(event):
    s3 = boto3.client("s3", config=boto3.session.Config(signature_version="s3v4"))
    return s3.generate_presigned_url(
        "get_object", Params={"Bucket": os.environ["BUCKET"], "Key": event["key"]}, ExpiresIn=event["seconds"]
    )


def handler(event, context):
    if "Records" in event:
        return batch(event)
    kind = event.get("do")
    if kind == "sleep":
        time.sleep(event["seconds"])
        return {"by": ID}
    if kind == "die":
        os._exit(3)
    if kind == "fail":
        raise ValueError("as asked")
    if kind == "put":
        return put(event)
    if kind == "list-commands":
        return len(boto3.client("ssm").list_commands()["Commands"])
    if kind == "delete":
        return boto3.client("dynamodb").delete_item(TableName=TABLE, Key={"PK": {"S": "x"}, "SK": {"S": "x"}})
    if kind == "park":
        return park(event)
    if kind == "lend":
        return lend(event)
    return {"by": ID, "got": event}
