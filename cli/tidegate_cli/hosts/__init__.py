"""``tidegate hosts``: on-premises machines that deployments reach."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tidegate_cli.clients import UserError, user_errors
from tidegate_cli.output import console

__all__ = ["app"]

app = typer.Typer(
    name="hosts",
    help="Register on-premises machines, list them, take them out. "
    '("tidegate host", without an s, tries a revision on this machine.)',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

OptIn = Annotated[
    str,
    typer.Option(
        metavar="K=V", envvar="TIDEGATE_OPT_IN_TAG", help="Tag that lets a machine be sent commands: the stack's own."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_OPT_IN = "tidegate:managed=true"


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="Name that deployments show the machine by")],
    tag: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Tag that deployment groups select by")] = None,
    role: Annotated[
        str,
        typer.Option(
            envvar="TIDEGATE_HOST_ROLE", help="Role of the machine: the stack's output OnPremisesHostRoleName"
        ),
    ] = "",
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long the activation can be used")] = 24,
    again: Annotated[
        bool, typer.Option("--again", help="Make an activation even where a machine has joined: it was set up anew")
    ] = False,
    opt_in_tag: OptIn = _OPT_IN,
    as_json: AsJson = False,
) -> None:
    """Register a machine, make its Systems Manager activation, and print what to run on it.

    May be repeated: what is there is kept, what is missing is made. When a step fails, the steps before it are undone.
    The activation's code is a secret; it is good for one machine.
    """
    from tidegate_cli.hosts.register import Wanted, as_data, register_host, render

    with user_errors():
        tags = dict(_pair("--tag", text) for text in tag or ())
        wanted = Wanted(name, tags, role, hours, again, _pair("--opt-in-tag", opt_in_tag))
        done = register_host(wanted)
        typer.echo(json.dumps(as_data(done), indent=2)) if as_json else console().print(render(done), soft_wrap=True)


@app.command("list")
def list_(
    everyone: Annotated[bool, typer.Option("--all", help="Also those that were deregistered.")] = False,
    opt_in_tag: OptIn = _OPT_IN,
    as_json: AsJson = False,
) -> None:
    """List the on-premises machines, and whether deployments can reach them."""
    from tidegate_cli.hosts.listing import as_data, host_rows, render

    with user_errors():
        rows = host_rows(_pair("--opt-in-tag", opt_in_tag), everyone=everyone)
        if as_json:
            typer.echo(json.dumps([as_data(row) for row in rows], indent=2))
        elif rows:
            console().print(render(rows))
        else:
            typer.echo("No on-premises machine is registered; register one with: tidegate hosts register NAME")


@app.command()
def deregister(
    name: Annotated[str, typer.Argument(help="Name of the machine")],
    keep_node: Annotated[bool, typer.Option("--keep-node", help="Leave it in Systems Manager.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a machine out: no deployment goes to it any more, and unused activations of its name are deleted.

    Its managed node is deregistered too where its activation bears the name. May be repeated.
    """
    from tidegate_cli.hosts.deregister import deregister_host

    with user_errors():
        done = deregister_host(name, keep_node=keep_node)
        if as_json:
            typer.echo(json.dumps(done.as_data(), indent=2))
        else:
            console().print("\n".join(done.lines()), markup=False)


def _pair(option: str, text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key or not value:
        raise UserError(f"{option} {text!r} is not of the form KEY=VALUE")
    return key, value
