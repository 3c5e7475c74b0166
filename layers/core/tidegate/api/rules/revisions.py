"""Revision locations (API: RevisionLocation)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.model.names import PAYLOADS

_CODE: Final = "InvalidRevisionException"
_SERVER_BUNDLES: Final = ("zip", "tgz", "tar")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_COMMIT: Final = re.compile(r"[0-9a-fA-F]{40}")


def check_location(location: Mapping[str, Any], *, buckets: Sequence[str] | None = None) -> dict[str, Any]:
    """The location of a server revision, with what does not belong to its type refused.

    Parameters
    ----------
    buckets
        Patterns of the buckets that revisions may come from; ``None`` does not ask (for reading).
    """
    kind = location.get("revisionType")
    if kind is None:
        raise ApiError(_CODE, f"'revision.revisionType' is missing; give one of {', '.join(PAYLOADS)}.")
    member = PAYLOADS[kind]
    others = sorted(set(location) & set(PAYLOADS.values()) - {member})
    if others:
        raise ApiError(_CODE, f"A revision of type {kind} has '{member}' and not '{others[0]}'.")
    payload = location.get(member)
    if not payload:
        raise ApiError(_CODE, f"A revision of type {kind} needs 'revision.{member}'.")
    if kind == "S3":
        _check_s3(payload, buckets)
    elif kind == "GitHub":
        _check_github(payload)
    else:
        message = f"Revisions of type {kind} are for AWS Lambda and Amazon ECS; a server takes S3 or GitHub."
        raise ApiError(_CODE, message)
    return {"revisionType": kind, member: dict(payload)}


def _check_s3(payload: Mapping[str, str], buckets: Sequence[str] | None) -> None:
    for name in ("bucket", "key", "bundleType"):
        if not payload.get(name):
            raise ApiError(_CODE, f"'revision.s3Location.{name}' is missing.")
    if payload["bundleType"] not in _SERVER_BUNDLES:
        choices = ", ".join(_SERVER_BUNDLES)
        message = (
            f"'revision.s3Location.bundleType' must be one of {choices} for a server; not {payload['bundleType']!r}."
        )
        raise ApiError(_CODE, message)
    bucket = payload["bucket"]
    if buckets is not None and not any(fnmatchcase(bucket, pattern) for pattern in buckets):
        message = (
            f"Revisions may not come from bucket '{bucket}': the stack parameter RevisionBuckets allows "
            f"{', '.join(buckets) or 'none'}. Put the revision into one of those, or add the bucket to the parameter."
        )
        raise ApiError(_CODE, message)


def _check_github(payload: Mapping[str, str]) -> None:
    if not _REPOSITORY.fullmatch(payload.get("repository", "")):
        raise ApiError(_CODE, "'revision.gitHubLocation.repository' must have the form owner/repository.")
    if not _COMMIT.fullmatch(payload.get("commitId", "")):
        raise ApiError(_CODE, "'revision.gitHubLocation.commitId' must be the 40 hexadecimal digits of a commit.")
