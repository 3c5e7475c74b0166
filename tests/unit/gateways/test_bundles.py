"""Bundles: copied as they were checked, read without unpacking, refused with a reason."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.gateways.bundles import Bundle, Bundles
from tidegate.gateways.errors import RevisionFault

APPSPEC = b"version: 0.0\nos: linux\n"
BIG = b"\x5a\x13" * 700_000  # larger than a read, and compressible


def zipped(members: dict[str, bytes], stored: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def packed(kind: str, members: dict[str, bytes]) -> bytes:
    return zipped(members) if kind == "zip" else tarred(members, "w:gz" if kind == "tgz" else "w")


class Store:
    """A source bucket and the stack's own."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.create_bucket(Bucket="releases")
        client.create_bucket(Bucket="own")
        self.bundles = Bundles(client, "own")

    def put(self, content: bytes, key: str = "app.bin") -> Any:
        return self.client.put_object(Bucket="releases", Key=key, Body=content)

    def copy(self, kind: str = "zip", key: str = "app.bin", **more: str) -> Bundle:
        location = {"bucket": "releases", "key": key, "bundleType": kind, **more}
        return self.bundles.copy({"revisionType": "S3", "s3Location": location}, "rev-1")

    def read(self, content: bytes, kind: str) -> str:
        self.put(content)
        return self.bundles.appspec(self.copy(kind), "s3://releases/app.bin")

    def fault(self, content: bytes, kind: str) -> str:
        with pytest.raises(RevisionFault) as caught:
            self.read(content, kind)
        assert caught.value.code == "INVALID_REVISION"
        assert "s3://releases/app.bin" in caught.value.message
        return caught.value.message


@pytest.fixture
def store(cloud: Callable[[str], Any]) -> Store:
    return Store(cloud("s3"))


KINDS = ["zip", "tar", "tgz"]


# --- copying


def test_the_copy_is_what_was_there_with_its_sum_and_size(store: Store) -> None:
    content = zipped({"appspec.yml": APPSPEC})
    etag = store.put(content)["ETag"].strip('"')
    bundle = store.copy("ZIP")
    assert bundle == Bundle(f"bundles/rev-1/{etag}", len(content), hashlib.sha256(content).hexdigest(), "zip", etag)
    assert store.client.get_object(Bucket="own", Key=bundle.key)["Body"].read() == content
    sizes = {"size": bundle.size, "sha256": bundle.sha256}
    assert bundle.to_item() == {"key": bundle.key, "type": "zip", "etag": etag, **sizes}


def test_later_changes_of_the_source_do_not_reach_the_copy(store: Store) -> None:
    store.put(b"first")
    bundle = store.copy()
    store.put(b"second")
    assert store.client.get_object(Bucket="own", Key=bundle.key)["Body"].read() == b"first"
    assert store.copy().key != bundle.key


def test_copying_twice_is_the_same_as_once(store: Store) -> None:
    store.put(b"content")
    assert store.copy() == store.copy()


def test_a_version_is_copied_though_newer_ones_exist(store: Store) -> None:
    store.client.put_bucket_versioning(Bucket="releases", VersioningConfiguration={"Status": "Enabled"})
    version = store.put(b"first")["VersionId"]
    store.put(b"second")
    bundle = store.copy(version=version)
    assert store.client.get_object(Bucket="own", Key=bundle.key)["Body"].read() == b"first"


@pytest.mark.parametrize("quotes", ["", '"'])
def test_an_etag_must_be_the_one_that_the_revision_names(store: Store, quotes: str) -> None:
    etag = store.put(b"content")["ETag"].strip('"')
    assert store.copy(eTag=f"{quotes}{etag}{quotes}").size == 7
    with pytest.raises(RevisionFault, match=f"has the eTag {etag}, the revision names 0123") as caught:
        store.copy(eTag="0123")
    assert caught.value.code == "INVALID_REVISION"


@pytest.mark.parametrize(
    "location",
    [{"key": "missing.zip"}, {"bucket": "no-such-bucket"}, {"version": "00000000-0000-0000-0000-000000000000"}],
    ids=["object", "bucket", "version"],
)
def test_what_is_not_there_is_missing_by_name(store: Store, location: dict[str, str]) -> None:
    store.client.put_bucket_versioning(Bucket="releases", VersioningConfiguration={"Status": "Enabled"})
    store.put(b"content")
    with pytest.raises(RevisionFault, match=r"does not exist.*Upload it again") as caught:
        store.copy(**location)
    assert caught.value.code == "REVISION_MISSING"
    assert next(iter(location.values())) in caught.value.message


# --- the AppSpec inside


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "members",
    [
        {"appspec.yml": APPSPEC},
        {"big.bin": BIG, "appspec.yml": APPSPEC, "z.txt": b"z"},
        {"./appspec.yml": APPSPEC, "./a/b": b""},
        {"appspec.yaml": APPSPEC},
        {"appspec.yaml": b"not this one", "appspec.yml": APPSPEC},
        {"app-1.2/a.txt": b"a", "app-1.2/appspec.yml": APPSPEC},
        {"lib/appspec.yml": b"not this one", "appspec.yml": APPSPEC},
        {"appspec.yml": b"\xef\xbb\xbf" + APPSPEC},
    ],
    ids=["root", "among big ones", "dotted", "yaml", "yml first", "single folder", "root before folder", "BOM"],
)
def test_the_appspec_is_found(store: Store, kind: str, members: dict[str, bytes]) -> None:
    assert store.read(packed(kind, members), kind) == APPSPEC.decode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"readme": b""},
        {"a/appspec.yml": APPSPEC, "b/x": b""},
        {"a/b/appspec.yml": APPSPEC},
        {"Appspec.yml": APPSPEC},
    ],
    ids=["empty", "none", "two folders", "too deep", "other case"],
)
def test_an_archive_without_one_is_told(store: Store, kind: str, members: dict[str, bytes]) -> None:
    assert "holds no AppSpec file: put appspec.yml at the root" in store.fault(packed(kind, members), kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("really", [*KINDS, "text", "nothing"])
def test_a_bundle_that_is_not_what_it_says_is_told(store: Store, kind: str, really: str) -> None:
    members = {"appspec.yml": APPSPEC}
    content = {"text": b"hello " * 300, "nothing": b""}.get(really) if really not in KINDS else packed(really, members)
    assert content is not None
    if really == kind or (kind, really) == ("tar", "tgz"):  # a tar may be compressed, as on hosts
        assert store.read(content, kind) == APPSPEC.decode()
    else:
        assert f"cannot be read as {kind}" in store.fault(content, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_half_an_upload_is_told(store: Store, kind: str) -> None:
    whole = packed(kind, {"a.bin": BIG, "appspec.yml": APPSPEC})
    assert f"cannot be read as {kind}" in store.fault(whole[: len(whole) // 2], kind)


@pytest.mark.parametrize("kind", ["YAML", "JSON"])
def test_a_bundle_may_be_the_appspec_itself(store: Store, kind: str) -> None:
    store.put(APPSPEC)
    bundle = store.copy(kind)
    assert store.bundles.appspec(bundle, "s3://releases/app.bin") == APPSPEC.decode()
    store.put(b" " * (1 << 20) + APPSPEC)
    with pytest.raises(RevisionFault, match="larger than 1 MiB"):
        store.bundles.appspec(store.copy(kind), "s3://releases/app.bin")


@pytest.mark.parametrize("kind", KINDS)
def test_an_appspec_beyond_all_measure_is_refused_without_reading_it_all(store: Store, kind: str) -> None:
    assert "larger than 1 MiB" in store.fault(packed(kind, {"appspec.yml": b"#" * (1 << 20) + b"x"}), kind)
    assert store.read(packed(kind, {"appspec.yml": b"#" * (1 << 20)}), kind) == "#" * (1 << 20)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("bound", "value", "told"),
    [("MOST_MEMBERS", 2, "more than 2 members"), ("MOST_UNPACKED_BYTES", 1 << 30, "unpacks to more than 1 GiB")],
)
def test_what_hosts_would_not_unpack_is_refused_before_them(
    store: Store, kind: str, bound: str, value: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"tidegate.gateways.bundles.{bound}", value)
    small = packed(kind, {"appspec.yml": APPSPEC, "a": b"a"})
    assert store.read(small, kind) == APPSPEC.decode()
    if bound == "MOST_MEMBERS":
        assert told in store.fault(packed(kind, {"appspec.yml": APPSPEC, "a": b"a", "b": b"b"}), kind)
    else:
        monkeypatch.setattr("tidegate.gateways.bundles.MOST_UNPACKED_BYTES", len(APPSPEC))
        assert "unpacks to more than" in store.fault(small, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_appspec_that_is_no_text_is_refused(store: Store, kind: str) -> None:
    assert "is not UTF-8 text" in store.fault(packed(kind, {"appspec.yml": b"\xff\xfe\x00"}), kind)


def test_an_encrypted_zip_is_refused(store: Store) -> None:
    content = bytearray(zipped({"appspec.yml": APPSPEC}, stored=True))
    content[6] |= 1  # the flag in the member's header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    assert "encrypted" in store.fault(bytes(content), "zip")


@pytest.mark.parametrize("name", ["appspec.yml", "app/appspec.yml"])
def test_a_link_is_no_appspec(store: Store, name: str) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "holds no AppSpec file" in store.fault(file.getvalue(), "tar")


def test_a_large_zip_is_read_in_few_ranges(store: Store) -> None:
    content = zipped({f"{n}.bin": BIG for n in range(20)} | {"appspec.yml": APPSPEC}, stored=True)
    store.put(content)
    bundle = store.copy()
    ranges: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        ranges.append(params["headers"].get("Range", "all"))

    store.client.meta.events.register("before-call.s3.GetObject", note)
    assert store.bundles.appspec(bundle, "x") == APPSPEC.decode()
    assert len(content) > 25_000_000
    assert "all" not in ranges
    assert len(ranges) <= 8
    assert sum(int(b) - int(a) + 1 for a, b in (r.removeprefix("bytes=").split("-") for r in ranges)) < 2_000_000


SAMPLES = {kind: packed(kind, {"a.txt": b"hello" * 50, "appspec.yml": APPSPEC}) for kind in KINDS}


@given(
    st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6)
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_a_fault_of_the_revision_or_harmless(store: Store, kind: str, damage: list[tuple[int, int]]) -> None:
    content = bytearray(SAMPLES[kind])
    for place, value in damage:
        content[place % len(content)] = value
    try:
        told = store.read(bytes(content), kind)
    except RevisionFault as fault:
        told = fault.message if fault.code == "INVALID_REVISION" else ""
    assert told
