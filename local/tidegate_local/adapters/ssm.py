"""Systems Manager's Run Command and managed nodes, over local hosts, on moto.

Stands in for what moto lacks: a command there succeeds at once and runs nothing, and ListCommandInvocations,
CancelCommand and DescribeInstanceInformation are missing. Follows the Systems Manager API reference of
the operations below; the behaviour itself is in `tidegate_local.hosts.runcommand`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.ssm.exceptions import SSMException
from moto.ssm.responses import SimpleSystemManagerResponse

from tidegate_local.adapters.ssm_hybrid import HybridNodes
from tidegate_local.hosts import Fleet, LocalHost
from tidegate_local.hosts.recorded import RecordedHost
from tidegate_local.hosts.runcommand import (
    RUN_SHELL_SCRIPT,
    Document,
    Faults,
    Request,
    RunCommand,
    RunCommandError,
    parse_document,
)
from tidegate_local.hosts.runcommand.listing import command_matches, node, node_matches, page
from tidegate_local.hosts.runcommand.model import Command, Invocation

ACCOUNT = "123456789012"
REGION = "us-east-1"

#: The tag by which an instance's owner lets it be deployed to.
OPT_IN_TAG = "tidegate:managed"

_IMAGE = "ami-00000000000000001"
_service: RunCommand | None = None
_hybrid: HybridNodes | None = None

_Operation = Callable[[SimpleSystemManagerResponse], ActionResult]


def install(
    fleet: Fleet, emit: Callable[[dict[str, Any]], None], account: str = ACCOUNT, region: str = REGION
) -> RunCommand:
    """Make moto's Run Command run on the hosts of a fleet; a second call replaces the fleet.

    Parameters
    ----------
    emit : puts an event of AWS's documented shape on the default bus; called from one thread, in order

    Returns
    -------
    RunCommand : close it when the local cloud ends
    """
    global _service, _hybrid
    if _service is not None:
        _service.close()
    _hybrid = hybrid = HybridNodes(account)
    _service = RunCommand(
        hosts=lambda: [
            *(host for host in fleet.hosts if not _is_hybrid(host.id) or hybrid.knows(host.id)),
            *fleet.recorded,
        ],
        tags_of=lambda instance_id: tags_of(instance_id, account, region),
        emit=emit,
        account=account,
        region=region,
    )
    operations: tuple[_Operation, ...] = (
        send_command,
        cancel_command,
        list_commands,
        list_command_invocations,
        get_command_invocation,
        describe_instance_information,
        *hybrid.operations().values(),
    )
    for operation in operations:
        # moto finds an operation by the name of the response's method.
        setattr(SimpleSystemManagerResponse, operation.__name__, _as_moto(operation))
    return _service


def hybrid_nodes() -> HybridNodes:
    """Activations, and the nodes of the installed fleet that are no EC2 instances."""
    if _hybrid is None:
        raise RuntimeError("no fleet is installed: call install(fleet, emit) first")
    return _hybrid


def _is_hybrid(node_id: str) -> bool:
    return node_id.startswith("mi-")


def set_faults(**settings: Any) -> None:
    """Let things go wrong from the next command on; no setting at all: nothing. See `Faults`.

    Raises
    ------
    ValueError : a setting that does not exist
    """
    _running().faults = Faults.of(settings)


def faults() -> Faults:
    """What is set to go wrong."""
    return _running().faults


def register_instance(
    name: str, tags: Mapping[str, str], address: str, account: str = ACCOUNT, region: str = REGION
) -> str:
    """Make a host an EC2 instance with its tags, its Name, the opt-in tag and its zone; its id.

    To be given to `Fleet.start`; the hosts of the installed fleet are its managed nodes.
    """
    reservation = ec2_backends[account][region].run_instances(
        _IMAGE,
        1,
        None,
        [],
        instance_type="t3.micro",
        is_instance_type_default=False,
        region_name=region,
        placement=zone_of(name, region),
        tags={"instance": {OPT_IN_TAG: "true", "Name": name, **tags}},
    )
    instance_id = str(reservation.instances[0].id)
    set_address(instance_id, address, account, region)
    return instance_id


def register_recorded(
    count: int, tags: Mapping[str, str], account: str = ACCOUNT, region: str = REGION
) -> list[RecordedHost]:
    """Make so many EC2 instances at once that only answer what was recorded."""
    carried = {OPT_IN_TAG: "true", **tags}
    reservation = ec2_backends[account][region].run_instances(
        _IMAGE,
        count,
        None,
        [],
        instance_type="t3.micro",
        is_instance_type_default=False,
        region_name=region,
        tags={"instance": carried},
    )
    ids = [str(instance.id) for instance in reservation.instances]
    return [RecordedHost(each, f"recorded-{n}", carried) for n, each in enumerate(ids, 1)]


def zone_of(name: str, region: str = REGION) -> str:
    """The Availability Zone of a host: hosts are put into two in turn.

    >>> [zone_of(f"host-{number}") for number in (1, 2, 3)]
    ['us-east-1a', 'us-east-1b', 'us-east-1a']
    """
    number = name.rpartition("-")[2]
    return region + ("b" if number.isdigit() and int(number) % 2 == 0 else "a")


def set_address(instance_id: str, address: str, account: str = ACCOUNT, region: str = REGION) -> None:
    """Make a host's address the private one of its EC2 instance."""
    ec2_backends[account][region].get_instance(instance_id).nics[0].private_ip_address = address


def tags_of(instance_id: str, account: str = ACCOUNT, region: str = REGION) -> dict[str, str]:
    """The tags a node has now; none for an unknown one."""
    if _is_hybrid(instance_id):
        known = hybrid_nodes()
        return dict(known.tags_of(instance_id)) if known.knows(instance_id) else {}
    found = ec2_backends[account][region].describe_tags(filters={"resource-id": [instance_id]})
    return {tag["key"]: tag["value"] for tag in found}


def _running() -> RunCommand:
    if _service is None:
        raise RuntimeError("no fleet is installed: call install(fleet, emit) first")
    return _service


def _as_moto(operation: _Operation) -> _Operation:
    @wraps(operation)
    def call(response: SimpleSystemManagerResponse) -> ActionResult:
        try:
            return operation(response)
        except RunCommandError as error:
            raise SSMException(error.code, error.message) from error

    return call


def send_command(response: SimpleSystemManagerResponse) -> ActionResult:
    """SendCommand."""
    service = _running()
    name = response._get_param("DocumentName")
    name = name.rpartition("document/")[2] if name.startswith("arn:") else name
    request = Request(
        document_name=name,
        instance_ids=response._get_param("InstanceIds", []),
        targets=response._get_param("Targets", []),
        parameters=response._get_param("Parameters", {}),
        comment=response._get_param("Comment", ""),
        timeout_seconds=response._get_int_param("TimeoutSeconds", 3600),
        max_concurrency=response._get_param("MaxConcurrency", "50"),
        max_errors=response._get_param("MaxErrors", "0"),
    )
    command = service.send(request, _document(response, name))
    return ActionResult({"Command": service.show(command.shown)})


def _document(response: SimpleSystemManagerResponse, name: str) -> Document:
    if name == "AWS-RunShellScript":
        return parse_document(RUN_SHELL_SCRIPT)
    version = response._get_param("DocumentVersion", "$DEFAULT")
    version = None if version == "$DEFAULT" else version  # a name that moto does not know
    found = response.ssm_backend.get_document(name, version, None, None)
    return parse_document(found["Content"])


def cancel_command(response: SimpleSystemManagerResponse) -> ActionResult:
    """CancelCommand."""
    _running().cancel(
        response._get_param("CommandId"),
        response._get_param("InstanceIds", []),
    )
    return EmptyResult()


def list_commands(response: SimpleSystemManagerResponse) -> ActionResult:
    """ListCommands, the newest first."""
    service = _running()
    filters = response._get_param("Filters", [])
    on = response._get_param("InstanceId")

    def make() -> dict[str, Any]:
        found = [
            command
            for command in _commands(response)
            if (not on or on in command.invocations) and command_matches(command, command.status, filters)
        ]
        shown, token = page(found, lambda command: command.id, *_page_wanted(response))
        return _paged("Commands", [command.shown() for command in shown], token)

    return ActionResult(service.show(make))


def list_command_invocations(response: SimpleSystemManagerResponse) -> ActionResult:
    """ListCommandInvocations, those of the newest command first."""
    service = _running()
    filters = response._get_param("Filters", [])
    on = response._get_param("InstanceId")
    details = bool(response._get_param("Details", False))

    def key(pair: tuple[Command, Invocation]) -> str:
        return f"{pair[0].id}/{pair[1].instance_id}"

    def make() -> dict[str, Any]:
        found = [
            (command, invocation)
            for command in _commands(response)
            for invocation in command.invocations.values()
            if on in (None, invocation.instance_id) and command_matches(command, invocation.status, filters)
        ]
        shown, token = page(found, key, *_page_wanted(response))
        rows = [command.shown_on(invocation, details) for command, invocation in shown]
        return _paged("CommandInvocations", rows, token)

    return ActionResult(service.show(make))


def get_command_invocation(response: SimpleSystemManagerResponse) -> ActionResult:
    """GetCommandInvocation, of one step."""
    service = _running()
    command = service.command(response._get_param("CommandId"))
    invocation = command.invocations.get(response._get_param("InstanceId"))
    if invocation is None:
        raise RunCommandError("InvocationDoesNotExist", "the command was not sent to this instance")
    wanted = response._get_param("PluginName")
    plugins = [plugin for plugin in invocation.plugins if wanted in (None, plugin.step.name)]
    if len(plugins) != 1:
        names = ", ".join(plugin.step.name for plugin in invocation.plugins)
        raise RunCommandError("InvalidPluginName", f"PluginName must be one of: {names}")
    return ActionResult(service.show(lambda: command.shown_step(invocation, plugins[0])))


def describe_instance_information(response: SimpleSystemManagerResponse) -> ActionResult:
    """DescribeInstanceInformation: every local host is a managed node."""
    service = _running()
    wanted = [(item["Key"], item["Values"]) for item in response._get_param("Filters", [])]
    older = response._get_param("InstanceInformationFilterList", [])
    wanted += [(item["key"], item["valueSet"]) for item in older]
    found = [
        shown
        for shown in (_node(host, service.now()) for host in service.hosts())
        if all(node_matches(shown, _tags_for(key, shown, service), key, values) for key, values in wanted)
    ]
    rows, token = page(found, lambda shown: str(shown["InstanceId"]), *_page_wanted(response), default=10)
    return ActionResult(_paged("InstanceInformationList", rows, token))


def _tags_for(key: str, shown: Mapping[str, Any], service: RunCommand) -> Mapping[str, str]:
    """A node's tags, where a filter asks for them: moto looks through those of all instances for one."""
    return service.tags_of(shown["InstanceId"]) if key.startswith("tag") else {}


def _node(host: LocalHost | RecordedHost, now: datetime) -> dict[str, Any]:
    shown = node(host, now)
    return shown | hybrid_nodes().shown(host.id) if _is_hybrid(host.id) else shown


def _commands(response: SimpleSystemManagerResponse) -> list[Command]:
    command_id = response._get_param("CommandId")
    return [_running().command(command_id)] if command_id else _running().commands()


def _page_wanted(response: SimpleSystemManagerResponse) -> tuple[int | None, str | None]:
    return response._get_int_param("MaxResults"), response._get_param("NextToken")


def _paged(name: str, rows: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    return {name: rows, **({"NextToken": token} if token else {})}
