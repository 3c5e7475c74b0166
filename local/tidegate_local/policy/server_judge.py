"""Judge calls where they arrive: those signed with a key of a user or of a role's session.

Stands in for the check of IAM at each service's door. Whose key it is, and what that caller may do, is what moto's IAM
and STS say now. Keys that nobody owns (the functions' own, whose calls are judged where they are made) are not judged,
nor are pre-signed URLs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from tidegate_local.adapters.callers import Callers
from tidegate_local.adapters.sigv4 import Caller, SignatureError, verify
from tidegate_local.policy.calls import AwsCall, read_call
from tidegate_local.policy.client_hooks import Authoriser, TagLookup
from tidegate_local.policy.place import Place

_SCOPE = re.compile(r"Credential=(?P<key>[^/,\s]+)/\d{8}/[^/,]+/(?P<service>[^/,]+)/aws4_request")
#: Status, headers and body.
Answer = tuple[str, list[tuple[str, str]], bytes]


class ServerJudge:
    """Says which requests are refused.

    Parameters
    ----------
    callers
        Finds whose a key is, and what they may do.
    place
        Account and region.
    tags_of
        Looks up an instance's tags.
    exempt
        The administrator's key, who may do everything.
    """

    def __init__(self, callers: Callers, place: Place, tags_of: TagLookup, exempt: str) -> None:
        self._callers = callers
        self._place = place
        self._tags_of = tags_of
        self._exempt = exempt

    def key_of(self, authorization: str) -> tuple[str, str] | None:
        """The key and the service of a signature that is to be judged."""
        found = _SCOPE.search(authorization)
        if found is None or found["key"] == self._exempt or not found["key"].startswith(("AKIA", "ASIA", "LSIA")):
            return None
        return found["key"], found["service"]

    def refuse(self, method: str, uri: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """The refusal of a request, or None.

        Parameters
        ----------
        uri
            Path and query as they came.
        headers
            By lower-case name.
        """
        key = self.key_of(headers.get("authorization", ""))
        caller = self._callers.find(key[0]) if key else None
        if key is None:
            return None
        path, _, query = uri.partition("?")
        call = read_call(key[1], method, path, query, headers, body) or AwsCall(key[1], "*", {}, "rest-json")
        if caller is None:
            return _answer(
                call, "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        try:
            self._check_signature(method, uri, headers, body, key[1], caller)
            statements = self._callers.statements_of(caller)
            authoriser = Authoriser(caller.arn, statements, self._place, self._tags_of)
            authoriser.check(call.service, call.operation, self._resolved(call))
        except SignatureError as error:
            return _answer(call, error.kind, str(error))
        except ClientError as error:
            detail = error.response["Error"]
            return _answer(call, str(detail["Code"]), str(detail["Message"]))
        return None

    def _check_signature(
        self, method: str, uri: str, headers: Mapping[str, str], body: bytes, service: str, caller: Caller
    ) -> None:
        if service == "s3":
            # Its canonical form is another one; that the session's token is right must do.
            if caller.session_token and caller.session_token != headers.get("x-amz-security-token"):
                raise SignatureError("InvalidToken", "The provided token is malformed or otherwise invalid.")
            return
        url = f"http://{headers.get('host', '')}{uri}"
        verify(method, url, headers, body, service, lambda _: caller, datetime.now(UTC))

    def _resolved(self, call: AwsCall) -> Mapping[str, Any]:
        """The parameters, with the ARN of a secret that is named by its name: only the service knows its suffix."""
        name = str(call.params.get("SecretId", ""))
        if call.service != "secretsmanager" or not name or name.startswith("arn:"):
            return call.params
        from moto.secretsmanager.models import secretsmanager_backends

        secrets = secretsmanager_backends[self._place.account][self._place.region].secrets
        found = secrets.get(name) if name in secrets.keys() else None  # noqa: SIM118 - no plain dict
        return {**call.params, "SecretId": found.arn} if found is not None else call.params


def _answer(call: AwsCall, code: str, message: str) -> Answer:
    if call.protocol in ("json", "rest-json"):
        status = "400 Bad Request" if call.protocol == "json" else "403 Forbidden"
        body = json.dumps({"__type": code, "message": message}).encode()
        return status, _head(body, "application/x-amz-json-1.1", code), body
    code = "AccessDenied" if code == "AccessDeniedException" else code
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if call.protocol == "rest-xml":
        text = f"<Error>{inner}<RequestId>LOCAL</RequestId></Error>"
    elif call.service == "ec2":
        inner = inner.replace("AccessDenied<", "UnauthorizedOperation<", 1)
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>LOCAL</RequestID></Response>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>LOCAL</RequestId></ErrorResponse>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return "403 Forbidden", _head(body, "text/xml", code), body


def _head(body: bytes, kind: str, code: str) -> list[tuple[str, str]]:
    return [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", code)]
