"""Plain text for what the API answers: revisions, times, durations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

__all__ = ["clock", "duration", "epoch", "iso", "revision_text", "sentence_case"]


def epoch(value: datetime | float | str | None) -> float | None:
    """Return seconds since 1970 of a time as a client gives it, or None."""
    if isinstance(value, datetime):
        return value.timestamp()
    return None if value is None else float(value)


def iso(value: float | None) -> str | None:
    """Return an epoch time as ISO 8601 in UTC with milliseconds.

    >>> iso(1764000000.1234)
    '2025-11-24T16:00:00.123Z'
    """
    if value is None:
        return None
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(value: float | None, zone: tzinfo | None = None) -> str:
    """Return an epoch time as the clock shows it, in `zone` (default: the user's).

    >>> clock(1764000000.9, UTC), clock(None)
    ('16:00:00', '–')
    """
    return "–" if value is None else datetime.fromtimestamp(value, zone).strftime("%H:%M:%S")


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it.

    >>> [duration(s) for s in (None, 0.04, 9.96, 59.6, 75, 3725)]
    ['–', '0.0 s', '10 s', '1 min 00 s', '1 min 15 s', '1 h 02 min']
    """
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def revision_text(location: Mapping[str, Any] | None) -> str:
    """Return a revision's location as one word.

    >>> revision_text({"revisionType": "S3", "s3Location": {"bucket": "b", "key": "shop/1.zip", "version": "x"}})
    's3://b/shop/1.zip?versionId=x'
    >>> revision_text({"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "abc"}})
    'github:me/shop@abc'
    >>> revision_text({"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "0123456789abcdef"}})
    'AppSpec 0123456789ab'
    """
    if not location:
        return "–"
    if s3 := location.get("s3Location"):
        version = f"?versionId={s3['version']}" if s3.get("version") else ""
        return f"s3://{s3.get('bucket')}/{s3.get('key')}{version}"
    if github := location.get("gitHubLocation"):
        return f"github:{github.get('repository')}@{github.get('commitId')}"
    text = location.get("appSpecContent") or location.get("string") or {}
    if text.get("sha256"):
        return f"AppSpec {text['sha256'][:12]}"
    return str(location.get("revisionType", "–"))


def sentence_case(text: str) -> str:
    """Return `text` with a capital first letter and a full stop, as a sentence stands in a list.

    A first word that is a name (an id of a host or a deployment) stays as it is.

    >>> sentence_case("three hosts wait"), sentence_case("Done."), sentence_case("i-2b failed"), sentence_case("")
    ('Three hosts wait.', 'Done.', 'i-2b failed.', '')
    """
    text = text.strip()
    if not text:
        return ""
    first = text.split(maxsplit=1)[0]
    start = text[0].upper() if first.isalpha() else text[0]
    return start + text[1:] + ("" if text[-1] in ".!?" else ".")
