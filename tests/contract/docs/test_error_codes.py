"""The table of error codes is all of AWS's list; each has a test that provokes it, or a reason why it cannot come."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import botocore.session
import pytest

from tidegate.model.deployment import ErrorCode

ROOT = Path(__file__).parents[3]
ROWS = re.findall(r"^\| ([A-Z0-9_]+) \| (.+?) \| (.+) \|$", (ROOT / "docs/error-codes.md").read_text(), re.MULTILINE)
TESTED = [(code, shown[1:-1]) for code, _, shown in ROWS if shown.startswith("`")]
EXCUSED = [(code, shown) for code, _, shown in ROWS if not shown.startswith("`")]
OURS = {name: value for name, value in vars(ErrorCode).items() if not name.startswith("_")}


def test_the_table_is_the_whole_list_in_the_order_of_the_alphabet() -> None:
    model = botocore.session.get_session().get_service_model("codedeploy")
    codes = [code for code, _, _ in ROWS]
    assert codes == sorted(model.shape_for("ErrorCode").enum)
    assert len(set(codes)) == len(codes) > 30


def test_codes_that_have_a_test_are_those_that_the_code_can_set() -> None:
    assert all(name == value for name, value in OURS.items())
    assert {code for code, _ in TESTED} == set(OURS)


@pytest.mark.parametrize(("code", "node"), TESTED, ids=[code for code, _ in TESTED])
def test_the_test_that_provokes_a_code_is_there_and_speaks_of_it(code: str, node: str) -> None:
    path, _, name = node.partition("::")
    source = (ROOT / path).read_text()
    found = [
        each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef) and each.name == name and name
    ]
    assert len(found) == 1, f"{path} has no test {name!r}"
    first = min([found[0].lineno, *(each.lineno for each in found[0].decorator_list)])
    assert f'"{code}"' in "\n".join(source.splitlines()[first - 1 : found[0].end_lineno])


@pytest.mark.parametrize(("code", "why"), EXCUSED, ids=[code for code, _ in EXCUSED])
def test_a_code_that_cannot_come_has_a_reason(code: str, why: str) -> None:
    assert re.match(r"(never|not in this version): \w.{30,}", why), code
