"""Tag filters and tag sets of deployment groups.

Follows AWS's "Tagging instances for deployment groups" and "CodeDeploy quotas".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.model.names import MAX_TAG_KEY, MAX_TAG_VALUE

#: The flat list, the set of lists, what a bad filter is called, and what giving both is called.
SELECTORS: Final = (
    ("ec2TagFilters", "ec2TagSet", "InvalidEC2TagException", "InvalidEC2TagCombinationException"),
    (
        "onPremisesInstanceTagFilters",
        "onPremisesTagSet",
        "InvalidTagException",
        "InvalidOnPremisesTagCombinationException",
    ),
)
MOST_FILTERS: Final = 10
MOST_LISTS: Final = 3


def check_selectors(given: Mapping[str, Any]) -> None:
    """Check the tag filters that one call gives, of EC2 instances first, then of on-premises ones.

    Raises
    ------
    ApiError
        In this order: both ways of selecting at once, too many lists or filters, the first filter at fault.
    """
    for flat, nested, bad_filter, both in SELECTORS:
        lists = lists_of(given, nested)
        if given.get(flat) and lists:
            raise ApiError(both, f"Give '{flat}' or '{nested}', not both.")
        if len(lists) > MOST_LISTS or any(len(each) > MOST_FILTERS for each in lists):
            message = f"'{nested}' may hold {MOST_LISTS} groups of {MOST_FILTERS} tags each."
            raise ApiError("TagSetListLimitExceededException", message)
        if not all(lists):
            # As a group that nothing matches or as one that does not count: nobody can tell which was meant.
            raise ApiError(bad_filter, f"'{nested}' holds a group without tags; give it some or leave it out.")
        check_filters(flat, given.get(flat) or (), bad_filter)
        for each in lists:
            check_filters(nested, each, bad_filter)


def check_filters(name: str, filters: Sequence[Mapping[str, str]], code: str) -> None:
    """Check a list of tag filters: at most 10, each with what its type needs."""
    if len(filters) > MOST_FILTERS:
        raise ApiError(code, f"'{name}' may hold {MOST_FILTERS} tag filters; it holds {len(filters)}.")
    for each in filters:
        check_filter(each, code)


def lists_of(settings: Mapping[str, Any], nested: str) -> Sequence[Sequence[Mapping[str, str]]]:
    """The lists of a tag set; none where it is absent or empty."""
    return (settings.get(nested) or {}).get(f"{nested}List") or ()


def filled_filters(filters: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Tag filters with their type, which may be left out where key and value tell it.

    >>> filled_filters([{"Key": "Fleet"}])
    [{'Key': 'Fleet', 'Type': 'KEY_ONLY'}]
    """
    return [{**each, "Type": _type(each)} for each in filters]


def filled_targets(targets: Mapping[str, Any]) -> dict[str, Any]:
    """The replacement instances that a deployment names (API: TargetInstances), its filters with their types.

    >>> filled_targets({"tagFilters": [{"Key": "Green"}], "autoScalingGroups": []})
    {'tagFilters': [{'Key': 'Green', 'Type': 'KEY_ONLY'}]}
    """
    found: dict[str, Any] = {}
    if targets.get("tagFilters"):
        found["tagFilters"] = filled_filters(targets["tagFilters"])
    if lists := lists_of(targets, "ec2TagSet"):
        found["ec2TagSet"] = {"ec2TagSetList": [filled_filters(each) for each in lists]}
    if targets.get("autoScalingGroups"):
        found["autoScalingGroups"] = list(targets["autoScalingGroups"])
    return found


def settle_selectors(info: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Of two ways of selecting, the one that a call gives takes the place of the other."""
    for flat, nested, *_ in SELECTORS:
        info[flat] = filled_filters(info.get(flat) or ())
        lists = lists_of(info, nested)
        if given.get(flat) or not lists:
            info.pop(nested, None)
        else:
            info[nested] = {f"{nested}List": [filled_filters(each) for each in lists]}
            info[flat] = []


def check_filter(each: Mapping[str, str], code: str) -> None:
    """One tag filter: it has what its type asks for, and nothing is too long."""
    kind, key, value = _type(each), each.get("Key"), each.get("Value")
    needs_key, needs_value = kind != "VALUE_ONLY", kind != "KEY_ONLY"
    # A value may be empty text, a key may not.
    if (needs_key and not key) or (needs_value and value is None):
        needed = " and ".join(name for name, need in (("Key", needs_key), ("Value", needs_value)) if need)
        raise ApiError(code, f"A tag filter of type {kind} needs {needed}: {dict(each)}.")
    if len(key or "") > MAX_TAG_KEY or len(value or "") > MAX_TAG_VALUE:
        raise ApiError(code, f"A tag filter has a key of at most {MAX_TAG_KEY}, a value of {MAX_TAG_VALUE} characters.")


def _type(each: Mapping[str, str]) -> str:
    if "Type" in each:
        return each["Type"]
    if "Key" in each:
        return "KEY_AND_VALUE" if "Value" in each else "KEY_ONLY"
    return "VALUE_ONLY"
