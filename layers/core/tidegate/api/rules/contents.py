"""AppSpecs given in the call itself (API: RawString, AppSpecContent): their text and its sha256."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.model.names import PAYLOADS

_CODE: Final = "InvalidRevisionException"
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
#: The text is kept in one item of the table, which holds 400 KB.
_MOST_BYTES: Final = 256 << 10


def check_content(member: str, payload: Mapping[str, str], *, needed: bool) -> dict[str, str]:
    """A content with its sha256 in lower case, computed where it is absent and compared where it is given.

    Parameters
    ----------
    member
        ``string`` or ``appSpecContent``.
    needed
        Whether the text itself is needed; else its sha256 is enough, by which it is known.
    """
    content, given = payload.get("content"), payload.get("sha256")
    if given is not None and not _SHA256.fullmatch(given):
        raise ApiError(_CODE, f"'revision.{member}.sha256' must be 64 hexadecimal digits; not {given[:80]!r}.")
    if not content:
        if needed or given is None:
            also = "" if needed else f", or 'revision.{member}.sha256' of one that is registered"
            raise ApiError(_CODE, f"'revision.{member}.content' is missing; give the AppSpec's text{also}.")
        return {"sha256": given.lower()}
    try:
        data = content.encode()
    except UnicodeEncodeError:
        raise ApiError(_CODE, f"'revision.{member}.content' is not text that UTF-8 can hold.") from None
    if len(data) > _MOST_BYTES:
        message = f"'revision.{member}.content' may have {_MOST_BYTES} bytes; it has {len(data)}."
        raise ApiError(_CODE, message)
    actual = hashlib.sha256(data).hexdigest()
    if given is not None and given.lower() != actual:
        message = f"'revision.{member}.sha256' is not that of the content, which is {actual}."
        raise ApiError(_CODE, message)
    return {"content": content, "sha256": actual}


def without_content(location: Mapping[str, Any]) -> dict[str, Any]:
    """A location as deployments keep and show it: of an AppSpec given as text only the sha256.

    The text itself is kept once, with the revision.
    """
    member = PAYLOADS[location["revisionType"]]
    payload = {name: value for name, value in location[member].items() if name != "content"}
    return {"revisionType": location["revisionType"], member: payload}


def has_content(location: Mapping[str, Any]) -> bool:
    """Whether a location of a text holds the text; any other location lacks nothing."""
    kind = location["revisionType"]
    return kind not in ("String", "AppSpecContent") or bool(location[PAYLOADS[kind]].get("content"))
