"""Wires the function that deploys uploads: its settings and ports, and its way to the API's operations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from tidegate.api import ApiRequest, handle
from tidegate.api.service_models import CODEDEPLOY_TARGET
from tidegate.api_services import api_services
from tidegate.model.upload_plans import FOLLOW_TAG, Follower
from tidegate.runtime import Runtime
from tidegate.store.applications import Applications
from tidegate.store.uploads import Uploads

if TYPE_CHECKING:
    from tidegate.gateways.uploads import Refusals, UploadedObjects

_APPLICATIONS_A_PAGE: Final = 100


class OperationRefused(Exception):  # noqa: N818 - an answer of the API
    """An operation of the API answered with an error that trying again does not mend."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class TryAgainError(Exception):
    """Not now: the message, or the record of the stream, has to come again."""


class UploadRuntime(Runtime):
    """The ports of OnRevisionUpload."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        super().__init__(env)
        env = os.environ if env is None else env
        self.watched_prefix = env.get("TIDEGATE_WATCHED_PREFIX", "")
        self._source = env.get("TIDEGATE_NOTIFICATION_SOURCE", "")
        partition, region = self.settings.machine_arn.split(":")[1], self.settings.region
        function = env.get("AWS_LAMBDA_FUNCTION_NAME", "on-revision-upload")
        #: Who deploys, in the audit trail.
        self.caller = f"arn:{partition}:lambda:{region}:{self.settings.account}:function:{function}"
        self.partition = partition

    @cached_property
    def objects(self) -> UploadedObjects:
        """Objects in watched buckets."""
        from tidegate.gateways.uploads import UploadedObjects

        return UploadedObjects(self._s3)

    @cached_property
    def refusals(self) -> Refusals:
        """Whom refused uploads are told to."""
        from tidegate.gateways.uploads import Refusals

        return Refusals(self._client("events"), self._source)

    @cached_property
    def uploads(self) -> Uploads:
        """The newest upload of each group."""
        return Uploads(self.table)

    def platform_of(self, application: str) -> str:
        """The application's compute platform.

        Raises
        ------
        ApplicationNotFoundError
        """
        return str(Applications(self.table).get(application)["computePlatform"])

    def followers(self, application: str | None) -> Iterator[Follower]:
        """The groups that have the tag ``tidegate:follow``: of one application, or of all."""
        for name in self._all_applications() if application is None else (application,):
            for item in self.groups.page(name).items:
                tags = {tag["Key"]: tag.get("Value", "") for tag in item.get("tags", ())}
                if FOLLOW_TAG in tags:
                    group = item["info"]["deploymentGroupName"]
                    yield Follower(name, group, item["deploymentGroupId"], tags[FOLLOW_TAG])

    def _all_applications(self) -> Iterator[str]:
        start = None
        while True:
            page = Applications(self.table).page(limit=_APPLICATIONS_A_PAGE, start=start)
            for item in page.items:
                yield item["applicationName"]
            if page.next is None:
                return
            start = page.next

    def call(
        self, operation: str, given: Mapping[str, Any], request_id: str = "", new_id: Callable[[], str] | None = None
    ) -> dict[str, Any]:
        """Call an operation of CodeDeploy's API as any client would: the same checks, the same audit trail.

        Raises
        ------
        OperationRefused
            It answered with an error of the caller's making.
        TryAgainError
            It was throttled, or failed.
        """
        request = ApiRequest(
            method="POST",
            path="/",
            headers={"X-Amz-Target": f"{CODEDEPLOY_TARGET}.{operation}"},
            body=json.dumps(given).encode(),
            caller=self.caller,
            request_id=request_id,
        )
        response = handle(request, api_services(self, new_id))
        answer: dict[str, Any] = json.loads(response.body)
        if response.status == 200:
            return answer
        code, message = answer["__type"], answer["message"]
        if response.status >= 500 or code == "ThrottlingException":
            raise TryAgainError(f"{operation}: {code}: {message}")
        raise OperationRefused(code, message)
