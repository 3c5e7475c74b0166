"""An HTTP server whose connections stay open.

werkzeug's own closes each connection after one answer; AWS's endpoints do not, and a deployment makes many small calls.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import Any
from wsgiref.types import WSGIApplication

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

_DRAIN_LIMIT = 1 << 20


class _Body(io.RawIOBase):
    """A request's body: as many bytes as its length says, and no byte of the next request."""

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self.left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._source.read(min(len(buffer), self.left)) if self.left else b""
        # An end before its time: nothing more will come.
        self.left = self.left - len(data) if data else 0
        buffer[: len(data)] = data
        return len(data)


class KeepAliveHandler(WSGIRequestHandler):
    """Answers one request after another on a connection, each in one piece; logs nothing."""

    protocol_version = "HTTP/1.1"
    # One write an answer, but a large one would otherwise wait for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.environ = environ = self.make_environ()
        rest: io.BufferedReader | None = None
        if "wsgi.input_terminated" not in environ:
            rest = io.BufferedReader(_Body(self.rfile, int(self.headers.get("Content-Length") or 0)), 1 << 16)
            environ["wsgi.input"] = rest
        answer: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            answer[:] = [status, headers]

        content = self._content(environ, start_response)
        status, headers = answer
        self._send(status, headers, content)
        if rest is not None and len(rest.read(_DRAIN_LIMIT)) == _DRAIN_LIMIT:
            # Too much was left unread to be worth reading.
            self.close_connection = True

    def _content(self, environ: dict[str, Any], start_response: Any) -> bytes:
        chunks: Iterable[bytes] = self.server.app(environ, start_response)
        try:
            return b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _send(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason or None)
        known = set()
        for name, value in headers:
            known.add(name.lower())
            if name.lower() != "connection":
                self.send_header(name, value)
        bodiless = self.command == "HEAD" or code in ("204", "304") or code.startswith("1")
        if "content-length" not in known and not bodiless:
            self.send_header("Content-Length", str(len(content)))
        # http.server gathers the head; with the body it leaves in one packet where it fits.
        self._headers_buffer.append(b"\r\n")
        self._headers_buffer.append(b"" if bodiless else content)
        self.flush_headers()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's own name
        """Say nothing."""


def serve(
    application: WSGIApplication, name: str, handler: type[WSGIRequestHandler] = KeepAliveHandler
) -> BaseWSGIServer:
    """Serve on a free loopback port, in a daemon thread; the server given back knows its ``port``."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=handler)
    arguments = {"poll_interval": 0.05}
    threading.Thread(target=server.serve_forever, kwargs=arguments, name=name, daemon=True).start()
    return server


def close(server: BaseWSGIServer) -> None:
    """End serving, and free the port."""
    server.shutdown()
    server.server_close()
