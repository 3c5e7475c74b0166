"""The order: what one command tells this host to do. Read once, checked before anything is touched."""

import json
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from tidegate_runner.errors import OrderError

SCHEMA = 1
EVENTS = (
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_DEFAULT_LIMITS = {
    "maxRevisions": 5,
    "maxUnpackedBytes": 20 * 1024**3,
    "maxMembers": 200000,
    "maxRatio": 0,  # not said: bundle.py's own
    "lockWaitSeconds": 300,
}
MODES = ("STANDARD", "RESTART")
_ORDER_FIELDS = (
    ("mode", str),
    ("deploymentId", str),
    ("stage", str),
    ("events", list),
    ("applicationName", str),
    ("deploymentGroupName", str),
    ("deploymentGroupId", str),
    ("revision", dict),
    ("bundle", dict),
    ("appspec", dict),
)


class Order(NamedTuple):
    """An order's fields, in Python's spelling of the contract's names."""

    mode: str
    deployment_id: str
    stage: str
    events: List[str]
    application_name: str
    group_name: str
    group_id: str
    deployment_creator: str
    deployment_type: str
    ignore_application_stop_failures: bool
    file_exists_behavior: str
    revision: Dict[str, Any]
    bundle: Dict[str, Any]
    appspec: Dict[str, Any]
    progress: Optional[Dict[str, Any]]
    limits: Dict[str, int]
    deployment_mode: str = "STANDARD"
    restart_of: str = ""
    by_hand: bool = False

    @property
    def is_restart(self) -> bool:
        return self.deployment_mode == "RESTART"


def target_of(environ: Mapping[str, str]) -> str:
    """Give the name under which Systems Manager sends orders to this host; empty where it does not say."""
    return environ.get("AWS_SSM_INSTANCE_ID", "")[:128]


def parse_order(data: bytes) -> Order:
    """Read and check an order.

    Raises
    ------
    OrderError
        When it is not an order this runner understands.
    """
    try:
        document = json.loads(data.decode("utf-8"))
    except ValueError:
        raise OrderError("The order is not JSON.") from None
    if not isinstance(document, dict):
        document = {}
    return read_order(document)


def read_order(document: Mapping[str, Any], by_hand: bool = False) -> Order:
    """Check an order that is an object already.

    Parameters
    ----------
    by_hand : bool
        The order is of somebody at this host: its bundle is a ``path``, and events of any name run scripts.

    Raises
    ------
    OrderError
        When it is not an order this runner understands.
    """
    if document.get("schema") != SCHEMA:
        found = document.get("schema")
        raise OrderError("The order has schema %r; this runner understands schema %d." % (found, SCHEMA))
    for name, kind in _ORDER_FIELDS:
        if not isinstance(document.get(name), kind):
            raise OrderError("The order's field %s is missing or not a %s." % (name, kind.__name__))
    _check_values(document)
    _check_bundle(document, by_hand)
    _check_events(document["events"], by_hand)
    return _build(document, by_hand)


def _check_values(document: Mapping[str, Any]) -> None:
    if document["mode"] not in ("run", "report"):
        raise OrderError("The order's mode is %r; run or report is expected." % document["mode"])
    for name in ("deploymentId", "stage", "deploymentGroupId"):
        # These become names of files, so nothing else is let through.
        if not _SAFE_NAME.fullmatch(document[name]):
            raise OrderError("The order's field %s holds %r, which cannot name a file." % (name, document[name]))
    mode = document.get("deploymentMode") or MODES[0]
    if mode not in MODES:
        raise OrderError("The order's deploymentMode is %r; STANDARD or RESTART is expected." % (mode,))
    restart_of = document.get("restartOf") or ""
    if restart_of and not (isinstance(restart_of, str) and _SAFE_NAME.fullmatch(restart_of)):
        raise OrderError("The order's field restartOf holds %r, which cannot name a file." % (restart_of,))


def _check_bundle(document: Mapping[str, Any], by_hand: bool) -> None:
    needed = ("path", "type") if by_hand else ("url", "sha256")
    if not by_hand and document.get("deploymentMode") == "RESTART" and not document["bundle"]:
        return  # a restart uses what is on the host already
    for name in needed:
        if not isinstance(document["bundle"].get(name), str):
            raise OrderError("The order's field bundle.%s is missing or not text." % name)


def _check_events(events: List[Any], by_hand: bool) -> None:
    for event in events:
        known = event in EVENTS or (by_hand and isinstance(event, str) and _SAFE_NAME.fullmatch(event))
        if not known:
            raise OrderError("The order names the event %r, which hosts do not run." % (event,))
    if len(set(events)) != len(events) or not events:
        raise OrderError("The order's events must be at least one, each once.")


def _limits(document: Mapping[str, Any]) -> Dict[str, int]:
    limits = dict(_DEFAULT_LIMITS)
    for name, value in (document.get("limits") or {}).items():
        least = 0 if name == "lockWaitSeconds" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise OrderError("The order's limit %s is %r; a whole number from %d is expected." % (name, value, least))
        limits[name] = value
    return limits


def _build(document: Mapping[str, Any], by_hand: bool) -> Order:
    return Order(
        mode=document["mode"],
        deployment_id=document["deploymentId"],
        stage=document["stage"],
        events=document["events"],
        application_name=document["applicationName"],
        group_name=document["deploymentGroupName"],
        group_id=document["deploymentGroupId"],
        deployment_creator=document.get("deploymentCreator") or "user",
        deployment_type=document.get("deploymentType") or "IN_PLACE",
        ignore_application_stop_failures=bool(document.get("ignoreApplicationStopFailures")),
        file_exists_behavior=(document.get("fileExistsBehavior") or "DISALLOW").upper(),
        revision=document["revision"],
        bundle=document["bundle"],
        appspec=document["appspec"],
        progress=document.get("progress"),
        limits=_limits(document),
        deployment_mode=document.get("deploymentMode") or MODES[0],
        restart_of=document.get("restartOf") or "",
        by_hand=by_hand,
    )
