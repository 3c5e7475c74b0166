"""The second spelling of an operation: ``POST /<Operation>[/<application>[/<group>]]``.

API Gateway authorises a request by its method and path (its guide: "Control access to a REST API with IAM
permissions"). With the names in the path, a policy grants single operations, applications and groups.

An operation takes from its path the input members that name its application and group. One that names deployments by
id alone can be called in a *scope*: its path then names an application, and maybe a group, that the deployments must
belong to. So a caller whose policy grants ``POST/StopDeployment/shop`` alone stops no other application's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from botocore.model import OperationModel

from tidegate.api.errors import ApiError

#: CreateDeployment's path for calls that override the group's alarms. They need the right to change the group
#: (API: CreateDeployment, "overrideAlarmConfiguration"), and IAM sees the path alone: so theirs is another one.
OVERRIDING_ALARMS: Final = "CreateDeploymentOverridingAlarms"
_OVERRIDE: Final = "overrideAlarmConfiguration"
_APPLICATION: Final = ("applicationName",)
_GROUP: Final = ("deploymentGroupName", "currentDeploymentGroupName")
_DEPLOYMENTS: Final = ("deploymentId", "deploymentIds")
#: The service model leaves them optional, and no call does without.
_NEEDED: Final = frozenset({("CreateDeployment", "deploymentGroupName"), ("UpdateApplication", "applicationName")})
#: What they answer may be of many applications; in a scope they show that application's alone.
_SCOPED: Final = frozenset({"ListInstallations"})


@dataclass(frozen=True, slots=True)
class Scope:
    """The application, and maybe the group, that a call is confined to."""

    application: str
    group: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One name or two, as they stand in a path."""
        return (self.application,) if self.group is None else (self.application, self.group)

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Whether a deployment, or an installation, belongs to it."""
        return item.get("applicationName") == self.application and (
            self.group is None or item.get("deploymentGroupName") == self.group
        )


@dataclass(frozen=True, slots=True)
class Address:
    """What may follow an operation's name in its path.

    Attributes
    ----------
    members
        Input members that stand there, in order.
    required
        How many of them must.
    scoped
        The path may name the application and the group of the deployments that the input names by id.
    """

    operation: str
    members: tuple[str, ...]
    required: int
    scoped: bool

    @property
    def most(self) -> int:
        """How many names may follow."""
        return 2 if self.scoped else len(self.members)

    @property
    def form(self) -> str:
        """The path in words, for messages and documents."""
        names = ("application", "group") if self.scoped else self.members
        parts = [f"/<{name}>" if place < self.required else f"[/<{name}>]" for place, name in enumerate(names)]
        return f"/{self.operation}{''.join(parts)}"


def address_of(operation: OperationModel) -> Address:
    """The address of an operation of either service."""
    shape = operation.input_shape
    members = shape.members if shape is not None else {}
    required = shape.required_members if shape is not None else []
    if operation.name in _SCOPED:
        return Address(operation.name, (), 0, scoped=True)
    named = [name for choices in (_APPLICATION, _GROUP) for name in choices if name in members]
    if "applicationName" not in members:
        return Address(operation.name, (), 0, scoped=any(name in members for name in _DEPLOYMENTS))
    needed = [name in required or (operation.name, name) in _NEEDED for name in named]
    return Address(operation.name, tuple(named), needed.index(False) if False in needed else len(needed), scoped=False)


def read_path(path: str) -> list[str]:
    """The operation's name and what follows it, decoded.

    Every name has one spelling: all but unreserved characters percent-encoded, in capitals (as SigV4's canonical form
    has it). Any other is refused: a policy compares the path as it was sent.

    Raises
    ------
    ApiError
        ``ValidationException`` for empty parts, ``.`` and ``..``, and for other encodings.
    """
    parts = path.removeprefix("/").split("/")
    names = []
    for part in parts:
        try:
            name = unquote(part, errors="strict")
        except UnicodeDecodeError:
            name = ""
        if name in ("", ".", "..") or encoded(name) != part:
            message = (
                f"The path {path[:200]!r} cannot be used because of its part {part[:100]!r}: each part is a name with "
                "all but letters, digits and '-._~' percent-encoded, and neither empty nor '.' nor '..'."
            )
            raise ApiError("ValidationException", message)
        names.append(name)
    return names


def encoded(name: str) -> str:
    """A name as it stands in a path.

    >>> encoded("shop+eu")
    'shop%2Beu'
    """
    return quote(name, safe="-._~")


def operation_in(name: str) -> str:
    """The operation that the first part of a path names."""
    return "CreateDeployment" if name == OVERRIDING_ALARMS else name


def overrides_alarms(given: Mapping[str, Any]) -> bool:
    """Whether a call of CreateDeployment has another word about alarms than its group."""
    return bool(given.get(_OVERRIDE))


def check_override(name: str, given: Mapping[str, Any]) -> None:
    """Refuse a call that overrides alarms and came by a path that does not grant it.

    Parameters
    ----------
    name
        The first part of the path; calls without a path are granted everything.

    Raises
    ------
    ApiError
        ``AccessDeniedException``, with the path that grants it.
    """
    if name == "CreateDeployment" and overrides_alarms(given):
        message = (
            f"'{_OVERRIDE}' needs the right to change the deployment group. Send the call to POST /{OVERRIDING_ALARMS}"
            "/<application>/<group>, which the caller's policies must allow: `tidegate connect --override-alarms` "
            "prepares clients for it, and `tidegate proxy` does it by itself."
        )
        raise ApiError("AccessDeniedException", message, 403)


def check_count(address: Address, names: Sequence[str]) -> None:
    """Refuse a path with too few or too many names.

    Raises
    ------
    ApiError
        ``ValidationException``, with the path's form.
    """
    if not address.required <= len(names) <= address.most:
        message = f"{address.operation} is called by POST {address.form}, or by POST / with the header X-Amz-Target."
        raise ApiError("ValidationException", message)


def placed(address: Address, names: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
    """The input: the body, with what the path names.

    Raises
    ------
    ApiError
        ``ValidationException`` where path and body name different things.
    """
    members = ("applicationName", "deploymentGroupName") if address.scoped else address.members
    given = dict(body)
    for member, name in zip(members, names, strict=False):
        if given.get(member) not in (None, name):
            message = f"The path names {member} {name!r}, the body {str(given[member])[:120]!r}; they must be the same."
            raise ApiError("ValidationException", message)
        if not address.scoped:
            given[member] = name
    return given


def path_of(
    address: Address, given: Mapping[str, Any], scope: Scope | None = None, *, override_alarms: bool = False
) -> str:
    """The path that a call with this input is sent to.

    Parameters
    ----------
    scope
        What the caller is confined to; it stands in the paths that can name it and need not.
    override_alarms
        Create deployments by the path that lets a call override the group's alarms.

    Raises
    ------
    KeyError
        The input lacks a member that must stand in the path.
    """
    names = [str(given[member]) for member in address.members[: address.required]]
    first = OVERRIDING_ALARMS if override_alarms and address.operation == "CreateDeployment" else address.operation
    return "/".join(["", first, *map(encoded, names or scope_names(address, scope))])


def scope_names(address: Address, scope: Scope | None) -> tuple[str, ...]:
    """What of a scope stands in the path of an operation that names nothing there by itself."""
    return scope.names[: address.most] if scope is not None and not address.required else ()
