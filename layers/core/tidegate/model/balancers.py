"""Balancers of a deployment: what gives its instances their traffic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class BalancerKind(StrEnum):
    """What a deployment group may name (API: LoadBalancerInfo)."""

    TARGET_GROUP = "targetGroup"
    CLASSIC = "classic"


@dataclass(frozen=True, slots=True)
class Balancer:
    """A target group, or a Classic Load Balancer; ``key`` is what its API takes: an ARN, or the name again."""

    kind: BalancerKind
    name: str
    key: str

    def __str__(self) -> str:
        word = "target group" if self.kind is BalancerKind.TARGET_GROUP else "Classic Load Balancer"
        return f"{word} '{self.name}'"


def names_in(info: Mapping[str, Any] | None) -> dict[BalancerKind, list[str]]:
    """The names in a ``loadBalancerInfo``, by kind; kinds without names are left out.

    >>> names_in({"targetGroupInfoList": [{"name": "web"}], "elbInfoList": []})
    {<BalancerKind.TARGET_GROUP: 'targetGroup'>: ['web']}
    """
    lists = {BalancerKind.TARGET_GROUP: "targetGroupInfoList", BalancerKind.CLASSIC: "elbInfoList"}
    found = {kind: [each["name"] for each in (info or {}).get(key) or ()] for kind, key in lists.items()}
    return {kind: names for kind, names in found.items() if names}


def to_items(balancers: Iterable[Balancer]) -> list[list[str]]:
    """Balancers as a deployment's item keeps them."""
    return [[each.kind.value, each.name, each.key] for each in balancers]


def from_items(items: Iterable[Sequence[str]]) -> list[Balancer]:
    """The balancers in what :func:`to_items` made.

    >>> from_items(to_items([Balancer(BalancerKind.CLASSIC, "old", "old")]))[0].name
    'old'
    """
    return [Balancer(BalancerKind(kind), name, key) for kind, name, key in items]
