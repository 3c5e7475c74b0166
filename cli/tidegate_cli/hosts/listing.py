"""``tidegate hosts list``: the on-premises machines, and whether deployments can reach them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.model.nodes import Node
from tidegate.rollout.nodes import nodes_by_instance
from tidegate_cli.clients import aws, codedeploy, paged
from tidegate_cli.hosts.nodes import hybrid_nodes, is_registered
from tidegate_cli.words import epoch, iso

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["HostRow", "as_data", "host_rows", "render", "row_of"]

_INSTANCES_A_CALL = 25


@dataclass(frozen=True, slots=True)
class HostRow:
    """One on-premises machine.

    Attributes
    ----------
    nodes : the managed nodes that answer to its name
    problem : why no deployment can reach it; empty where one can
    """

    name: str
    registered: bool
    tags: Mapping[str, str]
    nodes: tuple[Node, ...]
    registered_at: float | None
    deregistered_at: float | None
    problem: str


def host_rows(opt_in: tuple[str, str], *, everyone: bool) -> list[HostRow]:
    """Return the machines by name; also those that were deregistered where `everyone` is set."""
    client = codedeploy()
    wanted = {} if everyone else {"registrationStatus": "Registered"}
    names = list(paged(client.list_on_premises_instances, "instanceNames", **wanted))
    infos: list[Mapping[str, Any]] = []
    for first in range(0, len(names), _INSTANCES_A_CALL):
        some = names[first : first + _INSTANCES_A_CALL]
        infos += client.batch_get_on_premises_instances(instanceNames=some)["instanceInfos"]
    if not infos:
        return []
    sessions = {str(i["instanceName"]): str(i.get("iamSessionArn") or "") for i in infos if is_registered(i)}
    nodes = nodes_by_instance(sessions, hybrid_nodes(aws("ssm"), opt_in))
    return [row_of(info, nodes.get(info["instanceName"], ()), opt_in) for info in infos]


def row_of(info: Mapping[str, Any], nodes: tuple[Node, ...], opt_in: tuple[str, str]) -> HostRow:
    """Return one machine's row from ``InstanceInfo`` and its nodes."""
    registered = is_registered(info)
    return HostRow(
        name=info["instanceName"],
        registered=registered,
        tags={tag["Key"]: tag["Value"] for tag in info.get("tags") or ()},
        nodes=nodes,
        registered_at=epoch(info.get("registerTime")),
        deregistered_at=epoch(info.get("deregisterTime")),
        problem=_problem(nodes, opt_in) if registered else "deregistered",
    )


def _problem(nodes: tuple[Node, ...], opt_in: tuple[str, str]) -> str:
    if not nodes:
        return "no machine has joined under this name"
    if len(nodes) > 1:
        return "several machines answer to this name"
    if not nodes[0].opted_in:
        return f"its node lacks the tag {'='.join(opt_in)}"
    return "" if nodes[0].online else "its SSM agent does not answer"


def as_data(row: HostRow) -> dict[str, Any]:
    """Return a row for ``--json``."""
    return {
        "instanceName": row.name,
        "registrationStatus": "Registered" if row.registered else "Deregistered",
        "tags": dict(row.tags),
        "nodes": [node.node_id for node in row.nodes],
        "reachable": not row.problem,
        "problem": row.problem or None,
        "registerTime": iso(row.registered_at),
        "deregisterTime": iso(row.deregistered_at),
    }


def render(rows: Iterable[HostRow]) -> Table:
    """Return the machines as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("Host", "Node", "Computer name", "Tags", "Deployments"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row.name,
            ", ".join(node.node_id for node in row.nodes) or "–",
            ", ".join(node.computer_name for node in row.nodes) or "–",
            " ".join(f"{key}={value}" for key, value in sorted(row.tags.items())),
            Text(f"cannot reach it: {row.problem}", "red") if row.problem else Text("can reach it", "green"),
        )
    return table
