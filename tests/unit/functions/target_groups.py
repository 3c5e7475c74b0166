"""A load balancer's target group in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.functions.world import Account

from tidegate.gateways.balancers import Balancers
from tidegate.gateways.errors import BalancerFault, ThrottledError
from tidegate.model.balancers import Balancer, BalancerKind

WEB = Balancer(BalancerKind.TARGET_GROUP, "web", "arn:web")


class TargetGroup(Balancers):
    """A target group in virtual time: draining takes ``drains`` seconds, getting healthy ``heals``."""

    def __init__(self, account: Account, drains: float = 20, heals: float = 25) -> None:
        super().__init__(lambda _service: None)
        self.account, self.drains, self.heals = account, drains, heals
        self.gone = False
        self.refused: set[str] = set()
        self.sick: set[str] = set()
        self.throttles = 0
        self.since: dict[str, float] = dict.fromkeys(account.hosts, 0.0)  # registered: from when it is healthy
        self.draining: dict[str, float] = {}
        self.fewest = len(account.hosts)
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def find(self, info: Mapping[str, Any] | None) -> list[Balancer]:
        if not info:
            return super().find(info)
        self._there()
        return [WEB]

    def block(self, balancers: Any, ids: Sequence[str]) -> None:
        self._called("block", ids)
        for each in ids:
            if self.since.pop(each, None) is not None:
                self.draining[each] = self.account.now + self.drains
        self.fewest = min(self.fewest, self.healthy())

    def allow(self, balancers: Any, ids: Sequence[str]) -> None:
        self._called("allow", ids)
        if bad := self.refused & set(ids):
            raise BalancerFault("ELB_INVALID_INSTANCE", f"The target group 'web' does not take {sorted(bad)}.")
        for each in ids:
            self.since.setdefault(each, self.account.now + self.heals)

    def still_in(self, balancers: Any, ids: Sequence[str]) -> dict[str, str]:
        self._there()
        return {i: "draining" for i in ids if i in self.since or self.draining.get(i, 0) > self.account.now}

    def not_healthy(self, balancers: Any, ids: Sequence[str]) -> dict[str, str]:
        self._there()
        return {i: "unhealthy in target group 'web'" for i in ids if not self.is_healthy(i)}

    def healthy(self) -> int:
        return sum(self.is_healthy(each) for each in self.since)

    def is_healthy(self, target_id: str) -> bool:
        since = self.since.get(target_id)
        return since is not None and since <= self.account.now and target_id not in self.sick

    def _called(self, name: str, ids: Sequence[str]) -> None:
        if self.throttles:
            self.throttles -= 1
            raise ThrottledError("asking the target group 'web': Throttling")
        self._there()
        self.calls.append((name, tuple(ids)))

    def _there(self) -> None:
        if self.gone:
            raise BalancerFault("ELASTIC_LOAD_BALANCING_INVALID", "There is no target group 'web'.")
