"""What the patches tell the running local cloud, and ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate_local.policy.server_judge import ServerJudge


def _nothing(*_args: Any) -> None:
    return None


def _never(_call: str) -> bool:
    return False


@dataclass
class Hooks:
    """The doors from patched moto to the one local cloud of this process.

    Attributes
    ----------
    client
        Makes (or finds) the boto3 client of a state machine's role: ``client(role ARN, service, region)``.
    count
        ``count(name)`` adds one to a counter.
    emit
        Puts an event on the default bus.
    throttled
        Tells whether a call (``service:Operation``) is to be throttled now.
    stream_changed
        Is told the name of a table whose stream has a new record.
    judge
        Says which requests are refused for lack of rights; None: nobody's.
    """

    client: Callable[[str, str, str], Any] | None = None
    count: Callable[[str], None] = _nothing
    emit: Callable[[Mapping[str, Any]], None] = _nothing
    throttled: Callable[[str], bool] = _never
    stream_changed: Callable[[str], None] = _nothing
    judge: ServerJudge | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget the local cloud."""
        self.client, self.count, self.emit, self.throttled = None, _nothing, _nothing, _never
        self.judge, self.stream_changed = None, _nothing


HOOKS = Hooks()
