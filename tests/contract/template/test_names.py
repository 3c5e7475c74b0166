"""State, function, folder and event belong together; the machine is whole; rights are no wider than they must be."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.model.scaling import Transition, hook_name
from tidegate.store.scaled_groups import EXPIRES

ROOT = Path(__file__).resolve().parents[3]


class Intrinsics(yaml.SafeLoader):
    """Reads CloudFormation's short forms as ``{"Fn": name, "of": value}``."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {"Fn": suffix, "of": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {"Fn": suffix, "of": loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {"Fn": suffix, "of": loader.construct_mapping(node, deep=True)}


Intrinsics.add_multi_constructor("!", _intrinsic)  # type: ignore[no-untyped-call]

TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Intrinsics)
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
MACHINE_FILE = ROOT / "statemachines" / "server_deployment.asl.yaml"
MACHINE: dict[str, Any] = yaml.safe_load(MACHINE_FILE.read_text())
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FUNCTIONS = {name: each for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::Function"}

VERBS = {
    "Validate",
    "Select",
    "Evaluate",
    "Pick",
    "Send",
    "Await",
    "Start",
    "Finish",
    "Roll",
    "Wake",
    "Notify",
    "Sweep",
    "Provision",
}
#: Steps whose failure fails the execution: nothing is left to be ended, or the sweep carries the deployment on.
ENDS = {"FinishDeployment", "RollBackDeployment", "StartSuccessor"}
DOORS = {"ApiFunction", "OnInstanceLifecycleFunction", "OnRevisionUploadFunction"}  # named after what comes in
STEP_FUNCTIONS = {name.removesuffix("Function") for name in FUNCTIONS if name not in DOORS}

DOCUMENTS = [name for name, each in RESOURCES.items() if each["Type"] == "AWS::SSM::Document"]

#: Statements that name no resource, because these actions have no resource-level rights at AWS.
UNBOUNDED = {
    ("ApiFunction", "ListGitHubTokens"): {"secretsmanager:ListSecrets"},
    ("ApiFunction", "FindScalingGroups"): {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeLifecycleHooks",
    },
    ("SweepDeploymentsFunction", "FindWaitingInstances"): {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeWarmPool",
    },
    ("SelectTargetsFunction", "FindInstances"): {"ec2:DescribeInstances", "autoscaling:DescribeAutoScalingGroups"},
    ("ValidateRevisionFunction", "LookAtTaskDefinitions"): {"ecs:DescribeTaskDefinition"},
    ("SelectTargetsFunction", "FindManagedNodes"): {"ssm:DescribeInstanceInformation"},
    ("EvaluateHealthFunction", "WatchCommands"): {
        "ssm:ListCommandInvocations",
        "ssm:ListCommands",
        "ssm:CancelCommand",
    },
    ("SendCommandsFunction", "FindCommands"): {"ssm:DescribeInstanceInformation", "ssm:ListCommands"},
    ("SelectTargetsFunction", "FindBalancers"): {
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancers",
    },
    ("SendCommandsFunction", "WatchBalancers"): {
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeLoadBalancers",
    },
    ("EvaluateHealthFunction", "WatchBalancers"): {
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeInstanceHealth",
        "elasticloadbalancing:DescribeLoadBalancers",
    },
    ("ProvisionReplacementsFunction", "WatchGroups"): {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeNotificationConfigurations",
        "autoscaling:DescribePolicies",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeScheduledActions",
        "cloudwatch:DescribeAlarms",
        "ssm:DescribeInstanceInformation",
    },
    ("EvaluateHealthFunction", "WatchEnds"): {"ec2:DescribeInstances"},
    ("EvaluateHealthFunction", "WatchAlarms"): {"cloudwatch:DescribeAlarms"},
    ("ServerDeploymentMachine", "WriteLogs"): {
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    },
}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of the roles that SAM makes, with the resource it belongs to."""
    for name, resource in RESOURCES.items():
        for policy in as_list(resource["Properties"].get("Policies", [])):
            for statement in as_list(policy["Statement"]):
                yield name, statement


# --- names


@pytest.mark.parametrize("state", TASKS)
def test_a_step_has_its_function_folder_and_event(state: str) -> None:
    folder = snake(state)
    assert FUNCTIONS[f"{state}Function"]["Properties"]["CodeUri"].rstrip("/").endswith(f"functions/{folder}")
    assert (ROOT / "functions" / folder / "app.py").is_file()
    assert isinstance(json.loads((ROOT / "events" / f"{folder}.json").read_text()), dict)
    module = importlib.import_module(f"functions.{folder}.app")
    assert callable(module.run)
    assert callable(module.handler)
    assert STATES[state]["Parameters"]["FunctionName"] == f"${{{state}FunctionArn}}"


def test_functions_folders_and_events_are_the_same_set() -> None:
    named = {snake(name.removesuffix("Function")) for name in FUNCTIONS}
    assert named == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert named == {path.stem for path in (ROOT / "events").glob("*.json")}


@pytest.mark.parametrize("name", sorted({*TASKS, *STEP_FUNCTIONS}))
def test_names_are_a_verb_and_its_object(name: str) -> None:
    words = re.findall("[A-Z][a-z]+", name)
    assert "".join(words) == name
    assert words[0] in VERBS
    assert len(words) >= 2


def test_choices_are_questions() -> None:
    choices = [name for name, state in STATES.items() if state["Type"] == "Choice"]
    assert choices
    assert all(name.endswith("?") for name in choices)


# --- the machine


def following(state: dict[str, Any]) -> set[str]:
    found = {state[key] for key in ("Next", "Default") if key in state}
    return found | {rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))}


def test_every_state_that_is_gone_to_exists_and_every_state_can_be_reached() -> None:
    reached, ahead = set(), {MACHINE["StartAt"]}
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= following(STATES[name]) - reached
    assert reached == set(STATES)


def test_every_state_leads_on_or_ends() -> None:
    for name, state in STATES.items():
        assert bool(following(state)) != (state["Type"] == "Succeed"), name


@pytest.mark.parametrize("state", TASKS)
def test_a_step_is_tried_again_with_bounded_patience_and_jitter(state: str) -> None:
    rules = {error: rule for rule in TASKS[state]["Retry"] for error in rule["ErrorEquals"]}
    rule = rules["States.TaskFailed"]
    assert (rule["JitterStrategy"], rule["MaxAttempts"] <= 10, rule["MaxDelaySeconds"] <= 60) == ("FULL", True, True)


@pytest.mark.parametrize("state", [name for name in TASKS if name not in ENDS])
def test_what_still_fails_is_finished_with_its_error_kept(state: str) -> None:
    last = TASKS[state]["Catch"][-1]
    assert (last["ErrorEquals"], last["ResultPath"], last["Next"]) == (["States.ALL"], "$.error", "FinishDeployment")


def test_the_end_of_a_heartbeat_is_no_error() -> None:
    state = STATES["AwaitProgress"]
    timeouts = ["States.HeartbeatTimeout", "States.Timeout"]
    assert state["Retry"][0] == {"ErrorEquals": timeouts, "MaxAttempts": 0}
    assert state["Catch"][0] == {"ErrorEquals": timeouts, "ResultPath": None, "Next": "EvaluateHealth"}
    assert state["HeartbeatSecondsPath"] == "$.heartbeat"


def test_the_fleet_never_travels_through_the_machine() -> None:
    """What is passed is what the loop needs; the machine stays within what both AWS and local mode run."""
    text = MACHINE_FILE.read_text()
    assert "QueryLanguage" not in MACHINE
    assert not {"Assign", "ItemsPath", "ItemReader"} & {key for state in STATES.values() for key in state}
    assert "startExecution" not in text


# --- settings


def test_every_setting_that_functions_read_is_set_and_none_that_nobody_reads() -> None:
    read = set(re.findall(r'"(TIDEGATE_[A-Z_]+)"', (ROOT / "layers/core/tidegate/settings.py").read_text()))
    optional = {"TIDEGATE_RUNNER_ARCHIVE"}  # has a default, which is where the layer puts it
    given = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert {name for name in given if name.startswith("TIDEGATE_")} == read - optional


# --- rights


def machine_functions() -> set[str]:
    return {f"{name}Function" for name in TASKS}


def test_the_machine_may_call_its_steps_and_nothing_else() -> None:
    properties = RESOURCES["ServerDeploymentMachine"]["Properties"]
    arns = {f"{name}Arn": f"{name}.Arn" for name in machine_functions()}
    assert {key: value["of"] for key, value in properties["DefinitionSubstitutions"].items()} == arns
    (call,) = [s for owner, s in statements() if owner == "ServerDeploymentMachine" and s["Sid"] == "CallSteps"]
    assert as_list(call["Action"]) == ["lambda:InvokeFunction"]
    assert {each["of"] for each in call["Resource"]} == set(arns.values())


def test_every_function_has_a_role_of_its_own_with_named_rights() -> None:
    assert "Role" not in TEMPLATE["Globals"]["Function"]
    assert "Policies" not in TEMPLATE["Globals"]["Function"]
    for name, function in FUNCTIONS.items():
        properties = function["Properties"]
        assert "Role" not in properties, name
        assert properties["Policies"], name
        for policy in properties["Policies"]:
            assert set(policy) == {"Statement"}, f"{name}: a managed policy grants more than is needed"


def test_no_statement_is_wider_than_it_must_be() -> None:
    unbounded = {}
    for owner, statement in statements():
        actions = as_list(statement["Action"])
        assert statement["Effect"] == "Allow"
        assert not [each for each in actions if "*" in each], f"{owner} {statement['Sid']}: every action is named"
        if "*" in as_list(statement["Resource"]):
            unbounded[owner, statement["Sid"]] = set(actions)
    assert unbounded == UNBOUNDED


def test_only_one_function_may_send_commands_and_only_to_hosts_that_opted_in() -> None:
    senders = [(owner, s) for owner, s in statements() if "ssm:SendCommand" in as_list(s["Action"])]
    assert [owner for owner, _ in senders] == ["SendCommandsFunction"]
    through = [re.search(r"document/\$\{(\w+)\}$", each["of"]) for each in senders[0][1]["Resource"]]
    assert [found and found[1] for found in through] == DOCUMENTS, "through our documents"
    policy = RESOURCES["CommandOptedInHosts"]["Properties"]
    assert policy["Roles"] == [{"Fn": "Ref", "of": "SendCommandsFunctionRole"}]
    (statement,) = json.loads(policy["PolicyDocument"]["of"])["Statement"]
    assert statement["Condition"] == {"StringEquals": {"ssm:resourceTag/${OptInTagKey}": "${OptInTagValue}"}}
    assert not [arn for arn in statement["Resource"] if "document/" in arn]


def test_only_opted_in_hosts_may_be_ended() -> None:
    assert not [owner for owner, s in statements() if "ec2:TerminateInstances" in as_list(s["Action"])]
    policy = RESOURCES["EndOptedInHosts"]["Properties"]
    assert policy["Roles"] == [{"Fn": "Ref", "of": "SendCommandsFunctionRole"}]
    found = json.loads(policy["PolicyDocument"]["of"])["Statement"]
    assert {action: each["Condition"] for each in found for action in as_list(each["Action"])} == {
        f"{service}:{action}": {"StringEquals": {f"{service}:ResourceTag/${{OptInTagKey}}": "${OptInTagValue}"}}
        for service, action in (
            ("ec2", "TerminateInstances"),
            ("autoscaling", "DeleteAutoScalingGroup"),
            ("autoscaling", "UpdateAutoScalingGroup"),
        )
    }


def test_only_copies_of_auto_scaling_groups_are_made_and_changed() -> None:
    writes = [
        (owner, arn["of"])
        for owner, statement in statements()
        if {"autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup"}
        & set(as_list(statement["Action"]))
        for arn in as_list(statement["Resource"])
    ]
    assert [owner for owner, _ in writes] == ["ProvisionReplacementsFunction"]
    assert writes[0][1].endswith(":autoScalingGroup:*:autoScalingGroupName/CodeDeploy_*")


def test_what_expires_is_deleted_by_dynamodb() -> None:
    spec = RESOURCES["Table"]["Properties"]["TimeToLiveSpecification"]
    assert spec == {"AttributeName": EXPIRES, "Enabled": True}


def test_who_ends_deployments_holds_copies_alone_and_takes_nobody_in() -> None:
    policy = RESOURCES["EndBlueGreen"]["Properties"]
    assert [each["of"] for each in policy["Roles"]] == ["FinishDeploymentFunctionRole", "SweepDeploymentsFunctionRole"]
    found = policy["PolicyDocument"]["Statement"]
    (hold,) = [each for each in found if "autoscaling:SuspendProcesses" in as_list(each["Action"])]
    assert hold["Action"] == "autoscaling:SuspendProcesses"
    assert hold["Resource"]["of"].endswith("autoScalingGroupName/CodeDeploy_*")
    actions = {action for each in found for action in as_list(each["Action"])}
    assert not [each for each in actions if "Register" in each.partition(":")[2][:8] or "Attach" in each]


def test_on_premises_machines_may_run_commands_and_read_nothing() -> None:
    (statement,) = RESOURCES["OnPremisesAgent"]["Properties"]["PolicyDocument"]["Statement"]
    assert {action.partition(":")[0] for action in statement["Action"]} == {"ssm", "ssmmessages", "ec2messages"}
    assert [action for action in statement["Action"] if action.startswith("ssm:")] == ["ssm:UpdateInstanceInformation"]
    role = RESOURCES["OnPremisesHostRole"]["Properties"]
    assert set(role) == {"Description", "AssumeRolePolicyDocument"}
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert set(trust["Condition"]) == {"StringEquals", "ArnLike"}, "of this account alone"


def test_only_steps_that_must_may_touch_other_services() -> None:
    allowed = {
        "autoscaling": {
            "ApiFunction",
            "EvaluateHealthFunction",
            "FinishDeploymentFunction",
            "OnInstanceLifecycleFunction",
            "ProvisionReplacementsFunction",
            "SelectTargetsFunction",
            "SweepDeploymentsFunction",
            "ValidateRevisionFunction",
        },
        "cloudwatch": {"EvaluateHealthFunction", "ProvisionReplacementsFunction"},
        "ec2": {"SelectTargetsFunction", "EvaluateHealthFunction", "ProvisionReplacementsFunction"},
        "iam": {"ProvisionReplacementsFunction"},
        "ecs": {"ValidateRevisionFunction"},
        "elasticloadbalancing": {"SelectTargetsFunction", "EvaluateHealthFunction", "SendCommandsFunction"},
        "ssm": {
            "SelectTargetsFunction",
            "EvaluateHealthFunction",
            "SendCommandsFunction",
            "ProvisionReplacementsFunction",
        },
        "s3": {"ApiFunction", "OnRevisionUploadFunction", "ValidateRevisionFunction", "SendCommandsFunction"},
        "states": {
            "ApiFunction",
            "AwaitProgressFunction",
            "OnInstanceLifecycleFunction",
            "OnRevisionUploadFunction",
            "RollBackDeploymentFunction",
            "StartSuccessorFunction",
            "SweepDeploymentsFunction",
            "WakeDeploymentFunction",
        },
        "secretsmanager": {"ApiFunction", "ValidateRevisionFunction"},
        "sns": {"NotifySubscribersFunction"},
        "events": {"NotifySubscribersFunction", "OnRevisionUploadFunction"},
        "sqs": {"NotifySubscribersFunction", "OnRevisionUploadFunction"},
    }
    found: dict[str, set[str]] = {}
    for owner, statement in statements():
        for action in as_list(statement["Action"]):
            found.setdefault(action.partition(":")[0], set()).add(owner)
    assert {service: found[service] for service in allowed} == allowed
    assert set(found) == {*allowed, "dynamodb", "lambda", "logs"}


#: Services whose resources are the customer's: touched as the group's service role where roles are acted as.
CUSTOMERS = {"autoscaling", "cloudwatch", "ec2", "ecs", "elasticloadbalancing"}


def test_whoever_touches_the_customers_resources_may_act_as_service_roles_and_nobody_else() -> None:
    policy = RESOURCES["ActAsServiceRoles"]
    assert policy["Condition"] == "ActsAsServiceRole", "only where the stack is so set"
    assert TEMPLATE["Parameters"]["ActAsServiceRole"]["Default"] == "never"
    touching = {
        owner
        for owner, statement in statements()
        if {action.partition(":")[0] for action in as_list(statement["Action"])} & CUSTOMERS
    }
    assert {role["of"] for role in policy["Properties"]["Roles"]} == {f"{owner}Role" for owner in touching}
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["sts:AssumeRole", "iam:GetRole"]
    assert statement["Resource"] == {"Fn": "Ref", "of": "ServiceRoleArns"}


# --- signals


def test_the_sample_event_of_a_command_passes_the_rule() -> None:
    pattern = RESOURCES["CommandEnded"]["Properties"]["EventPattern"]
    record, _ = json.loads((ROOT / "events" / "wake_deployment.json").read_text())["Records"]
    event = json.loads(record["body"])
    assert event["source"] in pattern["source"]
    assert event["detail-type"] in pattern["detail-type"]
    assert event["detail"]["status"] in pattern["detail"]["status"]
    assert pattern["detail"]["document-name"] == [{"Fn": "Ref", "of": name} for name in DOCUMENTS]
    assert not {"Pending", "InProgress", "Delayed"} & set(pattern["detail"]["status"]), "only ended ones are signals"


def test_only_alarms_that_were_raised_pass_their_rule_and_both_rules_may_send() -> None:
    pattern = RESOURCES["AlarmRaised"]["Properties"]["EventPattern"]
    _, record = json.loads((ROOT / "events" / "wake_deployment.json").read_text())["Records"]
    event = json.loads(record["body"])
    assert event["source"] in pattern["source"]
    assert event["detail-type"] in pattern["detail-type"]
    assert pattern["detail"]["state"]["value"] == [event["detail"]["state"]["value"]] == ["ALARM"]
    (statement,) = RESOURCES["SignalsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    senders = {each["of"] for each in statement["Condition"]["ArnEquals"]["aws:SourceArn"]}
    assert senders == {"CommandEnded.Arn", "AlarmRaised.Arn"}


def test_the_sample_event_of_a_lifecycle_action_passes_its_rule_and_both_kinds_do() -> None:
    pattern = RESOURCES["InstanceHeld"]["Properties"]["EventPattern"]
    (record,) = json.loads((ROOT / "events" / "on_instance_lifecycle.json").read_text())["Records"]
    event = json.loads(record["body"])
    assert event["source"] in pattern["source"]
    assert event["detail-type"] in pattern["detail-type"]
    (prefix,) = pattern["detail"]["LifecycleHookName"]
    for transition in Transition:
        assert hook_name(transition, "a group", "id").startswith(prefix["prefix"])
    assert event["detail"]["LifecycleHookName"].startswith(prefix["prefix"])
    assert len(pattern["detail-type"]) == len(Transition)
    queue, reader = RESOURCES["LifecycleActions"]["Properties"], RESOURCES["OnInstanceLifecycleFunction"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * reader["Timeout"]


def test_messages_stay_hidden_for_as_long_as_their_reader_may_need() -> None:
    queue, reader = RESOURCES["Signals"]["Properties"], RESOURCES["WakeDeploymentFunction"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * reader["Timeout"]
    assert reader["Events"]["Signals"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_takes_an_order_and_nothing_else(document: str) -> None:
    content = RESOURCES[document]["Properties"]["Content"]
    assert set(content["parameters"]) == {"order"}
    contract = (ROOT / "docs" / "host-contract.md").read_text()
    assert f"`{content['parameters']['order']['allowedPattern']}`" in contract
    assert len(content["mainSteps"]) == 1, "one command, one step, one process"


def test_tokens_of_github_are_read_by_one_function_and_only_below_the_stacks_name() -> None:
    rights = [
        (owner, action, statement["Resource"])
        for owner, statement in statements()
        for action in as_list(statement["Action"])
        if action.startswith("secretsmanager:") and action != "secretsmanager:ListSecrets"
    ]
    assert {owner for owner, action, _ in rights if action.endswith("GetSecretValue")} == {"ValidateRevisionFunction"}
    prefix = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["TIDEGATE_GITHUB_SECRETS"]["of"]
    assert all(resource["of"].endswith(f":secret:{prefix}*") for _, _, resource in rights)


def test_every_bucket_of_revisions_may_be_in_any_partition() -> None:
    found = {s["Sid"]: s["Resource"] for _, s in statements() if s["Sid"] in ("ReadRevisions", "TellMissingRevisions")}
    for sid, tail in (("ReadRevisions", "/*"), ("TellMissingRevisions", "")):
        delimiter, text = found[sid]["of"]
        pattern, names = text["of"]
        between, _ = names["Names"]["of"]
        arns = pattern.replace("${Names}", between.join(["a", "b-*", "c"])).split(delimiter)
        first, *others = (arn.replace("${AWS::Partition}", "aws-cn") for arn in arns)
        assert first == f"arn:aws-cn:s3:::a{tail}"
        assert others == [f"arn:*:s3:::b-*{tail}", f"arn:*:s3:::c{tail}"]
