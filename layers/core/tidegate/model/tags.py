"""Which tags a deployment group's filters select (AWS: "Tagging instances for deployment groups")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Filter = Mapping[str, str]


def matches(each: Filter, tags: Mapping[str, str]) -> bool:
    """Whether one filter lets these tags through; without a type it means key and value.

    >>> matches({"Key": "Fleet", "Value": "web"}, {"Fleet": "web"})
    True
    >>> matches({"Key": "Fleet", "Type": "KEY_ONLY"}, {"Fleet": "web"})
    True
    >>> matches({"Value": "web", "Type": "VALUE_ONLY"}, {"Fleet": "db"})
    False
    """
    kind = each.get("Type", "KEY_AND_VALUE")
    if kind == "KEY_ONLY":
        return each.get("Key") in tags
    if kind == "VALUE_ONLY":
        return each.get("Value", "") in tags.values()
    return each.get("Key") in tags and tags[each["Key"]] == each.get("Value", "")


def matches_any(filters: Iterable[Filter], tags: Mapping[str, str]) -> bool:
    """Whether at least one filter lets these tags through."""
    return any(matches(each, tags) for each in filters)


def selects(flat: Sequence[Filter], lists: Sequence[Sequence[Filter]], tags: Mapping[str, str]) -> bool:
    """Whether a group selects these tags.

    Parameters
    ----------
    flat
        Filters of which any one must match.
    lists
        Where there are no flat ones: lists of filters, of each of which one must match. Empty lists do not count.
    """
    if flat:
        return matches_any(flat, tags)
    filled = [each for each in lists if each]
    return bool(filled) and all(matches_any(each, tags) for each in filled)
