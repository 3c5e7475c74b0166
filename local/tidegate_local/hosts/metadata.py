"""An instance-metadata endpoint for one host, on the host's own address.

Follows "Use the Instance Metadata Service to access instance metadata" of the EC2 user guide, version 2 alone: a token
by PUT, then GET with the token. Hosts share the machine's network, so this is no border between hosts.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Gives the text at a path such as ``meta-data/instance-id``, a listing for a folder, None for nothing.
Lookup = Callable[[str], str | None]

_TOKEN_PATH = "/latest/api/token"  # noqa: S105 - no secret
_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_LONGEST_TTL = 21600


class MetadataEndpoint:
    """Serves one host's metadata.

    Parameters
    ----------
    address
        The host's address; the port is a free one.
    lookup
        What is at a path below ``/latest/``.
    """

    def __init__(self, address: str, lookup: Lookup) -> None:
        self._tokens: dict[str, float] = {}
        self._lookup = lookup
        endpoint = self

        class Handler(_Handler):
            def answer(self, method: str) -> tuple[int, str, dict[str, str]]:
                return endpoint.answer(method, self.path, {n.lower(): v for n, v in self.headers.items()})

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{address}:{self._server.server_port}"

    def start(self) -> None:
        """Begin to serve, in a daemon thread."""
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name=f"metadata {self.url}", daemon=True
        ).start()

    def stop(self) -> None:
        """End serving, and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer."""
        if "x-forwarded-for" in headers:
            return 403, "", {}
        if path == _TOKEN_PATH:
            return self._token(headers.get(_TTL.lower(), "")) if method == "PUT" else (405, "", {})
        if method != "GET":
            return 405, "", {}
        if self._tokens.get(headers.get(_TOKEN.lower(), ""), 0.0) < time.monotonic():
            return 401, "", {}
        _, _, rest = path.partition("/latest/")
        found = self._lookup(rest.strip("/")) if path.startswith("/latest/") else None
        return (404, "", {}) if found is None else (200, found, {})

    def _token(self, ttl: str) -> tuple[int, str, dict[str, str]]:
        if not ttl.isdigit() or not 1 <= int(ttl) <= _LONGEST_TTL:
            return 400, "", {}
        now = time.monotonic()
        self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(40)
        self._tokens[token] = now + int(ttl)
        return 200, token, {_TTL: ttl}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, method: str) -> tuple[int, str, dict[str, str]]:
        raise NotImplementedError

    def do_GET(self) -> None:
        self._respond("GET")

    def do_PUT(self) -> None:
        self._respond("PUT")

    def do_POST(self) -> None:
        self._respond("POST")

    def _respond(self, method: str) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, text, headers = self.answer(method)
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
