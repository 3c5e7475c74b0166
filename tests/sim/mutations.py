"""Faults put into the real code by name, to see that the simulation finds them."""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"


@dataclass(frozen=True)
class Mutation:
    """A piece of a function's source in place of another.

    Attributes
    ----------
    where : ``module:function`` or ``module:Class.method``
    old, new : the piece as it stands there, once, and what takes its place
    """

    name: str
    where: str
    old: str
    new: str

    @property
    def found_by(self) -> int:
        """A seed that has found it."""
        return FOUND_BY.get(self.name, 0)

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put it into the code, wherever the function is known by name."""
        for path in FUNCTIONS.glob("*/app.py"):  # one imported later would keep the fault when it is taken out again
            importlib.import_module(f"functions.{path.parent.name}.app")
        module_name, _, path = self.where.partition(":")
        module = importlib.import_module(module_name)
        owner: Any = module
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        original = getattr(owner, name)
        source = textwrap.dedent(inspect.getsource(original))
        assert source.count(self.old) == 1, f"{self.name}: {self.old!r} stands {source.count(self.old)} times in {path}"
        made: dict[str, Any] = {}
        code = "from __future__ import annotations\n" + source.replace(self.old, self.new)
        exec(compile(code, f"<{self.name}>", "exec"), vars(module), made)
        if outer:
            monkeypatch.setattr(owner, name, made[name])
            return
        for other in list(sys.modules.values()):
            if getattr(other, "__name__", "").startswith(("tidegate.", "functions.")):
                for alias in [alias for alias, value in vars(other).items() if value is original]:
                    monkeypatch.setattr(other, alias, made[name])


_CORE, _STORE = "tidegate.rollout", "tidegate.store"
MUTATIONS = (
    Mutation("one too many out", f"{_CORE}.pick:room", "minimum - census.in_flight", "minimum + 1 - census.in_flight"),
    Mutation(
        "one healthy host too many out",
        f"{_CORE}.pick:room",
        "census.available - minimum",
        "census.available + 1 - minimum",
    ),
    Mutation(
        "minimum rounded down", f"{_CORE}.plan:minimum_healthy", "-(-total * value // 100)", "total * value // 100"
    ),
    Mutation("order without health", f"{_CORE}.plan:origin", "if not candidate.healthy:", "if candidate.healthy:"),
    Mutation(
        "zones without a minimum",
        f"{_CORE}.way:zone_legs",
        "keep=(Constraint(0, total, minimum), own)",
        "keep=(Constraint(0, total, minimum),)",
    ),
    Mutation("zones not watched", f"{_CORE}.way:zone_legs", "wait=zonal.wait_before(number)", "wait=None"),
    Mutation("end before hosts have answered", f"{_CORE}.judge:_closing_verdict", "census.in_flight == 0", "True"),
    Mutation(
        "no answer taken for success",
        f"{_CORE}.observe:_Pass._answered",
        'report.status == "Succeeded"',
        'report.status != "Failed"',
    ),
    Mutation(
        "free to schedule again",
        f"{_CORE}.observe:_Pass._fresh_flights",
        "(Purpose.REPORT, stage, asked)",
        "(Purpose.RUN, stage, asked)",
    ),
    Mutation("drain not waited for", f"{_CORE}.traffic:traffic_sightings", "if target_id in left", "if not target_id"),
    Mutation("heartbeat of an hour", f"{_CORE}.judge:next_look", "return min(look + 1", "return 3600 + min(look + 1"),
    Mutation("looks only when told", f"{_CORE}.observe:to_look_at", "return urgent + rest", "return urgent"),
    Mutation(
        "failed host noted healthy",
        f"{_STORE}.targets:Targets._health",
        '"healthy": succeeded, **',
        '"healthy": True, **',
    ),
    Mutation("forgotten lock", f"{_STORE}.beginnings:beginning", ', AttributeAbsent("live"))', ")"),
    Mutation(
        "lock lost to a rollback",
        f"{_STORE}.endings:Ending._of_group",
        'changes["live"], remove = self.rollback["deploymentId"], ()',
        "pass",
    ),
    Mutation("lock never released", f"{_STORE}.endings:Ending._of_group", '("live",)', "()"),
    Mutation(
        "two writers of the ledger",
        f"{_STORE}.ledgers:Ledgers.commit",
        'Equals("version", before.version),',
        'Equals("SK", "LEDGER"),',
    ),
    Mutation(
        "decisions overwritten", f"{_STORE}.ledgers:number_decisions", "decisions=first + len(puts)", "decisions=first"
    ),
    Mutation(
        "stop lost",
        f"{_STORE}.deployments:Deployments.request_stop",
        'set_if_absent={"stop": stop}',
        'set_if_absent={"stopped": stop}',
    ),
    Mutation("skipped recheck before a batch", "functions.pick_batch.app:run", 'deployment.get("stop")', "False"),
    Mutation(
        "sent though somebody has stopped it", "functions.send_commands.app:send_all", 'deployment.get("stop")', "False"
    ),
    Mutation(
        "sent again after a death",
        "tidegate.course.sent_before:SentBefore.found",
        "self._sent.get(self.comment(flight), ())",
        "()",
    ),
    Mutation(
        "another fleet shown",
        "functions.select_targets.app:run",
        "ledger, roster = known.ledger, runtime.ledgers.roster(deployment_id, known.ledger.roster)",
        "pass",
    ),
    Mutation(
        "end without a ledger",
        "tidegate.course.ending:_tell",
        "if not runtime.ledgers.create(deployment_id, settled, roster, generation, items):",
        "if runtime.table.write_many(items):",
    ),
    Mutation(
        "followed up while it waits",
        "tidegate.scaling.follow_ups:_let_go",
        'if states.get(each) != "Pending:Wait"',
        "",
    ),
    Mutation(
        "stop acknowledged too late",
        "tidegate.course.ending:end_deployment",
        "runtime.deployments.begin_ending(deployment_id, generation)",
        "runtime.deployments.get(deployment_id)",
    ),
    Mutation(
        "suspended by a step that is late",
        "tidegate.scaling.process_suspension:suspend_processes",
        "if item.get(ENDING):",
        "if False:",
    ),
    Mutation(
        "two waits of a second taken for one",
        "tidegate.scaling.lifecycle_actions:_is_repeat",
        "seems_so and _goes_the_same_way(of_known, action)",
        "seems_so",
    ),
    Mutation(
        "one wait taken for two",
        "tidegate.scaling.lifecycle_actions:_goes_the_same_way",
        "one.transition is Transition.TERMINATING or into_pool[0] == into_pool[1]",
        "one.destination == other.destination",
    ),
    Mutation(
        "order not expiring",
        "functions.send_commands.app:publish",
        '.json", order, delivery)',
        '.json", order, delivery + 3600)',
    ),
    Mutation(
        "report forgotten",
        "functions.evaluate_health.app:write_rows",
        "[row for row, end in zip(rows, done, strict=True) if end]",
        "[]",
    ),
    Mutation("end told twice", "tidegate.course.ending:_tell", "if before.ledger.settled:", "if not before:"),
    Mutation(
        "skipped targets not shown",
        "tidegate.course.ending:end_deployment",
        "runtime.targets.show(deployment_id, skipped, now)",
        "pass",
    ),
    Mutation(
        "rollback to the failed revision",
        f"{_STORE}.deployment_items:rollback_deployment",
        '"revisionKey": last_good["revisionKey"]',
        '"revisionKey": failed["revisionKey"]',
    ),
    Mutation(
        "replacement installed all at once",
        f"{_CORE}.way:blue_green_legs",
        'keep = (Constraint(0, green, minimum, "the replacement fleet"),)',
        'keep = (Constraint(0, green, 0, "the replacement fleet"),)',
    ),
    Mutation(
        "originals out all at once",
        f"{_CORE}.way:blue_green_legs",
        "Constraint(green, last, blue_minimum,",
        "Constraint(green, last, 0,",
    ),
    Mutation("one original failed, and others go", f"{_CORE}.way:blue_green_legs", ", strict=True", ""),
    Mutation("traffic moves uncalled", f"{_CORE}.way:blue_green_legs", "how.ready_wait is None", "True"),
    Mutation("originals not kept", f"{_CORE}.way:blue_green_legs", "how.terminate_after)\n", "0)\n"),
    Mutation(
        "replacement without order",
        f"{_CORE}.blue_green:plan_blue_green",
        "key=lambda c: (origin(c, last_good), c.target_id)",
        "key=lambda c: c.target_id",
    ),
    Mutation(
        "traffic back to nobody",
        f"{_CORE}.way:traffic_back_legs",
        "Constraint(0, blue, max(1, blue_minimum),",
        "Constraint(0, blue, 0,",
    ),
    Mutation(
        "suspended for good",
        "tidegate.scaling.process_suspension:resume_processes",
        '(deployment.get("suspended") or {})',
        "{}",
    ),
    Mutation(
        "group keeps its originals",
        f"{_STORE}.endings:Ending._moved",
        'self.status != "Succeeded" or',
        'self.status == "Succeeded" or',
    ),
    Mutation(
        "copy ended in place of its original",
        "functions.send_commands.app:_end",
        "runtime.scaling_groups.delete(copied.source)",
        "runtime.scaling_groups.delete(copied.copy)",
    ),
    Mutation(
        "original stays attached",
        "tidegate.scaling.late_originals:take_late_originals_out",
        "runtime.scaling_groups.detach(name, attached_to(group, balancers))",
        "pass",
    ),
    Mutation(
        "latecomers keep their traffic",
        "tidegate.scaling.late_originals:take_late_originals_out",
        "runtime.balancers.block(balancers, late)",
        "pass",
    ),
    Mutation(
        "copy of another size",
        "tidegate.scaling.provisioning:provision",
        "resize(wanted.copy, wanted.minimum, wanted.desired)",
        "resize(wanted.copy, wanted.minimum, wanted.desired + 1)",
    ),
    Mutation(
        "hook left when it is switched off",
        "tidegate.model.scaling:stray_hooks",
        "if after.get(scaling_group, {}).get(member) != name",
        "if scaling_group not in after",
    ),
    Mutation(
        "outdated out of the warm pool",
        "tidegate.scaling.lifecycle_actions:_is_worth_deploying",
        'or known.revision_key != good["revisionKey"]',
        "",
    ),
    Mutation(
        "processes not suspended first",
        "functions.select_targets.app:run",
        "suspend_processes(deployment, group, runtime)",
        "pass",
    ),
    Mutation(
        "others' processes resumed",
        "tidegate.scaling.process_suspension:_to_suspend",
        "if each not in found[name].suspended",
        "",
    ),
    Mutation(
        "deregistered, and deployed to",
        f"{_STORE}.onpremises:OnPremisesInstances.registered",
        'if item["status"] == REGISTERED',
        'if item["status"]',
    ),
    Mutation(
        "health of an earlier machine",
        "tidegate.layout.fleets:_on_premises",
        ' and health[name].time >= item["registerTime"]',
        "",
    ),
    Mutation(
        "on-premises instances behind balancers",
        f"{_CORE}.traffic:cannot_be_balanced",
        "if not names or not balanced:",
        "if True:",
    ),
    Mutation("instance lock never released", f"{_STORE}.scaled_groups:lock_released", 'remove=("live",)', "remove=()"),
    Mutation(
        "ABANDON told as CONTINUE",
        "tidegate.model.scaling:let_go",
        'bool(deployment["status"] == "Succeeded")',
        'bool(deployment["status"] != "Created")',
    ),
    Mutation(
        "second deployment for a doubled event",
        "tidegate.scaling.lifecycle_actions:_is_repeat",
        'lock["key"] == action.key and not action.found',
        "not lock",
    ),
    Mutation(
        "waiting instances not swept",
        "tidegate.scaling.waiting_instances:_swept",
        "if action is None:",
        "if action is None or action.found:",
    ),
    Mutation(
        "newcomers not followed up",
        "tidegate.scaling.follow_ups:_follow_up",
        "if not newcomers:",
        'if not newcomers or ended["creator"] != "CodeDeployAutoUpdate":',
    ),
    Mutation(
        "failed copies not held",
        "tidegate.scaling.process_suspension:hold_copy",
        "runtime.lifecycle_hooks.suspend(wanted.copy, HELD)",
        "pass",
    ),
    Mutation(
        "newcomers forgotten when a user's deployment fails",
        "tidegate.scaling.follow_ups:_follow_up",
        'if "scaling" in ended and',
        'if ended["status"] != "Succeeded" or "scaling" in ended and',
    ),
)

#: Seeds that have found them, tried first. Others do it, where what is drawn has changed since.
FOUND_BY = {
    "one too many out": 2,
    "one healthy host too many out": 50,
    "minimum rounded down": 2,
    "order without health": 0,
    "zones without a minimum": 15,
    "zones not watched": 27,
    "end before hosts have answered": 2,
    "no answer taken for success": 67,
    "free to schedule again": 1,
    "drain not waited for": 10,
    "heartbeat of an hour": 1,
    "looks only when told": 18,
    "failed host noted healthy": 1,
    "forgotten lock": 1,
    "lock lost to a rollback": 27,
    "lock never released": 0,
    "two writers of the ledger": 1,
    "decisions overwritten": 0,
    "stop lost": 2,
    "skipped recheck before a batch": 216,
    "sent though somebody has stopped it": 182,
    "sent again after a death": 10,
    "another fleet shown": 2179,
    "end without a ledger": 51309,
    "followed up while it waits": 50196,
    "stop acknowledged too late": 5026,
    "suspended by a step that is late": 11257,
    "two waits of a second taken for one": 303697,
    "one wait taken for two": 1549,
    "order not expiring": 26,
    "report forgotten": 1,
    "end told twice": 14,
    "skipped targets not shown": 0,
    "rollback to the failed revision": 1,
    "replacement installed all at once": 14,
    "originals out all at once": 14,
    "one original failed, and others go": 14,
    "traffic moves uncalled": 69,
    "originals not kept": 186,
    "replacement without order": 14,
    "traffic back to nobody": 51,
    "suspended for good": 2,
    "group keeps its originals": 14,
    "copy ended in place of its original": 81,
    "original stays attached": 69,
    "latecomers keep their traffic": 571,
    "copy of another size": 14,
    "hook left when it is switched off": 20,
    "outdated out of the warm pool": 30,
    "processes not suspended first": 2,
    "others' processes resumed": 2,
    "deregistered, and deployed to": 21,
    "health of an earlier machine": 21,
    "on-premises instances behind balancers": 80,
    "instance lock never released": 3,
    "ABANDON told as CONTINUE": 3,
    "second deployment for a doubled event": 238,
    "waiting instances not swept": 36,
    "newcomers not followed up": 55,
    "failed copies not held": 14,
    "newcomers forgotten when a user's deployment fails": 89,
}
