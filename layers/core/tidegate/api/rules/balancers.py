"""Load balancers of deployment groups (API: LoadBalancerInfo, TargetGroupPairInfo)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError

LISTS: Final = ("elbInfoList", "targetGroupInfoList", "targetGroupPairInfoList")
_BAD: Final = "InvalidLoadBalancerInfoException"
_BAD_PAIR: Final = "InvalidTargetGroupPairException"
_MOST: Final = 10
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_LISTENER: Final = re.compile(
    r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/[A-Za-z0-9-]+(/[A-Za-z0-9-]+)+"
)


def check_balancers(info: Mapping[str, Any] | None) -> None:
    """Check what one call gives: one kind of balancer, well-formed names, each once; at most 10.

    Raises
    ------
    ApiError
        ``InvalidLoadBalancerInfoException``, or ``InvalidTargetGroupPairException`` for what a pair is made of.
    """
    kinds = kinds_of(info)
    if info is None or not kinds:
        return
    if len(kinds) > 1:
        raise ApiError(_BAD, f"'loadBalancerInfo' takes one kind of balancer; it has {' and '.join(kinds)}.")
    if kinds == ["targetGroupPairInfoList"]:
        _check_pairs(info["targetGroupPairInfoList"])
        return
    (kind,) = kinds
    _check_names(kind, info[kind], _BAD)
    if len(info[kind]) > _MOST:
        raise ApiError(_BAD, f"'loadBalancerInfo.{kind}' may hold {_MOST} names; it holds {len(info[kind])}.")


def kinds_of(info: Mapping[str, Any] | None) -> list[str]:
    """Which of the lists hold something."""
    return [name for name in LISTS if (info or {}).get(name)]


def check_balancers_fit(info: Mapping[str, Any], platform: str) -> None:
    """Check a group's balancers against its style and platform.

    Parameters
    ----------
    info
        The group's settings, style filled. What a style without traffic control does not use is not looked at.
    """
    kinds = kinds_of(info.get("loadBalancerInfo"))
    if platform == "Lambda":
        if kinds:
            raise ApiError(_BAD, "'loadBalancerInfo' is not for AWS Lambda: traffic is shifted by the alias.")
        return
    pairs = "targetGroupPairInfoList" in kinds
    if platform == "ECS" and not pairs:
        raise ApiError(_BAD, "Amazon ECS needs 'loadBalancerInfo.targetGroupPairInfoList' with one pair.")
    if platform == "Server" and pairs:
        message = "'targetGroupPairInfoList' is for Amazon ECS; servers have 'elbInfoList' or 'targetGroupInfoList'."
        raise ApiError(_BAD, message)
    if info["deploymentStyle"]["deploymentOption"] == "WITH_TRAFFIC_CONTROL" and not kinds:
        message = "WITH_TRAFFIC_CONTROL needs 'loadBalancerInfo' with 'elbInfoList' or 'targetGroupInfoList'."
        raise ApiError(_BAD, message)


def _check_names(kind: str, entries: Sequence[Mapping[str, str]], code: str) -> None:
    names = [entry.get("name", "") for entry in entries]
    for name in names:
        if not _NAME.fullmatch(name):
            message = f"A name in '{kind}' has 1 to 32 letters, digits and inner hyphens; not {name[:80]!r}."
            raise ApiError(code, message)
    if len(set(names)) < len(names):
        raise ApiError(code, f"'{kind}' names {_twice(names)!r} twice.")


def _check_pairs(pairs: Sequence[Mapping[str, Any]]) -> None:
    if len(pairs) > 1:
        raise ApiError(_BAD_PAIR, f"'targetGroupPairInfoList' takes one pair; it has {len(pairs)}.")
    (pair,) = pairs
    groups = pair.get("targetGroups") or ()
    if len(groups) != 2:
        raise ApiError(_BAD_PAIR, f"A pair has exactly two 'targetGroups'; not {len(groups)}.")
    _check_names("targetGroups", groups, _BAD_PAIR)
    production = _listener("prodTrafficRoute", pair.get("prodTrafficRoute") or {})
    if pair.get("testTrafficRoute") and _listener("testTrafficRoute", pair["testTrafficRoute"]) == production:
        message = "'testTrafficRoute' and 'prodTrafficRoute' name the same listener; test traffic needs one of its own."
        raise ApiError(_BAD_PAIR, message)


def _listener(route: str, value: Mapping[str, Any]) -> str:
    listeners: Sequence[str] = value.get("listenerArns") or ()
    if len(listeners) != 1:
        raise ApiError(_BAD_PAIR, f"'{route}.listenerArns' has exactly one listener; not {len(listeners)}.")
    if not _LISTENER.fullmatch(listeners[0]):
        raise ApiError(_BAD_PAIR, f"'{route}.listenerArns' holds no ARN of a listener: {listeners[0][:120]!r}.")
    return listeners[0]


def _twice(names: Sequence[str]) -> str:
    return next(name for name in names if names.count(name) > 1)
