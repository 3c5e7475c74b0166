"""What hosts' events print: segments of JSON lines in the stack's bucket, read when somebody looks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code, translated
from tidegate.model.logs import Segment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MOST = 1 << 20  # what the grant lets a host write
_NAME = re.compile(r"(?P<stage>[A-Za-z0-9_-][A-Za-z0-9._-]{0,127})\.(?P<number>\d{6,9})\.jsonl")


class Logs:
    """Log segments (``docs/host-contract.md``). Hosts write them: names that do not fit are passed over."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def segments(self, deployment_id: str, target_id: str, brought_by: str = "") -> list[Segment]:
        """The segments of a target in a deployment; ``brought_by`` names the later deployment that brought them."""
        folder = f"{brought_by}/late/{deployment_id}" if brought_by else deployment_id
        prefix = f"progress/{folder}/{target_id}/"
        found: list[Segment] = []
        with translated("listing logs"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    name = _NAME.fullmatch(item["Key"].removeprefix(prefix))
                    if name is not None:
                        found.append(Segment(name["stage"], int(name["number"]), item["Key"], item["Size"]))
        return found

    def read(self, segment: Segment, offset: int) -> bytes:
        """What a segment holds from an offset on; nothing where it has gone meanwhile."""
        with translated("reading logs"):
            try:
                span = f"bytes={offset}-{offset + _MOST - 1}"
                answer = self._client.get_object(Bucket=self._bucket, Key=segment.key, Range=span)
                return answer["Body"].read(_MOST)
            except ClientError as error:
                if error_code(error) in ("NoSuchKey", "404", "InvalidRange"):
                    return b""
                raise
