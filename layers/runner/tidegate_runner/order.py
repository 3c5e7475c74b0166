"""The order: what one command tells this host to do. Read once, checked before anything is touched."""

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional

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
    "lockWaitSeconds": 300,
}
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
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else None
        raise OrderError("The order has schema %r; this runner understands schema %d." % (found, SCHEMA))
    for name, kind in _ORDER_FIELDS:
        if not isinstance(document.get(name), kind):
            raise OrderError("The order's field %s is missing or not a %s." % (name, kind.__name__))
    _check_values(document)
    return _build(document)


def _check_values(document: Dict[str, Any]) -> None:
    if document["mode"] not in ("run", "report"):
        raise OrderError("The order's mode is %r; run or report is expected." % document["mode"])
    for name in ("deploymentId", "stage", "deploymentGroupId"):
        # These become names of files, so nothing else is let through.
        if not _SAFE_NAME.fullmatch(document[name]):
            raise OrderError("The order's field %s holds %r, which cannot name a file." % (name, document[name]))
    for name in ("url", "sha256"):
        if not isinstance(document["bundle"].get(name), str):
            raise OrderError("The order's field bundle.%s is missing or not text." % name)
    for event in document["events"]:
        if event not in EVENTS:
            raise OrderError("The order names the event %r, which hosts do not run." % (event,))
    if len(set(document["events"])) != len(document["events"]) or not document["events"]:
        raise OrderError("The order's events must be at least one, each once.")


def _build(document: Dict[str, Any]) -> Order:
    limits = dict(_DEFAULT_LIMITS)
    limits.update({name: int(value) for name, value in (document.get("limits") or {}).items()})
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
        limits=limits,
    )
