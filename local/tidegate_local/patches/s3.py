"""Pre-signed S3 URLs and POST policies that expire, on moto.

Follows "Authenticating requests: using query parameters" and "POST policy" in the Amazon S3 API reference.
Signatures themselves are not verified.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>LOCAL</RequestId></Error>"
)


def install() -> None:
    """Patch moto's server and its S3."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication
    from moto.s3.responses import S3Response

    original_call = DomainDispatcherApplication.__call__
    original_post = S3Response._bucket_response_post

    def call(self: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if "X-Amz-Expires=" in environ.get("QUERY_STRING", "") and expired(environ["QUERY_STRING"], datetime.now(UTC)):
            body = _ERROR.format(code="AccessDenied", message="Request has expired").encode()
            start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        return original_call(self, environ, start_response)

    def post(self: Any, request: Any, bucket_name: str) -> Any:
        policy = self.querystring.get("policy") if hasattr(self, "querystring") else None
        if policy:
            refusal = refuse_post(policy[0], _form(self, bucket_name), datetime.now(UTC))
            if refusal is not None:
                body = _ERROR.format(code="AccessDenied", message=refusal)
                return 403, {"Content-Type": "application/xml"}, body
        return original_post(self, request, bucket_name)

    DomainDispatcherApplication.__call__ = call
    S3Response._bucket_response_post = post
    _patch_tagging_events()
    _patch_events()


def _patch_events() -> None:
    """Events as S3 sends them ("EventBridge event message structure"): all of moto's bear one id and one sequencer."""
    from moto.events.models import events_backends
    from moto.s3 import notifications

    sequence = itertools.count(time.time_ns())

    def send(account_id: str, bucket: Any, event_name: Any, key: Any) -> None:
        event = s3_event(account_id, bucket, key, str(event_name.value), f"{next(sequence):018X}")
        event["detail-type"] = notifications._detail_type(event_name)
        for bus in list(events_backends[account_id][bucket.region_name].event_buses.values()):
            for rule in list(bus.rules.values()):
                rule.send_to_targets(event, transform_input=False)

    notifications._send_event_bridge_message = send


def s3_event(account: str, bucket: Any, key: Any, name: str, sequencer: str) -> dict[str, Any]:
    """The event of something that befell an object, without its detail-type."""
    told = {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), "sequencer": sequencer}
    if bucket.is_versioned:
        told["version-id"] = key.version_id
    reasons = {"Put": "PutObject", "Copy": "CopyObject", "Delete": "DeleteObject"}
    last = name.rpartition(":")[2]
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "source": "aws.s3",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": told,
            "request-id": sequencer[:16],
            "requester": account,
            "source-ip-address": "127.0.0.1",
            "reason": reasons.get(last, last),
        },
    }


def _patch_tagging_events() -> None:
    """Let only PutObjectTagging tell of tags: moto does so for every object put."""
    from moto.s3 import notifications
    from moto.s3.responses import S3Response

    original_send = notifications.send_event
    original_tagging = S3Response.put_object_tagging
    tagging = threading.local()

    def send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        added = event_name == notifications.S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT
        if not added or getattr(tagging, "asked", False):
            original_send(account_id, event_name, bucket, key)

    def put_object_tagging(self: Any) -> Any:
        tagging.asked = True
        try:
            return original_tagging(self)
        finally:
            tagging.asked = False

    notifications.send_event = send_event
    S3Response.put_object_tagging = put_object_tagging


def _form(response: Any, bucket: str) -> dict[str, str]:
    fields = {name.lower(): values[0] for name, values in response.querystring.items() if values}
    return {**fields, "bucket": bucket}


def expired(query: str, now: datetime) -> bool:
    """Tell whether a pre-signed URL's time is over; a URL without a readable time is not judged."""
    fields = parse_qs(query)
    try:
        signed = datetime.strptime(fields["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return now > signed + timedelta(seconds=int(fields["X-Amz-Expires"][0]))
    except (KeyError, ValueError):
        return False


def refuse_post(policy: str, fields: dict[str, str], now: datetime) -> str | None:
    """Say why a POST policy refuses a form, or None.

    Parameters
    ----------
    policy
        The policy as in the form: JSON in base64.
    fields
        The form's fields by lower-case name, ``bucket`` among them.
    now
        The time.
    """
    try:
        document = json.loads(base64.b64decode(policy))
        until = datetime.fromisoformat(document["expiration"].replace("Z", "+00:00"))
        conditions = document["conditions"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        return "Invalid Policy: Invalid JSON."
    if now > until:
        return "Invalid according to Policy: Policy expired."
    for condition in conditions:
        if not _condition_holds(condition, fields):
            return f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition)}"
    return None


def _condition_holds(condition: Any, fields: dict[str, str]) -> bool:
    if isinstance(condition, dict):
        return all(fields.get(name.lower(), "") == str(value) for name, value in condition.items())
    operator, name, value = condition
    if operator == "content-length-range":
        return True
    have = fields.get(str(name).lstrip("$").lower(), "")
    return have.startswith(value) if operator == "starts-with" else have == value
