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


def test_permissions_are_refused_for_windows():
    with pytest.raises(AppSpecError, match="permissions are not supported on Windows"):
        compile_server_appspec(WINDOWS + "permissions:\n  - object: 'c:\\app'\n", os="windows")


def test_custom_events_are_compiled_where_they_are_asked_for():
    text = "version: 0.0\nos: linux\nhooks:\n  Dance:\n    - location: d.sh\n  AfterInstall:\n"
    assert compile_server_appspec(text).hooks == {}
    compiled = compile_server_appspec(text, custom_events=["Dance"])
    assert [script.location for script in compiled.hooks["Dance"]] == ["d.sh"]
    assert compiled.event_names == ("Dance", "AfterInstall")
