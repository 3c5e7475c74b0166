"""Which managed node is which on-premises instance.

A name is CodeDeploy's, a node's id is Systems Manager's, and neither knows of the other. What counts is what somebody
with rights in the account has laid down, in this order; what a machine says of itself (its computer name) never does,
since a machine could then take another one's deployments:

1. the node's tag ``tidegate:instance-name``; a node with the tag answers to no other name;
2. the instance's ``iamSessionArn``: Systems Manager gives a node's session the node's id as its name, so
   ``…:assumed-role/<role>/mi-…`` names the node;
3. the name that the node's activation gave it (``DefaultInstanceName``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from tidegate.model.nodes import Node


def nodes_by_instance(sessions: Mapping[str, str], nodes: Iterable[Node]) -> dict[str, tuple[Node, ...]]:
    """The nodes that answer to each name: one where all is well; none, or several, where something is to be mended.

    A node answers to one name at most. Where several answer to a name and exactly one of them is online, it is the
    one: a machine that was set up anew leaves its earlier node behind.

    Parameters
    ----------
    sessions
        ``iamSessionArn`` by name of all registered instances, empty where there is none.
    nodes
        All nodes that are no EC2 instances.

    Examples
    --------
    >>> found = nodes_by_instance({"box": "", "pc": ""}, [Node("mi-1", "box"), Node("mi-2", "x", tagged_name="box")])
    >>> [(name, [node.node_id for node in each]) for name, each in found.items()]
    [('box', ['mi-1', 'mi-2']), ('pc', [])]
    """
    by_session = {arn.partition(":assumed-role/")[2]: name for name, arn in sessions.items() if arn}
    found: dict[str, list[Node]] = {name: [] for name in sessions}
    for node in nodes:
        name = _name_of(node, sessions, by_session)
        if name in found:
            found[name].append(node)
    return {name: _the_one(each) for name, each in found.items()}


def _name_of(node: Node, names: Collection[str], by_session: Mapping[str, str]) -> str:
    if node.tagged_name:
        return node.tagged_name
    session = by_session.get(f"{node.role}/{node.node_id}")
    if session is not None:
        return session
    return node.name if node.name in names else ""


def _the_one(nodes: list[Node]) -> tuple[Node, ...]:
    online = [node for node in nodes if node.online]
    return tuple(online if len(online) == 1 else nodes)
