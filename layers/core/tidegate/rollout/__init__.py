"""The pure core: plan, observe, judge, pick, roll back. Start at README.md beside this file."""

from tidegate.rollout.judge import Verdict, judge
from tidegate.rollout.observe import Observed, TargetChange, observe, to_look_at
from tidegate.rollout.pick import Batch, pick
from tidegate.rollout.plan import Candidate, Plan, minimum_healthy, plan
from tidegate.rollout.rollback import RollbackPlan, plan_rollback
from tidegate.rollout.rules import Rules

__all__ = [
    "Batch",
    "Candidate",
    "Observed",
    "Plan",
    "RollbackPlan",
    "Rules",
    "TargetChange",
    "Verdict",
    "judge",
    "minimum_healthy",
    "observe",
    "pick",
    "plan",
    "plan_rollback",
    "to_look_at",
]
