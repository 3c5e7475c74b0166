"""Tags of applications and deployment groups. The members of these operations begin with capitals, as in AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.errors import ApiError
from tidegate.api.rules.arns import taggable
from tidegate.api.rules.common import MOST_TAGS, check_tags
from tidegate.api.services import Call
from tidegate.store.errors import ApplicationNotFoundError, DeploymentGroupNotFoundError, StoreError
from tidegate.store.table import Key
from tidegate.store.tags import Tags, change_tags, tags_of

Given = Mapping[str, Any]


def tag_resource(call: Call, given: Given) -> dict[str, Any]:
    """TagResource: a key that is there gets the new value."""
    key = _key(call, given)
    check_tags(given["Tags"], "Tags")
    added = {tag["Key"]: tag.get("Value", "") for tag in given["Tags"]}

    def with_added(tags: Tags) -> Tags:
        new = tags | added
        if len(new) > MOST_TAGS:
            message = (
                f"A resource has at most {MOST_TAGS} tags; with these it would have {len(new)}. Remove some first."
            )
            raise ApiError("InvalidTagsToAddException", message)
        return new

    if not change_tags(call.services.table, key, with_added):
        raise _missing(key)
    return {}


def untag_resource(call: Call, given: Given) -> dict[str, Any]:
    """UntagResource: keys that are not there are fine."""
    key, gone = _key(call, given), set(given["TagKeys"])
    if not change_tags(call.services.table, key, lambda tags: {k: v for k, v in tags.items() if k not in gone}):
        raise _missing(key)
    return {}


def list_tags_for_resource(call: Call, given: Given) -> dict[str, Any]:
    """ListTagsForResource, by key. All of them are one page."""
    key = _key(call, given)
    if given.get("NextToken"):
        raise ApiError(
            "ValidationException", "'NextToken' is not one that this operation returned: all tags are one page."
        )
    item = call.services.table.get(key)
    if item is None:
        # The operation models no error for what does not exist.
        raise ApiError("InvalidArnException", str(_missing(key)))
    return {"Tags": [{"Key": name, "Value": value} for name, value in sorted(tags_of(item).items())]}


def _key(call: Call, given: Given) -> Key:
    key = taggable(given["ResourceArn"], region=call.services.region, account=call.services.account)
    call.services.applications.settle(key[0].removeprefix("APP#"))
    return key


def _missing(key: Key) -> StoreError:
    application, group = key[0].removeprefix("APP#"), key[1].removeprefix("GROUP#")
    if key[1] == "APP":
        return ApplicationNotFoundError(application)
    return DeploymentGroupNotFoundError(application, group)
