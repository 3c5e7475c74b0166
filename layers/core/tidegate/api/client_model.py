"""What clients need: service models that make unmodified boto3 and AWS CLI sign for API Gateway."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any, Final

import botocore

from tidegate.api.service_models import CODEDEPLOY_VERSION, OWN_MODELS

SIGNING_NAME: Final = "execute-api"


def write_client_models(folder: Path) -> None:
    """Fill a folder for ``AWS_DATA_PATH``.

    It gets the installed botocore's own ``codedeploy`` folder (model, paginators, waiters, endpoint rules), of which
    only the signing name is changed, and the model of our own service ``tidegate``. Files there are replaced.

    Parameters
    ----------
    folder
        Made where it is missing.
    """
    source = Path(botocore.__file__).parent / "data" / "codedeploy" / CODEDEPLOY_VERSION
    goal = folder / "codedeploy" / CODEDEPLOY_VERSION
    shutil.copytree(source, goal, dirs_exist_ok=True)
    shutil.copytree(OWN_MODELS, folder, dirs_exist_ok=True)
    model = _read_model(source)
    model["metadata"]["signingName"] = SIGNING_NAME
    # Left beside the changed model, the packed one would be found first or second by chance.
    (goal / "service-2.json.gz").unlink(missing_ok=True)
    (goal / "service-2.json").write_text(json.dumps(model), encoding="utf-8")


def _read_model(source: Path) -> dict[str, Any]:
    packed = source / "service-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (source / "service-2.json").read_bytes()
    model: dict[str, Any] = json.loads(text)
    return model
