"""Warm pools ("Warm pools for applications with long boot times" of the Amazon EC2 Auto Scaling user guide)."""

from __future__ import annotations

from typing import Any

from tidegate_local.autoscaling.hooks import hold
from tidegate_local.autoscaling.lifecycle import LAUNCHING, Member, next_to_leave, pool_size, suspended
from tidegate_local.autoscaling.ports import Keeper


def fill(scaling: Keeper, group: Any) -> None:
    pool = group.warm_pool
    prepared = pool.max_group_prepared_capacity
    wanted = pool_size(
        int(pool.min_size or 0),
        None if prepared is None else int(prepared),
        group.max_size or 0,
        group.desired_capacity or 0,
    )
    warm = [each for each in group.instance_states if each.warm and not each.leaving]
    wanted -= sum(each.leaving and each.destination == "WarmPool" for each in group.instance_states)
    if len(warm) < wanted and not suspended(group, "Launch") and scaling.pause_left(group) <= 0:
        for _ in range(wanted - len(warm)):
            if not scaling.launch(group, warm=True):
                break
    if len(warm) > wanted and not suspended(group, "Terminate"):
        for member in next_to_leave(warm, (), len(warm) - wanted):
            scaling.begin_end(member, f"the warm pool is to hold {wanted} instances")


def leave(scaling: Keeper, member: Member) -> None:
    """From the warm pool into the group: launch hooks hold the instance once more."""
    group = member.auto_scaling_group
    member.warm, member.origin, member.destination = False, "WarmPool", "AutoScalingGroup"
    member.enter("Pending")
    member.activity = scaling.activities.begin(
        group, f"Launching a new EC2 instance from warm pool: {member.instance_id}", "The group needs an instance."
    )

    def start() -> None:
        scaling.services.power(member.instance_id, on=True)
        with scaling.lock:
            if not member.leaving:
                hold(scaling, member, LAUNCHING)
                scaling.advance(member)

    scaling.later(start)


def rest(scaling: Keeper, member: Member) -> None:
    """Leave an instance in the warm pool, in the pool's state; hibernated ones are stopped here."""
    pool = member.auto_scaling_group.warm_pool
    running = pool is not None and pool.pool_state == "Running"
    if not running:
        scaling.services.power(member.instance_id, on=False)
    member.enter("Running" if running else str(getattr(pool, "pool_state", "Stopped")))
