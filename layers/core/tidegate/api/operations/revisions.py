"""Revisions of applications."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.paging import Paging
from tidegate.api.rules.common import check_batch, check_description
from tidegate.api.rules.contents import without_content
from tidegate.api.rules.revisions import check_location
from tidegate.api.services import Call
from tidegate.model.names import PAYLOADS, revision_key
from tidegate.store.revisions import revision_item_key
from tidegate.store.table import Item

Given = Mapping[str, Any]

#: Names of buckets, those of old ones too (Amazon S3: "Bucket naming rules").
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")
_LONGEST_KEY: Final = 1024


def register_application_revision(call: Call, given: Given) -> dict[str, Any]:
    """RegisterApplicationRevision: a second time renews the description."""
    check_description(given.get("description"))
    platform = call.services.applications.get(given["applicationName"])["computePlatform"]
    location = check_location(
        given["revision"], platform, buckets=call.services.settings.revision_buckets, content=True
    )
    _check_text(location, platform)
    call.services.revisions.register(
        given["applicationName"], location, description=given.get("description"), now=call.services.clock()
    )
    return {}


def get_application_revision(call: Call, given: Given) -> dict[str, Any]:
    """GetApplicationRevision."""
    application = given["applicationName"]
    platform = call.services.applications.get(application)["computePlatform"]
    item = call.services.revisions.get(application, check_location(given["revision"], platform))
    used_by = _used_by(call, application)
    return {"applicationName": application, "revision": item["location"], "revisionInfo": _generic(item, used_by)}


def batch_get_application_revisions(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetApplicationRevisions: unknown revisions are told in ``errorMessage``."""
    application = given["applicationName"]
    check_batch("revisions", given["revisions"], 25)
    platform = call.services.applications.get(application)["computePlatform"]
    locations = [check_location(each, platform) for each in given["revisions"]]
    keys = [revision_item_key(application, revision_key(each)) for each in locations]
    found = call.services.table.get_many(keys)
    used_by = _used_by(call, application)
    shown = [
        {
            "revisionLocation": without_content(found[key]["location"]),
            "genericRevisionInfo": _generic(found[key], used_by),
        }
        for key in dict.fromkeys(keys)
        if key in found
    ]
    missing = len(set(keys)) - len(shown)
    message = {"errorMessage": f"{missing} of the revisions are not registered."} if missing else {}
    return {"applicationName": application, "revisions": shown, **message}


def list_application_revisions(call: Call, given: Given) -> dict[str, Any]:
    """ListApplicationRevisions: ascending where no order is given; a revision never used counts as used first."""
    _check_filters(given)
    application, paging = given["applicationName"], Paging(call.operation, given)
    call.services.applications.get(application)
    used_by = _used_by(call, application) if given.get("deployed", "ignore") != "ignore" else {}
    rows = [item for item in call.services.revisions.all_of(application) if _wanted(item, given, used_by)]
    order = given.get("sortBy", "registerTime")
    rows.sort(key=lambda item: (item.get(order, 0), item["SK"]), reverse=given.get("sortOrder") == "descending")
    page, token = paging.of_rows(rows, key=lambda item: str(item["SK"]))
    return {"revisions": [without_content(item["location"]) for item in page], **token}


def _check_text(location: Mapping[str, Any], platform: str) -> None:
    """Refuse an AppSpec given as text that no deployment could use; one that lies elsewhere is read when deployed."""
    payload = location[PAYLOADS[location["revisionType"]]]
    if "content" not in payload:
        return
    # Imported here: few calls read an AppSpec, and a cold start should not pay for it.
    from tidegate.appspec import AppSpecError, compile_ecs_appspec, compile_lambda_appspec

    compiled = compile_lambda_appspec if platform == "Lambda" else compile_ecs_appspec
    try:
        compiled(payload["content"])
    except AppSpecError as error:
        raise ApiError("InvalidRevisionException", f"The AppSpec cannot be used: {error}") from None


def _check_filters(given: Given) -> None:
    if "s3KeyPrefix" in given and not given.get("s3Bucket"):
        raise ApiError("BucketNameFilterRequiredException", "'s3KeyPrefix' needs 's3Bucket' beside it.")
    if "s3Bucket" in given and not _BUCKET.fullmatch(given["s3Bucket"]):
        message = f"'s3Bucket' must be the name of a bucket; not {given['s3Bucket'][:80]!r}."
        raise ApiError("InvalidBucketNameFilterException", message)
    if len(given.get("s3KeyPrefix", "").encode()) > _LONGEST_KEY:
        message = f"'s3KeyPrefix' may have {_LONGEST_KEY} bytes, as a key has."
        raise ApiError("InvalidKeyPrefixFilterException", message)


def _wanted(item: Item, given: Given, used_by: Mapping[str, list[str]]) -> bool:
    if "s3Bucket" in given:
        place = item["location"].get("s3Location", {})
        if place.get("bucket") != given["s3Bucket"] or not place["key"].startswith(given.get("s3KeyPrefix", "")):
            return False
    deployed: str = given.get("deployed", "ignore")
    return deployed == "ignore" or (_key(item) in used_by) == (deployed == "include")


def _used_by(call: Call, application: str) -> dict[str, list[str]]:
    """Names of the groups whose target revision it is, by revision key."""
    found: dict[str, list[str]] = {}
    for group in call.services.groups.page(application).items:
        if "targetRevision" in group:
            key = revision_key(group["targetRevision"])
            found.setdefault(key, []).append(group["info"]["deploymentGroupName"])
    return found


def _generic(item: Item, used_by: Mapping[str, list[str]]) -> dict[str, Any]:
    """``GenericRevisionInfo``: the item's attributes bear the API's names."""
    return {**item, "deploymentGroups": used_by.get(_key(item), [])}


def _key(item: Item) -> str:
    return str(item["SK"]).removeprefix("REV#")
