"""What hosts tell of their events while they run: small objects that are read when somebody looks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MOST = 1 << 20  # what the grant lets a host write


class Progress:
    """Progress objects in the stack's bucket. Their content comes from hosts and is checked."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def read(self, deployment_id: str, target_id: str) -> dict[str, Any] | None:
        """``{"stage", "events": [[name, status, start, end]], "updatedAt"}``, or None where there is none yet."""
        with translated("reading progress"):
            try:
                key = f"progress/{deployment_id}/{target_id}.json"
                body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read(_MOST)
            except ClientError as error:
                if error_code(error) in ("NoSuchKey", "404"):
                    return None
                raise
        try:
            progress = json.loads(body)
        except ValueError:
            return None
        return progress if isinstance(progress, dict) and isinstance(progress.get("events"), list) else None
