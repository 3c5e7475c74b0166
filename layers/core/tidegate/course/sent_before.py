"""Commands that were sent and are not in the ledger: whoever sent them died before it was written.

A flight is written down before its command is sent, and its key stands in the command's comment. So before a flight is
sent, and before it is given up as one that could not be sent, Systems Manager is asked what was sent for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tidegate.rollout.dispatch import Dispatch, adopted, dispatched
from tidegate.rollout.observe import stays_away
from tidegate.rollout.traffic import commands_of

if TYPE_CHECKING:
    from typing import Any

    from tidegate.gateways.run_command import Sent
    from tidegate.model.ledger import Flight, Ledger, Roster
    from tidegate.rollout import Rules
    from tidegate.runtime import Runtime


class SentBefore:
    """What was sent for flights of a deployment that are to be commanded.

    Parameters
    ----------
    flights : without a command, as the ledger has them; Systems Manager is not asked where there are none
    """

    def __init__(
        self, deployment: Mapping[str, Any], flights: Sequence[Flight], roster: Roster, runtime: Runtime
    ) -> None:
        self._deployment_id, self._clock = deployment["deploymentId"], runtime.clock
        since = min((flight.begun_at for flight in flights), default=None)
        self._sent = {} if since is None else runtime.run_command.sent_since(since, made_for(deployment))
        self._positions = {member.node_id: i for i, member in enumerate(roster.members) if member.node_id}

    def comment(self, flight: Flight) -> str:
        """The comment of a flight's command."""
        return f"tidegate {self._deployment_id} {flight.key}"

    def found(self, flight: Flight) -> list[Flight]:
        """The flight's targets by the commands that were sent to them before."""
        return self.sent(flight, self._sent.get(self.comment(flight), ()), self._clock())

    def sent(self, flight: Flight, commands: Sequence[Sent], now: float) -> list[Flight]:
        """The flight's targets by commands that were sent to them just now."""
        return adopted(flight, [(each.command_id, each.target_ids) for each in commands], self._positions, now)


def made_for(deployment: Mapping[str, Any]) -> str:
    """The operating system that a deployment's revision is for: ``linux`` or ``windows``."""
    return str(json.loads(deployment["appspec"])["os"])


def with_sent_before(
    deployment: Mapping[str, Any], ledger: Ledger, rules: Rules, now: float, runtime: Runtime
) -> Ledger:
    """The ledger with the commands of flights that would be given up now, where they were sent after all."""
    late = [flight for flight in ledger.flights if stays_away(ledger, flight, rules, now)]
    if not late:
        return ledger
    roster = runtime.ledgers.roster(deployment["deploymentId"], ledger.roster)
    before = SentBefore(deployment, late, roster, runtime)
    after, _ = dispatched(ledger, [Dispatch(flight, before.found(flight)) for flight in late], now)
    fresh = [flight for flight in commands_of(after.flights) if flight not in ledger.flights]
    runtime.commands.record(deployment["deploymentId"], fresh)
    return after
