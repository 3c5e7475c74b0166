"""The AppSpec of AWS Lambda deployments, compiled and checked.

Follows AWS's "AppSpec 'resources' section" and "AppSpec 'hooks' section".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.appspec.checks import Findings
from tidegate.appspec.errors import AppSpecError
from tidegate.appspec.shifting import Map, hooks_of, only_resource, read_sections, required_text

LAMBDA_HOOKS = ("BeforeAllowTraffic", "AfterAllowTraffic")
_PROPERTIES = ("Name", "Alias", "CurrentVersion", "TargetVersion")
_NAME = re.compile(r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?([A-Za-z0-9_-]{1,64})")
_ALIAS = re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}")
_VERSION = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LambdaAppSpec:
    """Which alias of which function moves from which version to which; ``hooks``: functions by event."""

    function: str
    alias: str
    current_version: str
    target_version: str
    hooks: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def target_id(self) -> str:
        """What the deployment's one target is called."""
        return f"{self.function}:{self.alias}"

    def to_json(self) -> dict[str, Any]:
        """As kept on the deployment."""
        return {
            "platform": "Lambda",
            "function": self.function,
            "alias": self.alias,
            "currentVersion": self.current_version,
            "targetVersion": self.target_version,
            "hooks": dict(self.hooks),
        }


def compile_lambda_appspec(text: str) -> LambdaAppSpec:
    """Compile the AppSpec of a Lambda revision.

    Parameters
    ----------
    text : str
        YAML 1.1 or JSON, at most 1 MiB of UTF-8. Keys may be written in either case.

    Raises
    ------
    AppSpecError
        With every problem found, each with its place and what to write instead.
    """
    findings = Findings()
    sections = read_sections(text, findings)
    path, properties = only_resource(sections, "AWS::Lambda::Function", _PROPERTIES, findings)
    name = required_text(properties, path, "Name", findings, "Name the function")
    alias = required_text(properties, path, "Alias", findings, "Name the alias whose traffic moves")
    versions = [_version(properties, path, each, findings) for each in ("CurrentVersion", "TargetVersion")]
    hooks = hooks_of(sections, LAMBDA_HOOKS, findings)
    function = _NAME.fullmatch(name)
    if name and not function:
        findings.problem(
            f"invalid function name ({name})",
            f"{path}.Name",
            properties["name"],
            "a function's name or ARN, without a version",
            "Name the function",
        )
    if alias and not _ALIAS.fullmatch(alias):
        findings.problem(
            f"invalid alias ({alias})",
            f"{path}.Alias",
            properties["alias"],
            "an alias, not a version",
            "Name the alias whose traffic moves",
        )
    if findings.problems or not function:
        raise AppSpecError(findings.problems)
    return LambdaAppSpec(function[1], alias, versions[0], versions[1], hooks, tuple(findings.warnings))


def _version(properties: Map, path: str, name: str, findings: Findings) -> str:
    text = required_text(properties, path, name, findings, "Give the number of a published version")
    if text and not _VERSION.fullmatch(text):
        findings.problem(
            f"invalid {name} ({text})",
            f"{path}.{name}",
            properties[name.lower()],
            "the number of a published version",
            "Publish a version and give its number; not $LATEST",
        )
    return text
