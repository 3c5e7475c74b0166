"""The ``permissions`` section: owners, modes, ACLs and SELinux contexts of installed files."""

import re
from typing import Literal

from tidegate.appspec.acl import compile_acl
from tidegate.appspec.checks import Findings, entries_of, is_absent, text_of
from tidegate.appspec.context import compile_context
from tidegate.appspec.model import Permission
from tidegate.appspec.reader import Node, Scalar

OctalReading = Literal["as-written", "1.8.1"]
_TYPES = ("file", "directory")
_LEADING_ZERO = re.compile(r"0[0-7]{2,4}")


def compile_permissions(
    node: "Node | None", findings: Findings, octal: OctalReading = "as-written"
) -> tuple[Permission, ...]:
    """Compile the section; problems and warnings go to `findings`."""
    entries = entries_of(node, "permissions", findings)
    return tuple(_compile_entry(path, entry, octal, findings) for path, entry in entries)


def _compile_entry(path: str, entry: "dict[str, Node]", octal: OctalReading, findings: Findings) -> Permission:
    target = text_of(entry.get("object"))
    if not target:
        findings.problem(
            "has no object value", f"{path}.object", entry.get("object"), "an absolute path", "Add 'object'"
        )
        target = ""
    elif not target.startswith("/"):
        findings.warn(f"{path}.object", f"{target!r} is not absolute; it matches nothing that was installed")
    pattern = text_of(entry.get("pattern")) or "**"
    if "/" in pattern:
        findings.warn(f"{path}.pattern", f"{pattern!r} holds a '/', so it can never match: names only, no paths")
    return Permission(
        object=target,
        pattern=pattern,
        excluded=_excluded(path, entry.get("except"), findings),
        type=_types(path, entry.get("type"), findings),
        owner=text_of(entry.get("owner")) or None,
        group=text_of(entry.get("group")) or None,
        mode=_mode(f"{path}.mode", entry.get("mode"), octal, findings),
        acls=_acls(path, entry.get("acls"), findings),
        context=compile_context(f"{path}.context", entry.get("context"), findings),
    )


def _excluded(path: str, node: "Node | None", findings: Findings) -> tuple[str, ...]:
    names = _texts(f"{path}.except", node, findings)
    for name in names:
        if "/" in name:
            findings.warn(f"{path}.except", f"{name!r} holds a '/', so it can never match: names only, no paths")
    return names


def _types(path: str, node: "Node | None", findings: Findings) -> tuple[str, ...]:
    if is_absent(node):
        return _TYPES
    types = _texts(f"{path}.type", node, findings)
    for kind in types:
        if kind not in _TYPES:
            message = f"object type not supported for permissions ({kind})"
            findings.problem(message, f"{path}.type", node, "file, directory or both", "Remove the other types")
    return types


def _acls(path: str, node: "Node | None", findings: Findings) -> tuple[str, ...]:
    compiled = (compile_acl(f"{path}.acls", text, findings) for text in _texts(f"{path}.acls", node, findings))
    return tuple(entry for entry in compiled if entry is not None)


def _texts(path: str, node: "Node | None", findings: Findings) -> tuple[str, ...]:
    if is_absent(node):
        return ()
    if not isinstance(node, list):
        findings.problem(f"{path} must be a list", path, node, "a list of names", "Begin each entry with '- '")
        return ()
    texts = []
    for item in node:
        text = text_of(item)
        if text:
            texts.append(text)
        else:
            findings.problem(f"{path} must hold names", path, item, "text", "Write a name, in quotes if need be")
    return tuple(texts)


def _mode(path: str, node: "Node | None", octal: OctalReading, findings: Findings) -> str | None:
    """Read a mode; the result has four octal digits.

    Version 1.8.1 of the agent turns the value into decimal text first, so an unquoted ``0644`` (420 to YAML 1.1)
    becomes 0420 and ``0755`` an error. Such a value is read as its author meant it, with a warning, unless that
    reading is asked for.
    """
    if is_absent(node):
        return None
    text = ""
    if isinstance(node, Scalar) and not isinstance(node.value, bool):
        text = node.text
        if isinstance(node.value, int):
            text = str(node.value)
            if node.plain and _LEADING_ZERO.fullmatch(node.text):
                as_agent = octal == "1.8.1"
                text = text if as_agent else node.text[-4:]
                reading = f"read as decimal {text}, as agent 1.8.1 does" if as_agent else f"read as octal {text}"
                findings.warn(path, f"{node.text} without quotes; {reading}; quote it to be sure")
    return _octal(path, text, node, findings)


def _octal(path: str, text: str, node: "Node | None", findings: Findings) -> str | None:
    expected, remedy = "3 or 4 octal digits", "Write for example 'mode: \"0644\"'"
    if len(text) > 4 or not text:
        findings.problem(f"length of a permissions mode ({text}) is invalid", path, node, expected, remedy)
        return None
    for character in text:
        if character not in "01234567":
            message = f"invalid character ({character}) in a permissions mode ({text})"
            findings.problem(message, path, node, expected, remedy)
            return None
    return text.zfill(4)
