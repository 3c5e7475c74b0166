"""``tidegate connect``: finds an installation, prepares the models, prints what a shell needs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import typer
from typer.testing import CliRunner

from tidegate_cli import github, hosts, views
from tidegate_cli.connect import Shell, exports

URL = "https://abcdef1234.execute-api.eu-west-1.amazonaws.com/v1"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    app = typer.Typer()
    views.register(app)
    return lambda *words, **env: CliRunner().invoke(app, ["connect", *words], env=env)


def variables(output: str) -> dict[str, str]:
    pairs = [line.removeprefix("export ").split("=", 1) for line in output.splitlines()]
    return {name: shlex.split(value)[0] for name, value in pairs}


def uris(folder: str, service: str = "codedeploy/2014-10-06") -> dict[str, str]:
    model = json.loads((Path(folder) / service / "service-2.json").read_text())
    return {name: operation["http"]["requestUri"] for name, operation in model["operations"].items()}


def test_an_endpoint_gives_its_region_and_a_folder(run: Any, tmp_path: Path) -> None:
    done = run("--endpoint", f"{URL}/")
    assert done.exit_code == 0, done.output
    found = variables(done.stdout)
    assert found == {
        "AWS_ENDPOINT_URL_CODEDEPLOY": URL,
        "AWS_ENDPOINT_URL_TIDEGATE": URL,
        "AWS_DATA_PATH": str(tmp_path / "data" / "tidegate" / "models" / "all"),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
    }
    assert uris(found["AWS_DATA_PATH"])["StopDeployment"] == "/StopDeployment"
    assert uris(found["AWS_DATA_PATH"], "tidegate/2026-11-01")["ListChanges"] == "/ListChanges"
    assert run("--endpoint", URL).stdout == done.stdout


def test_each_scope_has_a_folder_of_its_own(run: Any) -> None:
    scopes = [(), ("--application", "shop"), ("--application", "shop", "--group", "prod"), ("--application", "bank")]
    folders = [variables(run("--endpoint", URL, *words).stdout)["AWS_DATA_PATH"] for words in scopes]
    assert len(set(folders)) == 4
    assert [uris(folder)["StopDeployment"] for folder in folders] == [
        "/StopDeployment",
        "/StopDeployment/shop",
        "/StopDeployment/shop/prod",
        "/StopDeployment/bank",
    ]
    assert {uris(folder)["GetApplication"] for folder in folders} == {"/GetApplication/{applicationName}"}


def test_the_environment_says_where_to_when_nothing_is_given(run: Any) -> None:
    found = variables(run(AWS_ENDPOINT_URL_CODEDEPLOY="http://127.0.0.1:1234/v1", AWS_REGION="eu-north-1").stdout)
    assert found["AWS_ENDPOINT_URL_CODEDEPLOY"] == "http://127.0.0.1:1234/v1"
    assert found["AWS_DEFAULT_REGION"] == "eu-north-1"


ROLE = "OnPremisesHostRoleName"
STACKS = {"tidegate": ("ApiUrl",), "deploys": ("ApiUrl", ROLE), "other": ("Website",)}
ANSWER = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>
<member><StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z\
</CreationTime><Outputs>{outputs}</Outputs></member>
</Stacks></DescribeStacksResult></DescribeStacksResponse>"""
OUTPUT = "<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
ARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/"
UNKNOWN = """<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>
<Code>ValidationError</Code><Message>Stack with id {name} does not exist</Message></Error></ErrorResponse>"""


class CloudFormation(BaseHTTPRequestHandler):
    """DescribeStacks as AWS answers it: a stack like ours, one without our output, an error for all others."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        name = form["StackName"][0].removeprefix(ARN).partition("/")[0]
        known = name in STACKS and "/eu-west-1/cloudformation/" in self.headers["Authorization"]
        url = URL.replace("abcdef1234", f"{name}1")
        values = {"ApiUrl": url, ROLE: f"{name}-host", "Website": url}
        outputs = "".join(OUTPUT.format(key=key, value=values[key]) for key in STACKS.get(name, ()))
        body = (ANSWER.format(name=name, outputs=outputs) if known else UNKNOWN.format(name=name)).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), CloudFormation)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stack_is_asked_for_its_endpoint(run: Any, aws: dict[str, str]) -> None:
    usual = run("--region", "eu-west-1", **aws)
    assert usual.exit_code == 0, usual.output
    assert variables(usual.stdout)["AWS_ENDPOINT_URL_CODEDEPLOY"] == URL.replace("abcdef1234", "tidegate1")
    named = run("--stack", "deploys", AWS_DEFAULT_REGION="eu-west-1", **aws)
    assert variables(named.stdout)["AWS_ENDPOINT_URL_CODEDEPLOY"] == URL.replace("abcdef1234", "deploys1")


@pytest.mark.parametrize("stack", ["deploys", f"{ARN}deploys/0123-4567"], ids=["name", "ARN"])
def test_commands_beside_the_api_find_their_stack_and_role_afterwards(
    run: Any, aws: dict[str, str], stack: str
) -> None:
    found = variables(run("--stack", stack, "--region", "eu-west-1", **aws).stdout)
    told = {name: value for name, value in found.items() if name.startswith("TIDEGATE_")}
    assert told == {"TIDEGATE_STACK": "deploys", "TIDEGATE_HOST_ROLE": "deploys-host"}
    options = {option.envvar for option in _options()}
    assert set(told) <= options


def test_a_stack_without_the_role_gives_its_name_alone(run: Any, aws: dict[str, str]) -> None:
    found = variables(run("--region", "eu-west-1", **aws).stdout)
    assert {name: found[name] for name in found if name.startswith("TIDEGATE_")} == {"TIDEGATE_STACK": "tidegate"}


def _options() -> Iterator[Any]:
    """The options of ``tidegate github add-token`` and ``tidegate hosts register``."""
    for group, name in ((github.app, "add-token"), (hosts.app, "register")):
        command: Any = typer.main.get_command(group)
        yield from (option for option in command.commands[name].params)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stack", "none", "--region", "eu-west-1"), "there is no stack 'none' in eu-west-1"),
        (("--stack", "tidegate", "--region", "eu-west-3"), "there is no stack 'tidegate' in eu-west-3"),
        (("--stack", "other", "--region", "eu-west-1"), "has no output ApiUrl"),
        (("--stack", "tidegate"), "no Region is known: give --region"),
        (("--stack", "a", "--endpoint", URL), "exclude each other"),
        (("--endpoint", "nonsense"), "'nonsense' is no endpoint"),
        (("--endpoint", "https://h:x/"), "is no endpoint"),
        (("--endpoint", "https://h/v1?a=b"), "is no endpoint"),
        (("--endpoint", "http://api.example/v1"), "is not encrypted"),
        (("--endpoint", "https://api.example/v1"), "no Region is known"),
        (("--endpoint", URL, "--group", "prod"), "--group needs --application"),
        (("--endpoint", URL, "--application", "a/b"), "'a/b' is no name"),
        (("--endpoint", URL, "--application", ".."), "'..' is no name"),
        (("--endpoint", URL, "--folder", "/proc/nowhere"), "the folder /proc/nowhere cannot be written"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    run: Any, aws: dict[str, str], words: tuple[str, ...], message: str
) -> None:
    done = run(*words, **aws)
    assert done.exit_code == 1
    assert message in done.output
    assert done.output.startswith("tidegate: ")
    assert len(done.output.splitlines()) == 1


HARD = {"A": "plain", "B": 'it\'s $HOME; \\ "x" `y`', "C": "two\nlines"}


def test_a_shell_reads_back_what_was_printed() -> None:
    script = exports(HARD, Shell.SH) + '\nprintf \'%s|%s|%s\' "$A" "$B" "$C"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "|".join(HARD.values())


def test_other_shells_have_their_own_syntax() -> None:
    assert exports({"A": "it's \\"}, Shell.FISH) == "set -gx A 'it\\'s \\\\'"
    assert exports({"A": "it's $x"}, Shell.POWERSHELL) == "$env:A = 'it''s $x'"
    assert json.loads(exports(HARD, Shell.JSON)) == HARD


def test_the_option_chooses_the_shell(run: Any) -> None:
    assert run("--endpoint", URL, "--shell", "fish").stdout.startswith(f"set -gx AWS_ENDPOINT_URL_CODEDEPLOY '{URL}'")
    assert json.loads(run("--endpoint", URL, "--shell", "json").stdout)["AWS_REGION"] == "eu-west-1"
