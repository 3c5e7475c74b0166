"""Errors as clients see them: AWS's own names, a sentence, a status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tidegate.store import errors as store


class ApiError(Exception):
    """An error that is answered to the client.

    Attributes
    ----------
    code
        The name, as CodeDeploy's service model has it where it has one.
    status
        HTTP status: 400 for what the caller can mend, 500 for what only we can.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def internal_failure(request_id: str) -> ApiError:
    """A fault of ours; the details are in the log."""
    return ApiError("InternalFailure", f"The request failed inside Tidegate; look for {request_id} in its log.", 500)


#: How each domain error is named to clients. The first entry that an error is an instance of counts.
_NAMES: Final[Mapping[type[store.StoreError], tuple[str, int]]] = {
    store.ApplicationNotFoundError: ("ApplicationDoesNotExistException", 400),
    store.DeploymentGroupNotFoundError: ("DeploymentGroupDoesNotExistException", 400),
    store.DeploymentConfigNotFoundError: ("DeploymentConfigDoesNotExistException", 400),
    store.RevisionNotFoundError: ("RevisionDoesNotExistException", 400),
    store.DeploymentNotFoundError: ("DeploymentDoesNotExistException", 400),
    store.InstanceNotRegisteredError: ("InstanceNotRegisteredException", 400),
    store.InstanceRegisteredError: ("InstanceNameAlreadyRegisteredException", 400),
    store.IamUserArnTakenError: ("IamUserArnAlreadyRegisteredException", 400),
    store.IamSessionArnTakenError: ("IamSessionArnAlreadyRegisteredException", 400),
    store.HookNotFoundError: ("InvalidLifecycleEventHookExecutionIdException", 400),
    store.ApplicationExistsError: ("ApplicationAlreadyExistsException", 400),
    store.DeploymentGroupExistsError: ("DeploymentGroupAlreadyExistsException", 400),
    store.DeploymentConfigExistsError: ("DeploymentConfigAlreadyExistsException", 400),
    store.ApplicationLimitError: ("ApplicationLimitExceededException", 400),
    store.DeploymentGroupLimitError: ("DeploymentGroupLimitExceededException", 400),
    store.DeploymentConfigLimitError: ("DeploymentConfigLimitExceededException", 400),
    store.DeploymentConfigInUseError: ("DeploymentConfigInUseException", 400),
    store.EcsServiceMappedError: ("ECSServiceMappingLimitExceededException", 400),
    store.DeploymentGroupBusyError: ("DeploymentLimitExceededException", 400),
    store.DeploymentCompletedError: ("DeploymentAlreadyCompletedException", 400),
    store.NotWaitingError: ("DeploymentIsNotInReadyStateException", 400),
    store.HookCompletedError: ("LifecycleEventAlreadyCompletedException", 400),
    store.InvalidCursorError: ("InvalidNextTokenException", 400),
    store.ItemTooLargeError: ("ValidationException", 400),
    # SDKs try a throttled call again by themselves.
    store.TableBusyError: ("ThrottlingException", 400),
    store.StaleGenerationError: ("ThrottlingException", 400),
}


def of_store(error: store.StoreError) -> ApiError | None:
    """The client's view of a domain error; ``None`` for those that are faults of ours."""
    for kind, (code, status) in _NAMES.items():
        if isinstance(error, kind):
            return ApiError(code, str(error), status)
    return None
