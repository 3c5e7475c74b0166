"""What kind of bundle an upload is: told by its content, whatever its name says, and refused with the reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib

import pytest
from tests.unit.functions.uploads import Watched, archive

from tidegate.model.bundle_kinds import HEAD
from tidegate.store.applications import Applications

#: What no compression makes smaller: more of it than is looked at.
NOISE = b"".join(zlib.crc32(n.to_bytes(4, "big")).to_bytes(4, "big") for n in range(8 * HEAD))

REMEDY = "upload a zip, a tgz, or the AppSpec itself."


def tarred(mode: str, content: bytes = b"version: 0.0\n", form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as bundle:  # type: ignore[call-overload]
        info = tarfile.TarInfo("./appspec.yml")
        info.size = len(content)
        bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def compressed(kind: str, data: bytes) -> bytes:
    return {"gzip": lambda body: gzip.compress(body, mtime=0), "bzip2": bz2.compress, "xz": lzma.compress}[kind](data)


def registered(data: bytes, platform: str = "Server") -> tuple[list[str], list[str]]:
    """Types of the revisions that an upload became, and why it was refused."""
    watched = Watched()
    Applications(watched.account.table).create("other", application_id="app-2", platform=platform, now=0.0)
    upload = watched.put("any/name.bin", data, metadata={"tidegate-application": "other"})
    assert watched.deliver(upload) == []
    items = watched.account.table.query("APP#other", "REV#").items
    told = [f"{each['code']}: {each['reason']}" for each in watched.bus.told]
    return [each["location"]["s3Location"]["bundleType"] for each in items], told


@pytest.mark.parametrize("platform", ["Server", "Lambda", "ECS"])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (archive(), "zip"),
        (tarred("w"), "tar"),
        (tarred("w", form=tarfile.USTAR_FORMAT), "tar"),
        (tarred("w", form=tarfile.GNU_FORMAT), "tar"),
        (tarred("w:gz"), "tgz"),
        (tarred("w:gz", NOISE), "tgz"),
        (tarred("w:bz2"), "tar"),
        (tarred("w:bz2", NOISE), "tar"),
        (tarred("w:xz"), "tar"),
        (tarred("w:xz", NOISE), "tar"),
    ],
    ids=["zip", "pax", "ustar", "gnu", "tgz", "big tgz", "bzip2", "big bzip2", "xz", "big xz"],
)
def test_archives_are_told_by_their_content(data: bytes, kind: str, platform: str) -> None:
    types, told = registered(data, platform)
    if kind == "tar" and platform != "Server":
        (reason,) = told
        assert types == []
        assert reason.startswith("NotABundle: s3://releases/any/name.bin is a tar, ")
        assert reason.endswith(f"of platform {platform} take only compressed with gzip: {REMEDY}")
    else:
        assert (types, told) == ([kind], [])


@pytest.mark.parametrize("platform", ["Lambda", "ECS"])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"version: 0.0\n", "YAML"),
        (b"\xef\xbb\xbf# with a mark\r\nversion: 0.0\r\n", "YAML"),
        (("# " + "ä" * HEAD).encode(), "YAML"),
        (("#" + "ä" * HEAD).encode(), "YAML"),
        (b'{"version": 0.0}', "JSON"),
        (b'\n\t {"version": 0.0}', "JSON"),
        (b"{", "JSON"),
        (b"v", "YAML"),
    ],
)
def test_an_appspec_alone_is_a_revision_of_lambda_and_ecs(data: bytes, kind: str, platform: str) -> None:
    assert registered(data, platform) == ([kind], [])


@pytest.mark.parametrize(
    ("data", "platform", "why"),
    [
        (b"", "Server", "any/name.bin is empty"),
        (b"", "Lambda", "any/name.bin is empty"),
        (b"P", "Server", "is not a zip, tar or tgz archive: it begins with the bytes 50."),
        (b"\n", "Lambda", "is not an AppSpec in YAML or JSON, or an archive of one: it begins with the bytes 0a."),
        (b"\x00", "ECS", "it begins with the bytes 00."),
        (b"\xff\xfev\x00", "Lambda", "it begins with the bytes ff fe 76 00"),
        (b"version: 0.0\n", "Server", "it begins with the bytes 76 65 72 73"),
        (b'{"version": 0.0}', "Server", "it begins with the bytes 7b 22 76 65"),
        (bytes(10240), "Server", "it begins with the bytes 00 00 00 00"),
        (tarred("w")[:300], "Server", "is not a zip, tar or tgz archive"),
        (archive()[2:], "Server", "is not a zip, tar or tgz archive"),
        *(
            (compressed(kind, b"no tar" * size), platform, f"is compressed with {kind}, but no tar is inside")
            for kind in ("gzip", "bzip2", "xz")
            for size in (1, 1000)
            for platform in ("Server", "Lambda")
        ),
        (b"\x1f\x8bnothing", "Server", "is compressed with gzip, but no tar is inside"),
        (b"BZh9nothing", "Server", "is compressed with bzip2, but no tar is inside"),
        (b"\xfd7zXZ\x00nothing", "Server", "is compressed with xz, but no tar is inside"),
    ],
)
def test_what_is_no_bundle_is_refused_with_what_it_is(data: bytes, platform: str, why: str) -> None:
    types, (told,) = registered(data, platform)
    assert types == []
    assert told.startswith("NotABundle: s3://releases/any/name.bin ")
    assert why in told
    assert "pload the bundle itself." in told or "Put the files into a tar first." in told
