"""Whether alarms end a deployment (AWS: "Monitoring deployments with CloudWatch alarms in CodeDeploy").

Only an alarm that is in ALARM ends it. INSUFFICIENT_DATA does not: a new alarm begins so, and many rest so. An alarm
that cannot be read is no alarm at rest: unless the configuration says otherwise (``ignorePollAlarmFailure``), a
deployment does not go on blind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tidegate.model.decisions import Decision
from tidegate.model.deployment import ErrorCode
from tidegate.model.ledger import Closing

_ALARM = "ALARM"


def watched_alarms(override: Mapping[str, Any] | None, configured: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The alarms that a new deployment watches, as its item keeps them (``alarms``).

    Parameters
    ----------
    override : the call's ``overrideAlarmConfiguration``: where given, it takes the place of the group's as a whole, so
        that ``{"enabled": False}`` turns alarms off for this deployment (API: CreateDeployment)
    configured : the group's ``alarmConfiguration``

    Returns
    -------
    ``{"names": [...], "ignorePollFailure": bool}``, or None where nothing is watched.

    >>> watched_alarms({"enabled": False}, {"enabled": True, "alarms": [{"name": "errors"}]})
    >>> watched_alarms(None, {"enabled": True, "alarms": [{"name": "errors"}]})
    {'names': ['errors'], 'ignorePollFailure': False}
    """
    found = override or configured or {}
    names = [each["name"] for each in found.get("alarms") or ()]
    if not found.get("enabled") or not names:
        return None
    return {"names": names, "ignorePollFailure": bool(found.get("ignorePollAlarmFailure"))}


def alarm_closing(names: Sequence[str], states: Mapping[str, str], now: float) -> Closing | None:
    """The stop condition where any of the alarms is in ALARM.

    Parameters
    ----------
    names : the alarms that the deployment watches
    states : state by name, of those that exist: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``
    """
    active = [name for name in names if states.get(name) == _ALARM]
    if not active:
        return None
    # Tools read the names in this form: each in angle brackets, with a space between.
    listed = " ".join(f"<{name}>" for name in active)
    reason = f"{len(active)} of the {len(names)} alarms that the deployment watches are in ALARM: {listed}"
    if len(active) == 1:
        reason = f"An alarm that the deployment watches is in ALARM: {listed}"
    return Closing("Stopped", ErrorCode.ALARM_ACTIVE, reason, now)


def unread(why: str) -> str:
    """Why a deployment ends whose alarms cannot be read; ``why`` says what stands in the way."""
    return (
        f"The state of the deployment's alarms cannot be read: {why.rstrip('.')}. Mend that, or set "
        "'ignorePollAlarmFailure' in the alarm configuration to go on without knowing."
    )


def going_on_unread(why: str, cause: str, told: Collection[str]) -> Decision | None:
    """What the history says of a deployment that goes on although its alarms cannot be read.

    Parameters
    ----------
    why : what stands in the way; it may be worded differently each time
    cause : a constant for it
    told : the causes that the history tells of already; None is returned for these
    """
    if cause in told:
        return None
    reason = (
        f"The state of the deployment's alarms cannot be read: {why.rstrip('.')}. It goes on without knowing, since "
        "'ignorePollAlarmFailure' is set."
    )
    return Decision("Alarms", "ALARMS_UNREAD", reason, {"cause": cause})


def missing_alarms(names: Sequence[str], states: Mapping[str, str]) -> str:
    """A sentence's part that names the alarms which do not exist; empty where all do.

    >>> missing_alarms(["a", "b"], {"a": "OK"})
    'there is no alarm <b>'
    """
    gone = [name for name in names if name not in states]
    return f"there is no alarm {' '.join(f'<{name}>' for name in gone)}" if gone else ""
