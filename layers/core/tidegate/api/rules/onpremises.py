"""On-premises instances: names, IAM identities, tags (AWS: "Register an on-premises instance", the API reference)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidegate.api.errors import ApiError
from tidegate.api.rules.common import check_batch
from tidegate.api.rules.selectors import check_filter
from tidegate.model.names import MAX_TAG_KEY, MAX_TAG_VALUE, NAME

MOST_NAMES: Final = 100
MOST_TAGS: Final = 10
_USER: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:user(?:/[!-~]{1,510})?/[\w+=,.@-]{1,64}", re.ASCII)
_SESSION: Final = re.compile(r"arn:aws[a-z-]*:sts::\d{12}:assumed-role/[\w+=,.@-]{1,64}/[\w+=,.@-]{2,64}", re.ASCII)


def check_name(name: str) -> str:
    """1 to 100 letters, digits and ``+=,.@_-``; what looks like an EC2 instance's id is refused."""
    if not name:
        raise ApiError(
            "InstanceNameRequiredException", "The name of an on-premises instance is empty; give it a value."
        )
    if not NAME.fullmatch(name) or name.startswith("i-"):
        message = (
            "The name of an on-premises instance has 1 to 100 letters, digits or any of +=,.@_- and does not begin "
            f"with 'i-', as EC2 instances' ids do; not {name[:120]!r}."
        )
        raise ApiError("InvalidInstanceNameException", message)
    return name


def check_names(names: Sequence[str], code: str) -> list[str]:
    """The names of a call, each once; ``code`` is for more than a call may name."""
    check_batch("instanceNames", names, MOST_NAMES, code)
    return [check_name(name) for name in dict.fromkeys(names)]


def check_identity(given: Mapping[str, Any]) -> dict[str, str]:
    """The one IAM identity that a registration names: its user's ARN or its session's."""
    user, session = given.get("iamUserArn"), given.get("iamSessionArn")
    if user and session:
        message = "Give 'iamUserArn' or 'iamSessionArn', not both: an instance has one identity."
        raise ApiError("MultipleIamArnsProvidedException", message)
    if user:
        if not _USER.fullmatch(user):
            message = f"'iamUserArn' must have the form arn:aws:iam::<account>:user/<name>; not {user[:120]!r}."
            raise ApiError("InvalidIamUserArnException", message)
        return {"iamUserArn": user}
    if session:
        if not _SESSION.fullmatch(session):
            form = "arn:aws:sts::<account>:assumed-role/<role>/<session name of 2 to 64 characters>"
            message = f"'iamSessionArn' must have the form {form}; not {session[:120]!r}."
            raise ApiError("InvalidIamSessionArnException", message)
        return {"iamSessionArn": session}
    message = "Give 'iamUserArn' or 'iamSessionArn': the IAM identity of the instance."
    raise ApiError("IamArnRequiredException", message)


def check_instance_tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The tags of a call by their keys; each has a key and a value, and of one key the last one counts."""
    check_batch("tags", tags, MOST_TAGS, "TagLimitExceededException")
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        fits = 1 <= len(key) <= MAX_TAG_KEY and 1 <= len(value) <= MAX_TAG_VALUE
        # JSON allows half of a surrogate pair; no text that can be kept does.
        if not fits or any("\ud800" <= char <= "\udfff" for char in key + value):
            message = (
                f"A tag of an on-premises instance has a Key of 1 to {MAX_TAG_KEY} and a Value of 1 to "
                f"{MAX_TAG_VALUE} characters; not {dict(tag)!r:.200}."
            )
            raise ApiError("InvalidTagException", message)
    return {tag["Key"]: tag["Value"] for tag in tags}


def with_tags(name: str, before: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """An instance's tags with more of them; at most 10."""
    tags = {**before, **more}
    if len(tags) > MOST_TAGS:
        message = (
            f"An on-premises instance may have {MOST_TAGS} tags; '{name}' would have {len(tags)}. Remove some first."
        )
        raise ApiError("TagLimitExceededException", message)
    return tags


def check_tag_filters(filters: Sequence[Mapping[str, str]]) -> None:
    """Filters of ListOnPremisesInstances."""
    for each in filters:
        check_filter(each, "InvalidTagFilterException")
