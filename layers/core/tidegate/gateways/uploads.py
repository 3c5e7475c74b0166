"""Uploaded objects, and the event bus that is told of those that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.gateways.errors import ThrottledError, error_code, translated
from tidegate.model.bundle_kinds import HEAD
from tidegate.model.uploads import Upload

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client

REFUSED: Final = "Tidegate Upload Refused"
_GONE: Final = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound", "MethodNotAllowed"})


@dataclass(frozen=True, slots=True)
class Look:
    """What an object is now: its eTag (without quotes), its first bytes, what it says of itself."""

    etag: str
    head: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class UploadedObjects:
    """Objects in watched buckets."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def look(self, upload: Upload) -> Look | None:
        """The beginning of an object as it is now, with its metadata and tags; ``None`` where it is gone."""
        place: dict[str, Any] = {"Bucket": upload.bucket, "Key": upload.key}
        place |= {"VersionId": upload.version} if upload.version else {}
        try:
            with translated(f"reading {upload.name}"):
                return self._look(place)
        except _GoneError:
            return None

    def _look(self, place: dict[str, Any]) -> Look:
        try:
            found, head = self._beginning(place)
            # S3 tells the number to those only who may read them.
            tags = self._client.get_object_tagging(**place)["TagSet"] if found.get("TagCount") else []
        except ClientError as error:
            if error_code(error) in _GONE:
                raise _GoneError from error
            raise
        read = {tag["Key"]: tag["Value"] for tag in tags}
        return Look(found["ETag"].strip('"'), head, found["Metadata"], read)

    def _beginning(self, place: dict[str, Any]) -> tuple[Mapping[str, Any], bytes]:
        """S3's answer, and the first bytes."""
        try:
            found = self._client.get_object(**place, Range=f"bytes=0-{HEAD - 1}")
        except ClientError as error:
            if error_code(error) != "InvalidRange":
                raise
            # An empty object has no first byte: one has been put over the upload since.
            return self._client.head_object(**place), b""
        return found, found["Body"].read()


class Refusals:
    """The default event bus.

    Parameters
    ----------
    source
        Source of the events; empty for none.
    """

    def __init__(self, client: EventBridgeClient, source: str) -> None:
        self._client, self._source = client, source

    def tell(self, detail: Mapping[str, Any], resource: str) -> None:
        """Put one event.

        Raises
        ------
        GatewayError
            The bus did not take it.
        """
        if not self._source:
            return
        entry = {"Source": self._source, "DetailType": REFUSED, "Detail": json.dumps(detail), "Resources": [resource]}
        with translated("telling of a refused upload"):
            answer = self._client.put_events(Entries=[entry])  # type: ignore[list-item]  # a TypedDict built by parts
        failed = [each for each in answer["Entries"] if each.get("ErrorCode")]
        if failed:
            raise ThrottledError(f"telling of a refused upload: {failed[0]['ErrorCode']}")


class _GoneError(Exception):
    """S3 has no such object any more."""
