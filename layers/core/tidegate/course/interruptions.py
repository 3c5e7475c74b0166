"""What ends a deployment from outside: somebody stops it, or an alarm that it watches is active."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tidegate.gateways.alarms import AlarmsUnreadError
from tidegate.gateways.errors import GatewayError
from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing
from tidegate.rollout.alarms import alarm_closing, going_on_unread, missing_alarms, unread

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

_log = logging.getLogger(__name__)
_TOLD: Final = "alarmsUnread"  # the deployment's attribute: causes that its history tells of


@dataclass(frozen=True, slots=True)
class Interruption:
    """What came from outside: why a deployment is to end, or what its history is to say, as it goes on unwarned."""

    closing: Closing | None = None
    decision: Decision | None = None


def interruption(deployment: Mapping[str, Any], runtime: Runtime, now: float) -> Interruption:
    """Whether a deployment is to end, since somebody asked for it or one of its alarms is active.

    Asked before anything is begun, in each pass.

    Raises
    ------
    AlarmsUnreadError, ServiceRoleError
        Its alarms cannot be read, and it may not go on without: the step is to be tried again.
    """
    if stop := deployment.get("stop"):
        reason = f"The deployment was stopped by {stop.get('by') or 'a user'}."
        return Interruption(Closing("Stopped", ErrorCode.MANUAL_STOP, reason, now))
    if not (watched := deployment.get("alarms")):
        return Interruption()
    names = watched["names"]
    states: dict[str, str] = {}
    try:
        states = runtime.alarms.states(names)
        why = cause = missing_alarms(names, states)
    except GatewayError as error:
        if isinstance(error, ServiceRoleError) and not watched["ignorePollFailure"]:
            raise  # the deployment ends with the role's own code
        why, cause = str(error), type(error).__name__
    if (closing := alarm_closing(names, states, now)) is not None:
        return Interruption(closing)
    if not why:
        return Interruption()
    if not watched["ignorePollFailure"]:
        # Raised, so that it is tried again with the patience that every step has before the deployment ends.
        raise AlarmsUnreadError(unread(why))
    _log.warning("alarms cannot be read: %s", why)
    return Interruption(decision=going_on_unread(why, cause, deployment.get(_TOLD, ())))


def note_told(deployment: Mapping[str, Any], told: Decision | None, runtime: Runtime) -> None:
    """Remember the cause that the history tells of now, so that it does so once.

    Written after the history: who dies between the two tells it once more, and never not at all.
    """
    if told is not None:
        causes = {*deployment.get(_TOLD, ()), told.facts["cause"]}
        changes = {_TOLD: causes}
        runtime.deployments.amend(deployment["deploymentId"], changes, generation=deployment["generation"])
