"""What ends a deployment from outside: somebody stops it, or an alarm that it watches is active."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidegate.gateways.alarms import AlarmsUnreadError
from tidegate.gateways.errors import GatewayError
from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing
from tidegate.rollout.alarms import alarm_closing, missing_alarms, unread

if TYPE_CHECKING:
    from tidegate.runtime import Runtime

_log = logging.getLogger(__name__)


def interruption(deployment: Mapping[str, Any], runtime: Runtime, now: float) -> Closing | None:
    """Why a deployment is to end, where somebody asked for it or one of its alarms is active.

    Asked before anything is begun, in each pass.

    Raises
    ------
    AlarmsUnreadError, ServiceRoleError
        Its alarms cannot be read, and it may not go on without: the step is to be tried again.
    """
    if stop := deployment.get("stop"):
        reason = f"The deployment was stopped by {stop.get('by') or 'a user'}."
        return Closing("Stopped", ErrorCode.MANUAL_STOP, reason, now)
    if not (watched := deployment.get("alarms")):
        return None
    names = watched["names"]
    states: dict[str, str] = {}
    try:
        states = runtime.alarms.states(names)
        why = missing_alarms(names, states)
    except GatewayError as error:
        if isinstance(error, ServiceRoleError) and not watched["ignorePollFailure"]:
            raise  # the deployment ends with the role's own code
        why = str(error)
    closing = alarm_closing(names, states, now)
    if why and closing is None and not watched["ignorePollFailure"]:
        # Raised, so that it is tried again with the patience that every step has before the deployment ends.
        raise AlarmsUnreadError(unread(why))
    if why:
        _log.warning("alarms cannot be read: %s", why)
    return closing
