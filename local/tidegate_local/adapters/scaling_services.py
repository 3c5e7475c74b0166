"""EC2, the load balancers and notification targets, as Auto Scaling uses them, on moto.

Follows "Launch templates", "Tag Auto Scaling groups and instances" and "Attach a load balancer to your Auto Scaling
group" of the Amazon EC2 Auto Scaling user guide. Weights of a mixed instances policy are not looked at.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException

from tidegate_local.autoscaling.lifecycle import ScalingError

GROUP_TAG = "aws:autoscaling:groupName"


class MotoServices:
    """The services of one account and Region.

    Parameters
    ----------
    backend
        moto's Auto Scaling.
    emit
        Puts an event on the default bus.
    client
        Makes the administrator's client of a service.
    """

    def __init__(
        self, backend: Callable[[], Any], emit: Callable[[Mapping[str, Any]], None], client: Callable[[str], Any]
    ) -> None:
        # moto forgets its backends when it is reset: ask for it each time.
        self._of = backend
        self.emit = emit
        self._client = client

    def groups(self) -> Iterable[Any]:
        """All groups."""
        return list(self._of().autoscaling_groups.values())

    def forget(self, group: Any) -> None:
        """Remove a group, its hooks, policies and scheduled actions."""
        backend = self._of()
        backend.autoscaling_groups.pop(group.name, None)
        for kept in (backend.lifecycle_hooks, backend.policies, backend.scheduled_actions):
            for key in [key for key, each in kept.items() if each.auto_scaling_group_name == group.name]:
                del kept[key]

    def hooks(self, group: Any, transition: str) -> list[Any]:
        """The group's hooks of a transition."""
        found = self._of().describe_lifecycle_hooks(group.name)
        return [hook for hook in found if hook.lifecycle_transition == transition]

    def run(self, group: Any, zone: str) -> Any:
        """Run one instance in a zone, or in the group's subnet there."""
        template = _template(group)
        if template and template["LaunchTemplateId"] not in self._of().ec2_backend.launch_templates:
            raise ScalingError(f"The launch template {template['LaunchTemplateId']} of {group.name} does not exist.")
        tags = {**group.instance_tags, **group.get_propagated_tags(), GROUP_TAG: group.name}
        reservation = self._of().ec2_backend.run_instances(
            group.image_id,
            1,
            group.user_data,
            group.security_groups,
            instance_type=group.instance_type or "t3.micro",
            is_instance_type_default=False,
            tags={"instance": tags},
            placement=zone,
            subnet_id=self._subnet(group, zone),
            associate_public_ip=None,
            **({"launch_template": template} if template else {"launch_config": group.launch_config}),
        )
        return reservation.instances[0]

    def profile(self, group: Any) -> str | None:
        """Name or ARN of the template's instance profile."""
        if group.ec2_launch_template:
            data = group.ec2_launch_template.get_version(group.launch_template_version).data
            given = data.get("IamInstanceProfile") or {}
            return given.get("Arn") or given.get("Name") or None
        return group.launch_config.iam_instance_profile or None

    def terminate(self, instance_id: str) -> None:
        """End an instance; its host ends with it."""
        with contextlib.suppress(ServiceException):
            if self._of().ec2_backend.get_instance(instance_id).state != "terminated":
                self._of().ec2_backend.terminate_instances([instance_id])

    def power(self, instance_id: str, on: bool) -> None:
        """Start or stop an instance."""
        ec2 = self._of().ec2_backend
        (ec2.start_instances if on else ec2.stop_instances)([instance_id])

    def register(self, group: Any, instance_ids: list[str]) -> None:
        """Register instances with the group's target groups and Classic Load Balancers."""
        backend = self._of()
        for target_group in self._target_groups(group):
            backend.elbv2_backend.register_targets(
                target_group.arn, [{"Id": each, "Port": target_group.port} for each in instance_ids]
            )
        for balancer in self._classic_balancers(group):
            new = [each for each in instance_ids if each not in balancer.instance_ids]
            # Not as moto's own, which a caller's DeregisterInstancesFromLoadBalancer would not reach.
            backend.elb_backend.register_instances(balancer.name, new)

    def deregister(self, group: Any, instance_ids: list[str]) -> None:
        """Take instances out of them."""
        backend = self._of()
        for target_group in self._target_groups(group):
            backend.elbv2_backend.deregister_targets(target_group.arn, [{"Id": each} for each in instance_ids])
        for balancer in self._classic_balancers(group):
            backend.elb_backend.deregister_instances(balancer.name, instance_ids)

    def is_draining(self, group: Any, instance_id: str) -> bool:
        """Whether a target group still waits for the instance's connections."""
        backend = self._of()
        for target_group in self._target_groups(group):
            health = backend.elbv2_backend.describe_target_health(target_group.arn, [{"Id": instance_id}])
            if any(each.status == "draining" for each in health):
                return True
        return False

    def notify(self, target: str, message: Mapping[str, Any]) -> None:
        """Send a message to a queue or a topic."""
        service, name = target.split(":")[2], target.rpartition(":")[2]
        text = json.dumps(message)
        if service == "sqs":
            url = self._client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
            self._client("sqs").send_message(QueueUrl=url, MessageBody=text)
        else:
            self._client("sns").publish(TopicArn=target, Message=text)

    def _target_groups(self, group: Any) -> list[Any]:
        known = self._of().elbv2_backend.target_groups
        return [known[arn] for arn in group.target_group_arns or () if arn in known]

    def _classic_balancers(self, group: Any) -> list[Any]:
        known = self._of().elb_backend.load_balancers
        return [known[name] for name in group.load_balancer_names or () if name in known]

    def _subnet(self, group: Any, zone: str) -> str | None:
        if not group.vpc_zone_identifier:
            return None
        subnets = self._of().ec2_backend.describe_subnets(subnet_ids=group.vpc_zone_identifier.split(","))
        return next(str(subnet.id) for subnet in subnets if subnet.availability_zone == zone)


def _template(group: Any) -> dict[str, str] | None:
    template = group.ec2_launch_template
    if template is None:
        return None
    return {"LaunchTemplateId": template.id, "Version": str(template.get_version(group.launch_template_version).number)}
