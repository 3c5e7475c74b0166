"""The proxy's HTTP server: on loopback, for whoever knows its endpoint."""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from tidegate.api.addresses import Scope
from tidegate.api.errors import ApiError
from tidegate_cli.connection import Connection
from tidegate_cli.proxy.translate import Answer, Asked, answered, asked, failed

__all__ = ["Proxy"]

_BODY_LIMIT: Final = 10 * 1024 * 1024  # as API Gateway's
_HOSTS: Final = ("127.0.0.1", "localhost")


class Proxy:
    """Takes any SDK's requests, and sends them on signed with the user's own credentials.

    It answers at ``http://127.0.0.1:<port>/<secret>`` alone: the secret keeps other users of the machine out. Pages in
    a browser are kept out by that too, and by what is asked of requests: the host's name, a header that no page may
    send without asking first, and none of those that browsers add.

    Parameters
    ----------
    connection
        Where to.
    scope
        What calls by deployment id are confined to.
    credentials
        Gives the user's credentials, fresh each time; None where there are none.
    secret
        What stands in the endpoint's path.
    port
        0 for a free one.
    """

    def __init__(
        self,
        connection: Connection,
        scope: Scope | None,
        credentials: Callable[[], Any],
        secret: str,
        port: int = 0,
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._credentials = credentials
        self._secret = secret
        self._sessions = threading.local()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self._server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        """What SDKs are pointed at."""
        return f"http://127.0.0.1:{self._server.server_port}/{self._secret}"

    def serve(self) -> None:
        """Serve until `stop`."""
        self._server.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """End serving; from another thread than `serve`'s."""
        self._server.shutdown()

    def close(self) -> None:
        """Free the port."""
        self._server.server_close()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one POST; the headers by lower-case name."""
        is_cbor = headers.get("smithy-protocol") == "rpc-v2-cbor"
        try:
            rest = self._admitted(path, headers)
            if rest == "/_stop":
                threading.Thread(target=self.stop, daemon=True).start()
                return Answer(200, {"Content-Type": "application/json"}, b"{}")
            return self._forward(asked(rest, headers, body))
        except ApiError as error:
            return failed(error, is_cbor)

    def _admitted(self, path: str, headers: Mapping[str, str]) -> str:
        """The path behind the secret; refused where the request may not come from an SDK of the user's."""
        name, _, port = headers.get("host", "").partition(":")
        if name not in _HOSTS or port != str(self._server.server_port):
            raise _refused("the header Host names another host")
        if headers.keys() & {"origin", "sec-fetch-site", "sec-fetch-mode"}:
            raise _refused("it comes from a page in a browser")
        secret, slash, rest = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise _refused("its path does not begin with the one that `tidegate proxy` printed")
        return slash + rest

    def _forward(self, request: Asked) -> Answer:
        url = self._connection.endpoint + request.path(self._scope)
        sent = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=request.body)
        self._sign(sent)
        try:
            answer = self._session().send(sent.prepare())
        except BotoCoreError as error:
            message = f"The proxy cannot reach {self._connection.endpoint}: {type(error).__name__}."
            raise ApiError("ServiceUnavailableException", message, 503) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answered(request, answer.status_code, headers, answer.content)

    def _sign(self, request: AWSRequest) -> None:
        try:
            found = self._credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
        except BotoCoreError as error:
            raise ApiError("UnrecognizedClientException", f"The proxy's credentials cannot be used: {error}") from None
        if frozen is None:
            message = "The proxy has no credentials to sign with: set some up (aws configure, aws sso login)."
            raise ApiError("UnrecognizedClientException", message)
        SigV4Auth(frozen, "execute-api", self._connection.region).add_auth(request)

    def _session(self) -> URLLib3Session:
        if not hasattr(self._sessions, "own"):
            # As botocore's own clients do; API Gateway answers within 29 seconds.
            authorities: Any = os.environ.get("AWS_CA_BUNDLE") or True
            self._sessions.own = URLLib3Session(
                verify=authorities,
                proxies=get_environ_proxies(self._connection.endpoint),
                timeout=35,
            )
        session: URLLib3Session = self._sessions.own
        return session


def _refused(why: str) -> ApiError:
    return ApiError("AccessDeniedException", f"The proxy refuses this request: {why}.", 403)


def _handler_of(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 120

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > _BODY_LIMIT:
                # What is left unread would be taken for the next request.
                self.close_connection = True
                self._send(
                    failed(ApiError("SerializationException", "The body must have a length of at most 10 MB."), False)
                )
                return
            body = self.rfile.read(int(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(proxy.answer(self.path.partition("?")[0], headers, body))

        def do_GET(self) -> None:
            self.close_connection = True
            self._send(
                Answer(405, {"Content-Type": "application/json"}, json.dumps({"message": "POST alone"}).encode())
            )

        do_OPTIONS = do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: paths hold the secret."""

    return Handler
