"""``tidegate local``: an AWS of one's own on this machine, with hosts to deploy to."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table

from tidegate_local import control
from tidegate_local.control import ControlError
from tidegate_local.limits import MOST_HOSTS, MOST_RECORDED
from tidegate_local.state import State

app = typer.Typer(
    help="Run Tidegate on this machine: its template on an embedded AWS, and local hosts to deploy to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
P = ParamSpec("P")
# What is not a terminal has no width to wrap at.
_OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 250)
_DEFAULT_HOSTS = 2


def _clear_errors(command: Callable[P, None]) -> Callable[P, None]:
    @wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        from tidegate_local.hosts import HostError

        try:
            command(*args, **kwargs)
        except ControlError as error:
            typer.echo(f"tidegate local: {error}", err=True)
            raise typer.Exit(error.status) from None
        except HostError as error:
            typer.echo(f"tidegate local: {error}", err=True)
            raise typer.Exit(1) from None

    return call


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise ControlError(f"{option} {text!r} is not of the form NAME=VALUE", 2)
        pairs[name] = value
    return pairs


def _groups(given: list[str]) -> dict[str, int]:
    groups = _pairs("--asg", given)
    for name, number in groups.items():
        if not number.isdecimal() or int(number) > MOST_HOSTS:
            raise ControlError(f"--asg '{name}={number}': the number is one from 0 to {MOST_HOSTS}", 2)
    return {name: int(number) for name, number in groups.items()}


def _default_template() -> Path:
    return Path(__file__).resolve().parents[2] / "template.yaml"


@app.command()
@_clear_errors
def up(
    hosts: Annotated[
        int | None, typer.Option(min=0, max=MOST_HOSTS, help=f"Number of local hosts [{_DEFAULT_HOSTS}]")
    ] = None,
    recorded_hosts: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_RECORDED, help="Number of hosts more that run nothing and answer what was recorded"
        ),
    ] = None,
    asg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N", help="Auto Scaling group to make, with N instances that are hosts too"),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Tag that all hosts carry")] = None,
    parameter: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Parameter of the template")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready, and leave it running")] = False,
    rerooted: Annotated[
        bool, typer.Option("--rerooted", help="Hosts are plain folders, even where isolation is possible")
    ] = False,
    template: Annotated[Path | None, typer.Option(help="Template to run instead of the checkout's")] = None,
) -> None:
    """Start the local cloud, or find the one that runs."""
    folder = control.directory()
    asked = {
        "hosts": hosts,
        "recorded_hosts": recorded_hosts,
        "groups": _groups(asg or []) or None,
        "tags": _pairs("--tag", tag or []) or None,
        "parameters": _pairs("--parameter", parameter or []) or None,
        "rerooted": rerooted or None,
    }
    wanted: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    source = (template or _default_template()).absolute()
    if not source.is_file():
        raise ControlError(f"there is no template {source}; name one with --template, or work in a checkout", 2)
    try:
        _show_found(control.running(folder), wanted)
    except ControlError as error:
        if error.status == 2:
            raise
    else:
        return
    options = {"hosts": _DEFAULT_HOSTS, **wanted}
    if detach:
        found = not control.start_detached(folder, source, options)
        state = control.wait_for_running(folder)
        if found:
            _show_found(state, wanted)
        else:
            _show_ready(state)
        return
    _run_here(folder, source, options, wanted)


def _run_here(folder: Path, template: Path, options: dict[str, Any], wanted: dict[str, Any]) -> None:
    from tidegate_local.daemon import AlreadyRunningError, run

    def ready(state: State) -> None:
        _show_ready(state)
        _OUT.print("Ctrl-C ends it.")

    try:
        run(folder, template, options, ready)
    except AlreadyRunningError:
        _show_found(control.wait_for_running(folder), wanted)
        return
    except KeyboardInterrupt:
        raise ControlError("it was stopped while it started; nothing is left", 130) from None
    except Exception as error:
        raise ControlError(f"the local cloud did not start: {error or type(error).__name__}") from error
    control.clean(folder)
    _OUT.print("All is gone.")


def _show_found(state: State, wanted: dict[str, Any]) -> None:
    control.check_options(state, wanted)
    _OUT.print(f"A local cloud already runs (process {state.pid}), with {len(state.hosts)} hosts.")


def _show_ready(state: State) -> None:
    _OUT.print(f"The local cloud is ready (process {state.pid}).")
    _OUT.print(f"  API    {state.environment['AWS_ENDPOINT_URL_CODEDEPLOY']}")
    _OUT.print(f"  AWS    {state.environment['AWS_ENDPOINT_URL']}")
    kinds = sorted({host["isolation"] for host in state.hosts})
    _OUT.print(f"  hosts  {len(state.hosts)}" + (f" (isolation: {', '.join(kinds)})" if kinds else ""))
    if recorded := state.options.get("recorded_hosts"):
        _OUT.print(f"  and    {recorded} recorded hosts, which run nothing")
    for name, number in state.options.get("groups", {}).items():
        _OUT.print(f"  group  {name} (Auto Scaling, {number} of these hosts)")
    if "folder" in kinds:
        _OUT.print("  Hosts are re-rooted folders: they share this machine's processes and its root folder.")
    if state.balancers:
        _OUT.print(f"  Load balancers are plain Python, by connection and not by request: {state.balancers}.")
    _OUT.print('To use it from a shell:  eval "$(tidegate local env)"')


@app.command()
@_clear_errors
def env() -> None:
    """Print the variables that point AWS clients at the local cloud."""
    for name, value in control.running(control.directory()).environment.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
@_clear_errors
def hosts(as_json: Annotated[bool, typer.Option("--json", help="As JSON")] = False) -> None:
    """List the local hosts."""
    found = control.ask(control.running(control.directory()), "hosts")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("host", "instance", "address", "state", "isolation", "tags", box=None)
    for host in found:
        tags = " ".join(f"{key}={value}" for key, value in sorted(host["tags"].items()))
        table.add_row(host["name"], host["id"], host["address"], host["state"], host["isolation"], tags)
    _OUT.print(table)


@app.command()
@_clear_errors
def balancers(as_json: Annotated[bool, typer.Option("--json", help="As JSON")] = False) -> None:
    """List the load balancers' listeners: where they are, and how their targets are."""
    state = control.running(control.directory())
    found = control.ask(state, "balancers")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("load balancer", "address", "forwarder", "targets", box=None)
    for each in found:
        targets = " ".join(f"{target}={state}" for target, state in sorted(each["targets"].items()))
        table.add_row(each["name"], each["address"], each["forwarder"], targets)
    _OUT.print(table)
    if state.balancers:
        _OUT.print(f"They forward in plain Python, by connection and not by request: {state.balancers}.")


@app.command()
@_clear_errors
def join(
    activation_id: Annotated[str, typer.Option(help="Id of the activation")],
    activation_code: Annotated[str, typer.Option(help="Its code")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
) -> None:
    """Start a host that is no EC2 instance and register it with an activation, as on-premises machines are.

    "tidegate hosts register NAME" makes the activation.
    """
    given = {"activationId": activation_id, "activationCode": activation_code}
    host = control.ask(control.running(control.directory()), "join", given)
    if as_json:
        typer.echo(json.dumps(host, indent=2))
    else:
        _OUT.print(f"{host['name']} is registered as managed node {host['id']}.")


@app.command("exec", context_settings={"allow_interspersed_args": False})
@_clear_errors
def exec_(
    host: Annotated[str, typer.Argument(help="Its name or instance id")],
    command: Annotated[list[str], typer.Argument(help="Program and arguments, after --")],
) -> None:
    """Run a program in a local host; its exit status becomes this command's."""
    from tidegate_local.hosts import exec_in_host

    state = control.running(control.directory())
    command = command[1:] if command[0] == "--" else command
    for known in state.hosts:
        if host in (known["name"], known["id"]):
            raise typer.Exit(exec_in_host(known, command))
    names = ", ".join(known["name"] for known in state.hosts) or "none"
    raise ControlError(f"no local host is called {host!r}; there are: {names}")


@app.command()
@_clear_errors
def logs(
    function: Annotated[str, typer.Argument(help="Part of a function's name; without it, all are listed")] = "",
) -> None:
    """Print what a function wrote."""
    folder = control.directory() / "logs"
    files = sorted(path for path in folder.glob("*.log") if function.lower() in path.stem.lower())
    if not files:
        raise ControlError(f"no function whose name has {function!r} wrote anything yet in {folder}")
    for path in files:
        if function:
            sys.stdout.write(path.read_text(encoding="utf-8", errors="replace"))
        else:
            typer.echo(str(path))


@app.command()
@_clear_errors
def down() -> None:
    """End the local cloud and its hosts; returns when all is gone."""
    control.stop(control.directory())
    _OUT.print("All is gone.")
