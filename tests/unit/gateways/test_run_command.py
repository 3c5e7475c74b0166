"""SSM Run Command: what is sent, found again, looked at and cancelled."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tidegate.gateways.errors import DeniedError, ResourceMissingError, ThrottledError, UnavailableError
from tidegate.gateways.run_command import RunCommand, Sent
from tidegate.model.decisions import Sight

Stubs = Callable[[str], tuple[Any, Stubber]]
COMMAND = "11111111-2222-3333-4444-555555555555"


def command_id(n: int) -> str:
    return f"{n:08d}-2222-3333-4444-555555555555"


def ids(count: int) -> list[str]:
    return [f"i-{n:017x}" for n in range(count)]


class Ssm:
    """An SSM that manages some instances only, and refuses whole calls as the real one does."""

    def __init__(self, managed: set[str]) -> None:
        self.managed, self.calls = managed, list[list[str]]()

    def send_command(self, **call: Any) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        self.calls.append(call["InstanceIds"])
        if not set(call["InstanceIds"]) <= self.managed:
            error = {"Error": {"Code": "InvalidInstanceId", "Message": "Instances not in a valid state"}}
            raise ClientError(error, "SendCommand")
        return {"Command": {"CommandId": f"c-{len(self.calls)}"}}


def test_one_order_goes_to_its_hosts_with_nothing_of_the_users_in_it(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    expected = {
        "DocumentName": "stack-run-stage",
        "InstanceIds": ids(2),
        "Parameters": {"order": ["b3JkZXI="]},
        "Comment": "tidegate d-1 0001.00",
        "MaxConcurrency": "100%",
        "MaxErrors": "100%",
        "TimeoutSeconds": 300,
    }
    stub.add_response("send_command", {"Command": {"CommandId": COMMAND}}, expected)
    sent = RunCommand(client, "stack-run-stage").send(ids(2), "b3JkZXI=", "tidegate d-1 0001.00", 300)
    assert sent == [Sent(COMMAND, tuple(ids(2)))]


def test_a_delivery_time_below_ssms_least_is_raised_to_it(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    expected = dict.fromkeys(
        ("DocumentName", "InstanceIds", "Parameters", "Comment", "MaxConcurrency", "MaxErrors"), ANY
    )
    stub.add_response("send_command", {"Command": {"CommandId": COMMAND}}, {**expected, "TimeoutSeconds": 30})
    assert RunCommand(client, "doc").send(ids(1), "o", "c", 5) == [Sent(COMMAND, (ids(1)[0],))]


@pytest.mark.parametrize("missing", [{0}, {7}, {49}, {0, 1}, {3, 4, 40}, set(range(0, 50, 2)), set(range(50))], ids=len)
def test_unmanaged_hosts_are_told_apart_and_every_other_host_gets_one_command(missing: set[int]) -> None:
    everyone = ids(50)
    managed = {each for n, each in enumerate(everyone) if n not in missing}
    ssm = Ssm(managed)
    sent = RunCommand(ssm, "doc").send(everyone, "o", "c", 300)  # type: ignore[arg-type]
    commanded = [each for one in sent for each in one.target_ids]
    assert sorted(commanded) == sorted(managed)
    assert len({one.command_id for one in sent}) == len(sent)
    assert len(ssm.calls) <= 2 * len(missing) * 7 + 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", ThrottledError),
        ("RateExceeded", ThrottledError),
        ("AccessDeniedException", DeniedError),
        ("InvalidDocument", ResourceMissingError),
        ("InternalServerError", UnavailableError),
    ],
)
def test_what_ssm_refuses_is_told_in_our_words(stubbed: Stubs, code: str, error: type[Exception]) -> None:
    client, stub = stubbed("ssm")
    stub.add_client_error("send_command", code, "says SSM")
    with pytest.raises(error, match=f"sending a command to 3 instances: {code}: says SSM"):
        RunCommand(client, "doc").send(ids(3), "o", "c", 300)


def test_only_hosts_that_answer_pings_are_reachable_and_fifty_are_asked_at_a_time(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    everyone = ids(120)
    for first in (0, 50, 100):
        chunk = everyone[first : first + 50]
        rows = [
            {"InstanceId": each, "PingStatus": "Online" if n % 2 else "ConnectionLost"} for n, each in enumerate(chunk)
        ]
        stub.add_response(
            "describe_instance_information",
            {"InstanceInformationList": rows},
            {"Filters": [{"Key": "InstanceIds", "Values": chunk}], "MaxResults": 50},
        )
    assert RunCommand(client, "doc").reachable(everyone) == dict.fromkeys(everyone[1::2], "linux")


def test_each_system_has_its_document(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    rows = [
        {"InstanceId": each, "PingStatus": "Online", "PlatformType": platform}
        for each, platform in zip(ids(3), ("Linux", "Windows", "MacOS"), strict=True)
    ]
    stub.add_response(
        "describe_instance_information", {"InstanceInformationList": rows}, {"Filters": ANY, "MaxResults": 50}
    )
    command = {"Command": {"CommandId": COMMAND}}
    others = ("InstanceIds", "Parameters", "Comment", "MaxConcurrency", "MaxErrors", "TimeoutSeconds")
    stub.add_response(
        "send_command", command, {"DocumentName": "stack-run-stage-windows", **dict.fromkeys(others, ANY)}
    )
    filters = [{"key": "InvokedAfter", "value": ANY}, {"key": "DocumentName", "value": "stack-run-stage-windows"}]
    stub.add_response("list_commands", {"Commands": []}, {"Filters": filters})
    gateway = RunCommand(client, "stack-run-stage")
    assert list(gateway.reachable(ids(3)).values()) == ["linux", "windows", "macos"]
    assert gateway.send(ids(3)[1:2], "o", "c", 300, "windows") == [Sent(COMMAND, (ids(3)[1],))]
    assert gateway.sent_since(1764000000, "windows") == {}
    stub.assert_no_pending_responses()


def test_nobody_is_looked_up_for_nobody(stubbed: Stubs) -> None:
    client, _ = stubbed("ssm")
    assert RunCommand(client, "doc").reachable([]) == {}


def test_commands_are_found_again_by_their_comment_over_all_pages(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    filters = [
        {"key": "InvokedAfter", "value": "2025-11-24T15:59:59Z"},
        {"key": "DocumentName", "value": "doc"},
    ]
    pages = [
        ([(1, "a", ["i-1", "i-2"]), (2, "b", ["i-3"])], "more"),
        ([(3, "a", ["i-4"]), (4, None, [])], None),
    ]
    token = None
    for rows, following in pages:
        answer: dict[str, Any] = {
            "Commands": [
                {"CommandId": command_id(n), "InstanceIds": targets, **({"Comment": comment} if comment else {})}
                for n, comment, targets in rows
            ]
        }
        answer |= {"NextToken": following} if following else {}
        stub.add_response("list_commands", answer, {"Filters": filters, **({"NextToken": token} if token else {})})
        token = following
    found = RunCommand(client, "doc").sent_since(1764000000.9)
    assert found["a"] == [Sent(command_id(1), ("i-1", "i-2")), Sent(command_id(3), ("i-4",))]
    assert found["b"] == [Sent(command_id(2), ("i-3",))]


RESULT = json.dumps({"tidegate": 1, "deployment": "d-1", "target": "i-1", "status": "Succeeded", "events": []})


@pytest.mark.parametrize(
    ("status", "output", "sight"),
    [
        ("Pending", "", Sight.WAITING),
        ("Delayed", "", Sight.WAITING),
        ("InProgress", "", Sight.RUNNING),
        ("Cancelling", "", Sight.RUNNING),
        ("Success", RESULT, Sight.ANSWERED),
        ("Failed", RESULT.replace("Succeeded", "Failed"), Sight.ANSWERED),
        ("Cancelled", RESULT, Sight.ANSWERED),
        ("Success", "", Sight.UNANSWERED),
        ("Success", RESULT.replace("i-1", "i-2"), Sight.UNANSWERED),
        ("TimedOut", "", Sight.UNANSWERED),
        ("Cancelled", "", Sight.UNANSWERED),
        ("Failed", "no Python", Sight.UNANSWERED),
    ],
)
def test_only_the_printed_result_is_believed_whatever_ssm_says(
    stubbed: Stubs, status: str, output: str, sight: Sight
) -> None:
    client, stub = stubbed("ssm")
    row = {"InstanceId": "i-1", "Status": status, "StatusDetails": status, "CommandPlugins": [{"Output": output}]}
    stub.add_response(
        "list_command_invocations", {"CommandInvocations": [row]}, {"CommandId": COMMAND, "Details": True}
    )
    seen = RunCommand(client, "doc").look(COMMAND, "d-1")["i-1"]
    assert seen.sight is sight
    assert (seen.report is not None) == (sight is Sight.ANSWERED)
    if sight is Sight.UNANSWERED:
        assert seen.detail == f"SSM says {status}"


def test_a_command_is_cancelled_for_those_hosts_only_fifty_at_a_time(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    for chunk in (ids(70)[:50], ids(70)[50:]):
        stub.add_response("cancel_command", {}, {"CommandId": COMMAND, "InstanceIds": chunk})
    RunCommand(client, "doc").cancel(COMMAND, ids(70))
    assert stub.assert_no_pending_responses() is None


@pytest.mark.parametrize("code", ["InvalidInstanceId", "InvalidCommandId", "DuplicateInstanceId"])
def test_a_command_that_can_no_longer_be_cancelled_is_fine(stubbed: Stubs, code: str) -> None:
    client, stub = stubbed("ssm")
    stub.add_client_error("cancel_command", code)
    RunCommand(client, "doc").cancel(COMMAND, ["i-1"])
    assert stub.assert_no_pending_responses() is None


def test_throttled_cancelling_is_told(stubbed: Stubs) -> None:
    client, stub = stubbed("ssm")
    stub.add_client_error("cancel_command", "ThrottlingException")
    with pytest.raises(ThrottledError):
        RunCommand(client, "doc").cancel(COMMAND, ["i-1"])
