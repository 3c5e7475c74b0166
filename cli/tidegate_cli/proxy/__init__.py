"""``tidegate proxy``: a door on this machine for SDKs that cannot sign for API Gateway."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate_cli.clients import UserError, user_errors
from tidegate_cli.connection import Application, EndpointUrl, GroupName, Region, StackName, find, scope_of

__all__ = ["proxy"]


def proxy(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 for a free one.")] = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it listens, and leave it running.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the proxy at --port, or all of yours.")] = False,
    stack: StackName = "",
    endpoint: EndpointUrl = "",
    region: Region = "",
    application: Application = "",
    group: GroupName = "",
) -> None:
    """Let any AWS SDK on this machine call an installation: prints the endpoint to point it at.

    Requests are signed anew with your own credentials. Whoever knows the endpoint calls in your name: it holds a
    secret, is served to this machine alone, and ends with the proxy.
    """
    from tidegate_cli.proxy import process

    with user_errors():
        if stop:
            for each in process.stop(port):
                typer.echo(f"The proxy at {each} has ended.")
        elif detach:
            scope_of(application, group)
            found = find(stack, endpoint, region)
            words = ["--endpoint", found.endpoint, "--region", found.region, "--port", str(port)]
            words += ["--application", application] if application else []
            words += ["--group", group] if group else []
            typer.echo(process.start(words))
        else:
            _serve(port, stack, endpoint, region, application, group)


def _serve(port: int, stack: str, endpoint: str, region: str, application: str, group: str) -> None:
    import secrets
    import signal
    import sys

    import boto3

    from tidegate_cli.proxy import process
    from tidegate_cli.proxy.server import Proxy

    scope, found = scope_of(application, group), find(stack, endpoint, region)
    session = boto3.session.Session()
    if session.get_credentials() is None:
        raise UserError("no credentials are found to sign with: set some up (aws configure, aws sso login)")
    try:
        server = Proxy(found, scope, session.get_credentials, secrets.token_urlsafe(18), port)
    except OSError as error:
        raise UserError(f"port {port} of 127.0.0.1 cannot be listened at ({error.strerror}): name another") from None
    file = process.remember(server.endpoint, found.endpoint)
    # An end asked for by signal takes the note away, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        typer.echo(server.endpoint)
        sys.stdout.flush()
        server.serve()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
        process.forget(file)
