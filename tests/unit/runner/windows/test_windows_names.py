"""How Windows reads paths and names, and what starts a script there."""

import ast
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from tidegate_runner import archive, windows_names
from tidegate_runner.errors import EventError

RUNNER = Path(__file__).parents[4] / "layers" / "runner" / "tidegate_runner"
ARCHIVE_LIMIT = 64 * 1024
POWERSHELL = "D:\\Win\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"


@pytest.mark.parametrize(
    ("text", "logical"),
    [
        ("c:\\temp", "C:/temp"),
        ("C:/temp/", "C:/temp"),
        ("c:temp", "C:/temp"),
        ("d:\\", "D:/"),
        ("\\temp\\.\\a\\..\\b", "C:/temp/b"),
        ("temp", "C:/temp"),
        ("/", "C:/"),
        ("C:\\..\\..\\x", "C:/x"),
        ("\\\\server\\share\\x\\..\\y", "//server/share/y"),
    ],
)
def test_paths_have_one_spelling(text, logical):
    assert windows_names.logical_path(text) == logical
    assert windows_names.logical_path(logical) == logical
    assert windows_names.destination_path(text) == logical


def test_a_path_without_a_drive_is_on_the_systems():
    assert windows_names.logical_path("\\x", "E:") == "E:/x"


@pytest.mark.parametrize(
    ("logical", "root", "real"),
    [
        ("C:/srv/a", "", "C:/srv/a"),
        ("C:/srv/a", "/host", "/host/C/srv/a"),
        ("//server/share/a", "/host", "/host/server/share/a"),
    ],
)
def test_drives_are_folders_below_another_root(logical, root, real):
    assert windows_names.real_path(logical, root) == real


@pytest.mark.parametrize(
    "name",
    ["CON", "con.txt", "a/NUL", "com1", "LPT9.log", "aux .x", "COM\xb9", "a.", "a ", "a/b. /c", "a:b", "a?", "a\nb"],
)
def test_names_that_are_no_files_are_refused(name):
    with pytest.raises(EventError, match="on Windows"):
        windows_names.check_member(name)
    with pytest.raises(EventError, match="names the destination"):
        windows_names.destination_path("C:/x/" + name)


@pytest.mark.parametrize(
    "name", ["console", "com", "com10", "nul1", ".a", "a..b", "a b", "\xe4", "lpt/x", "a/./b", "x/../y"]
)
def test_other_names_pass(name):
    windows_names.check_member(name)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("C:/a b/x.PS1", [POWERSHELL, "-ExecutionPolicy", "Bypass", "-File", "C:\\a b\\x.PS1"]),
        ("C:/a (1)/x.bat", 'D:\\Win\\System32\\cmd.exe /s /c ""C:\\a (1)\\x.bat""'),
        ("C:/x&y/x.CMD", 'D:\\Win\\System32\\cmd.exe /s /c ""C:\\x&y\\x.CMD""'),
        ("C:/x.exe", ["C:\\x.exe"]),
    ],
)  # fmt: skip
def test_what_starts_a_script_follows_from_its_name(path, command):
    assert windows_names.script_command(path, {"SYSTEMROOT": "D:\\Win"}) == command


@pytest.mark.parametrize("name", ["x.sh", "x", "x.ps1.txt", "x.vbs", "50%.bat"])
def test_what_windows_cannot_start_is_refused(name):
    with pytest.raises(ValueError, match=r"Windows hosts run|holds %"):
        windows_names.script_command("C:/" + name, {})


def test_an_archive_holds_what_its_system_needs():
    def names(system):
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(archive.build(str(RUNNER), system))) as content:
            return {name.partition("/")[2] for name in content.namelist()}

    assert not [name for name in names("linux") if name.startswith("windows")]
    assert {"windows.py", "windows_worker.py", "system.py"} <= names("windows")
    assert "scripts.py" not in names("windows")
    assert len(archive.build(str(RUNNER))) <= ARCHIVE_LIMIT


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def test_hosts_get_the_same_code_without_its_comments():
    def code(source):
        tree = ast.parse(source)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [each for each in body if not is_text(each)]
        return ast.dump(tree), [node.lineno for node in ast.walk(tree) if hasattr(node, "lineno")]

    for path in RUNNER.glob("*.py"):
        source = path.read_text()
        bare = archive.without_comments(source)
        compile(bare, path.name, "exec")
        assert code(bare) == code(source), path.name
        assert bare.count("\n") == source.count("\n")
        assert " # " not in bare, path.name


def test_no_module_imports_at_its_top_what_windows_lacks():
    lacking = {"fcntl", "pwd", "grp", "resource", "termios", "pty", "posix"}
    for path in RUNNER.glob("*.py"):
        if path.name in ("scripts.py", "system.py"):
            continue
        for node in ast.parse(path.read_text()).body:
            found = {each.name for each in node.names} if isinstance(node, ast.Import) else set()
            assert not found & lacking, path.name


def test_every_module_of_the_windows_archive_can_be_imported_without_linux(windows):
    modules = sorted(
        path.stem
        for path in RUNNER.glob("*.py")
        if path.name not in ("scripts.py", "archive.py", "door.py", "dry_run.py")
    )
    assert importlib.util.find_spec("tidegate_runner.windows_worker") is not None
    program = f"""
import sys
sys.path.insert(0, {str(RUNNER.parent)!r})
for name in {[name for name in modules if name != "__main__"]!r}:
    __import__("tidegate_runner." + name)
from tidegate_runner.system import IS_WINDOWS, NAME
print(IS_WINDOWS, NAME, len({modules!r}))
"""
    done = subprocess.run(
        [windows.python, "-I", "-S", "-c", program],
        env={**os.environ, **windows.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["True", "windows", str(len(modules))]


def test_the_twins_for_linux_and_windows_have_the_same_doors():
    def doors(name):
        tree = ast.parse((RUNNER / name).read_text())
        return {
            node.name: [each.arg for each in node.args.args]
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        }

    linux, windows = doors("scripts.py"), doors("windows_scripts.py")
    for name in ("end", "exit_text", "make_runnable", "read_output", "start"):
        assert linux[name] == windows[name]
    linux, windows = doors("system.py"), doors("windows.py")
    assert all(windows[name] == linux[name] for name in linux)
    assert len(linux) == 8
