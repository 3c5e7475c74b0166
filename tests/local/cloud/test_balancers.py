"""What a local load balancer does with connections, health and draining."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tidegate_local.balancing.forwarder import Forwarder, any_address
from tidegate_local.balancing.pool import NOT_REGISTERED, Check, Pool

CHECK = Check(path="/health", interval=0.05, timeout=1, healthy_after=2, unhealthy_after=2, deregistration_delay=60)


class App:
    """A web server that says its name; ``/health`` answers ``code``."""

    def __init__(self, name: str) -> None:
        app, self.code = self, 200

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(app.code if self.path == "/health" else 200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Front:
    """A forwarder with one listener and one pool."""

    def __init__(self) -> None:
        self.check = CHECK
        self.forwarder = Forwarder()
        self.pool = Pool(lambda: self.check)
        self.address = any_address()
        self.port = self.forwarder.listen("front", self.address, 0, lambda: self.pool, http=True)

    def register(self, target_id: str, port: int) -> None:
        self.forwarder.call(self.pool.register, target_id, "127.0.0.1", port)

    def deregister(self, target_id: str) -> None:
        self.forwarder.call(self.pool.deregister, target_id)

    def state(self, target_id: str) -> tuple[str, str]:
        return self.forwarder.call(self.pool.state_of, target_id)

    def until(self, target_id: str, state: str) -> None:
        eventually(lambda: self.state(target_id)[0] == state)

    def ask(self) -> tuple[int, str]:
        connection = HTTPConnection(self.address, self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def front() -> Iterator[Front]:
    made = Front()
    yield made
    made.forwarder.call(made.pool.end)
    made.forwarder.stop()


@pytest.fixture
def apps() -> Iterator[list[App]]:
    made = [App("a"), App("b")]
    yield made
    for app in made:
        app.stop()


def test_requests_go_to_healthy_targets_in_turn(front: Front, apps: list[App]) -> None:
    assert front.ask()[0] == 503
    for name, app in zip("ab", apps, strict=True):
        front.register(name, app.port)
        front.until(name, "healthy")
    assert sorted(front.ask()[1] for _ in range(4)) == ["a", "a", "b", "b"]
    apps[0].code = 500
    front.until("a", "unhealthy")
    assert front.state("a") == ("unhealthy", "Target.ResponseCodeMismatch")
    assert {front.ask()[1] for _ in range(4)} == {"b"}
    apps[0].code = 200
    front.until("a", "healthy")
    assert {front.ask()[1] for _ in range(4)} == {"a", "b"}


def test_a_new_target_that_never_answers_gets_unhealthy_and_no_requests(front: Front) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        front.register("gone", unused.getsockname()[1])
        front.until("gone", "unhealthy")
        assert front.state("gone") == ("unhealthy", "Target.FailedHealthChecks")
        assert front.ask()[0] == 503


def test_a_target_without_connections_is_gone_at_once(front: Front, apps: list[App]) -> None:
    front.register("a", apps[0].port)
    front.until("a", "healthy")
    front.deregister("a")
    assert front.state("a") == NOT_REGISTERED
    front.deregister("a")
    assert front.ask()[0] == 503


def open_connection(front: Front) -> socket.socket:
    """A connection through the balancer that has begun to be used and is kept open."""
    mine = socket.create_connection((front.address, front.port), timeout=10)
    eventually(lambda: any(target.connections for target in front.pool.targets.values()))
    return mine


def test_a_draining_target_finishes_what_it_has_and_gets_nothing_new(front: Front, apps: list[App]) -> None:
    front.register("a", apps[0].port)
    front.until("a", "healthy")
    with open_connection(front) as mine:
        front.deregister("a")
        assert front.state("a") == ("draining", "Target.DeregistrationInProgress")
        assert front.ask()[0] == 503
        mine.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with mine.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\na")
    eventually(lambda: front.state("a") == NOT_REGISTERED)


def test_the_deregistration_delay_cuts_what_does_not_end(front: Front, apps: list[App]) -> None:
    front.check = Check(path="/health", interval=0.05, timeout=1, deregistration_delay=0.2)
    front.register("a", apps[0].port)
    front.until("a", "healthy")
    with open_connection(front) as mine:
        front.deregister("a")
        assert front.state("a")[0] == "draining"
        assert mine.recv(1) == b""
    assert front.state("a") == NOT_REGISTERED


def test_a_target_that_drains_may_be_registered_again(front: Front, apps: list[App]) -> None:
    front.register("a", apps[0].port)
    front.until("a", "healthy")
    with open_connection(front):
        front.deregister("a")
        front.register("a", apps[0].port)
        front.until("a", "healthy")
        assert front.ask() == (200, "a")


def test_a_target_that_dies_between_two_checks_answers_502(front: Front, apps: list[App]) -> None:
    front.check = Check(path="/health", interval=60)
    dying = App("dying")
    front.register("d", dying.port)
    front.until("d", "healthy")
    dying.stop()
    assert front.ask()[0] == 502


def test_stopping_leaves_no_thread_and_no_listener(apps: list[App]) -> None:
    front = Front()
    front.register("a", apps[0].port)
    front.until("a", "healthy")
    front.forwarder.call(front.pool.end)
    front.forwarder.stop()
    assert not any(thread.name == "balancers" for thread in threading.enumerate())
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((front.address, front.port), timeout=1)
