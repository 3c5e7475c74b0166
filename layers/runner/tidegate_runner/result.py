"""The one line a command prints: the host contract's result, cut to what SSM passes on whole."""

import json
from typing import Any, Dict, List, Optional

LONGEST_LINE = 2000
_LONGEST_SCRIPT_NAME = 200
_CUT = "..."


def result_document(
    deployment: str,
    target: str,
    stage: str,
    status: str,
    events: List[List[Any]],
    diagnostics: Optional[Dict[str, str]] = None,
) -> Dict[str, Any]:
    document: Dict[str, Any] = {
        "tidegate": 1,
        "deployment": deployment,
        "target": target,
        "stage": stage,
        "status": status,
        "events": events,
    }
    if diagnostics is not None:
        document["diagnostics"] = diagnostics
    return document


def diagnostics_of(event: str, error_code: str, script_name: str, message: str, log_tail: str) -> Dict[str, str]:
    return {
        "event": event,
        "errorCode": error_code,
        "scriptName": script_name,
        "message": message,
        "logTail": log_tail,
    }


def result_line(document: Dict[str, Any], limit: int = LONGEST_LINE) -> str:
    """Write a result as one ASCII line of at most `limit` characters.

    The log tail gives way first (its newest part stays), then the message (its beginning stays).
    """
    line = _dump(document)
    diagnostics = document.get("diagnostics")
    if len(line) <= limit or diagnostics is None:
        return line
    cut = dict(diagnostics)
    cut["scriptName"] = _end_of(cut.get("scriptName", ""), _LONGEST_SCRIPT_NAME)
    for field, keep in (("logTail", _end_of), ("message", _beginning_of)):
        text = cut.get(field, "")
        room = limit - len(_dump(dict(document, diagnostics=dict(cut, **{field: ""}))))
        cut[field] = keep(text, max(room, 0))
    return _dump(dict(document, diagnostics=cut))


def _dump(document: Dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _escaped_length(text: str) -> int:
    return len(json.dumps(text)) - 2


def _beginning_of(text: str, room: int) -> str:
    if _escaped_length(text) <= room:
        return text
    room -= len(_CUT)
    if room < 0:
        return ""
    kept: List[str] = []
    for character in text:
        room -= _escaped_length(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + _CUT


def _end_of(text: str, room: int) -> str:
    if _escaped_length(text) <= room:
        return text
    return _beginning_of(text[::-1], room)[::-1]
