"""Bundles from GitHub: fetched once for an application and commit, and kept in the stack's bucket."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tidegate.gateways.bundles import Bundle
from tidegate.gateways.errors import RevisionFault, error_code, translated
from tidegate.gateways.github import Archive, GitHub
from tidegate.gateways.github_answers import AgainError
from tidegate.gateways.github_tokens import GitHubTokens
from tidegate.model.deployment import MOST_MEMBERS, MOST_UNPACKED_BYTES, ErrorCode
from tidegate.model.names import revision_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READ = 1 << 20
#: Two headers and padding for each member, beside what the members hold.
_MOST_TAR = MOST_UNPACKED_BYTES + MOST_MEMBERS * 2048
#: One part at a time: 8 MiB in memory, whatever the archive's size.
_TRANSFER = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, use_threads=False)


class GitHubBundles:
    """Copies revisions from GitHub into the stack's bucket. A copy is whole or not there."""

    def __init__(self, client: S3Client, bucket: str, github: GitHub, tokens: GitHubTokens) -> None:
        self._client, self._bucket, self._github, self._tokens = client, bucket, github, tokens

    def copy(self, location: Mapping[str, Any], revision_key: str, application: str) -> Bundle:
        """Copy a revision of type GitHub, or take the copy that an earlier deployment of the application made.

        What a commit holds never changes, so that a rollback needs GitHub no more. Another application's copy is not
        taken: that application may be allowed to read what this one is not.

        Raises
        ------
        RevisionFault, GatewayError
            As :meth:`tidegate.gateways.github.GitHub.fetch`.
        """
        source = location["gitHubLocation"]
        whose = hashlib.sha256(application.encode()).hexdigest()[:16]
        key = f"bundles/{revision_key}/{whose}.tgz"
        name = revision_name(location)
        kept = self._renewed(key)
        if kept is not None:
            return kept
        token = self._tokens.token_for(source["repository"], application)
        return self._github.fetch(
            source["repository"], source["commitId"].lower(), token, lambda archive: self._keep(archive, key, name)
        )

    def _renewed(self, key: str) -> Bundle | None:
        """The copy that is there, its time in the bucket begun anew."""
        with translated("looking for a bundle"):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=key)
                self._client.copy_object(
                    Bucket=self._bucket,
                    Key=key,
                    CopySource={"Bucket": self._bucket, "Key": key},
                    CopySourceIfMatch=found["ETag"],
                    MetadataDirective="REPLACE",  # S3 copies an object onto itself only where something changes
                )
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
            digest = hashlib.sha256()
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            for chunk in body.iter_chunks(_READ):
                digest.update(chunk)
        return Bundle(key, found["ContentLength"], digest.hexdigest(), "tgz")

    def _keep(self, archive: Archive, key: str, name: str) -> Bundle:
        checked = _Checked(archive, name)
        with translated(f"keeping {name}"):
            # It reads and nothing else: no other method of a file is needed.
            self._client.upload_fileobj(checked, self._bucket, key, Config=_TRANSFER)  # type: ignore[arg-type]
        return Bundle(key, checked.size, checked.digest.hexdigest(), "tgz")


class _Checked:
    """Reads an archive on its way, and insists that it is gzip, whole, and no more than hosts would unpack."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive, self._name = archive, name
        self._gzip = zlib.decompressobj(wbits=31)
        self._unpacked = 0
        self._ended = False
        self.digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """So many bytes; fewer at the end alone, for a part of an upload must be full."""
        parts: list[bytes] = []
        left = size if size >= 0 else 1 << 62
        while left > 0 and not self._ended:
            data = self._archive.read(min(left, _READ))
            self._check(data)
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def _check(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)
        try:
            self._unpack(data)
        except zlib.error as error:
            message = f"What GitHub gave as the archive of {self._name} is not compressed with gzip: {error}."
            raise RevisionFault(ErrorCode.INVALID_REVISION, message) from None
        if not data:
            self._ended = True
            if not self._gzip.eof:
                raise AgainError(f"the archive ended early, after {self.size} bytes")

    def _unpack(self, data: bytes) -> None:
        fresh = -1
        # All input may be taken in, and output still be held back. What follows the end is nobody's business.
        while not self._gzip.eof and (data or fresh == _READ):
            fresh = len(self._gzip.decompress(data, _READ))
            self._unpacked += fresh
            if self._unpacked > _MOST_TAR:
                message = f"The archive of {self._name} unpacks to more than {MOST_UNPACKED_BYTES >> 30} GiB."
                raise RevisionFault(ErrorCode.INVALID_REVISION, message)
            data = self._gzip.unconsumed_tail
