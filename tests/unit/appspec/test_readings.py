"""What the caller of the compiler can choose: the hosts' system, further events."""

import pytest

from tidegate.appspec import AppSpecError, compile_server_appspec

WINDOWS = "version: 0.0\nos: windows\nfiles:\n  - source: app\n    destination: 'c:\\temp\\..\\app'\n"


def test_a_windows_revision_compiles_for_windows_hosts_only():
    compiled = compile_server_appspec(WINDOWS, os="windows")
    assert compiled.os == "windows"
    assert compiled.files[0].destination == "c:\\app"
    with pytest.raises(AppSpecError, match=r"unsupported operating system \(windows\)"):
        compile_server_appspec(WINDOWS)
    with pytest.raises(AppSpecError, match=r"unsupported operating system \(linux\)"):
        compile_server_appspec("version: 0.0\nos: linux\n", os="windows")


def test_the_file_itself_may_say_what_the_hosts_run():
    assert compile_server_appspec(WINDOWS, os=None).files[0].destination == "c:\\app"
    assert compile_server_appspec("version: 0.0\nos: linux\n", os=None).os == "linux"
    with pytest.raises(AppSpecError, match=r"unsupported operating system \(Windows\).*'os: linux' or 'os: windows'"):
        compile_server_appspec("version: 0.0\nos: Windows\n", os=None)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("location: a.ps1\n      runas: bob", "runas is not supported on Windows"),
        ("location: a.ps1\n      sudo: true", "sudo is not supported on Windows"),
        ("location: a.sh", "Windows cannot run the script a.sh"),
        ("location: scripts\\a", "Windows cannot run the script"),
        ("location: x\\..\\..\\a.ps1", "a path leaves the revision's folder"),
    ],
)
def test_what_no_windows_host_can_run_is_refused_before_any_host_is_touched(script, message):
    hooks = f"hooks:\n  AfterInstall:\n    - {script}\n"
    with pytest.raises(AppSpecError, match=message):
        compile_server_appspec("version: 0.0\nos: windows\n" + hooks, os="windows")
    if "..\\" not in script:
        compile_server_appspec("version: 0.0\nos: linux\n" + hooks)


def test_scripts_of_windows_compile():
    hooks = "hooks:\n  AfterInstall:\n" + "".join(
        f"    - location: \\scripts\\a{each}\n" for each in (".ps1", ".BAT", ".cmd", ".exe")
    )
    compiled = compile_server_appspec("version: 0.0\nos: windows\n" + hooks, os="windows")
    assert len(compiled.hooks["AfterInstall"]) == 4


def test_a_source_of_windows_stays_in_the_revision():
    text = "version: 0.0\nos: windows\nfiles:\n  - source: 'a\\..\\..\\b'\n    destination: 'c:\\app'\n"
    with pytest.raises(AppSpecError, match="a path leaves the revision's folder"):
        compile_server_appspec(text, os="windows")


def test_permissions_are_refused_for_windows():
    with pytest.raises(AppSpecError, match="permissions are not supported on Windows"):
        compile_server_appspec(WINDOWS + "permissions:\n  - object: 'c:\\app'\n", os="windows")


def test_custom_events_are_compiled_where_they_are_asked_for():
    text = "version: 0.0\nos: linux\nhooks:\n  Dance:\n    - location: d.sh\n  AfterInstall:\n"
    assert compile_server_appspec(text).hooks == {}
    compiled = compile_server_appspec(text, custom_events=["Dance"])
    assert [script.location for script in compiled.hooks["Dance"]] == ["d.sh"]
    assert compiled.event_names == ("Dance", "AfterInstall")
