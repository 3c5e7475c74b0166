"""A host that is a folder, and a server that hands out orders, the runner, bundles and takes progress."""

import base64
import contextlib
import functools
import hashlib
import io
import itertools
import json
import os
import shutil
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tidegate_runner import archive

REPOSITORY = Path(__file__).parents[3]
RUNNER = REPOSITORY / "layers" / "runner"
STAGE = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
]
PYTHONS = "/usr/bin/python3 /usr/libexec/platform-python python3"
GROUP_ID = "6f1a2b3c-0000-4000-8000-000000000001"


@functools.cache
def document_lines(name: str) -> tuple[str, ...]:
    """The lines of a document of the template, by its logical id."""
    resource = yaml_parse((REPOSITORY / "template.yaml").read_text())["Resources"][name]
    return tuple(resource["Properties"]["Content"]["mainSteps"][0]["inputs"]["runCommand"])


@functools.cache
def runner_archive() -> bytes:
    """The runner as hosts get it."""
    return archive.build(str(RUNNER / "tidegate_runner"))


class Server:
    """Serves bytes (or an HTTP status) by path and keeps what is posted."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.content: dict[str, bytes | int] = {}
        self.posts: list[bytes] = []
        #: What uploads are answered; an error status, and nothing is kept.
        self.post_status = 204
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = server.content.get(self.path.partition("?")[0], 404)
                status, body = (found, b"<Error/>") if isinstance(found, int) else (200, found)
                self.answer(status, body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = server.post_status
                if status < 300:
                    server.posts.append(body)
                self.answer(status, b"")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def put(self, path: str, body: bytes) -> str:
        self.content[path] = body
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}{path}?X-Amz-Signature=secret"

    def uploaded(self) -> dict[str, bytes]:
        """The newest content of every key that was posted to."""
        found = {}
        for body in list(self.posts):
            key = body.split(b'name="key"\r\n\r\n', 1)[1].split(b"\r\n", 1)[0]
            found[key.decode()] = body.split(b"Content-Type: application/json\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        return found

    def lines(self, prefix: str) -> list[list[Any]]:
        """The records of all log segments below a prefix, in order."""
        content = self.uploaded()
        names = sorted(name for name in content if name.startswith(prefix) and name.endswith(".jsonl"))
        return [json.loads(line) for name in names for line in content[name].splitlines()]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class Host:
    """A re-rooted host and the coordinator's side of its commands."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root = root
        self.server = server
        self.python: str | None = None
        self.more_variables: dict[str, str] = {}
        self._numbers = itertools.count(1)
        runner = runner_archive()
        self._runner = {"url": server.put("/runner.zip", runner), "sha256": hashlib.sha256(runner).hexdigest()}

    def path(self, logical: str) -> Path:
        return self.root / logical.lstrip("/")

    def deployment(self, deployment_id: str) -> Path:
        return self.path(f"/opt/codedeploy-agent/deployment-root/{GROUP_ID}/{deployment_id}")

    def names(self, logical: str = "/") -> list[str]:
        return sorted(path.name for path in self.path(logical).iterdir())

    def read(self, logical: str) -> str:
        return self.path(logical).read_text()

    def order(self, deployment_id: str, bundle: bytes, appspec: dict[str, Any], **changes: Any) -> dict[str, Any]:
        digest = hashlib.sha256(bundle).hexdigest()
        order = {
            "schema": 1,
            "mode": "run",
            "deploymentId": deployment_id,
            "stage": "host",
            "events": STAGE,
            "applicationName": "shop",
            "deploymentGroupName": "prod",
            "deploymentGroupId": GROUP_ID,
            "deploymentCreator": "user",
            "deploymentType": "IN_PLACE",
            "ignoreApplicationStopFailures": False,
            "fileExistsBehavior": "DISALLOW",
            "revision": {
                "revisionType": "S3",
                "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip", "eTag": '"e"'},
            },
            "bundle": {
                "url": self.server.put(f"/bundle/{digest}", bundle),
                "type": changes.pop("kind", "zip"),
                "size": len(bundle),
                "sha256": digest,
            },
            "appspec": {"os": "linux", "fileExistsBehavior": None, "files": [], "hooks": {}, "permissions": []},
            "runner": self._runner,
            "progress": {
                "url": self.server.put("/progress", b""),
                "fields": {"key": "progress/d/${filename}", "policy": "p"},
            },
            "limits": {"maxRevisions": 5, "maxUnpackedBytes": 50_000_000, "maxMembers": 1000},
        }
        order["appspec"].update(appspec)
        order.update(changes)
        return order

    def command(self, order: dict[str, Any] | bytes, **parameter: str) -> list[str]:
        """Give the command line that the document makes of an order."""
        body = order if isinstance(order, bytes) else json.dumps(order).encode()
        path = f"/order/{next(self._numbers)}"
        named = {"url": self.server.put(path, body), "sha256": hashlib.sha256(body).hexdigest(), **parameter}
        script = "\n".join(document_lines("RunStageDocument"))
        script = script.replace("{{ order }}", base64.b64encode(json.dumps(named).encode()).decode())
        if self.python:
            assert PYTHONS in script
            script = script.replace(PYTHONS, self.python)
        return ["sh", "-c", script]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "AWS_SSM_INSTANCE_ID": "i-0123",
            "TIDEGATE_HOST_ROOT": str(self.root),
            "AWS_SECRET_ACCESS_KEY": "hidden",
            **self.more_variables,
        }

    def start(self, order: dict[str, Any] | bytes, **parameter: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.command(order, **parameter),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
        )

    def finish(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        out, err = process.communicate(timeout=60)
        assert err == b""
        assert out.count(b"\n") == 1
        assert len(out.decode("ascii")) <= 2001
        result = json.loads(out)
        assert process.returncode == (0 if result["status"] == "Succeeded" else 1)
        return result

    def run(self, order: dict[str, Any] | bytes, **parameter: str) -> dict[str, Any]:
        return self.finish(self.start(order, **parameter))

    def deploy(
        self, deployment_id: str, files: dict[str, Any], appspec: dict[str, Any], **changes: Any
    ) -> dict[str, Any]:
        return self.run(self.order(deployment_id, make_zip(files), appspec, **changes))


def make_zip(files: dict[str, Any]) -> bytes:
    """Make a zip; a value is text, bytes, or (mode with file type, text)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, value in files.items():
            mode, content = value if isinstance(value, tuple) else (0o100755, value)
            member = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            member.create_system = 3
            member.external_attr = mode << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(member, content)
    return buffer.getvalue()


def make_tar(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as bundle:
        for member, content in members:
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, linkname, mode
    member.mtime, member.uid, member.gid = 1_700_000_000, os.getuid(), os.getgid()
    return member


def hook(location: str, timeout: int = 30, **more: Any) -> list[dict[str, Any]]:
    return [{"location": location, "timeout": timeout, "runas": None, "sudo": False, **more}]


class Kit:
    """What tests build their input with."""

    make_zip = staticmethod(make_zip)
    make_tar = staticmethod(make_tar)
    tar_member = staticmethod(tar_member)
    hook = staticmethod(hook)
    stage = STAGE
    group_id = GROUP_ID
    runner = RUNNER


@pytest.fixture
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def host(tmp_path: Path, server: Server) -> Iterator[Host]:
    root = tmp_path / "host"
    root.mkdir()
    yield Host(root, server)
    # A worker or sender that would go on trying to upload finds a file where its folder was, and ends.
    spool = root / "opt/tidegate/spool"
    shutil.rmtree(spool, ignore_errors=True)
    with contextlib.suppress(OSError):
        spool.write_text("")
