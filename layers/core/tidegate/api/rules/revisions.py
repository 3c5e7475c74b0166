"""Revision locations (API: RevisionLocation)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.rules.contents import check_content
from tidegate.model.names import PAYLOADS

_CODE: Final = "InvalidRevisionException"
#: Archives of a single AppSpec file are taken for Lambda and ECS too (AWS: "CodeDeploy quotas").
_BUNDLES: Final[Mapping[str, tuple[str, ...]]] = {
    "Server": ("zip", "tgz", "tar"),
    "Lambda": ("YAML", "JSON", "zip", "tgz"),
    "ECS": ("YAML", "JSON", "zip", "tgz"),
}
_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "Server": ("S3", "GitHub"),
    "Lambda": ("S3", "String", "AppSpecContent"),
    "ECS": ("S3", "AppSpecContent"),
}
_REPOSITORY: Final = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]+/(?!\.{1,2}$)[A-Za-z0-9_.-]+")
_COMMIT: Final = re.compile(r"[0-9a-fA-F]{40}")


def check_location(
    location: Mapping[str, Any],
    platform: str = "Server",
    *,
    buckets: Sequence[str] | None = None,
    content: bool = False,
) -> dict[str, Any]:
    """The location of a revision, with what does not belong to its type and platform refused.

    Parameters
    ----------
    platform
        Compute platform of the application.
    buckets
        Patterns of the buckets that revisions may come from; ``None`` does not ask (for reading).
    content
        Whether the text of an AppSpec given as such is needed; else its sha256 is enough.
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
    if kind not in _TYPES[platform]:
        message = f"Platform {platform} takes revisions of type {', '.join(_TYPES[platform])}; not {kind}."
        raise ApiError(_CODE, message)
    if kind == "S3":
        _check_s3(payload, platform, buckets)
    elif kind == "GitHub":
        _check_github(payload)
    else:
        payload = check_content(member, payload, needed=content)
    return {"revisionType": kind, member: dict(payload)}


def _check_s3(payload: Mapping[str, str], platform: str, buckets: Sequence[str] | None) -> None:
    for name in ("bucket", "key", "bundleType"):
        if not payload.get(name):
            raise ApiError(_CODE, f"'revision.s3Location.{name}' is missing.")
    if payload["bundleType"] not in _BUNDLES[platform]:
        choices, kind = ", ".join(_BUNDLES[platform]), payload["bundleType"]
        message = f"'revision.s3Location.bundleType' must be one of {choices} for platform {platform}; not {kind!r}."
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
