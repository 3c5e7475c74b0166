"""What all workers import, imported once: modules, and the descriptions of services that clients are made from.

No client, no credentials, no variable of a function: only what is the same in every worker.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tidegate_local import descriptions

#: Modules that handlers and their clients import. One that is missing here, or not installed, only costs time.
MODULES = ("aws_lambda_powertools", "boto3.s3.inject", "boto3.s3.transfer")
#: Packages of layers, with all that is in them.
PACKAGES = ("tidegate",)
#: Services that handlers call.
SERVICES = ("dynamodb", "s3", "ssm", "stepfunctions", "ec2")


def preload() -> frozenset[str]:
    """Import what there is of it on ``sys.path``.

    Returns
    -------
    frozenset of str
        Names of the modules that this brought.
    """
    before = set(sys.modules)
    for name in (*MODULES, *PACKAGES):
        module = _import(name)
        if module is not None and name in PACKAGES:
            for inner in _inside(module):
                _import(inner)
    descriptions.share()
    descriptions.read(SERVICES)
    return frozenset(set(sys.modules) - before)


def brings(folder: str) -> bool:
    """Whether a layer's folder holds a package that is imported for all workers."""
    return any((Path(folder) / found).exists() for name in PACKAGES for found in (name, f"{name}.py"))


def forget(names: frozenset[str], found: frozenset[str]) -> None:
    """Forget the modules that a folder earlier on the path has another version of."""
    for name in names:
        if name.partition(".")[0] in found:
            sys.modules.pop(name, None)


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            _tell(name, error)
    except Exception as error:
        _tell(name, error)
    return None


def _tell(name: str, error: Exception) -> None:
    # Not the end: the functions that import it fail with this error themselves, as they do on Lambda.
    sys.stderr.write(f"{name} cannot be imported: {type(error).__name__}: {error}\n")


def _inside(package: ModuleType) -> Iterator[str]:
    paths = getattr(package, "__path__", ())
    for found in pkgutil.walk_packages(paths, f"{package.__name__}.", onerror=lambda _name: None):
        yield found.name
