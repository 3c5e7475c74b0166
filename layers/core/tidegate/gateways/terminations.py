"""The end of instances that a blue/green deployment has replaced (API, Amazon EC2: TerminateInstances)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from tidegate.gateways.errors import DENIALS, error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

#: What cannot be undone any more counts as ended; nobody waits for the last second of a machine.
_ENDED: Final = frozenset({"shutting-down", "terminated"})
#: EC2 takes so many values in a filter.
_MOST_VALUES: Final = 200
_GONE: Final = "InvalidInstanceID.NotFound"
_PROTECTED: Final = "OperationNotPermitted"


class Terminations:
    """Ends EC2 instances, and says which are left."""

    def __init__(self, client: EC2Client, opt_in_tag: tuple[str, str]) -> None:
        self._client, self._tag = client, "=".join(opt_in_tag)

    def end(self, ids: Sequence[str]) -> dict[str, str]:
        """Terminate instances; asked again, nothing more happens. Those that are gone already are no error.

        Returns
        -------
        By instance id, why it must not be terminated.
        """
        try:
            with translated("terminating instances"):
                self._terminate(ids)
        except _OneOfThem as refusal:
            if len(ids) == 1:
                return {} if refusal.code == _GONE else {ids[0]: self._why(refusal)}
            # EC2 does nothing where one of them is at fault, and does not say which one.
            return {each: why for one in ids for each, why in self.end([one]).items()}
        return {}

    def left(self, ids: Sequence[str]) -> dict[str, str]:
        """The state of those that still exist, by instance id."""
        found: dict[str, str] = {}
        with translated("describing instances"):
            for i in range(0, len(ids), _MOST_VALUES):
                some = {"Name": "instance-id", "Values": list(ids[i : i + _MOST_VALUES])}
                for page in self._client.get_paginator("describe_instances").paginate(Filters=[some]):  # type: ignore[list-item]
                    for reservation in page["Reservations"]:
                        for row in reservation.get("Instances", ()):
                            found[row["InstanceId"]] = row["State"]["Name"]
        return {each: state for each, state in found.items() if state not in _ENDED}

    def _terminate(self, ids: Sequence[str]) -> None:
        try:
            self._client.terminate_instances(InstanceIds=list(ids))
        except ClientError as error:
            if error_code(error) in DENIALS | {_GONE, _PROTECTED}:
                raise _OneOfThem(error) from error
            raise

    def _why(self, refusal: _OneOfThem) -> str:
        if refusal.code == _PROTECTED:
            return "The instance is protected from termination; take the protection away, or end it by hand."
        return (
            f"The instance may not be terminated: {refusal}. Only instances that carry the tag {self._tag} may; add "
            "the tag, or end it by hand."
        )


class _OneOfThem(Exception):  # noqa: N818 - a refusal that may be of one instance only
    def __init__(self, error: ClientError) -> None:
        super().__init__(str(error.response.get("Error", {}).get("Message", "")))
        self.code = error_code(error)
