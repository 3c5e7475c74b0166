"""boto3 sessions that look for service models in a folder, as ``AWS_DATA_PATH`` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import botocore.session


def session_with(folder: Path | str, key_id: str, secret: str, token: str | None = None) -> Any:
    """A session with these keys and with the models of a folder before the installed ones."""
    core = botocore.session.Session()
    core.set_config_variable("data_path", str(folder))
    return boto3.Session(key_id, secret, token, region_name="us-east-1", botocore_session=core)
