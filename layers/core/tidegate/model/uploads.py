"""Uploads: an object that was put into a watched bucket, which of two is newer, and why one cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from tidegate.model.names import MAX_DESCRIPTION

CREATED: Final = "Object Created"


class UploadRefused(Exception):  # noqa: N818 - an answer about the upload, not a fault of ours
    """An upload cannot be used. ``code`` is a word for programs, the message a sentence with the remedy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of an object.

    Attributes
    ----------
    version : empty where the bucket keeps no versions
    etag : without quotes
    size : bytes
    sequencer : hexadecimal digits; tells the order of events of one key (AWS: "Event message structure")
    time : of the event, epoch seconds
    """

    bucket: str
    key: str
    version: str
    etag: str
    size: int
    sequencer: str
    time: float

    @property
    def name(self) -> str:
        """As people write it."""
        return f"s3://{self.bucket}/{self.key}"

    def to_item(self) -> dict[str, Any]:
        """As kept in the table."""
        return asdict(self)

    def location(self, bundle_type: str) -> dict[str, Any]:
        """The revision that it is (API: RevisionLocation): exactly this content, whatever the key holds later."""
        place = {"bucket": self.bucket, "key": self.key, "bundleType": bundle_type, "eTag": self.etag}
        return {"revisionType": "S3", "s3Location": place | ({"version": self.version} if self.version else {})}

    def description(self, given: str | None) -> str:
        """What the upload was given to be described by, else where it lies; cut to what the API takes."""
        text = given or f"Upload of {self.name}"
        return text if len(text) <= MAX_DESCRIPTION else f"{text[: MAX_DESCRIPTION - 1]}…"


def upload_of(event: Mapping[str, Any]) -> Upload | None:
    """The upload that an event of Amazon S3 tells of (AWS: "EventBridge event message structure").

    Returns
    -------
    ``None`` for every other event: deletions, tags, restored objects are not uploads; nor are the empty objects
    ending in ``/`` that consoles make as folders.

    Raises
    ------
    ValueError
        It claims to be one and cannot be read.
    """
    if event.get("source") != "aws.s3" or event.get("detail-type") != CREATED:
        return None
    try:
        told = event["detail"]["object"]
        upload = Upload(
            bucket=str(event["detail"]["bucket"]["name"]),
            key=str(told["key"]),
            version=str(told.get("version-id") or ""),
            etag=str(told["etag"]).strip('"'),
            size=int(told.get("size", 0)),
            sequencer=str(told.get("sequencer", "")),
            time=datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00")).timestamp(),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The event {event.get('id')!r} tells of an upload, but lacks {error}.") from error
    return None if upload.key.endswith("/") and not upload.size else upload


def compare(one: Upload, other: Upload) -> int:
    """1 where ``one`` is the newer upload, -1 where it is the older, 0 where both are the same.

    Of one key the sequencer tells: the shorter is filled with zeros on the right, then the texts are compared (AWS:
    "Event message structure"). Sequencers of different keys have no order, so time comes first there.
    """
    width = max(len(one.sequencer), len(other.sequencer))
    mine, its = (each.sequencer.upper().ljust(width, "0") for each in (one, other))
    if (one.bucket, one.key) == (other.bucket, other.key):
        return (mine > its) - (mine < its)
    first, second = (one.time, mine, one.name), (other.time, its, other.name)
    return (first > second) - (first < second)
