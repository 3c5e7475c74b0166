"""AppSpec files in, compiled form or problems out. Each file in cases/ is one case."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidegate.appspec import AppSpecError, compile_server_appspec

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
PREFIX = "version: 0.0\nos: linux\n"


def load(path):
    return [(f"{path.stem}-{case['name']}", case) for case in yaml.safe_load(path.read_text())]


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for path in CASES for name, case in load(path)])
def test_case(case):
    text = case["text"] if "text" in case else PREFIX + case["body"]
    if "error" in case:
        with pytest.raises(AppSpecError) as caught:
            compile_server_appspec(text)
        assert str(caught.value).startswith(case["error"])
        assert len(caught.value.problems) == case.get("problems", 1)
        assert all(problem.path and problem.expected and problem.remedy for problem in caught.value.problems)
        return
    compiled = compile_server_appspec(text)
    for key, expected in case["gives"].items():
        assert compiled.to_json()[key] == expected
    assert len(compiled.warnings) == len(case.get("warnings", []))
    for warning, fragment in zip(compiled.warnings, case.get("warnings", []), strict=True):
        assert fragment in warning


def test_cases_are_there():
    assert len(CASES) >= 4


def refused_or_compiled(text):
    problems = None
    try:
        compiled = compile_server_appspec(text)
    except AppSpecError as error:
        problems = error.problems
    assert problems if problems is not None else compiled.os == "linux"


@given(st.text())
def test_any_text_is_compiled_or_refused(text):
    refused_or_compiled(text)


SCALARS = st.one_of(
    st.sampled_from(
        ["0.0", "linux", "windows", "0644", "0x_", "1:90", "2026-99-99", "!!int ''", "~", "*a", "&a b", "'"]
    ),
    st.text(alphabet="ab0:-#&*!|>'\"%@`{}[],? \t", max_size=8),
)
KEYS = st.sampled_from(
    ["version", "os", "hooks", "files", "permissions", "source", "destination", "location", "timeout", "mode", "acls"]
)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20))
def test_any_tree_is_compiled_or_refused(tree):
    refused_or_compiled(flow(tree))
    refused_or_compiled(PREFIX + "hooks: " + flow(tree))
    refused_or_compiled(PREFIX + "permissions: [" + flow(tree) + "]")


def flow(tree):
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(flow(item) for item in tree) + "]"
    return tree


@pytest.mark.parametrize(
    "text", ["\udcff", "a: \x00", "[" * 100_000, "{a: " * 100_000, "- " * 500_000, "x" * 2_000_000]
)
def test_hostile_text_is_refused(text):
    with pytest.raises(AppSpecError):
        compile_server_appspec(text)


def test_too_many_values_are_refused():
    with pytest.raises(AppSpecError, match="too many values"):
        compile_server_appspec("a: [" + "1," * 120_000 + "]")


def test_long_numbers_are_refused_and_not_an_error_of_ours():
    refused_or_compiled("version: " + "9" * 10_000)
    refused_or_compiled(PREFIX + "hooks: {ApplicationStop: [{location: a, timeout: " + "9" * 5_000 + "}]}")
