"""Generated archives and AppSpecs: nothing outside is touched, nothing stays half-written, errors are the runner's own.

``make fuzz`` runs many more of them (``FUZZ_EXAMPLES``).
"""

import io
import json
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.appspec import AppSpecError, compile_server_appspec
from tidegate_runner import door

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
LIMITS = {"maxMembers": 30, "maxUnpackedBytes": 200_000, "maxRatio": 500, "lockWaitSeconds": 0}

parts = st.sampled_from(
    ["a", "A", "b", "..", ".", "", "appspec.yml", "AppSpec.YML", "é", "x\n", "l", "C:", "a\\b", "~", "-rf"]
)
names = st.one_of(
    st.lists(parts, min_size=1, max_size=4).map("/".join),
    st.lists(parts, min_size=1, max_size=3).map(lambda found: "/" + "/".join(found)),
    st.sampled_from(["/etc/passwd", "../canary", "a/../../canary", "l/canary", "top/appspec.yml", "d/" * 220 + "x"]),
)
targets = st.one_of(names, st.sampled_from(["..", "/", "../..", "a", ".", "l", "../canary", "/canary", "\0", ""]))
contents = st.one_of(st.binary(max_size=40), st.sampled_from([b"\0" * 100_000, b"\0" * 300_000]))
KINDS = [tarfile.REGTYPE] * 6 + [
    tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE,
    tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, b"Z",
]  # fmt: skip
members = st.lists(
    st.tuples(names, st.sampled_from(KINDS), targets, contents, st.sampled_from([0o644, 0o755, 0, 0o4755, 0o1777])),
    max_size=8,
)
damage = st.one_of(st.none(), st.tuples(st.sampled_from(["cut", "flip"]), st.integers(0, 1 << 16), st.integers(1, 255)))


def tar_of(found, mode):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.GNU_FORMAT) as bundle:
        for name, kind, target, content, bits in found:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, bits
            member.uid, member.gid = os.getuid(), os.getgid()
            member.size = len(content) if kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_SPARSE) else 0
            bundle.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(found):
    types = {tarfile.DIRTYPE: 0o04, tarfile.SYMTYPE: 0o12, tarfile.CHRTYPE: 0o02, tarfile.FIFOTYPE: 0o01}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, kind, target, content, bits in found:
            member = zipfile.ZipInfo(name + ("/" if kind == tarfile.DIRTYPE else ""))
            member.create_system = 0 if kind == b"Z" else 3
            member.external_attr = (types.get(kind, 0o10) << 12 | bits) << 16
            member.flag_bits = 1 if kind == tarfile.XHDTYPE else 0
            bundle.writestr(member, target.encode() if kind == tarfile.SYMTYPE else content)
    return buffer.getvalue()


def bundle_of(kind, found, harm):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # zipfile warns of names given twice
        made = zip_of(found) if kind == "zip" else tar_of(found, "w:gz" if kind == "tgz" else "w")
    if harm is None or not made:
        return made
    how, place, bits = harm
    place %= len(made)
    return made[:place] if how == "cut" else made[:place] + bytes([made[place] ^ bits]) + made[place + 1 :]


def tree(folder):
    """Everything below a folder but the deployment's own state: names, kinds, contents."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, stat.S_ISREG(path.lstat().st_mode) and path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if "state" not in path.relative_to(folder).parts[:1]
    }


def order(place, kind, appspec, events):
    return door.make_order(
        {
            "deploymentId": "d-FUZZ", "events": events, "applicationName": "a", "deploymentGroupName": "g",
            "deploymentGroupId": "gid", "revision": {}, "bundle": {"path": str(place / "bundle"), "type": kind},
            "appspec": appspec, "limits": LIMITS,
        }
    )  # fmt: skip


@FUZZ
@given(kind=st.sampled_from(["zip", "tar", "tgz"]), found=members, harm=damage)
def test_no_archive_gets_out_of_its_folder(kind, found, harm):
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "canary").write_text("safe")
        try:
            (place / "bundle").write_bytes(bundle_of(kind, found, harm))
        except (ValueError, UnicodeError):
            return  # the archive cannot even be made
        before = tree(place)
        (result,) = door.run_events(order(place, kind, {}, ["DownloadBundle"]), door.open_state(place / "state"), {})
        assert tree(place) == before
        deployment = place / "state" / "gid" / "d-FUZZ"
        left = {path.name for path in deployment.iterdir()} - {"bundle.tar", "logs"}
        if result.status == "Succeeded":
            assert left == {"deployment-archive", "appspec.json"}
            archive = deployment / "deployment-archive"
            for path in archive.rglob("*"):
                assert Path(os.path.realpath(path)).is_relative_to(archive.resolve())
                assert path.is_symlink() or path.is_dir() or path.is_file()
        else:
            assert left == set()
            assert result.error_code == "UnknownError"
            assert result.message
            assert "Traceback" not in result.message


PLACES = ["/srv", "/srv/deep", "srv", "/a", "/srv/../x", "//srv//a", "/srv/a", "/", ""]
files = st.fixed_dictionaries(
    {"source": st.sampled_from(["app", "/", "b", "app/a", "gone", "../out", "app/deep", "./app/../b", "/app", ""])},
    optional={"destination": st.sampled_from(PLACES)},
)
permissions = st.fixed_dictionaries(
    {"object": st.sampled_from(PLACES)},
    optional={
        "pattern": st.sampled_from(["**", "*", "a*", "a/b", "["]),
        "except": st.lists(st.sampled_from(["a", "*b", "x/y"]), max_size=2),
        "mode": st.sampled_from(["0600", "644", "4755", "99999", 755]),
        "type": st.lists(st.sampled_from(["file", "directory", "socket"]), max_size=2),
    },
)
appspecs = st.fixed_dictionaries(
    {"version": st.just(0.0), "os": st.just("linux"), "files": st.lists(files, max_size=3)},
    optional={
        "permissions": st.lists(permissions, max_size=2),
        "file_exists_behavior": st.sampled_from(["OVERWRITE", "RETAIN", "DISALLOW", "x"]),
        "hooks": st.sampled_from([{}, [], {"AfterInstall": [{"location": "../x"}]}, {"Dance": None}]),
    },
)


def compiled_or_none(text):
    try:
        return compile_server_appspec(text)
    except AppSpecError:
        return None


@FUZZ
@given(wanted=appspecs)
def test_no_appspec_does_more_than_it_says(wanted):
    compiled = compiled_or_none(json.dumps(wanted))
    if compiled is None:
        return
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        place = Path(name)
        patch.setenv("TIDEGATE_HOST_ROOT", str(place / "host"))
        for file in ("app/a", "app/deep/b", "b"):
            (place / "revision" / file).parent.mkdir(parents=True, exist_ok=True)
            (place / "revision" / file).write_text(file)
        (place / "host" / "srv").mkdir(parents=True)
        (place / "host" / "srv" / "a").write_text("foreign")
        (place / "bundle").symlink_to(place / "revision")
        before, outside = tree(place / "host"), tree(place / "revision")
        host = door.open_state("/state")
        made = order(place, "directory", compiled.to_json(), ["DownloadBundle", "Install"])
        plan = door.plan_install(made, host)
        assert tree(place / "host") == before
        results = door.run_events(made, host, {})
        after = tree(place / "host")
        assert tree(place / "revision") == outside
        assert {path.name for path in place.iterdir()} == {"host", "revision", "bundle"}
        assert not [path for path in after if ".tidegate-part" in path]
        if results[-1].status == "Failed":
            assert results[-1].message == plan.failure
            assert after == before
            return
        assert plan.failed_event is None
        assert {"/" + path for path in after if path not in before} == set(plan.created)
        # Clean-up takes it all away again.
        (place / "empty").mkdir()
        bare = order(place, "directory", {}, ["DownloadBundle", "Install"])._replace(
            bundle={"path": str(place / "empty"), "type": "directory"}
        )
        assert door.succeeded(bare, door.run_events(bare, host, {}))
        assert set(tree(place / "host")) == {path for path in before if "/" + path not in plan.changed}
