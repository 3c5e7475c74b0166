"""Bundles: copied once into the stack's bucket, read by streaming, never unpacked here."""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tidegate.appspec import find_appspec
from tidegate.gateways.errors import RevisionFault, error_code, translated
from tidegate.model.deployment import MOST_MEMBERS, MOST_UNPACKED_BYTES, ErrorCode

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MOST_COPY = 5 << 30  # CopyObject's limit
_MOST_APPSPEC = 1 << 20
#: What Python's archive readers raise for damaged input.
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OverflowError,
)
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound", "NoSuchVersion"})
#: Of a version: an id that is none, and a delete marker (Amazon S3: "Working with delete markers").
_NO_VERSION = frozenset({"400", "405", "MethodNotAllowed"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """The copy of a bundle: key in the stack's bucket, bytes, sha256 (hex), how to unpack it, its source's eTag."""

    key: str
    size: int
    sha256: str
    type: str
    etag: str = ""

    def to_item(self) -> dict[str, Any]:
        """As kept on the deployment."""
        return asdict(self)


class Bundles:
    """Copies and reads bundles.

    Raises :class:`RevisionFault` with REVISION_MISSING or INVALID_REVISION for what the user has to mend.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def copy(self, location: Mapping[str, Any], revision_key: str) -> Bundle:
        """Copy an S3 revision; what hosts get is what was validated, whatever happens to the source.

        Parameters
        ----------
        location : a revision location of type S3 (API: RevisionLocation)
        """
        source = location["s3Location"]
        name = f"s3://{source['bucket']}/{source['key']}"
        head = self._head(source, name)
        etag = head["ETag"].strip('"')
        wanted = (source.get("eTag") or "").strip('"')
        if wanted and wanted != etag:
            raise RevisionFault(ErrorCode.INVALID_REVISION, f"{name} has the eTag {etag}, the revision names {wanted}.")
        if head["ContentLength"] > _MOST_COPY:
            raise RevisionFault(
                ErrorCode.INVALID_REVISION, f"{name} is larger than 5 GiB, the most that can be copied."
            )
        key = f"bundles/{revision_key}/{etag}"
        copy_source = {k: v for k, v in (("Bucket", source["bucket"]), ("Key", source["key"])) if v}
        if source.get("version"):
            copy_source["VersionId"] = source["version"]
        with translated(f"copying {name}"):
            # Also where a copy is there already: it begins the copy's time in the bucket anew.
            self._client.copy_object(
                Bucket=self._bucket,
                Key=key,
                CopySource=copy_source,  # type: ignore[arg-type]  # a TypedDict built by parts
                CopySourceIfMatch=head["ETag"],
                # Tags would be copied too, which takes rights on tags in both buckets and serves nobody.
                TaggingDirective="REPLACE",
            )
        return Bundle(key, head["ContentLength"], self._sha256(key), source["bundleType"].lower(), etag)

    def appspec(self, bundle: Bundle, source_name: str) -> str:
        """The text of the bundle's AppSpec file; an archive that is not what its type says is found here.

        A bundle of type yaml or json is the AppSpec itself (AWS Lambda and Amazon ECS).
        """
        try:
            data = self._member_or_all(bundle)
        except _BROKEN as error:
            raise RevisionFault(
                ErrorCode.INVALID_REVISION,
                f"{source_name} cannot be read as {bundle.type}: {error}. Check "
                "the revision's bundleType and the archive.",
            ) from error
        except _TooMuchError as error:
            raise RevisionFault(ErrorCode.INVALID_REVISION, f"{source_name} {error}.") from error
        if data is None:
            raise RevisionFault(
                ErrorCode.INVALID_REVISION,
                f"{source_name} holds no AppSpec file: put appspec.yml at the root of the archive.",
            )
        if len(data) > _MOST_APPSPEC:
            raise RevisionFault(ErrorCode.INVALID_REVISION, f"The AppSpec file of {source_name} is larger than 1 MiB.")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RevisionFault(
                ErrorCode.INVALID_REVISION, f"The AppSpec file of {source_name} is not UTF-8 text: {error}."
            ) from error

    def _head(self, source: Mapping[str, Any], name: str) -> Any:
        version = {"VersionId": source["version"]} if source.get("version") else {}
        try:
            with translated(f"reading {name}"):
                return self._try_head(source, version)
        except _NotThereError as error:
            wanted = f" in version {source['version']}" if version else ""
            raise RevisionFault(
                ErrorCode.REVISION_MISSING,
                f"{name} does not exist{wanted}. Upload it again, or deploy another revision.",
            ) from error

    def _try_head(self, source: Mapping[str, Any], version: dict[str, str]) -> Any:
        try:
            return self._client.head_object(Bucket=source["bucket"], Key=source["key"], **version)  # type: ignore[arg-type]
        except ClientError as error:
            if error_code(error) in _MISSING or (version and error_code(error) in _NO_VERSION):
                raise _NotThereError from error
            raise

    def _sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        with translated("reading a bundle"):
            for chunk in self._client.get_object(Bucket=self._bucket, Key=key)["Body"].iter_chunks(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def _member_or_all(self, bundle: Bundle) -> bytes | None:
        if bundle.type in ("yaml", "json"):
            if bundle.size > _MOST_APPSPEC:
                return bytes(_MOST_APPSPEC + 1)
            with translated("reading a bundle"):
                return self._client.get_object(Bucket=self._bucket, Key=bundle.key)["Body"].read()
        return self._zip_appspec(bundle) if bundle.type == "zip" else self._tar_appspec(bundle)

    def _zip_appspec(self, bundle: Bundle) -> bytes | None:
        file = io.BufferedReader(_RangeReader(self._client, self._bucket, bundle), 1 << 18)
        with zipfile.ZipFile(file) as archive:
            _bounded(len(archive.filelist), sum(member.file_size for member in archive.filelist))
            name = find_appspec(archive.namelist())
            if name is None:
                return None
            with archive.open(name) as member:
                return member.read(_MOST_APPSPEC + 1)

    def _tar_appspec(self, bundle: Bundle) -> bytes | None:
        """Streams: the names decide only at the end which of the candidates counts."""
        candidates: dict[str, bytes] = {}
        names: list[str] = []
        unpacked, folder = 0, ""
        with translated("reading a bundle"):
            body: IO[bytes] = self._client.get_object(Bucket=self._bucket, Key=bundle.key)["Body"]  # type: ignore[assignment]
            # As hosts read them: a tar may be compressed in any way, a tgz is compressed with gzip.
            with tarfile.open(fileobj=body, mode="r|gz" if bundle.type == "tgz" else "r|*", tarinfo=_Member) as archive:
                for member in archive:
                    names.append(member.name)
                    unpacked += member.size
                    _bounded(len(names), unpacked)
                    if not member.isreg() or not find_appspec([member.name]):
                        continue
                    # An AppSpec below the root counts only in the archive's one folder: none of another is kept.
                    top = member.name.removeprefix("./").rpartition("/")[0]
                    folder = folder or top
                    if top in ("", folder) and (content := archive.extractfile(member)):
                        candidates[member.name] = content.read(_MOST_APPSPEC + 1)
        name = find_appspec(names)
        return candidates.get(name) if name is not None else None


def _bounded(members: int, unpacked: int) -> None:
    """Refuse here what hosts would refuse, before any of them is touched."""
    if members > MOST_MEMBERS:
        raise _TooMuchError(f"has more than {MOST_MEMBERS} members")
    if unpacked > MOST_UNPACKED_BYTES:
        raise _TooMuchError(f"unpacks to more than {MOST_UNPACKED_BYTES >> 30} GiB")


class _TooMuchError(Exception):
    """The archive holds more than a host would unpack."""


class _Member(tarfile.TarInfo):
    """A member whose extended header is bounded: tarfile reads those whole into memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        extended = self.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, *_PAX_TYPES)
        if extended and self.size > _MOST_APPSPEC:
            raise _TooMuchError("has a member whose header is larger than 1 MiB")
        return super()._proc_member(archive)  # type: ignore[misc]  # tarfile's hook for subclasses


class _NotThereError(Exception):
    """S3 has no such object."""


class _RangeReader(io.RawIOBase):
    """An object as a seekable file, read by ranges: a 2 GB zip is validated in a few reads."""

    def __init__(self, client: S3Client, bucket: str, bundle: Bundle) -> None:
        self._client, self._bucket, self._bundle, self._at = client, bucket, bundle, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._bundle.size}[whence]
        if base + offset < 0:
            raise OSError("seek before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._bundle.size - self._at)
        if size <= 0:
            return 0
        with translated("reading a bundle"):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._bundle.key, Range=f"bytes={self._at}-{self._at + size - 1}"
            )
            data = answer["Body"].read()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
