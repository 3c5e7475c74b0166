"""Settings of server deployment groups that are refused, a row a rule, and the words to write them in."""

from __future__ import annotations

from typing import Any

FILTERS = [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]
TAG_SET = {"ec2TagSetList": [FILTERS, [{"Key": "Stage", "Type": "KEY_ONLY"}]]}
HOME_SET = {"onPremisesTagSetList": [FILTERS]}
TOPIC = "arn:aws:sns:us-east-1:123456789012:deployments"
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
SHIFT = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
CONTROLLED = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
BALANCER = {"targetGroupInfoList": [{"name": "web"}]}


def trigger(**more: Any) -> dict[str, Any]:
    return {"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentStart"], **more}


def alarms(*names: str, enabled: bool = False) -> dict[str, Any]:
    return {"alarmConfiguration": {"enabled": enabled, "alarms": [{"name": name} for name in names]}}


def balanced(**lists: Any) -> dict[str, Any]:
    return {"loadBalancerInfo": lists}


def blue_green(
    ready: dict[str, Any] | None = None, terminate: dict[str, Any] | None = None, provision: str = "DISCOVER_EXISTING"
) -> dict[str, Any]:
    options = {
        "deploymentReadyOption": ready or {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
        "terminateBlueInstancesOnDeploymentSuccess": terminate or {"action": "KEEP_ALIVE"},
        "greenFleetProvisioningOption": {"action": provision},
    }
    return {"deploymentStyle": SHIFT, "loadBalancerInfo": BALANCER, "blueGreenDeploymentConfiguration": options}


def without(part: str) -> dict[str, Any]:
    given = blue_green()
    del given["blueGreenDeploymentConfiguration"][part]
    return given


def suspending(*processes: str) -> dict[str, Any]:
    return {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": list(processes)}}


def pair(**more: Any) -> dict[str, Any]:
    route = {"listenerArns": [LISTENER]}
    return {"targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": route, **more}


NONE: list[dict[str, str]] = []
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("role", {"serviceRoleArn": "deployer"}, "InvalidRole"),
    ("role of nobody", {"serviceRoleArn": "arn:aws:iam::123456789012:role/"}, "InvalidRole"),
    ("role of a user", {"serviceRoleArn": "arn:aws:iam::123456789012:user/alice"}, "InvalidRole"),
    ("no role", {"serviceRoleArn": None}, "RoleRequired"),
    # tags
    ("key only without key", {"ec2TagFilters": [{"Type": "KEY_ONLY", "Value": "v"}]}, "InvalidEC2Tag"),
    ("value only without value", {"ec2TagFilters": [{"Type": "VALUE_ONLY", "Key": "k"}]}, "InvalidEC2Tag"),
    ("both without value", {"ec2TagFilters": [{"Type": "KEY_AND_VALUE", "Key": "k"}]}, "InvalidEC2Tag"),
    ("an empty filter", {"ec2TagFilters": [{}]}, "InvalidEC2Tag"),
    ("unknown type", {"ec2TagFilters": [{"Key": "k", "Type": "ALL"}]}, "InvalidEC2Tag"),
    ("long key", {"ec2TagFilters": [{"Key": "k" * 129}]}, "InvalidEC2Tag"),
    ("long value", {"ec2TagSet": {"ec2TagSetList": [[{"Value": "k" * 257}]]}, "ec2TagFilters": []}, "InvalidEC2Tag"),
    ("eleven filters", {"ec2TagFilters": FILTERS * 11}, "InvalidEC2Tag"),
    ("two ways of selecting", {"ec2TagSet": TAG_SET}, "InvalidEC2TagCombination"),
    (
        "two ways of selecting at home",
        {"onPremisesTagSet": HOME_SET, "onPremisesInstanceTagFilters": FILTERS},
        "InvalidOnPremisesTagCombination",
    ),
    (
        "four tag groups",
        {"ec2TagSet": {"ec2TagSetList": [FILTERS] * 4}, "ec2TagFilters": NONE},
        "TagSetListLimitExceeded",
    ),
    (
        "eleven tags",
        {"ec2TagSet": {"ec2TagSetList": [FILTERS * 11]}, "ec2TagFilters": NONE},
        "TagSetListLimitExceeded",
    ),
    ("a group without tags", {"ec2TagSet": {"ec2TagSetList": [[]]}, "ec2TagFilters": NONE}, "InvalidEC2Tag"),
    ("on-premises filter", {"onPremisesInstanceTagFilters": [{"Type": "KEY_ONLY"}]}, "InvalidTag"),
    ("on-premises set", {"onPremisesTagSet": {"onPremisesTagSetList": [[{}]]}}, "InvalidTag"),
    (
        "four on-premises groups",
        {"onPremisesTagSet": {"onPremisesTagSetList": [FILTERS] * 4}},
        "TagSetListLimitExceeded",
    ),
    # Auto Scaling
    ("an Auto Scaling group without a name", {"autoScalingGroups": [""]}, "InvalidAutoScalingGroup"),
    ("a colon", {"autoScalingGroups": ["a:b"]}, "InvalidAutoScalingGroup"),
    ("the same Auto Scaling group twice", {"autoScalingGroups": ["a", "a"]}, "InvalidAutoScalingGroup"),
    ("eleven Auto Scaling groups", {"autoScalingGroups": list("abcdefghijk")}, "InvalidAutoScalingGroup"),
    ("an unknown process", suspending("Launch"), "InvalidAutoScalingGroupProcessToSuspend"),
    ("a process in lower case", suspending("terminate"), "InvalidAutoScalingGroupProcessToSuspend"),
    (
        "the same process twice",
        {**suspending("Terminate", "Terminate"), "autoScalingGroups": ["a"]},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
    ("nothing to suspend", suspending("Terminate"), "InvalidAutoScalingGroupProcessToSuspend"),
    (
        "suspended in blue/green",
        {**blue_green(provision="COPY_AUTO_SCALING_GROUP"), **suspending("Terminate"), "autoScalingGroups": ["a"]},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
    # balancers
    (
        "two kinds",
        balanced(elbInfoList=[{"name": "a"}], targetGroupInfoList=[{"name": "b"}]),
        "InvalidLoadBalancerInfo",
    ),
    ("a balancer's name", balanced(elbInfoList=[{"name": "-a"}]), "InvalidLoadBalancerInfo"),
    ("a balancer without a name", balanced(elbInfoList=[{}]), "InvalidLoadBalancerInfo"),
    ("a long name", balanced(targetGroupInfoList=[{"name": "a" * 33}]), "InvalidLoadBalancerInfo"),
    ("a group twice", balanced(targetGroupInfoList=[{"name": "a"}] * 2), "InvalidLoadBalancerInfo"),
    (
        "eleven balancers",
        balanced(elbInfoList=[{"name": f"a{n}"} for n in range(11)]),
        "InvalidLoadBalancerInfo",
    ),
    ("traffic control without a balancer", {"deploymentStyle": CONTROLLED}, "InvalidLoadBalancerInfo"),
    ("a pair for servers", balanced(targetGroupPairInfoList=[pair()]), "InvalidLoadBalancerInfo"),
    ("two pairs", balanced(targetGroupPairInfoList=[pair()] * 2), "InvalidTargetGroupPair"),
    ("a pair of one", balanced(targetGroupPairInfoList=[pair(targetGroups=[{"name": "a"}])]), "InvalidTargetGroupPair"),
    (
        "a pair of the same",
        balanced(targetGroupPairInfoList=[pair(targetGroups=[{"name": "a"}] * 2)]),
        "InvalidTargetGroupPair",
    ),
    ("no listener", balanced(targetGroupPairInfoList=[pair(prodTrafficRoute={})]), "InvalidTargetGroupPair"),
    (
        "two listeners",
        balanced(targetGroupPairInfoList=[pair(prodTrafficRoute={"listenerArns": [LISTENER, LISTENER + "1"]})]),
        "InvalidTargetGroupPair",
    ),
    (
        "a listener's ARN",
        balanced(targetGroupPairInfoList=[pair(prodTrafficRoute={"listenerArns": ["listener"]})]),
        "InvalidTargetGroupPair",
    ),
    (
        "test traffic at the same listener",
        balanced(targetGroupPairInfoList=[pair(testTrafficRoute={"listenerArns": [LISTENER]})]),
        "InvalidTargetGroupPair",
    ),
    # ECS
    ("an ECS service for servers", {"ecsServices": [{"serviceName": "web"}]}, "InvalidECSService"),
    # triggers
    ("a trigger without a name", {"triggerConfigurations": [trigger(triggerName=None)]}, "InvalidTriggerConfig"),
    ("a long trigger name", {"triggerConfigurations": [trigger(triggerName="t" * 257)]}, "InvalidTriggerConfig"),
    ("the same trigger twice", {"triggerConfigurations": [trigger(), trigger()]}, "InvalidTriggerConfig"),
    ("a topic by name", {"triggerConfigurations": [trigger(triggerTargetArn="topic")]}, "InvalidTriggerConfig"),
    (
        "a queue as topic",
        {"triggerConfigurations": [trigger(triggerTargetArn=TOPIC.replace("sns", "sqs"))]},
        "InvalidTriggerConfig",
    ),
    (
        "an ordered topic",
        {"triggerConfigurations": [trigger(triggerTargetArn=f"{TOPIC}.fifo")]},
        "InvalidTriggerConfig",
    ),
    ("no event", {"triggerConfigurations": [trigger(triggerEvents=[])]}, "InvalidTriggerConfig"),
    ("an unknown event", {"triggerConfigurations": [trigger(triggerEvents=["Lunch"])]}, "InvalidTriggerConfig"),
    (
        "eleven triggers",
        {"triggerConfigurations": [trigger(triggerName=f"t{n}") for n in range(11)]},
        "TriggerTargetsLimitExceeded",
    ),
    # alarms and rollback
    ("alarms without names", {"alarmConfiguration": {"alarms": [{}]}}, "InvalidAlarmConfig"),
    ("a long alarm name", alarms("a" * 256), "InvalidAlarmConfig"),
    ("the same alarm twice", alarms("a", "a"), "InvalidAlarmConfig"),
    ("alarms on, none named", {"alarmConfiguration": {"enabled": True}}, "InvalidAlarmConfig"),
    ("eleven alarms", alarms(*"abcdefghijk"), "AlarmsLimitExceeded"),
    ("rollback without events", {"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfig"),
    ("rollback on a whim", {"autoRollbackConfiguration": {"events": ["WHIM"]}}, "InvalidAutoRollbackConfig"),
    # style and blue/green
    ("unknown style", {"deploymentStyle": {"deploymentType": "RAINBOW"}}, "InvalidDeploymentStyle"),
    (
        "blue/green without traffic control",
        {"deploymentStyle": {**SHIFT, "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}},
        "InvalidDeploymentStyle",
    ),
    (
        "blue/green options in place",
        {"blueGreenDeploymentConfiguration": {"deploymentReadyOption": {"waitTimeInMinutes": 1}}},
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "blue/green without options",
        {"deploymentStyle": SHIFT, "loadBalancerInfo": BALANCER},
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    ("no ready option", without("deploymentReadyOption"), "InvalidBlueGreenDeploymentConfiguration"),
    ("no provisioning", without("greenFleetProvisioningOption"), "InvalidBlueGreenDeploymentConfiguration"),
    (
        "no termination option",
        without("terminateBlueInstancesOnDeploymentSuccess"),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "a stop without a wait",
        blue_green({"actionOnTimeout": "STOP_DEPLOYMENT"}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "a wait of more than two days",
        blue_green({"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 2881}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "going on after a wait",
        blue_green({"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 5}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "termination after more than two days",
        blue_green(terminate={"action": "TERMINATE", "terminationWaitTimeInMinutes": 2881}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "termination before the end",
        blue_green(terminate={"action": "TERMINATE", "terminationWaitTimeInMinutes": -1}),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "copies of no Auto Scaling group",
        blue_green(provision="COPY_AUTO_SCALING_GROUP"),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (
        "copies of two Auto Scaling groups",
        {**blue_green(provision="COPY_AUTO_SCALING_GROUP"), "autoScalingGroups": ["a", "b"]},
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    ("unknown action", blue_green({"actionOnTimeout": "PRAY"}), "InvalidBlueGreenDeploymentConfiguration"),
    ("unknown termination", blue_green(terminate={"action": "BURN"}), "InvalidBlueGreenDeploymentConfiguration"),
    ("unknown provisioning", blue_green(provision="STEAL"), "InvalidBlueGreenDeploymentConfiguration"),
    # the rest
    ("unknown configuration", {"deploymentConfigName": "mine"}, "DeploymentConfigDoesNotExist"),
    (
        "another platform's configuration",
        {"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"},
        "InvalidTrafficRoutingConfiguration",
    ),
    ("strategy", {"outdatedInstancesStrategy": "HOPE"}, "InvalidInput"),
]
