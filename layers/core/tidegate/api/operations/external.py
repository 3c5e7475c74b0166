"""What other AWS services made through CodeDeploy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.services import Call


def delete_resources_by_external_id(_call: Call, _given: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteResourcesByExternalId: nothing here has an external id (AWS CloudFormation gives them), so it is done."""
    return {}
