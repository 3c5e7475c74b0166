"""Where calls are made, and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A call's parameters, as given to boto3.
Params = Mapping[str, Any]
#: An IAM action, and the ARN it is for.
Need = tuple[str, str]


@dataclass(frozen=True)
class Place:
    """Where calls are made: the account, and the region."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Make an ARN of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
