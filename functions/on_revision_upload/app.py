"""OnRevisionUpload: register an uploaded bundle as a revision, and deploy it to the groups that follow it.

Uploads come through a queue, and may come twice, late, or in any order. Each group keeps its newest upload in a slot
(``store/uploads.py``) before anything is deployed; where the group is busy it stays there, and the end of the
deployment, which the table's stream tells of, brings it up again. What cannot be used is told, never dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any, Final

from aws_lambda_powertools import Logger

from tidegate.gateways.uploads import Look
from tidegate.model.bundle_kinds import bundle_type
from tidegate.model.deployment import NOT_STARTED
from tidegate.model.upload_plans import FOLLOW_TAG, Follower, Labels, labels_of, plan_upload, unreadable_follow
from tidegate.model.uploads import Upload, UploadRefused, upload_of
from tidegate.store.errors import ApplicationNotFoundError, DeploymentGroupNotFoundError, DeploymentNotFoundError
from tidegate.store.marshal import unmarshal
from tidegate.store.table import Item
from tidegate.store.uploads import Slot, SlotState
from tidegate.upload_runtime import OperationRefused, TryAgainError, UploadRuntime

logger = Logger()

_BUSY: Final = "DeploymentLimitExceededException"
_FIRST_GENERATION: Final = 1
_TRIES: Final = 3


def run(event: dict[str, Any], runtime: UploadRuntime) -> dict[str, Any]:
    """Deal with a batch of uploads, or of deployments that ended.

    Returns
    -------
    The messages of the queue that have to come again.

    Raises
    ------
    GatewayError, StoreError, TryAgainError
        A record of the stream has to come again.
    """
    records = event["Records"]
    if records and records[0]["eventSource"] == "aws:dynamodb":
        after_deployments(records, runtime)
        return {"batchItemFailures": []}
    failed = [record["messageId"] for record in records if not settled(record, runtime)]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def settled(record: Mapping[str, Any], runtime: UploadRuntime) -> bool:
    """Whether a message needs no more; one that fails again and again ends in the queue of lost uploads."""
    try:
        event = json.loads(record["body"])
        upload = upload_of(event)
        if upload is None:
            logger.info("no upload", detailType=event.get("detail-type"))
            return True
        receive(upload, runtime, str(event.get("id", "")))
    except Exception:
        logger.exception("an upload could not be dealt with; it comes again", messageId=record["messageId"])
        return False
    return True


def receive(upload: Upload, runtime: UploadRuntime, event_id: str = "") -> None:
    """Register an upload, offer it to the groups that follow it, and tell what of it cannot be done."""
    labels = Labels()
    try:
        look = looked_at(upload, runtime)
        if look is None:
            return
        labels = labels_of(look.metadata, look.tags)
        plan = plan_upload(upload, labels, followers(labels, runtime), runtime.watched_prefix)
    except UploadRefused as refused:
        refuse(upload, refused, runtime)
        return
    for application in plan.applications:
        try:
            location = register(upload, look, labels, application, runtime, event_id)
        except (UploadRefused, OperationRefused) as refused:
            refuse(upload, refused, runtime, applicationName=application)
            continue
        for group in plan.groups:
            if group.application == application:
                offer(upload, location, labels, group, runtime)
    if plan.refusal:
        names = {"applicationName": labels.application, "deploymentGroupName": labels.group}
        refuse(upload, plan.refusal, runtime, **names)
    elif not plan.groups:
        logger.info("registered; no group follows", upload=upload.name, applications=plan.applications)


def looked_at(upload: Upload, runtime: UploadRuntime) -> Look | None:
    """The object; None where a newer upload has taken its place, whose own event is on its way.

    Raises
    ------
    UploadRefused
        It is empty, gone, or in a bucket that revisions may not come from.
    """
    allowed = runtime.settings.revision_buckets
    if not any(fnmatchcase(upload.bucket, pattern) for pattern in allowed):
        message = (
            f"Revisions may not come from bucket '{upload.bucket}': the stack parameter RevisionBuckets allows "
            f"{', '.join(allowed) or 'none'}. Add the bucket there, or leave it out of WatchedBuckets."
        )
        raise UploadRefused("BucketNotAllowed", message)
    if not upload.size:
        raise UploadRefused("NotABundle", f"{upload.name} is empty. Upload the bundle itself.")
    look = runtime.objects.look(upload)
    if look is None:
        raise UploadRefused("Gone", f"{upload.name} was deleted before it could be read. Upload it again.")
    if look.etag != upload.etag:
        logger.info("a newer upload has its place", upload=upload.name, etag=upload.etag, now=look.etag)
        return None
    return look


def followers(labels: Labels, runtime: UploadRuntime) -> list[Follower]:
    """The groups that may follow; a tag that cannot be read is told in the log."""
    found = list(runtime.followers(labels.application))
    for each in found:
        if word := unreadable_follow(each.follow):
            logger.warning(
                f"The tag {FOLLOW_TAG} takes s3://bucket/prefix and by-name, with blanks between several",
                applicationName=each.application,
                deploymentGroupName=each.group,
                found=word,
            )
    return found


def register(
    upload: Upload, look: Look, labels: Labels, application: str, runtime: UploadRuntime, event_id: str
) -> dict[str, Any]:
    """Register the upload with an application; the revision's location."""
    try:
        platform = runtime.platform_of(application)
    except ApplicationNotFoundError:
        message = (
            f"{upload.name} names the application '{application}', which does not exist. Create it, or name another."
        )
        raise UploadRefused("ApplicationDoesNotExistException", message) from None
    location = upload.location(bundle_type(look.head, platform, upload.name))
    description = upload.description(labels.description)
    given = {"applicationName": application, "revision": location, "description": description}
    runtime.call("RegisterApplicationRevision", given, event_id)
    return location


def offer(upload: Upload, location: Mapping[str, Any], labels: Labels, group: Follower, runtime: UploadRuntime) -> None:
    """Give a group's slot to the upload, unless a newer one has it, and deploy it."""
    request = {
        "applicationName": group.application,
        "deploymentGroupName": group.group,
        "revision": location,
        "description": upload.description(labels.description),
        **({"deploymentConfigName": labels.config} if labels.config else {}),
    }
    offered = runtime.uploads.offer(group.group_id, upload, request, runtime.new_deployment_id)
    if offered.before and offered.before.state is SlotState.WAITING:
        # Whoever deployed it may have died between the record and the start.
        made(offered.before, runtime)
        logger.info("a waiting upload gives way", upload=offered.before.upload.name, to=upload.name)
    if not offered.taken:
        newer = offered.slot.upload
        logger.info("registered, not deployed: a newer upload came first", upload=upload.name, newer=newer.name)
    elif offered.slot.state is SlotState.WAITING:
        deploy(offered.slot, runtime)


def after_deployments(records: Sequence[Mapping[str, Any]], runtime: UploadRuntime) -> None:
    """Deploy what waits for the groups of deployments that ended; one that fails holds up none of the others."""
    failures = []
    for record in records:
        try:
            after_deployment(unmarshal(record["dynamodb"]["NewImage"]), runtime)
        except Exception as error:
            logger.exception("a waiting upload could not be dealt with; the record comes again")
            failures.append(error)
    if failures:
        raise failures[0]


def after_deployment(ended: Item, runtime: UploadRuntime) -> None:
    """Deploy what waits for the group of a deployment that ended."""
    slot = runtime.uploads.slot(ended["deploymentGroupId"])
    if slot is not None and slot.state is SlotState.WAITING:
        # By the names it has now.
        names = {name: ended[name] for name in ("applicationName", "deploymentGroupName")}
        deploy(slot, runtime, names)


def deploy(slot: Slot, runtime: UploadRuntime, names: Mapping[str, str] | None = None) -> None:
    """Deploy a waiting upload, or leave it waiting where its group is busy."""
    given = {**slot.request, **(names or {})}
    for _ in range(_TRIES):
        found = startable(slot, runtime)
        if found is None or made(found, runtime):
            return
        slot = found
        try:
            runtime.call("CreateDeployment", given, new_id=partial(str, slot.deployment_id))
            deployed(slot, runtime)
            return  # noqa: TRY300
        except OperationRefused as refused:
            if refused.code != _BUSY:
                about = {name: given[name] for name in ("applicationName", "deploymentGroupName")}
                refuse(slot.upload, refused, runtime, **about)
                runtime.uploads.note(slot, SlotState.REFUSED, refused.message)
                return
            if waits(slot, given, refused.message, runtime):
                return
        except TryAgainError:
            startable(slot, runtime)
            raise
    raise TryAgainError(f"{slot.upload.name} cannot be deployed just now: the limit of deployments is reached.")


def made(slot: Slot, runtime: UploadRuntime) -> bool:
    """Whether the upload's deployment is there; one that was recorded and not started is started."""
    try:
        deployment = runtime.deployments.get(slot.deployment_id)
    except DeploymentNotFoundError:
        return False
    if deployment["status"] == "Created":
        runtime.executions.start(slot.deployment_id, deployment.get("generation", _FIRST_GENERATION))
    deployed(slot, runtime)
    return True


def deployed(slot: Slot, runtime: UploadRuntime) -> None:
    """Note that the upload has its deployment."""
    runtime.uploads.note(slot, SlotState.DEPLOYED, f"Deployed by {slot.deployment_id}.")
    logger.info("deployed", upload=slot.upload.name, deploymentId=slot.deployment_id)


def waits(slot: Slot, given: Mapping[str, Any], reason: str, runtime: UploadRuntime) -> bool:
    """Note that the upload waits for a deployment of its group; False where none is live any more."""
    runtime.uploads.note(slot, SlotState.WAITING, reason)
    try:
        group = runtime.groups.get(given["applicationName"], given["deploymentGroupName"])
    except DeploymentGroupNotFoundError:
        return False
    if "live" in group:
        logger.info("the upload waits", upload=slot.upload.name, deploymentId=group["live"], reason=reason)
    return "live" in group


def startable(slot: Slot, runtime: UploadRuntime) -> Slot | None:
    """The slot, under another id where its deployment was recorded and could not be started: that one has ended.

    Returns
    -------
    ``None`` where the slot is another upload's by now, or others have dealt with it.
    """
    try:
        ended = runtime.deployments.get(slot.deployment_id)
    except DeploymentNotFoundError:
        return slot
    if ended["status"] != "Failed" or ended.get("error") != NOT_STARTED:
        return slot
    runtime.uploads.redraw(slot, runtime.new_deployment_id())
    now = runtime.uploads.slot(slot.group_id)
    return now if now and now.upload == slot.upload and now.state is SlotState.WAITING else None


def refuse(
    upload: Upload, refused: UploadRefused | OperationRefused, runtime: UploadRuntime, **about: str | None
) -> None:
    """Tell that an upload cannot be used, and what to do about it."""
    named = {name: value for name, value in about.items() if value}
    detail = {
        "bucket": upload.bucket,
        "key": upload.key,
        **({"version-id": upload.version} if upload.version else {}),
        "etag": upload.etag,
        "sequencer": upload.sequencer,
        "code": refused.code,
        "reason": str(refused),
        **named,
    }
    logger.warning("upload refused", upload=upload.name, detail=detail)
    runtime.refusals.tell(detail, f"arn:{runtime.partition}:s3:::{upload.bucket}")


_runtime = cache(UploadRuntime)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Lambda's entry."""
    return run(event, _runtime())
