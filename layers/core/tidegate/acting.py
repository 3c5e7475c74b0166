"""Whose rights a deployment's steps use on the customer's resources: the coordinator's own, or its service role's.

The customer's resources are instances, balancers, Auto Scaling groups, alarms, functions and services. The table, the
bucket and Run Command are the coordinator's own and never touched as somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.gateways.errors import DENIALS
from tidegate.gateways.service_roles import RolePermissionsError, RoleSession, ServiceRoles

#: A session with less left is not begun with: no call of a function takes longer.
_LEFT: Final = 900
_MOST_HELD: Final = 4
#: What IAM calls services whose signing name is another one.
_PREFIXES: Final[Mapping[str, str]] = {"monitoring": "cloudwatch"}

#: Makes a client of a service, with the keys of a session or the coordinator's own.
MakeClient = Callable[..., Any]


@dataclass(slots=True)
class _Held:
    session: RoleSession
    clients: dict[str, Any] = field(default_factory=dict)


class Acting:
    """Gives the clients of the customer's resources, each time with the rights that are to be used.

    Parameters
    ----------
    roles
        None: the coordinator's own rights are always used.
    """

    def __init__(self, make: MakeClient, roles: ServiceRoles | None, clock: Callable[[], float]) -> None:
        self._make, self._roles, self._clock = make, roles, clock
        self._role, self._on = "", ""
        self._own: dict[str, Any] = {}
        self._held: dict[tuple[str, str], _Held] = {}

    def act_for(self, role_arn: str | None, on: str) -> None:
        """Use a role's rights from now on, in a session of its own for each deployment.

        Parameters
        ----------
        role_arn
            None: the coordinator's own rights, as for a deployment that an earlier release made.
        on
            Id of the deployment; the name of the session ends in it.
        """
        self._role, self._on = role_arn or "", on

    def client(self, service: str) -> Any:
        """A client that may be kept: it acts, with each call, as who is to be acted for then."""
        return self.current(service) if self._roles is None else _ActingClient(self, service)

    def current(self, service: str) -> Any:
        """A client with the rights that are to be used now.

        Raises
        ------
        GatewayError
            The role cannot be assumed (:mod:`tidegate.gateways.service_roles`).
        """
        if self._roles is None or not self._role:
            if service not in self._own:
                self._own[service] = self._make(service)
            return self._own[service]
        held = self._session(self._roles)
        if service not in held.clients:
            client = self._make(service, **held.session.keys)
            client.meta.events.register("after-call", _refuser(self._role))
            held.clients[service] = client
        return held.clients[service]

    def _session(self, roles: ServiceRoles) -> _Held:
        key = self._role, self._on
        held = self._held.pop(key, None)
        if held is None or held.session.expires - self._clock() < _LEFT:
            held = _Held(roles.assume(self._role, f"tidegate-{self._on}"))
        self._held[key] = held  # the last of them
        for oldest in list(self._held)[:-_MOST_HELD]:
            del self._held[oldest]
        return held


class _ActingClient:
    """Stands for a client, and looks up the right one with each call."""

    def __init__(self, acting: Acting, service: str) -> None:
        self._acting, self._service = acting, service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._acting.current(self._service), name)


def _refuser(role_arn: str) -> Callable[..., None]:
    def refuse(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        error = parsed.get("Error") or {}
        if error.get("Code") in DENIALS:
            prefix = model.service_model.signing_name
            action = f"{_PREFIXES.get(prefix, prefix)}:{model.name}"
            raise RolePermissionsError(
                f"The service role {role_arn} has no right to {action} ({model.service_model.service_id}): allow it in "
                f"the role's policies. {error.get('Message', '')}".strip()
            )

    return refuse
