"""The two clients the commands talk through, and their errors in words.

Everything goes through boto3 as any other client's calls do: `codedeploy` for what CodeDeploy has words for,
`tidegate` for the rest. The environment says where to (`eval "$(tidegate local env)"` for the local cloud).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

import typer

if TYPE_CHECKING:
    from mypy_boto3_codedeploy import CodeDeployClient

__all__ = ["Answer", "TidegateClient", "UserError", "aws", "codedeploy", "paged", "tidegate", "user_errors"]

Answer = Mapping[str, Any]

CONNECT = (
    'Connect first: eval "$(tidegate local env)" for the local cloud, or eval "$(tidegate connect --stack NAME)" '
    "for your installation."
)


class UserError(Exception):
    """Something the user can put right; its text says what and how."""


class TidegateClient(Protocol):
    """What boto3 makes of Tidegate's own service model, as far as the commands use it."""

    def get_logs(self, **request: str) -> Answer: ...

    def list_changes(self, **request: str) -> Answer: ...

    def list_decisions(self, **request: str) -> Answer: ...

    def list_installations(self, **request: str) -> Answer: ...


def codedeploy() -> CodeDeployClient:
    """Return a client of the deployment API for this environment.

    Raises
    ------
    UserError
        When no endpoint, Region or credentials are set.
    """
    return cast("CodeDeployClient", _client("codedeploy", "AWS_ENDPOINT_URL_CODEDEPLOY"))


def tidegate() -> TidegateClient:
    """Return a client of Tidegate's own operations for this environment.

    Raises
    ------
    UserError
        When no endpoint, Region or credentials are set, or the service model is not on AWS_DATA_PATH.
    """
    return cast("TidegateClient", _client("tidegate", "AWS_ENDPOINT_URL_TIDEGATE"))


def aws(service: str) -> Any:
    """Return a client of another AWS service for this environment.

    Raises
    ------
    UserError
        When no Region or credentials are set.
    """
    return _client(service, "")


def _client(service: str, endpoint_variable: str) -> Any:
    import os

    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    if endpoint_variable and not os.environ.get(endpoint_variable):
        raise UserError(f"{endpoint_variable} is not set, so calls would go to AWS's own service. {CONNECT}")
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    session: Any = boto3.session.Session()
    try:
        return session.client(service, config=config)
    except (BotoCoreError, ValueError) as error:
        raise UserError(f"No {service} client can be made: {error}. {CONNECT}") from error


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn what can go wrong in a command into one line on standard error and exit status 1."""
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

    try:
        yield
    except UserError as error:
        text = str(error)
    except ClientError as error:
        detail = error.response["Error"]
        text = f"{error.operation_name} was refused: {detail.get('Message') or detail.get('Code')}"
    except EndpointConnectionError as error:
        text = f"{error} Is it running? {CONNECT}"
    except BotoCoreError as error:
        text = f"{error}. {CONNECT}"
    else:
        return
    typer.echo(f"tidegate: {text}", err=True)
    raise typer.Exit(1)


def paged(call: Callable[..., Answer], member: str, **request: Any) -> Iterator[Any]:
    """Yield what `member` holds over all pages of an operation that pages by ``nextToken``."""
    while True:
        answer = call(**request)
        yield from answer.get(member) or ()
        if not answer.get("nextToken"):
            return
        request["nextToken"] = answer["nextToken"]
