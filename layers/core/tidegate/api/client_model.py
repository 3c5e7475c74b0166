"""What clients need: service models that make unmodified boto3 and AWS CLI sign for API Gateway, and call by path."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any, Final

import botocore
from botocore.model import ServiceModel

from tidegate.api.addresses import OVERRIDING_ALARMS, Scope, address_of, encoded, scope_names
from tidegate.api.service_models import CODEDEPLOY_VERSION, OWN_MODELS, TIDEGATE_VERSION

SIGNING_NAME: Final = "execute-api"
_PROTOCOL: Final = "rest-json"
_MODEL: Final = "service-2.json"


def write_client_models(folder: Path, scope: Scope | None = None, *, override_alarms: bool = False) -> None:
    """Fill a folder for ``AWS_DATA_PATH``.

    It gets the installed botocore's own ``codedeploy`` folder (model, paginators, waiters, endpoint rules) and the
    model of our own service ``tidegate``. Changed are the signing name, the protocol (the inputs and outputs in JSON
    stay what they are) and each operation's path, with the names that stand in it. Files there are replaced, each at
    once: clients may read them meanwhile.

    Parameters
    ----------
    folder
        Made where it is missing.
    scope
        Confines the operations that name deployments by id alone: see :mod:`tidegate.api.addresses`.
    override_alarms
        Create deployments by the path that lets a call override the group's alarms.
    """
    installed = Path(botocore.__file__).parent / "data" / "codedeploy" / CODEDEPLOY_VERSION
    for service, version, source in (
        ("codedeploy", CODEDEPLOY_VERSION, installed),
        ("tidegate", TIDEGATE_VERSION, OWN_MODELS / "tidegate" / TIDEGATE_VERSION),
    ):
        goal = folder / service / version
        goal.mkdir(parents=True, exist_ok=True)
        for file in source.iterdir():
            if not file.name.startswith("service-2."):
                _replace(goal / file.name, file.read_bytes())
        model = json.dumps(changed(_read_model(source), service, scope, override_alarms=override_alarms)).encode()
        _replace(goal / _MODEL, model)
        # Left beside the changed model, a packed one would be found first or second by chance.
        (goal / f"{_MODEL}.gz").unlink(missing_ok=True)


def changed(
    model: dict[str, Any], service: str, scope: Scope | None = None, *, override_alarms: bool = False
) -> dict[str, Any]:
    """A service model with operations called by path; the model given is changed itself."""
    # With `protocol` alone botocore keeps the first of `protocols` that it speaks.
    model["metadata"].update(signingName=SIGNING_NAME, protocol=_PROTOCOL, protocols=[_PROTOCOL])
    known = ServiceModel(model, service)
    for name, operation in model["operations"].items():
        address = address_of(known.operation_model(name))
        members = address.members[: address.required]
        literal = [encoded(each) for each in scope_names(address, scope)]
        first = OVERRIDING_ALARMS if override_alarms and name == "CreateDeployment" else name
        path = "/".join(["", first, *(f"{{{member}}}" for member in members), *literal])
        operation["http"] = {"method": "POST", "requestUri": path}
        if members:
            shape = model["shapes"][operation["input"]["shape"]]
            # botocore can leave no place in a path empty.
            shape["required"] = list(dict.fromkeys([*shape.get("required", ()), *members]))
            for member in members:
                shape["members"][member] |= {"location": "uri", "locationName": member}
    return model


def _read_model(source: Path) -> dict[str, Any]:
    packed = source / f"{_MODEL}.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (source / _MODEL).read_bytes()
    model: dict[str, Any] = json.loads(text)
    return model


def _replace(file: Path, content: bytes) -> None:
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_bytes(content)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
