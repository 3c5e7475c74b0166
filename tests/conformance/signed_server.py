"""The API behind a socket that checks signatures as API Gateway does, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.unit.api.world import World
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tidegate.api import ApiRequest, handle
from tidegate_local.adapters.sigv4 import Caller, SignatureError, verify

ALICE = Caller("AKIAALICE", "alices-secret", "123456789012", "arn:aws:iam::123456789012:user/alice", "AIDA")


@dataclass
class SignedServer:
    """Serves one world's API at ``/v1``, to requests that Alice signed for execute-api."""

    world: World = field(default_factory=World)
    paths: list[str] = field(default_factory=list)
    refusal: str = ""

    def __post_init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        return self._response(Request(environ))(environ, start_response)

    def _response(self, request: Request) -> Response:
        # Not decoded, as API Gateway hands it over.
        path = str(request.environ["REQUEST_URI"])
        body = request.get_data()
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = f"http://{request.host}{path}"
        lookup = {ALICE.access_key: ALICE}.get
        try:
            caller = verify(request.method, url, headers, body, "execute-api", lookup, datetime.now(UTC))
        except SignatureError as error:
            return Response(f'{{"message":"{error}"}}', 403, {"x-amzn-ErrorType": error.kind})
        if self.refusal:
            return Response(f'{{"message":"{self.refusal}"}}', 403, {"x-amzn-ErrorType": "AccessDeniedException"})
        rest = path.removeprefix("/v1")
        self.paths.append(rest)
        sent = ApiRequest(request.method, rest, dict(request.headers), body, caller=caller.arn)
        answer = handle(sent, self.world.services)
        return Response(answer.body, answer.status, dict(answer.headers))
