"""AppSpec files, compiled: pure functions from text to what hosts are told to do."""

from tidegate.appspec.errors import AppSpecError, Problem
from tidegate.appspec.find import find_appspec
from tidegate.appspec.model import FileMapping, Permission, Script, ServerAppSpec
from tidegate.appspec.server import compile_server_appspec

__all__ = [
    "AppSpecError",
    "FileMapping",
    "Permission",
    "Problem",
    "Script",
    "ServerAppSpec",
    "compile_server_appspec",
    "find_appspec",
]
