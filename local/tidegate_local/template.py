"""Read a SAM template from a checkout and expand it to CloudFormation.

Stands in for `sam package` and CloudFormation's Serverless transform: local paths become references to the
checkout, and samtranslator (the code behind the transform) does the rest. The result is kept in a cache,
since loading samtranslator takes longer than everything else here.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Bucket name that marks code as a folder of the checkout.
CHECKOUT = "local-checkout"
#: Expanded templates that the cache holds at most.
MOST_KEPT = 20
_PREFIX = "template-"


class TemplateError(Exception):
    """The template cannot be used; the text names the place and the remedy."""


class _NoManagedPolicies:
    """samtranslator asks for managed policies by name; templates here use ARNs."""

    def load(self) -> dict[str, str]:
        return {}


def cache_folder() -> Path:
    """Where expanded templates are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tidegate"


def load_template(template: Path, parameters: Mapping[str, str], cache: Path | None = None) -> dict[str, Any]:
    """Give the CloudFormation template that a SAM template stands for.

    Parameters
    ----------
    template
        The SAM template; paths in it are relative to its folder.
    parameters
        Values given for its parameters.
    cache
        Folder of expanded templates, `cache_folder()` when not given.

    Raises
    ------
    TemplateError
        When it cannot be read or expanded.
    """
    try:
        text = template.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"the template {template} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256()
    version = importlib.metadata.version("aws-sam-translator")
    for part in (version, "1", text, json.dumps(dict(parameters), sort_keys=True), *_definitions(template)):
        digest.update(part.encode())
        digest.update(b"\0")
    kept = (cache or cache_folder()) / f"{_PREFIX}{digest.hexdigest()}.json"
    expanded = _kept(kept)
    if expanded is None:
        expanded = _expand(template, text, parameters)
        _keep(kept, expanded)
    return expanded


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        known: dict[str, Any] = json.loads(path.read_bytes())
        path.touch()  # used: it goes after those that are not
    except (OSError, ValueError):
        return None
    return known


def _definitions(template: Path) -> list[str]:
    # Any file a DefinitionUri may name: cheaper than parsing the template to know which.
    folder = template.parent / "statemachines"
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*")) if path.is_file()]


def _keep(path: Path, expanded: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=_PREFIX, suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            json.dump(expanded, file, default=str)
        Path(file.name).replace(path)
        _forget_old(path.parent)
    except OSError:
        # Only a cache: without it the next start takes a moment longer.
        return


def _forget_old(folder: Path) -> None:
    """Keep those used last: each change to a template or its machines leaves one that is never used again."""
    used: list[tuple[float, Path]] = []
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # somebody else forgot it
            used.append((path.stat().st_mtime, path))
    for _, path in sorted(used, reverse=True)[MOST_KEPT:]:
        path.unlink(missing_ok=True)


def _expand(template: Path, text: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    # samtranslator asks boto3 for a region when it is loaded.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    try:
        document = yaml_parse(text)
    except Exception as error:
        raise TemplateError(f"the template {template} is not YAML: {error}") from error
    for logical_id, resource in document.get("Resources", {}).items():
        _use_checkout(template, logical_id, resource.get("Properties") or {}, yaml_parse)
    try:
        expanded: dict[str, Any] = transform(document, dict(parameters), _NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"the template {template} cannot be expanded: {causes}") from error
    # As stored: dates become text, as in CloudFormation.
    plain: dict[str, Any] = json.loads(json.dumps(expanded, default=str))
    return plain


def _use_checkout(template: Path, logical_id: str, properties: dict[str, Any], parse: Any) -> None:
    for name in ("CodeUri", "ContentUri"):
        if isinstance(properties.get(name), str):
            properties[name] = {"Bucket": CHECKOUT, "Key": properties[name]}
    if isinstance(properties.get("DefinitionUri"), str):
        path = template.parent / properties.pop("DefinitionUri")
        try:
            properties["Definition"] = parse(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TemplateError(f"{logical_id}.DefinitionUri: {path} cannot be read: {error.strerror}") from error
