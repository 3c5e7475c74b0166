"""Applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.operations.scaling import hooks_removed
from tidegate.api.paging import PAGE_SIZE, Paging, take
from tidegate.api.rules.common import check_batch, check_tags
from tidegate.api.services import Call
from tidegate.store.table import Item

Given = Mapping[str, Any]


def create_application(call: Call, given: Given) -> dict[str, Any]:
    """CreateApplication: not idempotent, as in CodeDeploy."""
    check_tags(given.get("tags", ()))
    application_id = call.services.new_uuid()
    call.services.applications.create(
        given["applicationName"],
        application_id=application_id,
        platform=given.get("computePlatform", "Server"),
        now=call.services.clock(),
        tags=given.get("tags", ()),
    )
    return {"applicationId": application_id}


def get_application(call: Call, given: Given) -> dict[str, Any]:
    """GetApplication."""
    return {"application": _shown(call.services.applications.get(given["applicationName"]))}


def batch_get_applications(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetApplications: an unknown name is an error."""
    check_batch("applicationNames", given["applicationNames"], 100)
    found = call.services.applications.get_many(given["applicationNames"])
    return {"applicationsInfo": [_shown(item) for item in found]}


def list_applications(call: Call, given: Given) -> dict[str, Any]:
    """ListApplications, by name."""
    paging = Paging(call.operation, given)
    items, cursor = take(
        lambda start: call.services.applications.page(limit=PAGE_SIZE + 1, start=start), paging.cursor, index="GSI1"
    )
    return {"applications": [item["applicationName"] for item in items], **paging.token(cursor)}


def update_application(call: Call, given: Given) -> dict[str, Any]:
    """UpdateApplication: another name. Ids stay, and so do the names in what is history."""
    name = given["applicationName"]
    call.services.applications.rename(name, given.get("newApplicationName") or name)
    return {}


def delete_application(call: Call, given: Given) -> dict[str, Any]:
    """DeleteApplication: its groups and revisions go with it; an unknown name is fine."""
    name = given["applicationName"]
    call.services.applications.settle(name)
    start = None
    while True:
        page = call.services.groups.page(name, start=start)
        for item in page.items:
            hooks_removed(call, item)
        if page.next is None:
            break
        start = page.next
    call.services.applications.delete(name)
    return {}


def _shown(item: Item) -> dict[str, Any]:
    """``ApplicationInfo``: the item's attributes, which bear the API's names."""
    return item
