"""AppSpec files, compiled: pure functions from text to what a deployment is to do."""

from tidegate.appspec.aws_lambda import LambdaAppSpec, compile_lambda_appspec
from tidegate.appspec.ecs import EcsAppSpec, compile_ecs_appspec
from tidegate.appspec.errors import AppSpecError, Problem
from tidegate.appspec.find import find_appspec
from tidegate.appspec.fit import ecs_misfit, lambda_misfit
from tidegate.appspec.model import FileMapping, Permission, Script, ServerAppSpec
from tidegate.appspec.server import compile_server_appspec

__all__ = [
    "AppSpecError",
    "EcsAppSpec",
    "FileMapping",
    "LambdaAppSpec",
    "Permission",
    "Problem",
    "Script",
    "ServerAppSpec",
    "compile_ecs_appspec",
    "compile_lambda_appspec",
    "compile_server_appspec",
    "ecs_misfit",
    "find_appspec",
    "lambda_misfit",
]
