"""Auto Scaling groups of local hosts: capacity, lifecycle hooks that really wait, warm pools."""

from tidegate_local.autoscaling.lifecycle import LAUNCHING, TERMINATING, Action, Member, ScalingError
from tidegate_local.autoscaling.service import AutoScaling

__all__ = ["LAUNCHING", "TERMINATING", "Action", "AutoScaling", "Member", "ScalingError"]
