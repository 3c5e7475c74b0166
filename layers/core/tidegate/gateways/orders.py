"""Orders and the runner in the stack's bucket, and the short-lived URLs that lend them to hosts."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tidegate.gateways.errors import OWN_GONE, error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Orders:
    """Publishes orders; every URL made here is good for a bounded time, and for one object or prefix."""

    def __init__(self, client: S3Client, bucket: str, runner_archive: Path) -> None:
        self._client, self._bucket, self._archive = client, bucket, runner_archive
        self._runner_shas: dict[str, str] = {}

    def publish(self, key: str, order: dict[str, Any], good_for: int) -> str:
        """Put an order under ``key``.

        Returns
        -------
        The command's only parameter: base64 of the order's URL, good for ``good_for`` seconds, and its sha256.
        """
        body = json.dumps(order, separators=(",", ":")).encode()
        with translated("writing an order", OWN_GONE):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        parameter = {"url": self.url(key, good_for), "sha256": hashlib.sha256(body).hexdigest()}
        return base64.b64encode(json.dumps(parameter, separators=(",", ":")).encode()).decode()

    def url(self, key: str, good_for: int) -> str:
        """A pre-signed URL to read one object."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=max(1, good_for)
        )

    def progress_grant(self, deployment_id: str, good_for: int) -> dict[str, Any]:
        """A pre-signed POST with which hosts may write below one prefix, files of at most 1 MiB."""
        prefix = f"progress/{deployment_id}/"
        return self._client.generate_presigned_post(
            Bucket=self._bucket,
            Key=prefix + "${filename}",
            Conditions=[["starts-with", "$key", prefix], ["content-length-range", 0, 1 << 20]],
            ExpiresIn=max(1, good_for),
        )

    def runner(self, good_for: int, system: str = "linux") -> dict[str, str]:
        """A system's runner: URL and sha256; the archive is put into the bucket when it is not there."""
        if system not in self._runner_shas:
            archive = (
                self._archive if system == "linux" else self._archive.with_name(f"{self._archive.stem}_{system}.zip")
            )
            content = archive.read_bytes()
            sha = hashlib.sha256(content).hexdigest()
            self._put_if_absent(f"runner/{sha}.zip", content)
            self._runner_shas[system] = sha
        sha = self._runner_shas[system]
        return {"url": self.url(f"runner/{sha}.zip", good_for), "sha256": sha}

    def _put_if_absent(self, key: str, content: bytes) -> None:
        with translated("keeping the host runner", OWN_GONE):
            try:
                self._client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
                    raise
                self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType="application/zip")
