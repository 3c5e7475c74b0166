"""The service models: CodeDeploy's as the installed botocore has it, and our own beside this file.

Read without a botocore session or client: that would cost a cold start some hundred milliseconds more.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel

CODEDEPLOY_TARGET: Final = "CodeDeploy_20141006"
CODEDEPLOY_VERSION: Final = "2014-10-06"
TIDEGATE_TARGET: Final = "Tidegate_20261101"
TIDEGATE_VERSION: Final = "2026-11-01"
OWN_MODELS: Final = Path(__file__).parent / "models"


@cache
def codedeploy() -> ServiceModel:
    """CodeDeploy's model. The environment's search paths are left out: they may hold a changed copy."""
    data = str(Path(botocore.__file__).parent / "data")
    loader = Loader(extra_search_paths=[data], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model("codedeploy", "service-2", CODEDEPLOY_VERSION), "codedeploy")


@cache
def tidegate() -> ServiceModel:
    """Our own model: what CodeDeploy's API has no word for."""
    path = OWN_MODELS / "tidegate" / TIDEGATE_VERSION / "service-2.json"
    return ServiceModel(json.loads(path.read_text(encoding="utf-8")), "tidegate")


def by_target(prefix: str) -> ServiceModel | None:
    """The model that a target prefix names."""
    if prefix == CODEDEPLOY_TARGET:
        return codedeploy()
    return tidegate() if prefix == TIDEGATE_TARGET else None


def by_operation(name: str) -> tuple[str, ServiceModel] | None:
    """The target prefix and the model of the service that has an operation. No name is in both."""
    if name in tidegate().operation_names:
        return TIDEGATE_TARGET, tidegate()
    return (CODEDEPLOY_TARGET, codedeploy()) if name in codedeploy().operation_names else None
