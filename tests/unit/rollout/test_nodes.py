"""Which node is which on-premises instance: by what the account laid down, never by what a machine says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.nodes import Node
from tidegate.rollout.nodes import nodes_by_instance

ROLE = "arn:aws:sts::123456789012:assumed-role/hosts"
NAMES = {"box": "", "pc": ""}


def answering(names: dict[str, str], *nodes: Node) -> dict[str, list[str]]:
    return {name: [node.node_id for node in found] for name, found in nodes_by_instance(names, nodes).items()}


def test_the_name_of_the_activation() -> None:
    assert answering(NAMES, Node("mi-1", "pc"), Node("mi-2", "stranger")) == {"box": [], "pc": ["mi-1"]}


def test_the_tag_counts_more_than_the_activation() -> None:
    assert answering(NAMES, Node("mi-1", "pc", tagged_name="box")) == {"box": ["mi-1"], "pc": []}


def test_a_tag_that_names_nobody_leaves_the_node_alone() -> None:
    assert answering(NAMES, Node("mi-1", "pc", tagged_name="elsewhere")) == {"box": [], "pc": []}


def test_the_session_that_bears_the_nodes_id() -> None:
    names = {"box": f"{ROLE}/mi-1", "pc": f"{ROLE}/pc"}
    assert answering(names, Node("mi-1", "pc", role="hosts")) == {"box": ["mi-1"], "pc": []}


def test_a_session_of_another_role_is_not_the_nodes() -> None:
    assert answering({"box": f"{ROLE}/mi-1"}, Node("mi-1", role="others")) == {"box": []}


def test_what_the_machine_calls_itself_counts_for_nothing() -> None:
    assert answering(NAMES, Node("mi-1", computer_name="box", opted_in=True, online=True)) == {"box": [], "pc": []}


def test_of_several_the_only_one_online() -> None:
    old, new = Node("mi-1", "box"), Node("mi-2", "box", online=True)
    assert answering(NAMES, old, new)["box"] == ["mi-2"]
    assert answering(NAMES, old, Node("mi-3", "box"))["box"] == ["mi-1", "mi-3"]
    assert answering(NAMES, new, Node("mi-3", "box", online=True))["box"] == ["mi-2", "mi-3"]
    assert answering(NAMES, old, new, Node("mi-3", "box", online=True))["box"] == ["mi-1", "mi-2", "mi-3"]


@given(
    names=st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", f"{ROLE}/mi-1", f"{ROLE}/mi-2"])),
    rows=st.lists(st.tuples(st.sampled_from("abcx"), st.sampled_from(["", *"abcx"]), st.booleans()), max_size=5),
)
def test_a_node_answers_to_one_name_at_most(names: dict[str, str], rows: list[tuple[str, str, bool]]) -> None:
    nodes = [Node(f"mi-{n}", name, "hosts", tag, online=online) for n, (name, tag, online) in enumerate(rows, 1)]
    found = answering(names, *nodes)
    everyone = [node_id for ids in found.values() for node_id in ids]
    assert set(found) == set(names)
    assert len(everyone) == len(set(everyone))
