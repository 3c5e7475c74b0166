"""Wires the function that tells subscribers: its settings and its ports, beside those of every handler."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tidegate.notices import Wording
from tidegate.runtime import Runtime
from tidegate.settings import SettingError

if TYPE_CHECKING:
    from tidegate.gateways.notices import Bus, NoticeQueues, Topics

_FORMS = ("observed", "documented")


class NotifyRuntime(Runtime):
    """The ports of NotifySubscribers."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        super().__init__(env)
        env = os.environ if env is None else env
        form = env.get("TIDEGATE_TRIGGER_MESSAGE_FORMAT", "observed")
        if form not in _FORMS:
            raise SettingError(f"The variable TIDEGATE_TRIGGER_MESSAGE_FORMAT is {form!r}; give one of {_FORMS}.")
        arn = self.settings.machine_arn.split(":")
        self.wording = Wording(
            source=env.get("TIDEGATE_NOTIFICATION_SOURCE", ""),
            form=form,
            region=self.settings.region,
            account=self.settings.account,
            partition=arn[1],
        )
        self._urls = env.get("TIDEGATE_UNDELIVERED_NOTICES", ""), env.get("TIDEGATE_LOST_NOTICES", "")
        self.chance: Callable[[], float] = random.random

    def _notifying_client(self, service: str) -> Any:
        from botocore.config import Config

        # Few tries: what does not arrive at once is put off, and must not hold up the others.
        config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10)
        return self._session.client(service, config=config)

    @cached_property
    def topics(self) -> Topics:
        """SNS topics."""
        from tidegate.gateways.notices import Topics

        return Topics(self._notifying_client("sns"))

    @cached_property
    def bus(self) -> Bus:
        """The event bus."""
        from tidegate.gateways.notices import Bus

        return Bus(self._notifying_client("events"))

    @cached_property
    def queues(self) -> NoticeQueues:
        """Undelivered and lost notices."""
        from tidegate.gateways.notices import NoticeQueues

        return NoticeQueues(self._client("sqs"), *self._urls)
