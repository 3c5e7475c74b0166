"""A request and a response, free of any transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What a client sent.

    Attributes
    ----------
    headers
        Names in any case.
    caller
        ARN of who signed the request; empty where the transport does not know.
    request_id
        The transport's own id of the request; a new one is drawn where it has none.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    caller: str = ""
    request_id: str = ""

    def header(self, name: str) -> str:
        """Value of a header, empty where it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What the client gets."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
