"""boto3 clients of the local cloud: the administrator's, and those of state machines' roles."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from tidegate_local.counters import Counters
from tidegate_local.policy.client_hooks import Authoriser, node_tags, watch_client
from tidegate_local.policy.place import Place
from tidegate_local.policy.roles import Roles

_FOREVER = 10**8


@dataclass
class Keys:
    """An access key."""

    access_key: str
    secret_key: str


class Clients:
    """Makes each client once; they may be used from any thread.

    Parameters
    ----------
    endpoint
        moto's URL.
    place
        Account and region.
    keys
        The administrator's, until `use` gives others.
    roles
        What state machines may do.
    counters
        Calls of state machines are counted here.
    """

    def __init__(self, endpoint: str, place: Place, keys: Keys, roles: Roles, counters: Counters) -> None:
        self._endpoint = endpoint
        self._place = place
        self.keys = keys
        # One for all: each would read botocore's list of endpoints again, a fifth of a second.
        self._session = boto3.Session(region_name=place.region)
        self._roles = roles
        self._counters = counters
        self._lock = threading.RLock()
        self._admin: dict[str, Any] = {}
        self._machine: dict[tuple[str, str, str], Any] = {}

    def admin(self, service: str) -> Any:
        """The administrator's client of a service."""
        with self._lock:
            if service not in self._admin:
                # Virtual-host addresses do not resolve here, and long polls must not be cut.
                config = Config(s3={"addressing_style": "path"}, max_pool_connections=50, read_timeout=120)
                self._admin[service] = self._make(service, self._place.region, config)
            return self._admin[service]

    def use(self, keys: Keys) -> None:
        """Make clients with other keys from now on."""
        with self._lock:
            self.keys = keys
            self._admin.clear()
            self._machine.clear()

    def for_machine(self, role_arn: str, service: str, region: str) -> Any:
        """A client that may do what a state machine's role may.

        Stands in for Step Functions' own calls, which know no time-out but the state's, and no retry but its Retry.
        """
        key = (role_arn, service, region)
        with self._lock:
            if key not in self._machine:
                config = Config(
                    parameter_validation=False,
                    retries={"max_attempts": 0},
                    connect_timeout=10,
                    read_timeout=_FOREVER,
                    max_pool_connections=200,
                )
                client = self._make(service, region, config)
                authoriser = Authoriser(role_arn, self._roles.statements_of(role_arn), self._place, self.tags_of)
                watch_client(client, authoriser, _Sink(self._counters))
                self._machine[key] = client
            return self._machine[key]

    def tags_of(self, instance: str) -> dict[str, str]:
        """The tags of an EC2 instance, or of a managed node that is none."""
        return node_tags(self.admin, instance)

    def _make(self, service: str, region: str, config: Config) -> Any:
        return self._session.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=self._endpoint,
            config=config,
            aws_access_key_id=self.keys.access_key,
            aws_secret_access_key=self.keys.secret_key,
        )


class _Sink(dict[str, int]):
    """Hands what is counted on to the counters."""

    def __init__(self, counters: Counters) -> None:
        super().__init__()
        self._counters = counters

    def __setitem__(self, name: str, number: int) -> None:
        self._counters.add(name, number)
