"""On-premises instances: registered by name, selected by tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.api.paging import LOOKED_AT, PAGE_SIZE, Paging, take
from tidegate.api.rules.onpremises import (
    check_identity,
    check_instance_tags,
    check_name,
    check_names,
    check_tag_filters,
    with_tags,
)
from tidegate.api.rules.selectors import filled_filters
from tidegate.api.services import Call
from tidegate.model.names import on_premises_arn
from tidegate.model.tags import matches_any
from tidegate.store.errors import InstanceNotRegisteredError
from tidegate.store.table import Item

Given = Mapping[str, Any]


def register_on_premises_instance(call: Call, given: Given) -> dict[str, Any]:
    """RegisterOnPremisesInstance. A name that was deregistered may be taken again: it gets a new ARN, and no tags."""
    name, identity = check_name(given["instanceName"]), check_identity(given)
    services = call.services
    arn = on_premises_arn(services.region, services.account, name, services.new_uuid()[-10:])
    services.on_premises.register(name, arn=arn, identity=identity, now=services.clock())
    return {}


def deregister_on_premises_instance(call: Call, given: Given) -> dict[str, Any]:
    """DeregisterOnPremisesInstance: the record stays, its IAM identity is free again; an unknown name is fine."""
    call.services.on_premises.deregister(check_name(given["instanceName"]), now=call.services.clock())
    return {}


def get_on_premises_instance(call: Call, given: Given) -> dict[str, Any]:
    """GetOnPremisesInstance, registered or deregistered."""
    name = check_name(given["instanceName"])
    item = call.services.on_premises.find(name)
    if item is None:
        raise InstanceNotRegisteredError(name)
    return {"instanceInfo": _shown(item)}


def batch_get_on_premises_instances(call: Call, given: Given) -> dict[str, Any]:
    """BatchGetOnPremisesInstances: at most 100; unknown names are left out."""
    names = check_names(given["instanceNames"], "BatchLimitExceededException")
    return {"instanceInfos": [_shown(item) for item in call.services.on_premises.find_many(names)]}


def list_on_premises_instances(call: Call, given: Given) -> dict[str, Any]:
    """ListOnPremisesInstances, by name: registered and deregistered ones where no status is given."""
    status, filters = given.get("registrationStatus"), given.get("tagFilters") or []
    check_tag_filters(filters)
    filters = filled_filters(filters)
    paging = Paging(call.operation, given)
    items, cursor = take(
        lambda start: call.services.on_premises.page(
            limit=LOOKED_AT if filters or status else PAGE_SIZE + 1, start=start
        ),
        paging.cursor,
        keep=lambda item: status in (None, item["status"]) and (not filters or matches_any(filters, item["tags"])),
    )
    return {"instanceNames": [item["instanceName"] for item in items], **paging.token(cursor)}


def add_tags_to_on_premises_instances(call: Call, given: Given) -> dict[str, Any]:
    """AddTagsToOnPremisesInstances: on all of the instances or, where one cannot have them, on none."""
    names = check_names(given["instanceNames"], "InstanceLimitExceededException")
    more = check_instance_tags(given["tags"])
    call.services.on_premises.change_tags(names, lambda item: with_tags(item["instanceName"], item["tags"], more))
    return {}


def remove_tags_from_on_premises_instances(call: Call, given: Given) -> dict[str, Any]:
    """RemoveTagsFromOnPremisesInstances: exact pairs of key and value; one that is not there is fine."""
    names = check_names(given["instanceNames"], "InstanceLimitExceededException")
    gone = check_instance_tags(given["tags"]).items()
    call.services.on_premises.change_tags(names, lambda item: dict(item["tags"].items() - gone))
    return {}


def _shown(item: Item) -> dict[str, Any]:
    """``InstanceInfo``."""
    return {**item, "tags": [{"Key": key, "Value": value} for key, value in sorted(item["tags"].items())]}
