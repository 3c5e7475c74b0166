"""A server that behaves as GitHub's API does, and beside it the host of archives, on ports of this machine.

As "REST API endpoints for repository contents", "Rate limits for the REST API" and "Troubleshooting the REST API" of
GitHub's documents have it: a redirection to another host, whose address holds a short-lived token for private
repositories; 404 and not 403 for what a caller may not know of; 401 for a bad token, also for public repositories.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "github_pat_correct-horse-battery-staple"
ONE_TIME = "one-time-and-secret"


@dataclass
class Answer:
    """An answer laid down for the next request: instead of the usual one, or what becomes of an archive."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    host: str
    path: str
    headers: Mapping[str, str]


class GitHubServer:
    """Repositories by name; what is asked; what the next requests are to get.

    Attributes
    ----------
    archives
        The tarball of each ``owner/repository`` at ``COMMIT``.
    private
        Those that only ``TOKEN`` may read.
    send
        Writes an archive's body; replaced to break it off, or to be slow.
    """

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}
        self.private: set[str] = set()
        self.asked: list[Asked] = []
        self.next: list[Answer] = []
        self.next_archive: list[Answer] = []
        self.send: list[Callable[[BaseHTTPRequestHandler, bytes], None]] = []
        self.moved: dict[str, str] = {}
        self._api = ThreadingHTTPServer(("127.0.0.1", 0), self._handler("api", self._answer))
        self._codeload = ThreadingHTTPServer(("127.0.0.1", 0), self._handler("codeload", self._archive))
        self.url = f"http://127.0.0.1:{self._api.server_address[1]}"
        self.codeload_url = f"http://127.0.0.1:{self._codeload.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[GitHubServer]:
        """Serve until left."""
        servers = (self._api, self._codeload)
        for server in servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield self
        finally:
            for server in servers:
                server.shutdown()
                server.server_close()

    def add(self, repository: str, members: Mapping[str, bytes], *, private: bool = False) -> None:
        """Put a repository with one commit there."""
        self.archives[repository] = tarball(repository, members)
        if private:
            self.private.add(repository)

    def _handler(
        self, host: str, answer: Callable[[BaseHTTPRequestHandler], None]
    ) -> Callable[..., BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(Asked(host, self.path, {k.lower(): v for k, v in self.headers.items()}))
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.next:
            reply(request, self.next.pop(0))
            return
        given = request.headers.get("Authorization", "")
        if "User-Agent" not in request.headers:
            said(request, 403, "Request forbidden by administrative rules.")
            return
        if given and given != f"Bearer {TOKEN}":
            said(request, 401, "Bad credentials")
            return
        parts = request.path.strip("/").split("/")
        if parts[0] == "repositories":  # where a renamed repository's address leads
            repository, commit = self.moved[parts[1]], parts[3]
        else:
            repository, commit = "/".join(parts[1:3]), parts[4]
        if repository in self.moved:
            reply(request, Answer(301, {"Location": f"{self.url}/repositories/{repository}/tarball/{commit}"}))
            return
        hidden = repository in self.private and not given
        if repository not in self.archives or commit != COMMIT or hidden:
            said(request, 404, "Not Found")
            return
        query = f"?token={ONE_TIME}" if repository in self.private else ""
        reply(request, Answer(302, {"Location": f"{self.codeload_url}/{repository}/legacy.tar.gz/{commit}{query}"}))

    def _archive(self, request: BaseHTTPRequestHandler) -> None:
        if self.next_archive:
            reply(request, self.next_archive.pop(0))
            return
        path, _, query = request.path.partition("?")
        repository = "/".join(path.strip("/").split("/")[:2])
        if request.headers.get("Authorization") or (repository in self.private and query != f"token={ONE_TIME}"):
            reply(request, Answer(404, {}, b"404: Not Found"))
            return
        request.send_response(200)
        request.send_header("Content-Type", "application/x-gzip")
        (self.send.pop(0) if self.send else whole)(request, self.archives[repository])


def tarball(repository: str, members: Mapping[str, bytes]) -> bytes:
    """What GitHub packs: one folder for all, and the commit in a header of the whole."""
    file = io.BytesIO()
    top = f"{repository.replace('/', '-')}-{COMMIT[:7]}/"
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": COMMIT}) as archive:
        folder = tarfile.TarInfo(top)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o775
        archive.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(top + name)
            info.size, info.mode = len(content), 0o775
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(file.getvalue(), 1)


def reply(request: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send an answer."""
    request.send_response(answer.status)
    for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(answer.body)


def said(request: BaseHTTPRequestHandler, status: int, message: str) -> None:
    """Send an error as the API words it."""
    reply(request, Answer(status, {}, json.dumps({"message": message}).encode()))


def whole(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """The whole archive, and its end by the end of the connection, as the host of archives has it."""
    request.end_headers()
    request.wfile.write(body)


def half(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Half of it, and nothing that says so."""
    whole(request, body[: len(body) // 2])


def half_of_what_was_promised(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Half of it under the length of all."""
    request.send_header("Content-Length", str(len(body)))
    whole(request, body[: len(body) // 2])


def bit_by_bit(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """In small pieces, with pauses."""
    request.end_headers()
    for start in range(0, len(body), max(1, len(body) // 5)):
        request.wfile.write(body[start : start + max(1, len(body) // 5)])
        request.wfile.flush()
        time.sleep(0.02)
