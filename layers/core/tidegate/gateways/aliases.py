"""Lambda aliases and the versions they point to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tidegate.gateways.errors import error_code, translated
from tidegate.model.shifts import AliasSeen

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Aliases:
    """The aliases of the account's functions in this Region."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def look(self, function: str, alias: str, versions: Sequence[str]) -> AliasSeen:
        """What is there of a function, its alias and some of its versions.

        Raises
        ------
        GatewayError
            Lambda does not answer, or our role may not ask.
        """
        with translated(f"reading the function {function}"):
            arn = self._arn(function)
        if not arn:
            return AliasSeen()
        with translated(f"reading the alias {alias} of the function {function}"):
            found = _unless_missing(lambda: self._client.get_alias(FunctionName=function, Name=alias))
            if found is None:
                return AliasSeen(arn)
            missing = [each for each in dict.fromkeys(versions) if not self._arn(function, each)]
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return AliasSeen(arn, found["FunctionVersion"], dict(weights), missing)

    def _arn(self, function: str, version: str = "") -> str:
        """The ARN of a function, or of one of its versions; empty where there is none."""
        which = {"Qualifier": version} if version else {}
        found = _unless_missing(lambda: self._client.get_function_configuration(FunctionName=function, **which))
        return "" if found is None else str(found["FunctionArn"])


def _unless_missing(read: Callable[[], Any]) -> Any:
    """What a call gives; ``None`` where Lambda says that there is nothing of the name."""
    try:
        return read()
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
