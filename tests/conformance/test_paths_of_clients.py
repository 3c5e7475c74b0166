"""Unmodified clients call every operation by its path, and understand what comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ParamValidationError
from tests.sessions import session_with

from tidegate.api import service_models
from tidegate.api.addresses import Scope, address_of, path_of
from tidegate.api.client_model import write_client_models

SERVICES = {"codedeploy": service_models.codedeploy(), "tidegate": service_models.tidegate()}
OPERATIONS = [(service, name) for service, model in SERVICES.items() for name in model.operation_names]
#: Two of the names need encoding; clients do that by themselves.
NAMES = {
    "applicationName": "shop+eu",
    "deploymentGroupName": "prod@1",
    "currentDeploymentGroupName": "prod@1",
    "deploymentId": "d-ABCDEF123",
}


class Echo(BaseHTTPRequestHandler):
    """Answers every request with what the test put there, and keeps it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.seen.append((self.path, dict(self.headers), body))
        status, answer = server.answer
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-amzn-RequestId", "r-1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def echo() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.seen, server.answer = [], (200, {})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Scope | None, Path]:
    scopes = (None, Scope("shop+eu"), Scope("shop+eu", "prod@1"))
    found = {scope: tmp_path_factory.mktemp("models") for scope in scopes}
    for scope, folder in found.items():
        write_client_models(folder, scope)
    return found


def client_of(service: str, folder: Path, echo: Any) -> Any:
    session = session_with(folder, "AKIAEXAMPLE", "secret")
    url = f"http://127.0.0.1:{echo.server_address[1]}/v1"
    return session.client(service, endpoint_url=url, config=Config(retries={"max_attempts": 0}))


def sample(shape: Any, name: str = "") -> Any:
    """A value of a shape, with every member."""
    if name in NAMES:
        return NAMES[name]
    if shape.type_name == "structure":
        return {member: sample(each, member) for member, each in shape.members.items()}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {"k": sample(shape.value)}
    text = "text".ljust(shape.metadata.get("min", 0), "t")
    return {"Day": "2026-11-23"}.get(shape.name) or {
        "timestamp": 1764000000.5,
        "boolean": True,
        "integer": 3,
        "long": 3,
        "float": 0.5,
        "double": 0.5,
    }.get(shape.type_name, text)


def as_botocore_gives(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {name: as_botocore_gives(shape.members[name], each) for name, each in value.items()}
    if shape.type_name == "list":
        return [as_botocore_gives(shape.member, each) for each in value]
    return datetime.fromtimestamp(value, UTC) if shape.type_name == "timestamp" else value


@pytest.mark.parametrize("scope", [None, Scope("shop+eu"), Scope("shop+eu", "prod@1")])
def test_boto3_sends_every_operation_to_its_path(
    echo: Any, folders: dict[Scope | None, Path], scope: Scope | None
) -> None:
    clients = {service: client_of(service, folders[scope], echo) for service in SERVICES}
    for service, name in OPERATIONS:
        model = SERVICES[service].operation_model(name)
        client = clients[service]
        method = next(each for each, operation in client.meta.method_to_api_mapping.items() if operation == name)
        given = sample(model.input_shape) if model.input_shape is not None else {}
        answer = sample(model.output_shape) if model.output_shape is not None else {}
        echo.answer = (200, answer)
        got = getattr(client, method)(**given)
        path, headers, body = echo.seen.pop()
        address = address_of(model)
        assert path == "/v1" + path_of(address, given, scope), name
        assert "/us-east-1/execute-api/aws4_request" in headers["Authorization"]
        assert "X-Amz-Target" not in headers
        in_path = set(address.members[: address.required])
        assert json.loads(body or b"{}") == {member: value for member, value in given.items() if member not in in_path}
        assert got.pop("ResponseMetadata")["RequestId"] == "r-1"
        expected = as_botocore_gives(model.output_shape, answer) if model.output_shape is not None else {}
        assert got == expected, name


def test_scoped_paths_are_as_written_here(echo: Any, folders: dict[Scope | None, Path]) -> None:
    client = client_of("codedeploy", folders[Scope("shop+eu")], echo)
    echo.answer = (200, {})
    client.stop_deployment(deploymentId="d-ABCDEF123")
    client.create_deployment(applicationName="shop+eu", deploymentGroupName="prod@1")
    client.list_deployments()
    client.list_applications()
    paths = [path for path, _, _ in echo.seen[-4:]]
    assert paths == [
        "/v1/StopDeployment/shop%2Beu",
        "/v1/CreateDeployment/shop%2Beu/prod%401",
        "/v1/ListDeployments/shop%2Beu",
        "/v1/ListApplications",
    ]


def test_every_modelled_error_is_the_clients_own_exception(echo: Any, folders: dict[Scope | None, Path]) -> None:
    for service, model in SERVICES.items():
        client = client_of(service, folders[None], echo)
        codes = {shape.name for name in model.operation_names for shape in model.operation_model(name).error_shapes}
        assert codes
        for code in codes:
            echo.answer = (400, {"__type": code, "message": "Why."})
            call = client.list_applications if service == "codedeploy" else client.list_changes
            with pytest.raises(getattr(client.exceptions, code), match=r"Why\."):
                call()


def test_paginators_and_the_waiter_go_by_path(echo: Any, folders: dict[Scope | None, Path]) -> None:
    for service in SERVICES:
        client = client_of(service, folders[None], echo)
        methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
        paged = [name for name in SERVICES[service].operation_names if client.can_paginate(methods[name])]
        assert len(paged) >= (8 if service == "codedeploy" else 4)
        for name in paged:
            paginator = client.get_paginator(methods[name])
            needed = SERVICES[service].operation_model(name).input_shape.required_members
            given = {each: NAMES.get(each, "i-12345678") for each in needed}
            key = paginator.result_keys[0].expression
            echo.answer = (200, {key: []})
            assert paginator.paginate(**given).build_full_result() == {key: []}, name
            assert echo.seen.pop()[0].startswith(f"/v1/{name}")
    client = client_of("codedeploy", folders[None], echo)
    echo.answer = (200, {"deploymentInfo": {"status": "Succeeded"}})
    client.get_waiter("deployment_successful").wait(deploymentId="d-ABCDEF123")
    assert echo.seen.pop()[0] == "/v1/GetDeployment"


def test_members_of_the_path_are_required_by_the_client(echo: Any, folders: dict[Scope | None, Path]) -> None:
    client = client_of("codedeploy", folders[None], echo)
    for call in (
        lambda: client.create_deployment(applicationName="shop"),
        lambda: client.update_application(newApplicationName="x"),
    ):
        with pytest.raises(ParamValidationError, match="Missing required parameter"):
            call()


def test_the_command_line_sends_operations_to_their_paths(echo: Any, folders: dict[Scope | None, Path]) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_DATA_PATH": str(folders[Scope("shop+eu")]),
        "AWS_ENDPOINT_URL_CODEDEPLOY": f"http://127.0.0.1:{echo.server_address[1]}/v1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_PAGER": "",
    }
    echo.answer = (200, {})
    program = str(Path(sys.executable).with_name("aws"))
    for words, path in (
        (["get-application", "--application-name", "shop+eu"], "/v1/GetApplication/shop%2Beu"),
        (["stop-deployment", "--deployment-id", "d-ABCDEF123"], "/v1/StopDeployment/shop%2Beu"),
    ):
        done = subprocess.run(
            [program, "deploy", *words], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        sent, headers, _ = echo.seen.pop()
        assert sent == path
        assert "/execute-api/aws4_request" in headers["Authorization"]
