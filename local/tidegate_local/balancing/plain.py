"""Listeners in plain Python that hand each connection to a healthy target: what forwards where haproxy is missing.

Connections are forwarded as a Network Load Balancer does it; an Application Load Balancer would choose anew for each
request of a connection. A client that keeps connections open sees them end when its target's draining is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tidegate_local.balancing.health import Check, Health
from tidegate_local.balancing.pool import Pool, Target

Answer = TypeVar("Answer")
_CONNECT_SECONDS = 5.0
_CALL_SECONDS = 10.0
_TEXTS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable"}


class PlainForwarder:
    """One loop in one thread, with all listeners; a :class:`~tidegate_local.balancing.health.Forwarding`."""

    name = "python"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancers", daemon=True)
        self._thread.start()
        self._servers: dict[str, asyncio.Server] = {}
        self._pools: dict[str, Pool] = {}
        self._ends: set[asyncio.StreamWriter] = set()

    def _call(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """Call something on the loop, and wait for its answer."""

        async def run() -> Answer:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_SECONDS)

    def pool(self, key: str, check: Callable[[], Check], http: bool) -> None:  # noqa: ARG002
        """Make a pool, if there is none of that key."""
        self._pools.setdefault(key, Pool(check))

    def drop(self, key: str) -> None:
        """Forget a pool and cut what goes through it."""
        found = self._pools.pop(key, None)
        if found is not None:
            self._call(found.end)

    def register(self, pool: str, target_id: str, address: str, port: int) -> None:
        """Add a target."""
        self._call(self._pools[pool].register, target_id, address, port)

    def deregister(self, pool: str, target_id: str) -> None:
        """Take a target out; it drains."""
        self._call(self._pools[pool].deregister, target_id)

    def states(self, pool: str) -> dict[str, Health]:
        """The targets of a pool, those that drain among them."""
        return self._call(self._pools[pool].states)

    def refresh(self) -> None:
        """Nothing: settings and routes are read each time they are used."""

    def listen(
        self, key: str, address: str, port: int, routes: Callable[[], Sequence[tuple[str, int]]], http: bool
    ) -> int:
        """Open a listener; returns its port, another one where this process may not use the one wanted.

        Raises
        ------
        OSError
            The address is in use.
        """

        def choose() -> Pool | None:
            weighed = routes()
            if not weighed:
                return None
            (chosen,) = random.choices([pool for pool, _ in weighed], [weight for _, weight in weighed])  # noqa: S311
            return self._pools.get(chosen)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, choose(), http)

        async def begin() -> int:
            try:
                server = await asyncio.start_server(serve, address, port)
            except PermissionError:
                server = await asyncio.start_server(serve, address, 0)
            self._servers[key] = server
            return int(server.sockets[0].getsockname()[1])

        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(_CALL_SECONDS)

    def close(self, key: str) -> None:
        """Close a listener; what goes through it goes on."""
        server = self._servers.pop(key, None)
        if server is not None:
            self._call(server.close)

    def stop(self) -> None:
        """Close everything and end the thread."""
        if not self._thread.is_alive():
            return
        for key in list(self._servers):
            self.close(key)
        for key in list(self._pools):
            self.drop(key)
        self._call(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_SECONDS)

    def _cut(self) -> None:
        for writer in list(self._ends):
            writer.close()
        for task in asyncio.all_tasks(self._loop):
            if task is not asyncio.current_task(self._loop):
                task.cancel()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pool: Pool | None, http: bool
    ) -> None:
        self._ends.add(writer)
        try:
            target = pool.choose() if pool is not None else None
            if pool is None or target is None:
                await _refuse(reader, writer, 503, http)
                return
            target.connections.add(writer)
            try:
                await self._through(reader, writer, target, http)
            finally:
                pool.released(target, writer)
        finally:
            self._ends.discard(writer)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _through(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target, http: bool
    ) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                back, forth = await asyncio.open_connection(target.address, target.port)
        except (OSError, TimeoutError):
            await _refuse(reader, writer, 502, http)
            return
        self._ends.add(forth)
        try:
            await asyncio.gather(_pump(reader, forth), _pump(back, writer))
        finally:
            self._ends.discard(forth)
            forth.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, and pass the end on."""
    with contextlib.suppress(OSError, RuntimeError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, code: int, http: bool) -> None:
    if not http:
        return
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_CONNECT_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 {code} {_TEXTS[code]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            await writer.drain()
