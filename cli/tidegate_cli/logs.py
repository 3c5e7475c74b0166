"""``tidegate logs``: all that the lifecycle events of a deployment print, also while they run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_cli.clients import TidegateClient, UserError, codedeploy, paged, tidegate, user_errors
from tidegate_cli.deployment_view import target_of
from tidegate_cli.output import console
from tidegate_cli.words import clock, epoch, iso

if TYPE_CHECKING:
    from mypy_boto3_codedeploy import CodeDeployClient
    from rich.console import Console
    from rich.text import Text

__all__ = ["Line", "LogReader", "logs", "render"]

GRACE = 10.0
"""Seconds that lines are waited for which hosts have not uploaded when the deployment ends."""

TARGETS_A_CALL = 25
ENDED = ("Succeeded", "Failed", "Stopped")
STYLES = {"stderr": "red", "runner": "dim"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that an event printed on a host; the time is epoch seconds."""

    target_id: str
    time: float | None
    event: str
    stream: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return the line for ``--json``."""
        return {
            "targetId": self.target_id,
            "time": iso(self.time),
            "lifecycleEventName": self.event,
            "stream": self.stream,
            "text": self.text,
        }


class LogReader:
    """Reads the logs of one deployment's targets, each from where it has read to."""

    def __init__(
        self, codedeploy_client: CodeDeployClient, client: TidegateClient, deployment_id: str, host: str, event: str
    ) -> None:
        self._codedeploy = codedeploy_client
        self._client = client
        self._id = deployment_id
        self._host = host
        self._event = {"lifecycleEvent": event} if event else {}
        self._targets: list[str] = []
        self._tokens: dict[str, str] = {}
        self._complete: set[str] = set()
        self._idle: set[str] = set()

    def ended(self) -> bool:
        """Whether the deployment has ended; learns its targets as soon as there are some."""
        info: Mapping[str, Any] = self._codedeploy.get_deployment(deploymentId=self._id)["deploymentInfo"]
        if not self._targets and info.get("status") not in ("Created", "Queued"):
            listed = list(paged(self._codedeploy.list_deployment_targets, "targetIds", deploymentId=self._id))
            # They may not be known yet although it has begun.
            self._targets = self._chosen(listed) if listed or info.get("status") in ENDED else []
        return info.get("status") in ENDED

    @property
    def complete(self) -> bool:
        """Whether all was read that there will ever be."""
        return set(self._targets) == self._complete | self._idle

    def read(self) -> list[Line]:
        """Return what is new, in the order of time."""
        lines = [line for target in self._worth_asking() for line in self._read_one(target)]
        return sorted(lines, key=lambda line: line.time or 0.0)

    def follow(
        self,
        interval: float = 1.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Line]:
        """Yield lines as they come, until the deployment has ended and its hosts have told all."""
        deadline: float | None = None
        while True:
            ended = self.ended()
            found = self.read()
            yield from found
            if ended and (deadline is None or found):
                deadline = now() + GRACE
            if ended and (self.complete or (deadline is not None and now() >= deadline)):
                return
            sleep(interval)

    def _chosen(self, targets: list[str]) -> list[str]:
        """Return the targets asked for, by id or the beginning of one."""
        chosen = [target for target in targets if target.startswith(self._host.rpartition("/")[2])]
        if self._host and len(chosen) != 1:
            known = ", ".join(targets[:5]) + (", …" if len(targets) > 5 else "")
            raise UserError(f"--host {self._host} names {len(chosen)} hosts of {self._id}; it has: {known or 'none'}")
        return chosen

    def _worth_asking(self) -> list[str]:
        """Return the targets that may have printed something."""
        left = [target for target in self._targets if target not in self._complete]
        status: dict[str, str] = {}
        for first in range(0, len(left), TARGETS_A_CALL):
            answer = self._codedeploy.batch_get_deployment_targets(
                deploymentId=self._id, targetIds=left[first : first + TARGETS_A_CALL]
            )
            rows: Sequence[Mapping[str, Any]] = [target_of(row) for row in answer.get("deploymentTargets", ())]
            status.update({row["targetId"]: row["status"] for row in rows})
        self._idle = {target for target in left if status.get(target) in ("Pending", "Skipped")}
        return [target for target in left if target not in self._idle]

    def _read_one(self, target: str) -> Iterator[Line]:
        while True:
            token = {"nextToken": self._tokens[target]} if target in self._tokens else {}
            answer = self._client.get_logs(deploymentId=self._id, targetId=target, **self._event, **token)
            self._tokens[target] = answer["followToken"]
            for line in answer.get("lines") or ():
                yield Line(target, epoch(line["time"]), line["lifecycleEventName"], line["stream"], line["text"])
            if answer.get("complete"):
                self._complete.add(target)
            if not answer.get("nextToken"):
                return


def render(line: Line, with_host: bool) -> Text:
    """Return a line as a terminal shows it: when, where, what for, and the text in its stream's colour."""
    from rich.text import Text

    head = Text.assemble((f"{clock(line.time)} ", "dim"))
    if with_host:
        head.append(f"{line.target_id} ", "cyan")
    # What hosts print must not steer the terminal.
    shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line.text)
    return head.append(f"{line.event} ", "bold").append(shown, STYLES.get(line.stream, ""))


def _show(lines: Iterator[Line], screen: Console, as_json: bool, with_host: bool) -> int:
    count = 0
    for line in lines:
        count += 1
        if as_json:
            typer.echo(json.dumps(line.as_json()))
        else:
            screen.print(render(line, with_host), soft_wrap=True)
    return count


def logs(
    deployment: Annotated[str, typer.Argument(help="Id of the deployment, d-…")],
    host: Annotated[str, typer.Option(help="Only this host: the id of an instance, or its beginning.")] = "",
    event: Annotated[str, typer.Option(help="Only this lifecycle event.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the deployment has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Print what the lifecycle events of a deployment print, standard output and standard error told apart."""
    with user_errors():
        reader = LogReader(codedeploy(), tidegate(), deployment, host, event)
        if follow:
            lines = reader.follow(interval)
        else:
            reader.ended()
            lines = iter(reader.read())
        if not _show(lines, console(), as_json, with_host=not host) and not as_json:
            typer.echo("Nothing was printed yet." if not follow else "Nothing was printed.", err=True)
