"""The documents that hosts run: two systems, one Python program, and PowerShell that a parser understands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_powershell
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]
RESOURCES: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
#: Where each keeps the runner: the one line in which the two programs differ.
FOLDERS = {
    "RunStageDocument": 'folder = os.environ.get("TIDEGATE_HOST_ROOT", "").rstrip("/") + "/opt/tidegate/runner"',
    "RunStageWindowsDocument": 'folder = os.path.join(os.environ["TIDEGATE_FOLDER"], "runner")',
}


def step(document: str) -> dict[str, Any]:
    (found,) = RESOURCES[document]["Properties"]["Content"]["mainSteps"]
    return dict(found)


def script(document: str) -> str:
    return "\n".join(step(document)["inputs"]["runCommand"])


def program(document: str) -> list[str]:
    """The Python of a document, without the line of its own."""
    found = re.search(r"^import sys\n.*?^sys\.exit\(main\(order\)\)$", script(document), re.M | re.S)
    assert found is not None
    lines = found[0].splitlines()
    assert lines.count(FOLDERS[document]) == 1
    return [line for line in lines if line != FOLDERS[document]]


def has_errors(powershell: str) -> bool:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return parser.parse(powershell.encode()).root_node.has_error


def test_both_documents_run_one_program() -> None:
    assert program("RunStageWindowsDocument") == program("RunStageDocument")


def test_each_document_is_for_its_system() -> None:
    assert step("RunStageDocument")["action"] == "aws:runShellScript"
    windows = step("RunStageWindowsDocument")
    assert windows["action"] == "aws:runPowerShellScript"
    assert windows["precondition"] == {"StringEquals": ["platformType", "Windows"]}
    assert windows["inputs"]["timeoutSeconds"] == step("RunStageDocument")["inputs"]["timeoutSeconds"]


def test_the_name_is_the_one_that_commands_are_sent_with() -> None:
    names = {name: RESOURCES[name]["Properties"]["Name"]["Fn::Sub"] for name in FOLDERS}
    assert names["RunStageWindowsDocument"] == names["RunStageDocument"] + "-windows"


def test_the_powershell_can_be_parsed() -> None:
    text = script("RunStageWindowsDocument").replace("{{ order }}", "b3JkZXI=")
    assert not has_errors(text)


@pytest.mark.parametrize("damage", ["}", "'@", "try {", "foreach (", "[ordered]@{"])
def test_the_parser_sees_what_is_wrong(damage: str) -> None:
    text = script("RunStageWindowsDocument")
    at = text.rindex(damage)
    assert has_errors(text[:at] + text[at + len(damage) :])


def test_what_goes_through_powershell_to_python_is_ascii_and_stays_in_its_quotes() -> None:
    before, python, after = step("RunStageWindowsDocument")["inputs"]["runCommand"]
    assert before.endswith("$program = @'\n")
    assert after.startswith("'@\n")
    assert python.isascii()
    assert "'@" not in python
    assert script("RunStageWindowsDocument").count("{{") == 1, "SSM fills in double braces"
    # Nothing of Windows PowerShell 5.1's successors.
    assert not re.search(r"&&|\|\||\?\?|-Parallel|\bclean\s*\{", before + after)


def test_only_administrators_can_write_where_the_runner_is() -> None:
    *_, after = step("RunStageWindowsDocument")["inputs"]["runCommand"]
    rights = re.findall(r"Protect-Folder .*? '(O:[^']+)'", after)
    assert len(rights) == 2
    full, read = "FA", "0x1200a9"
    for each in rights:
        owner, _, entries = each.partition("D:P")  # protected: nothing is inherited from above
        assert owner == "O:BAG:SY"
        for entry in re.findall(r"\(([^)]*)\)", entries):
            kind, inherited, access, _, _, who = entry.split(";")
            assert (kind, inherited) == ("A", "OICI")
            assert access == full if who in ("SY", "BA") else access == read
    assert "BU" not in rights[0], "the runner and its records are for administrators alone"
