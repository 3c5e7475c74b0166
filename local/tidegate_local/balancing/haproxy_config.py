"""What haproxy is told: its configuration as text.

Follows haproxy's configuration manual. Requests are neither tried again nor handed to another target: what fails is to
be seen. Connections that idle end by the defaults of the load balancers' own time-outs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tidegate_local.balancing.health import Check

#: Idle time-outs in seconds: of an Application Load Balancer, and of a Network Load Balancer's connections.
_IDLE = {True: 60, False: 350}
_CONNECT_SECONDS = 5
STATE_FILE = "servers"


@dataclass(frozen=True)
class Server:
    """A target in a pool; ``waits`` keeps it in maintenance until its first check has been begun."""

    name: str
    address: str
    port: int
    waits: bool = False


@dataclass(frozen=True)
class Backend:
    """A pool."""

    name: str
    http: bool
    check: Check
    servers: Sequence[Server] = ()


@dataclass(frozen=True)
class Frontend:
    """A listener: where it is, the port its clients know, and the names of its pools with their weights."""

    name: str
    address: str
    port: int
    http: bool
    routes: Sequence[tuple[str, int]] = field(default=())


def configuration(frontends: Iterable[Frontend], backends: Iterable[Backend]) -> str:
    """The whole configuration."""
    lines = [
        "global",
        "  nbthread 1",
        "  maxconn 4000",
        "  max-spread-checks 50",  # a new server's first check comes at once, however long the interval
        f"  server-state-file {STATE_FILE}",
        "defaults",
        f"  timeout connect {_CONNECT_SECONDS}s",
        "  retries 0",
        "  load-server-state-from-file global",
    ]
    for frontend in frontends:
        lines += _frontend(frontend)
    for backend in backends:
        lines += _backend(backend)
    return "\n".join(lines) + "\n"


def _frontend(each: Frontend) -> list[str]:
    lines = [
        f"frontend {each.name}",
        f"  mode {_mode(each.http)}",
        f"  bind {each.address}:{each.port}",
        f"  timeout client {_IDLE[each.http]}s",
    ]
    if each.http:
        # What an Application Load Balancer adds; and its clients' idle connections outlive a change of its settings.
        lines += [
            "  option forwardfor",
            "  http-request set-header X-Forwarded-Proto http",
            "  http-request set-header X-Forwarded-Port %[dst_port]",
            "  option idle-close-on-response",
        ]
    left = sum(weight for _, weight in each.routes)
    for pool, weight in each.routes[:-1]:
        lines.append(f"  use_backend {pool} if {{ rand({left}) lt {weight} }}")
        left -= weight
    if each.routes:
        lines.append(f"  default_backend {each.routes[-1][0]}")
    return lines


def _backend(each: Backend) -> list[str]:
    lines = [
        f"backend {each.name}",
        f"  mode {_mode(each.http)}",
        "  balance roundrobin",
        f"  timeout server {_IDLE[each.http]}s",
        f"  timeout check {_milliseconds(each.check.timeout)}",
    ]
    if each.check.path:
        lines += [
            "  option httpchk",
            f"  http-check send meth GET uri {_quoted(each.check.path)} ver HTTP/1.1 hdr Host localhost"
            " hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
            f"  http-check expect status {_ranges(each.check.codes)}",
        ]
    for server in each.servers:
        waits = " disabled" if server.waits else ""
        lines.append(f"  server {server.name} {server_settings(server, each.check)}{waits}")
    return lines


def server_settings(server: Server, check: Check) -> str:
    """What a server's line says after its name, in the configuration and when it is added to a running haproxy.

    >>> server_settings(Server("t1", "127.0.0.2", 80), Check(interval=5))
    '127.0.0.2:80 check inter 5000 rise 5 fall 2 pool-max-conn 0'
    """
    elsewhere = f" port {check.port}" if check.port else ""
    thresholds = f"rise {check.healthy_after} fall {check.unhealthy_after}"
    # No connection to a target is kept by itself: a server with one could not be deleted.
    inter = f"inter {_milliseconds(check.interval)}"
    return f"{server.address}:{server.port} check{elsewhere} {inter} {thresholds} pool-max-conn 0"


def _mode(http: bool) -> str:
    return "http" if http else "tcp"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _quoted(text: str) -> str:
    """A word of the configuration, whatever is in it.

    Raises
    ------
    ValueError
        It holds what no line can.
    """
    if not text.isprintable():
        raise ValueError(f"the health check's path {text!r} holds characters that cannot be sent")
    return "'" + text.replace("'", "'\\''") + "'"


def _ranges(codes: frozenset[int]) -> str:
    """Status codes as haproxy writes them.

    >>> _ranges(frozenset({200, 201, 202, 404}))
    '200-202,404'
    """
    spans: list[list[int]] = []
    for code in sorted(codes):
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
