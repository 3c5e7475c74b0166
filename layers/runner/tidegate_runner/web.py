"""One HTTP request without urllib, which takes longer to import than most requests take.

Whatever is unusual (proxies, redirects, chunks, addresses of other forms) is left to urllib.
"""

import os
import re
import socket
from typing import Any, Optional

_PLAIN = re.compile(r"(https?)://(([^/?#:@\[\]]+)(?::([0-9]+))?)(/[!-~]*)")
_LONGEST_HEAD = 64 * 1024


class Answer:
    """A server's answer: ``code``, ``reason``, and its body to ``read`` in pieces."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb", 256 * 1024)
        status = self._stream.readline(_LONGEST_HEAD).decode("latin-1").split(None, 2)
        if len(status) < 2 or not status[0].startswith("HTTP/") or not status[1].isdigit():
            raise OSError("the server's answer is not HTTP")
        self.code = int(status[1])
        self.reason = status[2].strip() if len(status) > 2 else ""
        self.is_plain = not 300 <= self.code < 400
        size, line = 0, b"-"
        while line not in (b"", b"\r\n", b"\n"):
            line = self._stream.readline(_LONGEST_HEAD)
            size += len(line)
            if size > _LONGEST_HEAD:
                raise OSError("the head of the server's answer is too long")
            if line.lower().startswith(b"transfer-encoding:"):
                self.is_plain = False

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        return data

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._connection.close()


def ask(url: str, timeout: float, body: Optional[bytes] = None, kind: str = "") -> Optional[Answer]:
    """GET what is at `url`, or POST a `body` of `kind` there; ``None`` where that takes urllib.

    Raises
    ------
    OSError
        When the server cannot be reached, or does not answer in `timeout` seconds. It never holds the URL.
    """
    plain = _PLAIN.fullmatch(url)
    if plain is None or any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    scheme, where, host, port, path = plain.groups()
    connection: Any = socket.create_connection((host, int(port or (80 if scheme == "http" else 443))), timeout)
    try:
        if scheme == "https":
            import ssl

            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        # HTTP/1.0 where the body matters: it comes without chunks.
        head = "GET %s HTTP/1.0\r\nHost: %s\r\n" % (path, where)
        if body is not None:
            head = "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (path, where)
            head += "Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(body))
        connection.sendall(head.encode("ascii") + b"\r\n" + (body or b""))
        answer = Answer(connection)
    except BaseException:
        connection.close()
        raise
    if body is None and not answer.is_plain:
        answer.__exit__()
        return None
    return answer
