"""Decide whether IAM statements allow an action on a resource.

Follows "Policy evaluation logic" of the IAM user guide for one account and identity policies: an explicit Deny wins,
then any Allow, else the answer is no. Condition operators that are not known, and keys without a value, do not match,
so an Allow that hangs on them does not apply (a Deny neither: say so in a test that relies on one).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Statement = Mapping[str, Any]
#: Gives the values of a condition key (in lower case) for the call being judged, or None where there are none.
ConditionLookup = Callable[[str], Sequence[str] | None]
#: Stands for "the client cannot know the resource" (a task token names no machine): any resource of a statement fits.
UNKNOWN_RESOURCE = "<unknown>"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def as_list(value: Any) -> list[Any]:
    """IAM lets one value stand for a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile(text + r"\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Tell whether a pattern with IAM's two wildcards (``*`` and ``?``) fits the whole value."""
    return _compiled(pattern, ignore_case).match(value) is not None


def _any(patterns: Iterable[Any], value: str, *, ignore_case: bool = False) -> bool:
    return any(matches(str(p), value, ignore_case=ignore_case) for p in patterns)


def expanded(pattern: str, lookup: ConditionLookup) -> str | None:
    """A pattern with its policy variables (``${aws:username}``) replaced; None where one has no value.

    Follows "IAM policy elements: Variables and tags": a statement whose variable has no value fits nothing. A value
    with wildcards would have to be taken literally; none that tags or names may hold has any, so it fits nothing too.
    """
    values = {name: lookup(name.lower()) for name in _VARIABLE.findall(pattern)}
    if not all(found is not None and len(found) == 1 and not set("*?$") & set(found[0]) for found in values.values()):
        return None
    return _VARIABLE.sub(lambda match: (values[match[1]] or [""])[0], pattern)


def _any_resource(patterns: Iterable[Any], value: str, lookup: ConditionLookup) -> bool:
    found = (expanded(str(pattern), lookup) if "${" in str(pattern) else str(pattern) for pattern in patterns)
    return any(pattern is not None and matches(pattern, value) for pattern in found)


_POSITIVE: Mapping[str, Callable[[str, str], bool]] = {
    "stringequals": lambda want, have: want == have,
    "stringequalsignorecase": lambda want, have: want.lower() == have.lower(),
    "stringlike": matches,
    "arnequals": matches,
    "arnlike": matches,
    "bool": lambda want, have: want.lower() == have.lower(),
}
_NEGATIVE = {
    "stringnotequals": "stringequals",
    "stringnotlike": "stringlike",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def _operator_holds(operator: str, wanted: list[str], values: Sequence[str] | None) -> bool:
    name = operator.lower()
    quantifier, _, rest = name.rpartition(":")
    if_exists = rest.endswith("ifexists")
    rest = rest.removesuffix("ifexists")
    if rest == "null":
        return all((values is None) == (w.lower() == "true") for w in wanted)
    if values is None:
        return if_exists or quantifier == "forallvalues" or rest in _NEGATIVE
    if rest in _NEGATIVE:
        test = _POSITIVE[_NEGATIVE[rest]]
        hits = [not any(test(w, v) for w in wanted) for v in values]
    elif rest in _POSITIVE:
        test = _POSITIVE[rest]
        hits = [any(test(w, v) for w in wanted) for v in values]
    else:
        return False
    return any(hits) if quantifier == "foranyvalue" else all(hits)


def _condition_holds(condition: Mapping[str, Any], lookup: ConditionLookup) -> bool:
    return all(
        _operator_holds(operator, [_text(w) for w in as_list(wanted)], lookup(key.lower()))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _applies(statement: Statement, action: str, resource: str, lookup: ConditionLookup) -> bool:
    if "NotAction" in statement:
        if _any(as_list(statement["NotAction"]), action, ignore_case=True):
            return False
    elif not _any(as_list(statement.get("Action")), action, ignore_case=True):
        return False
    if resource != UNKNOWN_RESOURCE:
        if "NotResource" in statement:
            if _any_resource(as_list(statement["NotResource"]), resource, lookup):
                return False
        elif not _any_resource(as_list(statement.get("Resource")), resource, lookup):
            return False
    return _condition_holds(statement.get("Condition") or {}, lookup)


def no_context(_key: str) -> Sequence[str] | None:
    """A condition lookup that knows nothing."""
    return None


def is_allowed(
    statements: Iterable[Statement], action: str, resource: str, lookup: ConditionLookup = no_context
) -> bool:
    """Tell whether identity statements allow ``action`` on ``resource``.

    Parameters
    ----------
    statements
        Statements as in a policy document, in any order.
    action
        ``service:Operation``; compared without regard to case.
    resource
        The ARN the call touches, ``*`` where the operation has no resource, or `UNKNOWN_RESOURCE`.
    lookup
        Values of condition keys.
    """
    allowed = False
    for statement in statements:
        if not _applies(statement, action, resource, lookup):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed
