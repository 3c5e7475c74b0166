"""``tidegate proxy``: SDKs that sign for CodeDeploy, in either of its protocols, over real HTTP."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore
import cbor2
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.conformance.signed_server import ALICE, SignedServer
from tests.sessions import session_with
from tests.unit.api.world import ROLE, s3

from tidegate.api.addresses import Scope
from tidegate_cli.connection import Connection
from tidegate_cli.proxy.server import Proxy

SECRET = "a-secret-of-the-test"
JSON_KIND = "application/x-amz-json-1.1"


@pytest.fixture
def installation() -> Iterator[SignedServer]:
    server = SignedServer()
    yield server
    server.stop()


@pytest.fixture
def proxied(installation: SignedServer) -> Iterator[Callable[..., str]]:
    """Starts a proxy to the installation, and gives its endpoint."""
    running = []

    def start(scope: Scope | None = None, credentials: Any = ALICE, endpoint: str = "") -> str:
        keys = Credentials(credentials.access_key, credentials.secret_key) if credentials else None
        found = Proxy(Connection(endpoint or installation.url, "us-east-1"), scope, lambda: keys, SECRET)
        thread = threading.Thread(target=found.serve)
        thread.start()
        running.append((found, thread))
        return found.endpoint

    yield start
    for found, thread in running:
        found.stop()
        thread.join()
        found.close()


def client(endpoint: str, protocol: str = "json", folder: Path | None = None) -> Any:
    """An SDK as it comes, with keys that are nobody's: what it signs with does not matter."""
    session: Any = boto3.session.Session("AKIANOBODY", "none", region_name="us-east-1")
    if folder is not None:
        only(protocol, folder)
        session = session_with(folder, "AKIANOBODY", "none")
    return session.client("codedeploy", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))


def only(protocol: str, folder: Path) -> None:
    """The installed model, with a single protocol to choose from."""
    source = Path(botocore.__file__).parent / "data" / "codedeploy" / "2014-10-06" / "service-2.json.gz"
    model = json.loads(gzip.decompress(source.read_bytes()))
    model["metadata"]["protocols"] = [protocol]
    goal = folder / "codedeploy" / "2014-10-06"
    goal.mkdir(parents=True)
    (goal / "service-2.json").write_text(json.dumps(model))


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor"])
def test_an_sdk_as_it_comes_deploys(
    installation: SignedServer, proxied: Callable[..., str], tmp_path: Path, protocol: str
) -> None:
    sdk = client(proxied(), protocol, tmp_path)
    sdk.create_application(applicationName="shop+eu")
    names = {"applicationName": "shop+eu", "deploymentGroupName": "prod"}
    sdk.create_deployment_group(**names, serviceRoleArn=ROLE)
    made = sdk.create_deployment(**names, revision=s3(), ignoreApplicationStopFailures=True)["deploymentId"]
    answer = sdk.get_deployment(deploymentId=made)
    info = answer["deploymentInfo"]
    assert info["createTime"] == datetime.fromtimestamp(installation.world.now, UTC)
    assert (info["status"], info["ignoreApplicationStopFailures"]) == ("Created", True)
    assert answer["ResponseMetadata"]["RequestId"]
    start = datetime.fromtimestamp(installation.world.now - 9, UTC)
    assert sdk.list_deployments(createTimeRange={"start": start})["deployments"] == [made]
    assert sdk.stop_deployment(deploymentId=made)["status"] == "Pending"
    assert installation.paths == [
        "/CreateApplication/shop%2Beu",
        "/CreateDeploymentGroup/shop%2Beu/prod",
        "/CreateDeployment/shop%2Beu/prod",
        "/GetDeployment",
        "/ListDeployments",
        "/StopDeployment",
    ]
    # Who did it is whom the proxy signs for.
    assert installation.world.services.deployments.get(made)["stop"]["by"] == ALICE.arn


@pytest.mark.parametrize("protocol", ["json", "smithy-rpc-v2-cbor"])
def test_errors_are_the_sdks_own(
    installation: SignedServer, proxied: Callable[..., str], tmp_path: Path, protocol: str
) -> None:
    sdk = client(proxied(), protocol, tmp_path)
    with pytest.raises(sdk.exceptions.ApplicationDoesNotExistException, match="nobody"):
        sdk.get_application(applicationName="nobody")
    with pytest.raises(sdk.exceptions.DeploymentGroupNameRequiredException, match="deploymentGroupName"):
        sdk.create_deployment(applicationName="shop")
    with pytest.raises(sdk.exceptions.ApplicationNameRequiredException, match="applicationName"):
        sdk.update_application(newApplicationName="x")
    installation.refusal = "User is not authorized"
    with pytest.raises(ClientError) as caught:
        sdk.list_applications()
    assert caught.value.response["Error"] == {"Code": "AccessDeniedException", "Message": "User is not authorized"}


def test_a_scope_confines_calls_by_deployment_id(installation: SignedServer, proxied: Callable[..., str]) -> None:
    world = installation.world
    for application in ("shop", "bank"):
        world.call("CreateApplication", applicationName=application)
        world.call("CreateDeploymentGroup", applicationName=application, deploymentGroupName="g", serviceRoleArn=ROLE)
    made = world.call("CreateDeployment", applicationName="bank", deploymentGroupName="g", revision=s3())
    sdk = client(proxied(Scope("shop")))
    with pytest.raises(sdk.exceptions.DeploymentDoesNotExistException):
        sdk.stop_deployment(deploymentId=made["deploymentId"])
    assert installation.paths[-1] == "/StopDeployment/shop"


def test_without_credentials_or_installation_the_sdk_is_told(proxied: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match=r"UnrecognizedClientException.*no credentials"):
        client(proxied(credentials=None)).list_applications()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(ClientError, match=r"ServiceUnavailable.*cannot reach"):
            client(proxied(endpoint=nowhere)).list_applications()


def post(endpoint: str, body: bytes = b"{}", path: str = "/", **headers: str) -> tuple[int, Mapping[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(endpoint + path, data=body, headers={"Content-Type": JSON_KIND, **named})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


LIST = {"X_Amz_Target": "CodeDeploy_20141006.ListApplications"}


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Host": "evil.example:{port}"}, "Host names another host"),
        ({"Host": "127.0.0.1"}, "Host names another host"),
        ({"Host": "127.0.0.1.evil.example:{port}"}, "Host names another host"),
        ({"Origin": "https://evil.example"}, "page in a browser"),
        ({"Origin": "null"}, "page in a browser"),
        ({"Sec_Fetch_Site": "cross-site"}, "page in a browser"),
    ],
)
def test_pages_in_a_browser_are_kept_out(
    installation: SignedServer, proxied: Callable[..., str], headers: dict[str, str], why: str
) -> None:
    endpoint = proxied()
    port = endpoint.split(":")[2].partition("/")[0]
    status, answer = post(endpoint, **LIST, **{name: value.format(port=port) for name, value in headers.items()})
    assert (status, answer["__type"]) == (403, "AccessDeniedException")
    assert why in answer["message"]
    assert installation.paths == []


def test_only_who_knows_the_endpoint_is_let_in(installation: SignedServer, proxied: Callable[..., str]) -> None:
    root, _, _ = proxied().rpartition("/")
    for path in ("", "/", "/wrong", f"/{SECRET}x", f"/x/{SECRET}"):
        status, answer = post(root, path=path, **LIST)
        assert (status, answer["__type"]) == (403, "AccessDeniedException"), path
        assert SECRET not in answer["message"]
    assert post(root, path=f"/{SECRET}", **LIST)[0] == 200
    assert installation.paths == ["/ListApplications"]


def test_a_form_of_a_page_names_no_operation(installation: SignedServer, proxied: Callable[..., str]) -> None:
    status, answer = post(proxied(), b"a=b", Content_Type="application/x-www-form-urlencoded")
    assert (status, answer["__type"]) == (400, "UnknownOperationException")
    assert installation.paths == []


def test_other_methods_are_refused_without_any_permission_for_pages(proxied: Callable[..., str]) -> None:
    host, _, rest = proxied().removeprefix("http://").partition("/")
    for method in ("GET", "OPTIONS", "PUT", "DELETE"):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request(method, f"/{rest}/", headers={"Access-Control-Request-Method": "POST"})
        answer = connection.getresponse()
        assert answer.status == 405
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
        connection.close()


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"{", LIST, "SerializationException"),
        (b"[]", LIST, "SerializationException"),
        (b"[" * 100_000, LIST, "SerializationException"),
        (b"{}", {"X_Amz_Target": "CodeDeploy_20141006.Nonsense"}, "UnknownOperationException"),
        (b"{}", {"X_Amz_Target": "S3.ListBuckets"}, "UnknownOperationException"),
        (b'{"applicationName":5}', {"X_Amz_Target": "CodeDeploy_20141006.GetApplication"}, "SerializationException"),
        (b'{"applicationName":"."}', {"X_Amz_Target": "CodeDeploy_20141006.GetApplication"}, None),
        (b'{"applicationName":"a/b"}', {"X_Amz_Target": "CodeDeploy_20141006.GetApplication"}, None),
    ],
)
def test_bad_requests_have_an_error(
    proxied: Callable[..., str], body: bytes, headers: dict[str, str], code: str | None
) -> None:
    status, answer = post(proxied(), body, **headers)
    assert status in (400, 403)
    assert answer["__type"].endswith("Exception")
    assert code is None or answer["__type"] == code


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\xa1",
        b"\x80",
        b"\xa0\xa0",
        b"\xa1\x01\x02",
        b"\x81" * 50_000,
        cbor2.dumps({"applicationName": b"bytes"}),
        cbor2.dumps({"applicationName": cbor2.CBORTag(99, 1)}),
        cbor2.dumps({"x": cbor2.undefined}),
    ],
)
def test_bad_cbor_has_an_error_in_cbor(proxied: Callable[..., str], body: bytes) -> None:
    url = f"{proxied()}/service/CodeDeploy_20141006/operation/GetApplication"
    request = urllib.request.Request(url, data=body, headers={"smithy-protocol": "rpc-v2-cbor"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as error:
        assert (error.code, error.headers["smithy-protocol"]) == (400, "rpc-v2-cbor")
        assert cbor2.loads(error.read())["__type"] == "SerializationException"


def test_a_body_without_a_bounded_length_is_refused(proxied: Callable[..., str]) -> None:
    host, _, rest = proxied().removeprefix("http://").partition("/")
    for length in ("99999999999", "-1", "x"):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.putrequest("POST", f"/{rest}/")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == 400
        connection.close()


# -- as a process -----------------------------------------------------------------------------------------------------


def tidegate(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": ALICE.access_key, "AWS_SECRET_ACCESS_KEY": ALICE.secret_key}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", **keys, **more}
    program = str(Path(sys.executable).with_name("tidegate"))
    return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_detached_it_answers_until_it_is_stopped(installation: SignedServer, tmp_path: Path) -> None:
    place = ("--endpoint", installation.url, "--region", "us-east-1")
    started = tidegate(tmp_path, "proxy", "--detach", *place, "--application", "shop")
    assert started.returncode == 0, started.stderr
    endpoint = started.stdout.strip()
    (note,) = (tmp_path / ".tidegate" / "proxies").iterdir()
    assert note.stat().st_mode & 0o777 == 0o600
    try:
        sdk = client(endpoint)
        assert sdk.list_applications()["applications"] == []
        with pytest.raises(sdk.exceptions.DeploymentDoesNotExistException):
            sdk.get_deployment(deploymentId="d-ABCDEF123")
        assert installation.paths == ["/ListApplications", "/GetDeployment/shop"]
        port = endpoint.split(":")[2].partition("/")[0]
        taken = tidegate(tmp_path, "proxy", "--detach", *place, "--port", port)
        assert (taken.returncode, f"port {port}" in taken.stderr) == (1, True), taken.stderr
    finally:
        stopped = tidegate(tmp_path, "proxy", "--stop")
    assert stopped.returncode == 0, stopped.stderr
    assert endpoint.rpartition("/")[0] in stopped.stdout
    assert not note.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(endpoint, timeout=5)
    again = tidegate(tmp_path, "proxy", "--stop")
    assert (again.returncode, "no proxy" in again.stderr) == (1, True)


def test_without_credentials_it_does_not_start(tmp_path: Path) -> None:
    words = ("proxy", "--detach", "--endpoint", "http://127.0.0.1:9/v1", "--region", "us-east-1")
    done = tidegate(tmp_path, *words, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tidegate: no credentials are found")
    assert "Traceback" not in done.stderr
