"""What becomes of an upload: which applications it is registered with, and which groups it is deployed to.

A group is deployed to only where it has asked for it, by its tag ``tidegate:follow``: whoever may write into a bucket
chooses among the groups that follow it, and among no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Final

from tidegate.model.names import NAME
from tidegate.model.uploads import Upload, UploadRefused

FOLLOW_TAG: Final = "tidegate:follow"
BY_NAME: Final = "by-name"
_LABELS: Final = ("application", "group", "description", "deployment-config")
_PLACE: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Labels:
    """What an upload says of itself; ``None`` where it says nothing."""

    application: str | None = None
    group: str | None = None
    description: str | None = None
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Follower:
    """A deployment group with the tag ``tidegate:follow``, and the tag's value."""

    application: str
    group: str
    group_id: str
    follow: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with an upload.

    Attributes
    ----------
    applications : to register the revision with
    groups : to deploy it to
    refusal : what of it cannot be done although the upload asks for it
    """

    applications: tuple[str, ...]
    groups: tuple[Follower, ...]
    refusal: UploadRefused | None = None


def labels_of(metadata: Mapping[str, str], tags: Mapping[str, str]) -> Labels:
    """The labels of an object: its metadata ``tidegate-…`` first, its tags ``tidegate:…`` where that says nothing."""
    lower = {name.lower(): value for name, value in metadata.items()}
    found = [_decoded(lower.get(f"tidegate-{each}", "")) or tags.get(f"tidegate:{each}") or None for each in _LABELS]
    return Labels(*found)


def _decoded(value: str) -> str:
    """S3 gives metadata that is not ASCII in the encoding of RFC 2047."""
    try:
        return str(make_header(decode_header(value))).strip()
    except (HeaderParseError, LookupError, UnicodeError):
        return value.strip()


def names_in(key: str, watched_prefix: str) -> tuple[str | None, str | None]:
    """Application and group by a key of the form ``<application>/[<group>/]<anything>``, behind the watched prefix.

    >>> names_in("releases/shop/prod/v1.zip", "releases/")
    ('shop', 'prod')
    >>> names_in("shop/v1.zip", "")
    ('shop', None)
    >>> names_in("v1.zip", "")
    (None, None)
    """
    parts = key.removeprefix(watched_prefix).lstrip("/").split("/")[:-1][:2]
    names = [part if NAME.fullmatch(part) else None for part in parts] + [None, None]
    return names[0], names[1] if names[0] else None


def unreadable_follow(value: str) -> str:
    """The first word of a tag ``tidegate:follow`` that is neither a place nor ``by-name``; empty where all are."""
    return next((word for word in value.split() if word != BY_NAME and not _PLACE.fullmatch(word)), "")


def plan_upload(upload: Upload, labels: Labels, groups: Iterable[Follower], watched_prefix: str = "") -> Plan:
    """What becomes of an upload.

    Parameters
    ----------
    groups
        The groups that have a tag ``tidegate:follow``: of the application that the labels name, or of all.

    Raises
    ------
    UploadRefused
        Nothing tells which application it belongs to.
    """
    in_key = names_in(upload.key, watched_prefix)
    application = labels.application or in_key[0]
    group = labels.group or (in_key[1] if application == in_key[0] else None)
    chosen = tuple(
        each
        for each in groups
        if _follows_place(each, upload, labels)
        or _follows_name(each.follow, (each.application, each.group), (application, group))
    )
    applications = _applications(labels, chosen, in_key[0])
    if not applications:
        message = (
            f"Nothing tells which application {upload.name} belongs to: give it the metadata tidegate-application or "
            f"the tag tidegate:application, a key of the form application/group/name, or tag a deployment group "
            f"{FOLLOW_TAG} = s3://{upload.bucket}/…"
        )
        raise UploadRefused("NoApplication", message)
    return Plan(applications, chosen, _unfollowed(upload, labels, application, chosen))


def _applications(labels: Labels, chosen: Sequence[Follower], in_key: str | None) -> tuple[str, ...]:
    if labels.application:
        return (labels.application,)
    return tuple(dict.fromkeys(each.application for each in chosen)) or ((in_key,) if in_key else ())


def _follows_place(group: Follower, upload: Upload, labels: Labels) -> bool:
    """Whether the group follows where the upload lies, and the upload does not name another one."""
    if labels.application not in (None, group.application) or labels.group not in (None, group.group):
        return False
    places = [found for word in group.follow.split() if (found := _PLACE.fullmatch(word))]
    return any(place[1] == upload.bucket and upload.key.startswith(place[2] or "") for place in places)


def _follows_name(follow: str, own: tuple[str, str], named: tuple[str | None, str | None]) -> bool:
    return BY_NAME in follow.split() and own == named


def _unfollowed(
    upload: Upload, labels: Labels, application: str | None, chosen: Sequence[Follower]
) -> UploadRefused | None:
    if not labels.group or chosen:
        return None
    of = f" of application '{application}'" if application else ""
    message = (
        f"{upload.name} names the deployment group '{labels.group}'{of}, and no such group follows it: tag the group "
        f"{FOLLOW_TAG} = {BY_NAME} or = s3://{upload.bucket}/…, then upload again."
    )
    return UploadRefused("GroupDoesNotFollow", message)
