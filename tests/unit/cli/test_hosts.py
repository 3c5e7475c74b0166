"""What ``tidegate hosts`` prints and how it names things; the commands themselves run in the local cloud's tests."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from tidegate.model.nodes import Node
from tidegate_cli.hosts.listing import row_of
from tidegate_cli.hosts.register import (
    Activation,
    Done,
    Wanted,
    linux_commands,
    render,
    session_arn,
    windows_commands,
)

ACTIVATION = Activation("0a1b-id", "c0de", "eu-central-1", datetime(2026, 11, 25, 8, tzinfo=UTC))
OPT_IN = ("tidegate:managed", "true")


class Sts:
    """Whose call it is."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012", "Arn": "arn:aws-cn:iam::123456789012:user/me"}


def printed(done: Done) -> str:
    screen = Console(file=io.StringIO(), width=200)
    screen.print(render(done), soft_wrap=True)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_what_to_run_on_the_machine_is_printed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGATE_LOCAL_URL", raising=False)
    text = printed(Done("rack-7", new=True, activation=ACTIVATION))
    assert text.startswith("rack-7 is registered. Run this on the machine, once, until 2026-11-25")
    for line in (*linux_commands(ACTIVATION), *windows_commands(ACTIVATION)):
        assert f"  {line}\n" in f"{text}\n"
    assert "tidegate local join" not in text


def test_in_the_local_cloud_a_host_is_started_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_LOCAL_URL", "http://127.0.0.1:1/_local")
    text = printed(Done("rack-7", new=True, activation=ACTIVATION))
    assert "tidegate local join --activation-id 0a1b-id --activation-code c0de" in text
    assert "ssm-setup-cli" not in text


def test_the_agent_comes_from_the_regions_own_bucket() -> None:
    for lines in (linux_commands(ACTIVATION), windows_commands(ACTIVATION)):
        assert "https://amazon-ssm-eu-central-1.s3.eu-central-1.amazonaws.com/latest/" in " ".join(lines)
    china = Activation("i", "c", "cn-north-1", ACTIVATION.expires)
    assert "https://amazon-ssm-cn-north-1.s3.cn-north-1.amazonaws.com.cn/" in " ".join(linux_commands(china))


@pytest.mark.parametrize("name", ["x", "rack-7", "n" * 64, "n" * 65, "n" * 99 + "a", "n" * 99 + "b"])
def test_every_name_has_a_session_of_its_own_that_is_one(name: str) -> None:
    wanted = Wanted(name, {}, "service-role/hosts", 24, again=False, opt_in=OPT_IN)
    arn = session_arn(wanted, Sts())
    assert re.fullmatch(r"arn:aws-cn:sts::123456789012:assumed-role/hosts/[\w+=,.@-]{2,64}", arn)
    assert (arn.rpartition("/")[2] == name) == (2 <= len(name) <= 64)


def test_long_names_that_begin_alike_have_different_sessions() -> None:
    arns = {session_arn(Wanted("n" * 99 + end, {}, "hosts", 24, again=False, opt_in=OPT_IN), Sts()) for end in "abc"}
    assert len(arns) == 3


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ((), "no machine has joined under this name"),
        ((Node("mi-1"), Node("mi-2")), "several machines answer to this name"),
        ((Node("mi-1", online=True),), "its node lacks the tag tidegate:managed=true"),
        ((Node("mi-1", opted_in=True),), "its SSM agent does not answer"),
        ((Node("mi-1", opted_in=True, online=True),), ""),
    ],
)
def test_why_a_machine_cannot_be_reached(nodes: tuple[Node, ...], problem: str) -> None:
    info: dict[str, Any] = {"instanceName": "box", "registerTime": datetime(2026, 1, 1, tzinfo=UTC)}
    assert row_of(info, nodes, OPT_IN).problem == problem
    assert row_of({**info, "deregisterTime": info["registerTime"]}, nodes, OPT_IN).problem == "deregistered"
