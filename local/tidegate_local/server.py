"""moto, patched, as a server on a loopback port of this process."""

from __future__ import annotations

import contextlib
import os

from werkzeug.serving import BaseWSGIServer

from tidegate_local import patches
from tidegate_local.http_server import KeepAliveHandler, close, serve
from tidegate_local.patches.hooks import HOOKS


class MotoServer:
    """The embedded AWS: one a process, since moto's state is the process's."""

    def __init__(self) -> None:
        self._server: BaseWSGIServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start with empty services."""
        from moto.core.config import default_user_config
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )

        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        patches.install()
        reset()
        application = DomainDispatcherApplication(create_backend_app)
        # moto's own handler keeps the spelling of headers with underscores.
        handler = type("Handler", (KeepAliveHandler, MotoRequestHandler), {})
        self._server = serve(application, "moto", handler)
        self.port = self._server.port
        # Read by moto where it calls itself.
        os.environ["MOTO_PORT"] = str(self.port)

    def stop(self) -> None:
        """End what runs, and free the port."""
        HOOKS.clear()
        if self._server is None:
            return
        _stop_executions()
        close(self._server)
        self._server = None


def reset() -> None:
    """Empty all services."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data

    from tidegate_local.patches import dynamodb

    BackendDict.reset()
    reset_model_data()
    dynamodb.forget_tokens()


def _stop_executions() -> None:
    from moto.core.utils import utcnow
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    for account in stepfunctions_parser_backends.values():
        for backend in account.values():
            for machine in backend.state_machines:
                for execution in list(machine.executions):
                    with contextlib.suppress(Exception):
                        execution.stop(utcnow(), "States.Runtime", "the local cloud stopped")
