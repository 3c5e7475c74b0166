"""Bundles that try to leave their folder, or are not what they say."""

import gzip
import io
import struct
import tarfile
import zipfile

import pytest


def assert_refused(host, result, fragment):
    assert result["status"] == "Failed"
    assert result["diagnostics"]["event"] == "DownloadBundle"
    assert result["diagnostics"]["errorCode"] == "UnknownError"
    assert fragment in result["diagnostics"]["message"]
    assert [path.name for path in host.deployment("d-ONE").iterdir()] in ([], ["logs"])
    assert not (host.root.parent / "evil").exists()


@pytest.mark.parametrize(
    ("files", "fragment"),
    [
        ({"/evil": "x"}, "absolute path"),
        ({"../evil": "x"}, "leaves its folder"),
        ({"a/../../evil": "x"}, "leaves its folder"),
        ({"link": (0o120777, "/etc")}, "leads out of the bundle"),
        ({"link": (0o120777, "../../..")}, "leads out of the bundle"),
        ({"link": (0o120777, "."), "link/evil": "x"}, "below a link"),
        ({"a/b/l": (0o120777, "../.."), "out": (0o120777, "a/b/l/..")}, "leads out of the bundle"),
        ({"top/appspec.yml": "x", "top/up": (0o120777, "../elsewhere")}, "leads out of the bundle"),
        ({"dev": (0o020666, "")}, "device"),
        ({"a": "x", "a/b": "x"}, "both as a file and as a folder"),
        ({f"{number}": "" for number in range(1001)}, "at most 1000"),
        ({"zeros": "\0" * 60_000_000}, "more than 50000000 bytes"),
        ({"/".join("d" * 300): "x"}, "nests folders"),
    ],
)
def test_hostile_zips(host, files, fragment):
    assert_refused(host, host.deploy("d-ONE", files, {}), fragment)


@pytest.mark.parametrize(
    ("name", "kind", "linkname", "fragment"),
    [
        ("/evil", tarfile.REGTYPE, "", "absolute path"),
        ("x/../../evil", tarfile.REGTYPE, "", "leaves its folder"),
        ("link", tarfile.SYMTYPE, "/etc/passwd", "leads out of the bundle"),
        ("link", tarfile.SYMTYPE, "../x", "leads out of the bundle"),
        ("hard", tarfile.LNKTYPE, "/etc/passwd", "absolute path"),
        ("hard", tarfile.LNKTYPE, "../../../x", "leaves its folder"),
        ("hard", tarfile.LNKTYPE, "missing", "no earlier file"),
        ("null", tarfile.CHRTYPE, "", "device"),
        ("pipe", tarfile.FIFOTYPE, "", "device, pipe"),
    ],
)
def test_hostile_tars(host, kit, name, kind, linkname, fragment):
    bundle = kit.make_tar([(kit.tar_member("fine"), b"x"), (kit.tar_member(name, kind, linkname), b"")])
    assert_refused(host, host.run(host.order("d-ONE", bundle, {}, kind="tar")), fragment)


def test_a_file_is_not_written_through_an_earlier_link(host, kit):
    members = [(kit.tar_member("l", tarfile.SYMTYPE, "d"), b""), (kit.tar_member("l/evil"), b"x")]
    assert_refused(host, host.run(host.order("d-ONE", kit.make_tar(members), {}, kind="tar")), "below a link")


def test_a_header_that_asks_for_much_memory(host, kit):
    member = kit.tar_member("pax", tarfile.XHDTYPE)
    member.size = 40_000_000
    bundle = gzip.compress(member.tobuf() + b"\0" * 40_000_000)
    assert_refused(host, host.run(host.order("d-ONE", bundle, {}, kind="tgz")), "a header asks for")


def test_a_damaged_header_is_not_taken_for_the_end(host, kit):
    bundle = bytearray(kit.make_tar([(kit.tar_member("a"), b"x"), (kit.tar_member("b"), b"x")]))
    bundle[1024] ^= 0xFF
    assert_refused(host, host.run(host.order("d-ONE", bytes(bundle), {}, kind="tar")), "no valid tar header")


def test_a_tar_cut_short(host, kit):
    bundle = kit.make_tar([(kit.tar_member("a"), b"x" * 100_000)])[:50_000]
    assert_refused(host, host.run(host.order("d-ONE", bundle, {}, kind="tar")), "'a' ends 50512 bytes early")


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_a_bundle_that_is_not_what_it_says(host, kind):
    result = host.run(host.order("d-ONE", b"this is no archive" * 100, {}, kind=kind))
    assert_refused(host, result, f"cannot be unpacked as {kind}")


def test_a_zip_whose_content_does_not_fit_its_checksum(host, kit):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("a", "content")
    damaged = buffer.getvalue().replace(b"content", b"cOntent")
    assert_refused(host, host.run(host.order("d-ONE", damaged, {})), "Bad CRC-32")


def test_an_encrypted_zip(host, kit):
    bundle = bytearray(kit.make_zip({"a": "x"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", bundle, bundle.index(signature) + offset, 1)
    assert_refused(host, host.run(host.order("d-ONE", bytes(bundle), {})), "encrypted")
