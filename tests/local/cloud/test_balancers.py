"""What a local load balancer does with connections, health and draining: by haproxy, and in plain Python."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidegate_local.balancing import any_address, haproxy_process
from tidegate_local.balancing.haproxy import HaproxyForwarder
from tidegate_local.balancing.health import Check, Forwarding, Health
from tidegate_local.balancing.plain import PlainForwarder

CHECK = Check(path="/health", interval=0.05, timeout=1, healthy_after=2, unhealthy_after=2, deregistration_delay=60)


class App:
    """A web server that says its name; ``/health`` answers ``code``, and no request is answered before ``go``."""

    def __init__(self, name: str) -> None:
        app, self.code, self.go, self.waiting = self, 200, threading.Event(), 0
        self.go.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path != "/health":
                    app.waiting += 1
                    app.go.wait(20)
                self.send_response(app.code if self.path == "/health" else 200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_args: None  # type: ignore[method-assign]  # connections are cut here
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Front:
    """A forwarder with one listener and one pool."""

    def __init__(self, forwarder: Forwarding, *, http: bool = True) -> None:
        self.check = CHECK
        self.forwarder = forwarder
        self.routes = [("pool", 1)]
        self.forwarder.pool("pool", lambda: self.check, http)
        self.address = any_address()
        self.port = self.forwarder.listen("front", self.address, 0, lambda: self.routes, http)

    def register(self, target_id: str, port: int, pool: str = "pool") -> None:
        self.forwarder.register(pool, target_id, "127.0.0.1", port)

    def healthy(self, *apps: App) -> None:
        """Register apps by the letters of the alphabet, and wait until all are healthy."""
        for name, app in zip("abcdef", apps, strict=False):
            self.register(name, app.port)
        for name, _ in zip("abcdef", apps, strict=False):
            self.until(name, "healthy")

    def deregister(self, target_id: str) -> None:
        self.forwarder.deregister("pool", target_id)

    def state(self, target_id: str, pool: str = "pool") -> Health | None:
        return self.forwarder.states(pool).get(target_id)

    def until(self, target_id: str, state: str, pool: str = "pool") -> None:
        eventually(lambda: (self.state(target_id, pool) or Health("gone")).state == state)

    def ask(self) -> tuple[int, str]:
        connection = HTTPConnection(self.address, self.port, timeout=10)
        with contextlib.closing(connection):
            return request(connection)

    def ask_in_thread(self) -> tuple[threading.Thread, list[tuple[int, str]]]:
        answers: list[tuple[int, str]] = []

        def run() -> None:
            try:
                answers.append(self.ask())
            except (OSError, EOFError) as error:
                answers.append((0, repr(error)))

        thread = threading.Thread(target=run)
        thread.start()
        return thread, answers


def request(connection: HTTPConnection) -> tuple[int, str]:
    connection.request("GET", "/")
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def haproxy(folder: Path) -> HaproxyForwarder:
    program, version = haproxy_process.find()
    if not program:
        pytest.skip(f"NOT RUN: {version}")
    return HaproxyForwarder(program, version, folder)


@pytest.fixture(params=["haproxy", "python"])
def forwarder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forwarding]:
    made: Forwarding = haproxy(tmp_path) if request.param == "haproxy" else PlainForwarder()
    yield made
    made.stop()


@pytest.fixture
def front(forwarder: Forwarding) -> Front:
    return Front(forwarder)


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Front]:
    """What haproxy alone does."""
    made = Front(haproxy(tmp_path))
    yield made
    made.forwarder.stop()


@pytest.fixture
def apps() -> Iterator[list[App]]:
    made = [App("a"), App("b")]
    yield made
    for app in made:
        app.stop()


def test_requests_go_to_healthy_targets_in_turn(front: Front, apps: list[App]) -> None:
    assert front.ask()[0] == 503
    front.healthy(*apps)
    assert sorted(front.ask()[1] for _ in range(4)) == ["a", "a", "b", "b"]
    apps[0].code = 500
    front.until("a", "unhealthy")
    assert front.state("a") == ("unhealthy", "Target.ResponseCodeMismatch", "500")
    assert {front.ask()[1] for _ in range(4)} == {"b"}
    apps[0].code = 200
    front.until("a", "healthy")
    assert {front.ask()[1] for _ in range(4)} == {"a", "b"}


def test_a_new_target_is_initial_and_gets_nothing_before_its_first_good_answer(front: Front, apps: list[App]) -> None:
    front.check = Check(path="/health", interval=0.3, timeout=1, unhealthy_after=10)
    front.forwarder.refresh()
    front.healthy(apps[0])
    apps[1].code = 404
    front.register("b", apps[1].port)
    for _ in range(10):
        assert front.state("b") == ("initial", "Elb.InitialHealthChecking", "")
        assert front.ask() == (200, "a")
    apps[1].code = 200
    front.until("b", "healthy")
    assert {front.ask()[1] for _ in range(2)} == {"a", "b"}


def test_a_new_target_that_never_answers_gets_unhealthy_and_no_requests(front: Front) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        front.register("gone", unused.getsockname()[1])
        front.until("gone", "unhealthy")
        assert front.state("gone") == ("unhealthy", "Target.FailedHealthChecks", "")
        assert front.ask()[0] == 503


def test_a_target_that_accepts_and_says_nothing_times_out(front: Front) -> None:
    front.check = Check(path="/health", interval=0.2, timeout=0.1)
    front.forwarder.refresh()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        front.register("mute", mute.getsockname()[1])
        front.until("mute", "unhealthy")
        assert front.state("mute") == ("unhealthy", "Target.Timeout", "")


def test_a_check_may_ask_another_port_and_expect_other_codes(front: Front, apps: list[App]) -> None:
    apps[1].code = 302
    front.check = Check(path="/health", interval=0.05, codes=frozenset({200, 301, 302}), port=apps[1].port)
    front.forwarder.refresh()
    front.healthy(apps[0])
    apps[1].code = 303
    front.until("a", "unhealthy")
    assert front.state("a") == ("unhealthy", "Target.ResponseCodeMismatch", "303")


def test_a_target_without_connections_is_gone_at_once(front: Front, apps: list[App]) -> None:
    front.healthy(apps[0])
    front.deregister("a")
    assert front.state("a") is None
    front.deregister("a")
    assert front.ask()[0] == 503


def test_a_draining_target_finishes_what_it_has_and_gets_nothing_new(front: Front, apps: list[App]) -> None:
    front.healthy(*apps)
    apps[0].go.clear()
    asked = [front.ask_in_thread() for _ in range(2)]
    eventually(lambda: apps[0].waiting == 1)
    front.deregister("a")
    assert front.state("a") == ("draining", "Target.DeregistrationInProgress", "")
    assert {front.ask() for _ in range(4)} == {(200, "b")}
    apps[0].go.set()
    for thread, _ in asked:
        thread.join(10)
    assert sorted(answer for _, answers in asked for answer in answers) == [(200, "a"), (200, "b")]
    eventually(lambda: front.state("a") is None)


def test_the_deregistration_delay_cuts_what_does_not_end(front: Front, apps: list[App]) -> None:
    front.check = Check(path="/health", interval=0.05, timeout=1, deregistration_delay=0.5)
    front.forwarder.refresh()
    front.healthy(apps[0])
    apps[0].go.clear()
    thread, answers = front.ask_in_thread()
    eventually(lambda: apps[0].waiting == 1)
    front.deregister("a")
    assert (front.state("a") or Health("")).state == "draining"
    thread.join(10)
    assert [status for status, _ in answers] not in ([200], [])
    eventually(lambda: front.state("a") is None)


def test_a_network_balancer_leaves_what_does_not_end_alone(forwarder: Forwarding, apps: list[App]) -> None:
    front = Front(forwarder, http=False)
    front.check = Check(path="", interval=0.05, timeout=1, deregistration_delay=0.3, cuts=False)
    forwarder.refresh()
    front.healthy(apps[0])
    apps[0].go.clear()
    thread, answers = front.ask_in_thread()
    eventually(lambda: apps[0].waiting == 1)
    front.deregister("a")
    eventually(lambda: front.state("a") is None)
    apps[0].go.set()
    thread.join(10)
    assert answers == [(200, "a")]
    with pytest.raises(OSError, match=r"."):
        front.ask()


def test_a_target_that_drains_may_be_registered_again(front: Front, apps: list[App]) -> None:
    front.healthy(apps[0])
    apps[0].go.clear()
    thread, answers = front.ask_in_thread()
    eventually(lambda: apps[0].waiting == 1)
    front.deregister("a")
    front.register("a", apps[0].port)
    front.until("a", "healthy")
    apps[0].go.set()
    assert front.ask() == (200, "a")
    thread.join(10)
    assert answers == [(200, "a")]


def test_a_target_that_dies_between_two_checks_is_not_hidden(front: Front) -> None:
    front.check = Check(path="/health", interval=60)
    front.forwarder.refresh()
    dying = App("dying")
    front.healthy(dying)
    dying.stop()
    assert front.ask()[0] in (502, 503)


def test_traffic_moves_to_another_pool_and_is_shared_by_weight(front: Front, apps: list[App]) -> None:
    front.healthy(apps[0])
    front.forwarder.pool("other", lambda: CHECK, True)
    front.register("b", apps[1].port, "other")
    front.routes[:] = [("pool", 1), ("other", 1)]
    front.forwarder.refresh()
    front.until("b", "healthy", "other")
    assert {front.ask()[1] for _ in range(40)} == {"a", "b"}
    front.routes[:] = [("other", 1)]
    front.forwarder.refresh()
    assert {front.ask() for _ in range(4)} == {(200, "b")}
    front.forwarder.drop("pool")
    assert front.ask() == (200, "b")


def test_listeners_come_and_go(front: Front, apps: list[App]) -> None:
    front.healthy(apps[0])
    with pytest.raises(OSError, match=r"[Uu]se"):
        front.forwarder.listen("third", front.address, front.port, lambda: front.routes, True)
    port = front.forwarder.listen("second", front.address, 0, lambda: front.routes, True)
    front.forwarder.close("front")
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((front.address, front.port), timeout=1)
    front.port = port
    front.until("a", "healthy")
    assert front.ask() == (200, "a")
    front.forwarder.close("second")
    front.forwarder.close("second")
    front.port = front.forwarder.listen("fourth", front.address, 0, lambda: front.routes, True)
    front.until("a", "healthy")
    assert front.ask() == (200, "a")


def test_stopping_leaves_no_thread_no_process_and_no_listener(front: Front, apps: list[App], tmp_path: Path) -> None:
    front.healthy(apps[0])
    front.forwarder.stop()
    front.forwarder.stop()
    assert not any(thread.name == "balancers" for thread in threading.enumerate())
    assert not (tmp_path / "balancers").exists()
    with pytest.raises(OSError, match=r"."):
        socket.create_connection((front.address, front.port), timeout=1)


def test_a_connection_that_is_kept_is_spread_and_drained_by_request(proxied: Front, apps: list[App]) -> None:
    proxied.healthy(*apps)
    with contextlib.closing(HTTPConnection(proxied.address, proxied.port, timeout=10)) as kept:
        assert {request(kept)[1] for _ in range(4)} == {"a", "b"}
        proxied.deregister("a")
        assert proxied.state("a") is None
        assert {request(kept) for _ in range(4)} == {(200, "b")}


def test_a_change_of_settings_loses_no_request_and_no_state(proxied: Front, apps: list[App]) -> None:
    proxied.healthy(*apps)
    apps[1].code = 500
    proxied.until("b", "unhealthy")
    apps[0].go.clear()
    thread, answers = proxied.ask_in_thread()
    eventually(lambda: apps[0].waiting == 1)
    with contextlib.closing(HTTPConnection(proxied.address, proxied.port, timeout=10)) as kept:
        kept.connect()
        proxied.check = Check(path="/health", interval=30)
        proxied.forwarder.refresh()
        proxied.deregister("a")
        assert (proxied.state("a") or Health("")).state == "draining"
        assert (proxied.state("b") or Health("")).state == "unhealthy"
        apps[0].go.set()
        thread.join(10)
        assert answers == [(200, "a")]
        eventually(lambda: proxied.state("a") is None)
        assert request(kept)[0] in (200, 503)  # answered by the old worker, which took "a" for healthy, or the new one


def test_servers_of_a_haproxy_do_not_pile_up(proxied: Front, apps: list[App]) -> None:
    for _ in range(5):
        proxied.healthy(apps[0])
        assert proxied.ask() == (200, "a")
        proxied.deregister("a")
    proxied.healthy(apps[0])
    servers = proxied.forwarder._process.rows()  # type: ignore[attr-defined]
    assert len(servers) <= 2


def test_a_haproxy_that_is_killed_is_started_again(proxied: Front, apps: list[App]) -> None:
    proxied.healthy(apps[0])
    process = proxied.forwarder._process._popen  # type: ignore[attr-defined]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    proxied.until("a", "healthy")
    assert proxied.ask() == (200, "a")


def test_a_configuration_that_haproxy_does_not_take_changes_nothing(proxied: Front, apps: list[App]) -> None:
    proxied.healthy(apps[0])
    proxied.check = Check(path="/health", healthy_after=0, interval=0.05)
    with pytest.raises(OSError, match=r"haproxy.log says why"):
        proxied.forwarder.refresh()
    assert proxied.ask() == (200, "a")
    proxied.check = CHECK
    proxied.forwarder.refresh()
    assert proxied.ask() == (200, "a")


def test_why_haproxy_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(haproxy_process.VARIABLE, "")
    assert haproxy_process.find() == ("", f"{haproxy_process.VARIABLE} is empty")
    old = tmp_path / "haproxy"
    old.write_text("#!/bin/sh\necho HAProxy version 2.4.22-0ubuntu0 2023/08/14\n")
    old.chmod(0o755)
    monkeypatch.setenv(haproxy_process.VARIABLE, str(old))
    assert haproxy_process.find() == ("", f"{old} is older than 2.6")
    monkeypatch.setenv(haproxy_process.VARIABLE, str(tmp_path / "none"))
    assert "cannot be run" in haproxy_process.find()[1]
    monkeypatch.delenv(haproxy_process.VARIABLE)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    assert "apt-get install haproxy" in haproxy_process.find()[1]
