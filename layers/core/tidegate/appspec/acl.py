"""Entries of ``permissions.acls``: ``[default:]<user|group|mask|other>:<name>:<perm>``."""

from tidegate.appspec.checks import Findings
from tidegate.appspec.reader import Scalar

_KINDS = {"u": "user", "g": "group", "m": "mask", "o": "other"}
_KINDS.update({name: name for name in _KINDS.values()})
_NAMELESS = ("mask", "other")
_EXPECTED = "[default:]<user|group|mask|other>:<name>:<permissions>"


def compile_acl(path: str, text: str, findings: Findings) -> str | None:
    """Give an entry in setfacl's full form (``default:user:deploy:rw-``), or ``None`` with a problem noted."""
    node = Scalar(text, text, plain=True)
    parts = text.split(":")
    default = len(parts) > 2 and parts[0] in ("d", "default")
    rest = parts[1:] if default else parts
    if len(rest) == 2:
        kind, name = (_KINDS[rest[0]], "") if _KINDS.get(rest[0]) in _NAMELESS else ("user", rest[0])
    elif len(rest) == 3 and rest[0] in _KINDS:
        kind, name = _KINDS[rest[0]], rest[1]
    else:
        kind, name = "", ""
    if not kind or (kind in _NAMELESS and name):
        findings.problem(f"Invalid acl entry ({text})", path, node, _EXPECTED, "Use that form")
        return None
    if kind in ("user", "group", "other") and not name and not default:
        message = f"Use mode to set the base acl entry ({text})"
        findings.problem(message, path, node, "an entry with a name", "Set 'mode' for owner, group and others")
        return None
    permissions = _permissions(rest[-1])
    if permissions is None:
        message = f"contains an invalid character ({rest[-1]}) in the acl entry ({text})"
        findings.problem(message, path, node, "letters of rwx- or one digit 0-7", "Mend the last part")
        return None
    return f"{'default:' if default else ''}{kind}:{name}:{permissions}"


def _permissions(text: str) -> str | None:
    if len(text) == 1 and text in "01234567":
        bits = int(text)
        return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
    if not text or any(letter not in "rwx-" for letter in text):
        return None
    return "".join(letter if letter in text else "-" for letter in "rwx")
