"""``tidegate github``: tokens with which private repositories are read.

A token goes from here to Secrets Manager, with the user's own rights; it passes no other part of Tidegate.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Annotated, Any

import typer

from tidegate_cli.clients import UserError, codedeploy, paged, user_errors

__all__ = ["app"]

app = typer.Typer(
    name="github",
    help="Keep the tokens that revisions in private GitHub repositories are read with.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_NAME = re.compile(r"[A-Za-z0-9_.@+=-]{1,100}")

Name = Annotated[str, typer.Argument(help="The GitHub account whose repositories the token reads: me of me/shop.")]
Stack = Annotated[
    str, typer.Option("--stack", envvar="TIDEGATE_STACK", help="CloudFormation stack of the installation.")
]


@app.command()
def add_token(
    name: Name,
    stack: Stack = "tidegate",
    application: Annotated[
        list[str] | None,
        typer.Option(help="Only for deployments of this application (* stands for anything); may be repeated."),
    ] = None,
) -> None:
    """Store a token, or replace it. It is read from standard input, or asked for without showing it."""
    with user_errors():
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} is no account's name: 1 to 100 letters, digits and characters of _.@+=-")
        token = _token()
        held = json.dumps({"token": token, "applications": application or ["*"]})
        _store(f"{stack}/github/{name.lower()}", held)
        typer.echo(f"The token '{name.lower()}' is stored.")


@app.command("list")
def list_tokens() -> None:
    """Print the names of the tokens."""
    with user_errors():
        client: Any = codedeploy()
        for name in paged(client.list_git_hub_account_token_names, "tokenNameList"):
            typer.echo(name)


@app.command()
def delete_token(name: Name) -> None:
    """Delete a token, at once and for good."""
    with user_errors():
        client: Any = codedeploy()
        client.delete_git_hub_account_token(tokenName=name)
        typer.echo(f"The token '{name.lower()}' is deleted. Revoke it at GitHub too.")


def _token() -> str:
    """Never from the command's arguments: other users of the machine and the shell's history would see it."""
    if sys.stdin.isatty():
        text = typer.prompt("Token", hide_input=True)
    else:
        text = sys.stdin.read()
    token = str(text).strip()
    if not token or re.search(r"[^!-~]", token):
        raise UserError("what was given is no token: it must be one word, such as github_pat_…")
    return token


def _store(secret: str, text: str) -> None:
    import boto3
    from botocore.exceptions import ClientError

    client: Any = boto3.session.Session().client("secretsmanager")
    try:
        client.create_secret(Name=secret, SecretString=text, Description="A GitHub token that Tidegate deploys with")
    except ClientError as error:
        if error.response["Error"].get("Code") != "ResourceExistsException":
            raise
        client.put_secret_value(SecretId=secret, SecretString=text)
