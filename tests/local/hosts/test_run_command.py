"""Run Command as boto3 sees it: a moto server with the adapter, and hosts that really run the scripts."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tidegate_local.adapters import ssm
from tidegate_local.hosts import Fleet

DOCUMENT = {
    "schemaVersion": "2.2",
    "parameters": {
        "script": {"type": "String"},
        "wait": {"type": "String", "default": "60"},
        "order": {"type": "String", "default": "QUJD", "allowedPattern": "^[A-Za-z0-9+/]{4,20}={0,2}$"},
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "run",
            "inputs": {"timeoutSeconds": "{{ wait }}", "runCommand": ["{{ script }}", "# {{order}}"]},
        }
    ],
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    fleet = Fleet(tmp_path_factory.mktemp("cloud"))
    events = []
    service = ssm.install(fleet, events.append)
    hosts = fleet.start(3, {"Fleet": "test"}, ssm.register_instance)
    keys = {
        "aws_access_key_id": "k",
        "aws_secret_access_key": "s",
        "region_name": "us-east-1",
        "endpoint_url": endpoint,
    }
    client = boto3.client("ssm", config=Config(parameter_validation=False, retries={"max_attempts": 1}), **keys)
    client.create_document(Name="Steps", DocumentType="Command", Content=json.dumps(DOCUMENT))
    yield SimpleNamespace(
        ssm=client, ec2=boto3.client("ec2", **keys), hosts=hosts, events=events, fleet=fleet, service=service, keys=keys
    )
    service.close()
    fleet.stop()
    server.stop()


@pytest.fixture
def aws(cloud):
    """The cloud with nothing going wrong, and helpers on it."""
    ssm.set_faults()
    del cloud.events[:]
    yield cloud
    ssm.set_faults()
    for host in cloud.hosts:
        host.agent_online = True
    for command in cloud.ssm.list_commands(Filters=[{"key": "ExecutionStage", "value": "Executing"}])["Commands"]:
        cloud.ssm.cancel_command(CommandId=command["CommandId"])


def send(aws, script="true", hosts=None, document="Steps", **more):
    parameters = {"script": [script], **more.pop("parameters", {})}
    ids = [host.id for host in (hosts or aws.hosts[:1])]
    return aws.ssm.send_command(InstanceIds=ids, DocumentName=document, Parameters=parameters, **more)["Command"][
        "CommandId"
    ]


def invocation(aws, command, host=None):
    found = aws.ssm.list_command_invocations(CommandId=command, InstanceId=(host or aws.hosts[0]).id, Details=True)[
        "CommandInvocations"
    ]
    return found[0]


def status(aws, command, host=None):
    return invocation(aws, command, host)["Status"]


def ended(aws, command, host=None):
    end = time.monotonic() + 30
    while (found := invocation(aws, command, host))["Status"] in {"Pending", "InProgress", "Cancelling"}:
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def file_on(host, path):
    done = host.run(["cat", path])
    return done.stdout if done.returncode == 0 else None


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]


def test_success(aws):
    command = send(aws, "hostname; env; pwd; id -u", Comment="a comment")
    found = ended(aws, command)
    (plugin,) = found["CommandPlugins"]
    assert (found["Status"], found["StatusDetails"], found["Comment"]) == ("Success", "Success", "a comment")
    assert (plugin["Name"], plugin["Status"], plugin["ResponseCode"]) == ("run", "Success", 0)
    host = aws.hosts[0]
    assert {f"AWS_SSM_INSTANCE_ID={host.id}", "AWS_SSM_REGION_NAME=us-east-1", "/", "0"} <= set(
        plugin["Output"].split()
    )
    one = aws.ssm.get_command_invocation(CommandId=command, InstanceId=host.id)
    assert (one["Status"], one["PluginName"], one["ResponseCode"]) == ("Success", "run", 0)
    assert one["StandardOutputContent"] == plugin["Output"]
    assert one["ExecutionElapsedTime"].startswith("PT0.")


def test_failure_on_one_of_several_hosts(aws):
    command = send(aws, "test $(hostname) = host-2 || exit 0; echo bad >&2; exit 3", aws.hosts)
    results = [ended(aws, command, host) for host in aws.hosts]
    plugin = results[1]["CommandPlugins"][0]
    assert [result["Status"] for result in results] == ["Success", "Failed", "Success"]
    assert plugin["ResponseCode"] == 3
    assert plugin["Output"] == "\n----------ERROR-------\nbad\n\nfailed to run commands: exit status 3"
    (shown,) = aws.ssm.list_commands(CommandId=command)["Commands"]
    assert (shown["Status"], shown["StatusDetails"]) == ("Failed", "Failed")
    assert (shown["TargetCount"], shown["CompletedCount"], shown["ErrorCount"]) == (3, 3, 1)


def test_failures_within_max_errors_leave_the_command_incomplete(aws):
    command = send(aws, "test $(hostname) != host-2", aws.hosts, MaxErrors="100%")
    for host in aws.hosts:
        ended(aws, command, host)
    (shown,) = aws.ssm.list_commands(CommandId=command)["Commands"]
    assert (shown["Status"], shown["StatusDetails"]) == ("Failed", "Incomplete")


def test_output_is_cut_where_the_service_cuts_it(aws):
    command = send(aws, "head -c 30000 /dev/zero | tr '\\0' a; head -c 9000 /dev/zero | tr '\\0' e >&2")
    output = ended(aws, command)["CommandPlugins"][0]["Output"]
    assert (len(output), output[:10]) == (2_500, "a" * 10)
    one = aws.ssm.get_command_invocation(CommandId=command, InstanceId=aws.hosts[0].id)
    assert (len(one["StandardOutputContent"]), len(one["StandardErrorContent"])) == (24_000, 8_000)


def test_time_out_kills_the_steps_process_group_only(aws):
    away = "setsid sh -c 'sleep 2; echo lived > /opt/away' >/dev/null 2>&1 & "
    command = send(aws, away + "(sleep 2; echo lived > /opt/member) & sleep 300", parameters={"wait": ["1"]})
    found = ended(aws, command)
    assert (found["Status"], found["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert found["CommandPlugins"][0]["ResponseCode"] == 137
    host = aws.hosts[0]
    host.run(["sh", "-c", "while ! test -e /opt/away; do sleep 0.05; done"])
    assert file_on(host, "/opt/member") is None


def test_cancel_kills_a_running_step(aws, until):
    command = send(aws, "trap '' TERM; echo begun; sleep 300")
    until(lambda: status(aws, command) == "InProgress")
    aws.ssm.cancel_command(CommandId=command)
    found = ended(aws, command)
    assert (found["Status"], found["CommandPlugins"][0]["Status"]) == ("Cancelled", "Cancelled")
    (shown,) = aws.ssm.list_commands(CommandId=command)["Commands"]
    assert shown["Status"] == "Cancelled"


def test_cancel_on_some_hosts_leaves_the_others(aws, until):
    command = send(aws, "while ! test -e /opt/go-on; do sleep 0.02; done", aws.hosts[:2])
    until(lambda: {status(aws, command, host) for host in aws.hosts[:2]} == {"InProgress"})
    aws.ssm.cancel_command(CommandId=command, InstanceIds=[aws.hosts[0].id])
    assert ended(aws, command)["Status"] == "Cancelled"
    assert status(aws, command, aws.hosts[1]) == "InProgress"
    aws.hosts[1].run(["touch", "/opt/go-on"])
    assert ended(aws, command, aws.hosts[1])["Status"] == "Success"


def test_a_cancel_does_not_reach_an_agent_that_is_gone(aws, until):
    command = send(aws, "while ! test -e /opt/finish; do sleep 0.02; done; echo done")
    until(lambda: status(aws, command) == "InProgress")
    host = aws.hosts[0]
    host.agent_online = False
    aws.ssm.cancel_command(CommandId=command)
    host.run(["touch", "/opt/finish"])
    until(lambda: host.run(["pgrep", "-f", "opt/finish"]).returncode != 0)
    assert status(aws, command) == "Cancelling"
    host.agent_online = True
    assert ended(aws, command)["CommandPlugins"][0]["Output"] == "done\n"


def test_cancel_after_the_end_changes_nothing(aws):
    command = send(aws)
    ended(aws, command)
    aws.ssm.cancel_command(CommandId=command)
    assert status(aws, command) == "Success"


def test_one_unmanaged_id_refuses_the_whole_call(aws):
    stranger = aws.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    before = len(aws.ssm.list_commands()["Commands"])
    for other in (stranger, "i-00000000000000000"):
        error = refused(
            lambda other=other: aws.ssm.send_command(
                InstanceIds=[aws.hosts[0].id, other], DocumentName="Steps", Parameters={"script": ["true"]}
            )
        )
        assert error["Code"] == "InvalidInstanceId"
        assert other in error["Message"]
    assert len(aws.ssm.list_commands()["Commands"]) == before


def test_an_offline_agent_leaves_the_command_pending_until_it_is_back(aws):
    host = aws.hosts[0]
    host.agent_online = False
    command = send(aws, "echo ran > /opt/was-offline")
    other = send(aws, "true", aws.hosts[1:2])
    ended(aws, other, aws.hosts[1])
    assert status(aws, command) == "Pending"
    host.agent_online = True
    assert ended(aws, command)["Status"] == "Success"
    assert file_on(host, "/opt/was-offline") == "ran\n"


def test_a_cancelled_pending_command_is_not_delivered(aws):
    host = aws.hosts[0]
    host.agent_online = False
    command = send(aws, "echo ran > /opt/cancelled")
    aws.ssm.cancel_command(CommandId=command)
    assert status(aws, command) == "Cancelled"
    host.agent_online = True
    ended(aws, send(aws))  # one sent later has been through: the other one's turn would have come
    assert file_on(host, "/opt/cancelled") is None


def test_a_cancel_that_comes_too_late(aws, until):
    ssm.set_faults(deliver_cancelled=True)
    host = aws.hosts[0]
    host.agent_online = False
    command = send(aws, "echo ran > /opt/too-late")
    aws.ssm.cancel_command(CommandId=command)
    host.agent_online = True
    until(lambda: file_on(host, "/opt/too-late") == "ran\n")
    assert status(aws, command) == "Cancelled"


def test_a_command_nobody_took_times_out(aws):
    aws.hosts[0].agent_online = False
    command = send(aws, "true", parameters={"wait": ["1"]}, TimeoutSeconds=1)
    found = ended(aws, command)
    assert (found["Status"], found["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
    (shown,) = aws.ssm.list_commands(CommandId=command)["Commands"]
    assert (shown["Status"], shown["DeliveryTimedOutCount"], shown["ErrorCount"]) == ("TimedOut", 1, 0)
    assert (shown["ExpiresAfter"] - shown["RequestedDateTime"]).total_seconds() == 2


def test_late_delivery_to_some(aws):
    late, prompt = aws.hosts[:2]
    ssm.set_faults(delivery_delay_seconds=1.5, instances=[late.id])
    command = send(aws, "true", [late, prompt])
    assert ended(aws, command, prompt)["Status"] == "Success"
    assert status(aws, command, late) == "Pending"
    assert ended(aws, command, late)["Status"] == "Success"


def test_a_swallowed_command_stays_in_progress_until_it_is_cancelled(aws, until):
    ssm.set_faults(swallow=True)
    command = send(aws, "echo ran > /opt/swallowed")
    until(lambda: status(aws, command) == "InProgress")
    ssm.set_faults()
    ended(aws, send(aws))
    assert status(aws, command) == "InProgress"
    aws.ssm.cancel_command(CommandId=command)
    assert ended(aws, command)["Status"] == "Cancelled"
    assert file_on(aws.hosts[0], "/opt/swallowed") is None


def test_step_death_kills_the_group_and_spares_who_left_it(aws, until):
    ssm.set_faults(step_death_seconds=0.3)
    host = aws.hosts[0]
    command = send(aws, "setsid sh -c 'sleep 1; echo on > /opt/survivor' >/dev/null 2>&1 & sleep 300")
    found = ended(aws, command)
    assert (found["Status"], found["CommandPlugins"][0]["ResponseCode"]) == ("Failed", -1)
    until(lambda: file_on(host, "/opt/survivor") == "on\n")


def test_duplicate_delivery_runs_it_twice_and_answers_once(aws, until):
    ssm.set_faults(duplicate_delivery=True)
    command = send(aws, "echo once >> /opt/duplicates")
    assert ended(aws, command)["Status"] == "Success"
    until(lambda: file_on(aws.hosts[0], "/opt/duplicates") == "once\nonce\n")


def test_unknown_faults_are_refused(aws):
    with pytest.raises(ValueError, match="there is no fault 'swalow'; there are: "):
        ssm.set_faults(swalow=True)


def test_a_child_that_holds_the_output_keeps_the_step_open(aws, until):
    host = aws.hosts[0]
    command = send(aws, "setsid sh -c 'while ! test -e /opt/let-go; do sleep 0.02; done; echo late' & echo first")
    until(lambda: host.run(["pgrep", "-f", "let-go"]).returncode == 0)
    ended(aws, send(aws))
    assert status(aws, command) == "InProgress"
    host.run(["touch", "/opt/let-go"])
    assert ended(aws, command)["CommandPlugins"][0]["Output"] == "first\nlate\n"


def test_five_commands_at_once_on_a_host(aws, until):
    commands = [send(aws, "while ! test -e /opt/open; do sleep 0.02; done") for _ in range(7)]

    def statuses():
        return sorted(status(aws, command) for command in commands)

    until(lambda: statuses().count("InProgress") == 5)
    ended(aws, send(aws, "true", aws.hosts[1:2]), aws.hosts[1])
    assert statuses() == ["InProgress"] * 5 + ["Pending"] * 2
    aws.hosts[0].run(["touch", "/opt/open"])
    assert [ended(aws, command)["Status"] for command in commands] == ["Success"] * 7


def test_a_host_that_dies_never_answers(aws, until):
    (host,) = aws.fleet.start(1, {"Fleet": "doomed"}, ssm.register_instance)
    command = send(aws, "sleep 300", [host])
    until(lambda: status(aws, command, host) == "InProgress")
    host.kill()
    ended(aws, send(aws))
    assert status(aws, command, host) == "InProgress"
    (node,) = aws.ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [host.id]}])[
        "InstanceInformationList"
    ]
    assert node["PingStatus"] == "ConnectionLost"
    aws.ssm.cancel_command(CommandId=command)
    assert ended(aws, command, host)["Status"] == "Cancelled"


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"scrypt": ["true"], "script": ["true"]}, "'scrypt' is not defined"),
        ({}, "'script' has no default"),
        ({"script": ["a", "b"]}, "'script' takes one value, 2"),
        ({"script": ["true"], "order": ["$(rm)"]}, "'order' does not match its allowedPattern"),
        ({"script": ["true"], "wait": ["soon"]}, "timeoutSeconds of step 'run' is 'soon'"),
    ],
)
def test_bad_parameters_refuse_the_call(aws, parameters, part):
    error = refused(
        lambda: aws.ssm.send_command(InstanceIds=[aws.hosts[0].id], DocumentName="Steps", Parameters=parameters)
    )
    assert error["Code"] == "InvalidParameters"
    assert part in error["Message"]


def test_documents_by_arn_and_missing_ones(aws):
    arn = "arn:aws:ssm:us-east-1:123456789012:document/Steps"
    assert ended(aws, send(aws, "true", document=arn))["DocumentName"] == "Steps"
    assert refused(lambda: send(aws, "true", document="Nothing"))["Code"] == "InvalidDocument"


def test_awss_own_shell_document(aws):
    found = aws.ssm.send_command(
        InstanceIds=[aws.hosts[0].id],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["cd /usr", "pwd"], "executionTimeout": ["30"]},
    )
    assert ended(aws, found["Command"]["CommandId"])["CommandPlugins"][0]["Output"] == "/usr\n"


@pytest.mark.parametrize(
    ("key", "values", "expected"), [("tag:Fleet", ["test"], 3), ("tag:Name", ["host-2"], 1), ("tag-key", ["None"], 0)]
)
def test_targets_by_tag(aws, key, values, expected):
    command = aws.ssm.send_command(
        Targets=[{"Key": key, "Values": values}], DocumentName="Steps", Parameters={"script": ["true"]}
    )["Command"]
    rows = aws.ssm.list_command_invocations(CommandId=command["CommandId"])["CommandInvocations"]
    assert len(rows) == expected


def test_events_tell_every_change_in_order(aws, until):
    command = send(aws, "true", aws.hosts[:2], TimeoutSeconds=60)
    for host in aws.hosts[:2]:
        ended(aws, command, host)
    until(lambda: len([event for event in aws.events if event["detail"]["command-id"] == command]) == 6)
    events = [event for event in aws.events if event["detail"]["command-id"] == command]
    whole = [event for event in events if event["detail-type"] == "EC2 Command Status-change Notification"]
    assert [event["detail"]["status"] for event in whole] == ["InProgress", "Success"]
    assert events[-1] is whole[-1]
    for host in aws.hosts[:2]:
        own = [event for event in events if event["detail"].get("instance-id") == host.id]
        assert [event["detail"]["status"] for event in own] == ["InProgress", "Success"]
        assert {event["detail-type"] for event in own} == {"EC2 Command Invocation Status-change Notification"}
        assert own[0]["resources"] == [f"arn:aws:ec2:us-east-1:123456789012:instance/{host.id}"]
    assert {event["source"] for event in events} == {"aws.ssm"}
    assert set(whole[0]) == {
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    }
    assert set(whole[0]["detail"]) == {
        "command-id", "document-name", "expire-after", "parameters", "requested-date-time", "status",
    }  # fmt: skip


def test_list_commands_filters_and_pages(aws):
    first = send(aws, "true", Comment="one")
    ended(aws, first)
    (shown,) = aws.ssm.list_commands(CommandId=first)["Commands"]
    after = shown["RequestedDateTime"].isoformat()
    second, third = send(aws, "exit 1", Comment="two"), send(aws, "true", Comment="three")
    for command in (second, third):
        ended(aws, command)

    def found(**filters):
        chosen = [{"key": key, "value": value} for key, value in filters.items()]
        return [row["CommandId"] for row in aws.ssm.list_commands(Filters=chosen)["Commands"]]

    assert found(InvokedAfter=after, DocumentName="Steps") == [third, second, first]
    assert found(InvokedAfter=after, Status="Failed") == [second]
    assert found(InvokedAfter=after, DocumentName="Other") == []
    assert found(InvokedAfter="2999-01-01T00:00:00Z") == []
    window = [{"key": "InvokedAfter", "value": after}]
    page = aws.ssm.list_commands(Filters=window, MaxResults=2)
    assert [row["Comment"] for row in page["Commands"]] == ["three", "two"]
    ended(aws, send(aws))  # a newer one moves nothing on the next page
    page = aws.ssm.list_commands(Filters=window, MaxResults=2, NextToken=page["NextToken"])
    assert [row["Comment"] for row in page["Commands"]] == ["one"]
    assert "NextToken" not in page


def test_list_invocations_pages_and_filters(aws):
    command = send(aws, "test $(hostname) != host-3", aws.hosts)
    for host in aws.hosts:
        ended(aws, command, host)
    paginator = boto3.client("ssm", **aws.keys).get_paginator("list_command_invocations")
    pages = list(paginator.paginate(CommandId=command, PaginationConfig={"PageSize": 2}))
    assert [len(page["CommandInvocations"]) for page in pages] == [2, 1]
    assert {row["InstanceId"] for page in pages for row in page["CommandInvocations"]} == {h.id for h in aws.hosts}
    assert pages[0]["CommandInvocations"][0]["CommandPlugins"] == []
    rows = aws.ssm.list_command_invocations(CommandId=command, Filters=[{"key": "Status", "value": "Failed"}])
    assert [row["InstanceName"] for row in rows["CommandInvocations"]] == ["host-3"]


def test_errors_of_the_lists(aws):
    command = send(aws)
    host = aws.hosts[0].id
    assert refused(lambda: aws.ssm.list_command_invocations(CommandId="x" * 36))["Code"] == "InvalidCommandId"
    assert refused(lambda: aws.ssm.cancel_command(CommandId="x" * 36))["Code"] == "InvalidCommandId"
    assert refused(lambda: aws.ssm.list_commands(NextToken="?"))["Code"] == "InvalidNextToken"
    unknown = [{"key": "Colour", "value": "red"}]
    assert refused(lambda: aws.ssm.list_commands(Filters=unknown))["Code"] == "InvalidFilterKey"
    one = {"CommandId": command, "InstanceId": host}
    assert refused(lambda: aws.ssm.get_command_invocation(**one, PluginName="no"))["Code"] == "InvalidPluginName"
    one["InstanceId"] = aws.hosts[1].id
    assert refused(lambda: aws.ssm.get_command_invocation(**one))["Code"] == "InvocationDoesNotExist"
    double = refused(lambda: send(aws, "true", [aws.hosts[0], aws.hosts[0]]))
    assert double["Code"] == "DuplicateInstanceId"


def test_managed_nodes(aws):
    aws.hosts[1].agent_online = False

    def nodes(*filters):
        chosen = [{"Key": key, "Values": values} for key, values in filters]
        rows = aws.ssm.describe_instance_information(Filters=chosen)["InstanceInformationList"]
        return {row["InstanceId"]: row for row in rows}

    first, second, third = (host.id for host in aws.hosts)
    test = ("tag:Fleet", ["test"])
    assert {row["PlatformType"] for row in nodes(test).values()} == {"Linux"}
    assert set(nodes(test, ("PingStatus", ["Online"]))) == {first, third}
    assert set(nodes(test, ("PingStatus", ["ConnectionLost"]))) == {second}
    assert set(nodes(("InstanceIds", [first, "i-1"]))) == {first}
    assert nodes(("InstanceIds", [first]))[first]["SourceType"] == "AWS::EC2::Instance"
    assert nodes(("InstanceIds", [first]))[first]["IPAddress"] == aws.hosts[0].address
    pages = [aws.ssm.describe_instance_information(Filters=[{"Key": "tag:Fleet", "Values": ["test"]}], MaxResults=2)]
    pages.append(
        aws.ssm.describe_instance_information(
            Filters=[{"Key": "tag:Fleet", "Values": ["test"]}], MaxResults=2, NextToken=pages[0]["NextToken"]
        )
    )
    assert [len(page["InstanceInformationList"]) for page in pages] == [2, 1]


def test_hosts_are_instances_with_their_tags(aws):
    found = aws.ec2.describe_instances(Filters=[{"Name": "tag:Fleet", "Values": ["test"]}])["Reservations"]
    instances = {item["InstanceId"]: item for reservation in found for item in reservation["Instances"]}
    assert set(instances) == {host.id for host in aws.hosts}
    host = aws.hosts[0]
    assert instances[host.id]["PrivateIpAddress"] == host.address
    assert ssm.tags_of(host.id) == {"Fleet": "test", "Name": "host-1", "tidegate:managed": "true"}
    aws.ec2.create_tags(Resources=[host.id], Tags=[{"Key": "Stage", "Value": "blue"}])
    assert ssm.tags_of(host.id)["Stage"] == "blue"
    assert ssm.tags_of("i-00000000000000000") == {}


def test_many_hosts_and_many_readers_at_once(aws):
    commands = [send(aws, "echo $$", aws.hosts) for _ in range(5)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda pair: ended(aws, *pair), [(c, h) for c in commands for h in aws.hosts]))
    assert {result["Status"] for result in results} == {"Success"}


def test_more_than_fifty_ids_are_refused(aws):
    ids = [f"i-{number:017x}" for number in range(51)]
    error = refused(
        lambda: aws.ssm.send_command(InstanceIds=ids, DocumentName="Steps", Parameters={"script": ["true"]})
    )
    assert "51 instance ids" in error["Message"]


def test_the_users_environment_does_not_reach_a_host(aws, monkeypatch):
    monkeypatch.setitem(os.environ, "TIDEGATE_SECRET", "1")
    assert "TIDEGATE_SECRET" not in ended(aws, send(aws, "env"))["CommandPlugins"][0]["Output"]
