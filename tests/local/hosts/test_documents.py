import pytest

from tidegate_local.hosts.runcommand import RunCommandError, parse_document

SHELL = "aws:runShellScript"


def document(steps, parameters=None):
    return parse_document({"schemaVersion": "2.2", "parameters": parameters or {}, "mainSteps": steps})


def step(lines, **more):
    return {"action": SHELL, "name": "a", "inputs": {"runCommand": lines, **more}}


def test_parameters_are_put_in_their_places():
    found = document(
        [step(["echo {{ a }}{{b}}", "echo {{ other }}"])], {"a": {"type": "String"}, "b": {"default": "2"}}
    )
    assert found.resolve({"a": ["1"]})[0].script == "echo 12\necho {{ other }}\n"


def test_a_list_becomes_lines_where_it_stands_alone():
    parameters = {"lines": {"type": "StringList"}}
    found = document([step(["first", "{{ lines }}", "echo '{{ lines }}'"])], parameters)
    assert found.resolve({"lines": ["x", "y"]})[0].script == 'first\nx\ny\necho \'["x", "y"]\'\n'


def test_steps_for_another_platform_are_left_out():
    windows = {**step(["w"]), "precondition": {"StringEquals": ["platformType", "Windows"]}}
    linux = {**step(["l"]), "precondition": {"StringEquals": ["platformType", "Linux"]}}
    assert [item.script for item in document([windows, linux]).resolve({})] == ["l\n"]


def test_what_an_agent_here_cannot_run_is_a_failing_step():
    (found,) = document([{"action": "aws:runPowerShellScript", "name": "p", "inputs": {}}]).resolve({})
    assert "aws:runPowerShellScript" in found.problem


def test_a_step_may_end_the_document():
    (found,) = document([step(["x"], onFailure="exit")]).resolve({})
    assert found.ends == {"Failed"}


def test_yaml_and_json_are_read_alike():
    text = "schemaVersion: '2.2'\nmainSteps:\n- {action: 'aws:runShellScript', name: a, inputs: {runCommand: [x]}}\n"
    assert parse_document(text).resolve({})[0].script == "x\n"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("a: [", "neither JSON nor YAML"),
        ('{"schemaVersion": "1.2", "runtimeConfig": {}}', "schemaVersion is '1.2'"),
        ('{"schemaVersion": "2.2", "mainSteps": []}', "no mainSteps"),
    ],
)
def test_other_documents_are_refused(content, part):
    with pytest.raises(RunCommandError, match=part) as caught:
        parse_document(content)
    assert caught.value.code == "InvalidDocument"


@pytest.mark.parametrize(
    ("rule", "value", "part"),
    [
        ({"allowedPattern": "[0-9]+"}, "12a", "does not match its allowedPattern"),
        ({"allowedValues": ["a", "b"]}, "c", "is not one of a, b"),
        ({"maxChars": 2}, "abc", "3 characters; 0 to 2"),
        ({"minChars": 2}, "a", "1 characters; 2 to 1"),
    ],
)
def test_a_value_against_its_rule(rule, value, part):
    with pytest.raises(RunCommandError, match=part) as caught:
        document([step(["x"])], {"p": rule}).resolve({"p": [value]})
    assert caught.value.code == "InvalidParameters"
    assert value not in caught.value.message or "allowedPattern" not in part
