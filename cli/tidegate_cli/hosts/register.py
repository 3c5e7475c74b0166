"""``tidegate hosts register``: a name for deployments, an activation for Systems Manager, and what to run."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidegate.model.nodes import Node
from tidegate_cli.clients import UserError, aws, codedeploy
from tidegate_cli.hosts.nodes import found_instance, hybrid_nodes, is_registered, nodes_of, unused_activations

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "Activation",
    "Done",
    "Wanted",
    "as_data",
    "linux_commands",
    "register_host",
    "render",
    "session_arn",
    "windows_commands",
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    name: str
    tags: Mapping[str, str]
    role: str
    hours: int
    again: bool
    opt_in: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation that is to be used on the machine. ``code`` is a secret."""

    id: str
    code: str
    region: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: an activation to be used, or the nodes that have joined already."""

    name: str
    new: bool
    activation: Activation | None = None
    nodes: tuple[Node, ...] = ()


def register_host(wanted: Wanted) -> Done:
    """Make what is missing of a machine's registration; undo it all when a step fails.

    Raises
    ------
    UserError
        No role is given.
    """
    deployments, ssm = codedeploy(), aws("ssm")
    info = found_instance(deployments, wanted.name)
    if info is not None and is_registered(info):
        return _completed(wanted, info, deployments, ssm)
    with ExitStack() as undo:
        activation = _activation(wanted, ssm, undo)
        arn = session_arn(wanted, aws("sts"))
        deployments.register_on_premises_instance(instanceName=wanted.name, iamSessionArn=arn)
        _on_failure(undo, lambda: deployments.deregister_on_premises_instance(instanceName=wanted.name))
        _add_tags(wanted, deployments)
        undo.pop_all()
    return Done(wanted.name, new=True, activation=activation)


def _completed(wanted: Wanted, info: Mapping[str, Any], deployments: Any, ssm: Any) -> Done:
    """A name that is registered: its tags, and an activation unless its machine has joined."""
    nodes = nodes_of(info, hybrid_nodes(ssm, wanted.opt_in))
    _add_tags(wanted, deployments)
    if nodes and not wanted.again:
        key, value = wanted.opt_in
        for node in nodes:
            if not node.opted_in:
                tags = [{"Key": key, "Value": value}]
                ssm.add_tags_to_resource(ResourceType="ManagedInstance", ResourceId=node.node_id, Tags=tags)
        return Done(wanted.name, new=False, nodes=nodes)
    unused = unused_activations(ssm, wanted.name)
    with ExitStack() as undo:
        activation = _activation(wanted, ssm, undo)
        undo.pop_all()
    for each in unused:  # Their codes were told once and are lost, or lie about somewhere.
        ssm.delete_activation(ActivationId=each)
    return Done(wanted.name, new=False, activation=activation)


def _activation(wanted: Wanted, ssm: Any, undo: ExitStack) -> Activation:
    if not wanted.role:
        raise UserError(
            "give --role, or set TIDEGATE_HOST_ROLE: the name of the role for on-premises machines, which the stack's "
            "output OnPremisesHostRoleName tells"
        )
    expires = datetime.now(UTC) + timedelta(hours=wanted.hours)
    key, value = wanted.opt_in
    made = ssm.create_activation(
        DefaultInstanceName=wanted.name,
        Description="tidegate hosts register",
        IamRole=wanted.role.rpartition("/")[2],
        RegistrationLimit=1,
        ExpirationDate=expires,
        Tags=[{"Key": key, "Value": value}],
    )
    _on_failure(undo, lambda: ssm.delete_activation(ActivationId=made["ActivationId"]))
    return Activation(made["ActivationId"], made["ActivationCode"], ssm.meta.region_name, expires)


def _on_failure(undo: ExitStack, step: Callable[[], Any]) -> None:
    """Undo a step when a later one fails; that it cannot be undone must not hide what failed."""

    def quietly() -> None:
        with suppress(Exception):
            step()

    undo.callback(quietly)


def session_arn(wanted: Wanted, sts: Any) -> str:
    """A session of the machine's role for this name alone: session names have 2 to 64 characters, ours up to 100."""
    caller = sts.get_caller_identity()
    partition = caller["Arn"].split(":")[1]
    name = wanted.name
    if not 2 <= len(name) <= 64:
        name = f"{name[:43]}-{hashlib.sha256(name.encode()).hexdigest()[:20]}"
    role = wanted.role.rpartition("/")[2]
    return f"arn:{partition}:sts::{caller['Account']}:assumed-role/{role}/{name}"


def _add_tags(wanted: Wanted, deployments: Any) -> None:
    if wanted.tags:
        tags = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
        deployments.add_tags_to_on_premises_instances(instanceNames=[wanted.name], tags=tags)


def _download(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://amazon-ssm-{region}.s3.{region}.{suffix}/latest"


def linux_commands(activation: Activation) -> list[str]:
    """Return what registers a Linux machine, line by line (AWS: "Install SSM Agent on hybrid Linux nodes")."""
    code, identifier = shlex.quote(activation.code), shlex.quote(activation.id)
    return [
        'case "$(uname -m)" in aarch64|arm64) arch=arm64;; *) arch=amd64;; esac',
        f'curl -fsSo ssm-setup-cli "{_download(activation.region)}/linux_$arch/ssm-setup-cli"',
        "chmod 755 ssm-setup-cli",
        f"sudo ./ssm-setup-cli -register -activation-code {code} -activation-id {identifier} "
        f"-region {activation.region}",
    ]


def windows_commands(activation: Activation) -> list[str]:
    """Return what registers a Windows machine, for an elevated PowerShell."""
    return [
        "[System.Net.ServicePointManager]::SecurityProtocol = 'TLS12'",
        f"Invoke-WebRequest {_download(activation.region)}/windows_amd64/ssm-setup-cli.exe -OutFile ssm-setup-cli.exe",
        f'.\\ssm-setup-cli.exe -register -activation-code="{activation.code}" -activation-id="{activation.id}" '
        f'-region="{activation.region}"',
    ]


def _local_command(activation: Activation) -> str:
    return f"tidegate local join --activation-id {activation.id} --activation-code {activation.code}"


def as_data(done: Done) -> dict[str, Any]:
    """Return the outcome for ``--json``."""
    data: dict[str, Any] = {"instanceName": done.name, "new": done.new, "nodes": [n.node_id for n in done.nodes]}
    if done.activation is not None:
        data |= {
            "activationId": done.activation.id,
            "activationCode": done.activation.code,
            "expires": done.activation.expires.isoformat(timespec="seconds"),
            "region": done.activation.region,
            "commands": {"linux": linux_commands(done.activation), "windows": windows_commands(done.activation)},
        }
    return data


def render(done: Done) -> RenderableType:
    """Return what to do next."""
    from rich.text import Text

    head = Text(done.name, "bold")
    head.append(" is registered." if done.new else " was registered already.", "not bold")
    if done.activation is None:
        ids = ", ".join(node.node_id for node in done.nodes)
        return head.append(f" Its machine has joined as {ids}; nothing is to be run.", "not bold")
    blocks = {
        "Linux": linux_commands(done.activation),
        "Windows, in an elevated PowerShell": windows_commands(done.activation),
    }
    if os.environ.get("TIDEGATE_LOCAL_URL"):
        blocks = {"Here, in the local cloud": [_local_command(done.activation)]}
    until = done.activation.expires.astimezone().strftime("%Y-%m-%d %H:%M")
    head.append(f" Run this on the machine, once, until {until}; the code is a secret.", "not bold")
    for title, lines in blocks.items():
        head.append(f"\n\n{title}:\n", "bold")
        head.append("\n".join(f"  {line}" for line in lines), "not bold")
    return head
