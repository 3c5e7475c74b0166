"""Verify AWS Signature Version 4 of a request.

Follows "Create a signed AWS API request" in the IAM user guide: the request is signed again with the secret of its
access key, by botocore's own signer, and the signatures compared.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_WINDOW = timedelta(minutes=5)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,]+)/(?P<date>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request"
    r",\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})\s*"
)


@dataclass(frozen=True)
class Caller:
    """Who owns an access key."""

    access_key: str
    secret_key: str
    account: str
    arn: str
    user_id: str
    session_token: str | None = None


class SignatureError(Exception):
    """The request is not signed as it must be; ``kind`` is AWS's name for how."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


#: Finds who owns an access key; None for an unknown key.
CallerLookup = Callable[[str], Caller | None]


def verify(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    service: str,
    lookup: CallerLookup,
    now: datetime,
) -> Caller:
    """Give the caller of a signed request.

    Parameters
    ----------
    method, url, headers, body
        The request as it came; the URL undecoded, the headers by lower-case name.
    service
        The service that the signature must be scoped to.
    lookup
        Finds the owner of an access key.
    now
        The time, with its zone.

    Raises
    ------
    SignatureError
        With the kind and text that API Gateway answers.
    """
    found = _authorization(headers, service)
    stamp = headers.get("x-amz-date", "")
    _check_time(stamp, found["date"], now)
    caller = lookup(found["key"])
    if caller is None or (caller.session_token and caller.session_token != headers.get("x-amz-security-token")):
        raise SignatureError("UnrecognizedClientException", "The security token included in the request is invalid.")
    _check_body(headers, body)
    signed = {name: headers.get(name, "") for name in found["headers"].split(";")}
    if "host" not in signed:
        raise SignatureError("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    expected = _sign(caller, AWSRequest(method, url, signed, body), service, found["region"], stamp)
    if not hmac.compare_digest(expected, found["signature"]):
        raise SignatureError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    return caller


def _authorization(headers: Mapping[str, str], service: str) -> re.Match[str]:
    if "authorization" not in headers:
        raise SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(headers["authorization"].strip())
    if found is None:
        raise SignatureError(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
            "parameter. Authorization header requires 'SignedHeaders' parameter.",
        )
    if found["service"] != service:
        raise SignatureError(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'. "
        )
    return found


def _check_time(stamp: str, date: str, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureError(
            "InvalidSignatureException", "Date must be in ISO-8601 'basic format'. See the header X-Amz-Date."
        ) from None
    if not stamp.startswith(date):
        raise SignatureError(
            "InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD of X-Amz-Date."
        )
    if abs(now - signed_at) > _WINDOW:
        raise SignatureError(
            "InvalidSignatureException", f"Signature expired: {stamp} is not within 5 min. of {now:%Y%m%dT%H%M%SZ}"
        )


def _check_body(headers: Mapping[str, str], body: bytes) -> None:
    claimed = headers.get("x-amz-content-sha256")
    if claimed not in (None, "UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        raise SignatureError("InvalidSignatureException", "The value of X-Amz-Content-SHA256 is not that of the body.")


def _sign(caller: Caller, request: AWSRequest, service: str, region: str, stamp: str) -> str:
    signer = SigV4Auth(Credentials(caller.access_key, caller.secret_key), service, region)
    request.context["timestamp"] = stamp
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))
