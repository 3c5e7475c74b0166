"""Which member of an archive is the AppSpec file."""

import pytest

from tidegate.appspec import find_appspec


@pytest.mark.parametrize(
    ("names", "asked_for", "found"),
    [
        (["appspec.yml", "a"], None, "appspec.yml"),
        (["appspec.yaml", "a"], None, "appspec.yaml"),
        (["appspec.yaml", "appspec.yml"], None, "appspec.yml"),
        (["./appspec.yml", "./a"], None, "./appspec.yml"),
        (["top/", "top/appspec.yml", "top/a"], None, "top/appspec.yml"),
        (["top/AppSpec.txt", "top/appspec.yaml"], None, "top/appspec.yaml"),
        (["top/appspec.yml", "other"], None, None),
        (["top/deep/appspec.yml"], None, None),
        (["Appspec.yml"], None, None),
        (["appspec.yml/", "a"], None, None),
        (["appspec.yml", "conf/blue.yml"], "conf/blue.yml", "conf/blue.yml"),
        (["appspec.yml"], "conf/blue.yml", "appspec.yml"),
        (["top/conf/blue.yml", "top/appspec.old"], "conf/blue.yml", "top/conf/blue.yml"),
        ([], None, None),
    ],
)
def test_find(names, asked_for, found):
    assert find_appspec(names, asked_for) == found
