"""SendCommands: send what was written down and has no command yet; find what was sent and not written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from tidegate.course.sent_before import SentBefore, made_for
from tidegate.gateways.errors import BalancerFault, FleetFault
from tidegate.model.balancers import from_items
from tidegate.model.cells import Outcome
from tidegate.model.decisions import Decision
from tidegate.model.deployment import MOST_MEMBERS, MOST_UNPACKED_BYTES, RESTART
from tidegate.model.group_copy import Provisioning
from tidegate.model.ledger import Closing, Flight, Ledger, Roster
from tidegate.model.legs import Stage, StageKind
from tidegate.rollout.dispatch import Dispatch, dispatched, refused, remaining, why_not, withdrawn
from tidegate.rollout.traffic import begun, commands_of
from tidegate.runtime import Runtime, State, step
from tidegate.settings import stage_limit

_BUNDLE_GRACE = 3600  # a bundle may be fetched after the previous revision's ApplicationStop, which may take an hour


def run(state: State, runtime: Runtime) -> State:
    """Give every flight without a command one, as far as its hosts can be reached."""
    deployment = runtime.own_deployment(state)
    if deployment is None:
        return {**state, "verdict": "FENCED"}
    deployment_id = state["deploymentId"]
    loaded = runtime.ledgers.load(deployment_id)
    if loaded is None or not any(flight.unsent for flight in loaded.ledger.flights):
        return state
    roster = runtime.ledgers.roster(deployment_id, loaded.ledger.roster)
    ledger, decisions = send_all(deployment, loaded.ledger, roster, runtime)
    fresh = [f for f in commands_of(ledger.flights) if f not in loaded.ledger.flights]
    runtime.commands.record(deployment_id, fresh)
    if given_up := set(ledger.positions(Outcome.SKIPPED)) - set(loaded.ledger.positions(Outcome.SKIPPED)):
        # A pass that died may have told that they failed, since their time was over; they have been given more of it.
        runtime.targets.take_back(deployment, roster.ids(sorted(given_up)))
    runtime.ledgers.commit(deployment_id, state["generation"], loaded, ledger, decisions, runtime.clock())
    return state


def send_all(
    deployment: Mapping[str, Any], ledger: Ledger, roster: Roster, runtime: Runtime
) -> tuple[Ledger, list[Decision]]:
    """The ledger with its unsent flights sent, refused, withdrawn or left for the next pass."""
    unsent = [flight for flight in ledger.flights if flight.unsent]
    before = SentBefore(deployment, [f for f in unsent if ledger.stage(f).kind.on_host], roster, runtime)
    results: list[Dispatch] = []
    faults: list[BalancerFault | FleetFault] = []
    for flight in unsent:
        if not ledger.stage(flight).kind.on_host:
            results.append(_turn(deployment, ledger.stage(flight), flight, roster, runtime, faults))
            continue
        done = before.found(flight)
        left = remaining(flight, done)
        if left is None:
            results.append(Dispatch(flight, done))
        elif ledger.closing is not None and flight.begins:
            results.append(withdrawn(flight, done))
        elif deployment.get("stop") and flight.begins:
            continue  # asked since the verdict: nothing new is begun, and the next pass concludes it
        else:
            results.append(_send(deployment, ledger.stage(flight), left, done, roster, before, runtime))
    after, decisions = dispatched(ledger, results, runtime.clock())
    if faults and after.closing is None:
        closing = Closing("Failed", faults[0].code, faults[0].message, runtime.clock())
        return replace(after, closing=closing), [*decisions, Decision("Verdict", closing.code, closing.reason)]
    return after, decisions


def _turn(
    deployment: Mapping[str, Any],
    stage: Stage,
    flight: Flight,
    roster: Roster,
    runtime: Runtime,
    faults: list[BalancerFault | FleetFault],
) -> Dispatch:
    """Ask the balancers to take a flight's targets out, or in, or end them; asking twice does no harm.

    What balancers or Auto Scaling refuse goes into ``faults``: the targets fail, and the deployment ends.
    """
    ids = roster.ids(flight.positions)
    try:
        if stage.kind is StageKind.TERMINATE:
            return _end(deployment, flight, roster, runtime)
        balancers = from_items(deployment["balancers"])
        if stage.kind is StageKind.BLOCK:
            runtime.balancers.block(balancers, ids)
        else:
            runtime.balancers.allow(balancers, ids)
    except (BalancerFault, FleetFault) as fault:
        faults.append(fault)
        return Dispatch(flight, refused(flight, flight.positions, fault.message))
    return Dispatch(flight, [begun(flight, runtime.clock())])


def _end(deployment: Mapping[str, Any], flight: Flight, roster: Roster, runtime: Runtime) -> Dispatch:
    """End the instances of a flight; those that must not be ended fail, each with the reason.

    An Auto Scaling group that was copied ends with them, and others are emptied, lest they launch more in their place.
    """
    if copied := Provisioning.of(deployment):
        runtime.scaling_groups.delete(copied.source)
        return Dispatch(flight, [begun(flight, runtime.clock())])
    for name in deployment["selection"]["from"].get("autoScalingGroups", ()):
        runtime.scaling_groups.resize(name, 0, 0)
    reasons = runtime.terminations.end(roster.ids(flight.positions))
    kept = {p: reasons[roster.members[p].target_id] for p in flight.positions if roster.members[p].target_id in reasons}
    ended = tuple(p for p in flight.positions if p not in kept)
    done = [begun(replace(flight, positions=ended), runtime.clock())] if ended else []
    return Dispatch(flight, [*done, *_refusals(flight, kept)])


def _refusals(flight: Flight, reasons: Mapping[int, str]) -> list[Flight]:
    """The targets of a flight that have a reason not to go, those of one reason together."""
    return [
        each
        for why in sorted(set(reasons.values()) - {""})
        for each in refused(flight, [p for p in reasons if reasons[p] == why], why)
    ]


def _send(
    deployment: Mapping[str, Any],
    stage: Stage,
    flight: Flight,
    done: list[Flight],
    roster: Roster,
    before: SentBefore,
    runtime: Runtime,
) -> Dispatch:
    """Send to those hosts of a flight that may be commanded and can be reached."""
    system = made_for(deployment)
    reasons = {p: why_not(roster.members[p], runtime.settings.opt_in_tag) for p in flight.positions}
    allowed = roster.node_ids(p for p in flight.positions if not reasons[p])
    reachable = runtime.run_command.reachable(allowed)
    foreign = {p: reachable.get(roster.members[p].node_id, system) != system for p in flight.positions}
    reasons = {p: why or (foreign_reason(system) if foreign[p] else "") for p, why in reasons.items()}
    to = [node_id for node_id in allowed if reachable.get(node_id) == system]
    sent: list[Flight] = []
    if to:
        order = publish(deployment, stage, flight, runtime)
        now = runtime.clock()
        delivery = int(runtime.settings.undelivered_after)
        commands = runtime.run_command.send(to, order, before.comment(flight), delivery, system)
        sent = before.sent(flight, commands, now)
    return Dispatch(flight, [*done, *sent, *_refusals(flight, reasons)])


def foreign_reason(system: str) -> str:
    """Why a host that runs another system than the revision is made for gets no command."""
    return (
        f"unsupported operating system ({system}): the revision's AppSpec file is made for it, and Systems Manager "
        "says that the instance runs another one. Deploy a revision that is made for the instance, or take it out of "
        "the deployment group."
    )


def publish(deployment: Mapping[str, Any], stage: Stage, flight: Flight, runtime: Runtime) -> str:
    """Write the flight's order (``docs/host-contract.md``) and return the command's parameter."""
    settings, orders = runtime.settings, runtime.orders
    delivery = int(settings.undelivered_after)
    events = stage.events or deployment["events"]
    whole_stage = int(delivery + stage_limit(deployment.get("hookSeconds") or {}, events, settings.host_event))
    order: dict[str, Any] = {
        "schema": 1,
        "mode": flight.purpose.value,
        "stage": stage.name,
        "events": list(events),
        "deploymentType": deployment.get("deploymentStyle", {}).get("deploymentType", "IN_PLACE"),
        "deploymentCreator": deployment["creator"],
        "ignoreApplicationStopFailures": bool(deployment.get("ignoreApplicationStopFailures")),
        "fileExistsBehavior": deployment.get("fileExistsBehavior", "DISALLOW"),
        "revision": deployment["location"],
        **_source(deployment, runtime),
        "appspec": json.loads(deployment["appspec"]),
        "runner": orders.runner(delivery + 60, made_for(deployment)),
        "progress": orders.progress_grant(deployment["deploymentId"], whole_stage),
        "limits": {"maxRevisions": 5, "maxUnpackedBytes": MOST_UNPACKED_BYTES, "maxMembers": MOST_MEMBERS},
    }
    for name in ("deploymentId", "applicationName", "deploymentGroupName", "deploymentGroupId"):
        order[name] = deployment[name]
    return orders.publish(f"orders/{deployment['deploymentId']}/{flight.key}.json", order, delivery)


def _source(deployment: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Where the revision comes from: a bundle, or what is on the host already."""
    if deployment.get("deploymentMode") == RESTART:
        return {"bundle": {}, "deploymentMode": RESTART, "restartOf": deployment["restartOf"]}
    bundle = deployment["bundle"]
    return {
        "bundle": {
            "url": runtime.orders.url(bundle["key"], int(runtime.settings.undelivered_after) + _BUNDLE_GRACE),
            "type": bundle["type"],
            "size": bundle["size"],
            "sha256": bundle["sha256"],
            "objectEtag": bundle.get("etag", ""),  # absent from deployments that an earlier release validated
        }
    }


handler = step(Logger(), run, cache(Runtime))
