"""ARNs of what can be tagged (Service Authorization Reference: "Resource types defined by AWS CodeDeploy")."""

from __future__ import annotations

import re
from typing import Final

from tidegate.api.errors import ApiError
from tidegate.model.names import NAME
from tidegate.store.applications import application_key
from tidegate.store.groups import group_key
from tidegate.store.table import Key

_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:codedeploy:(?P<region>[^:]*):(?P<account>[^:]*):(?P<kind>[a-z]+)[:/](?P<name>.+)"
)
_NOT_TAGGED: Final = ("deploymentconfig", "instance")


def taggable(arn: str, *, region: str, account: str) -> Key:
    """Key of the item that an ARN names: an application's, or a deployment group's.

    Parameters
    ----------
    region, account
        The stack's own: ARNs of other places name nothing here.

    Raises
    ------
    ApiError
        ``InvalidArnException`` for what is no ARN of CodeDeploy in this account and Region;
        ``ArnNotSupportedException`` for a kind that has no tags here.
    """
    parts = _ARN.fullmatch(arn)
    if parts is None:
        message = f"'ResourceArn' must be the ARN of an application or a deployment group; not {arn[:120]!r}."
        raise ApiError("InvalidArnException", message)
    if (parts["region"], parts["account"]) != (region, account):
        message = f"'ResourceArn' names {parts['region']}:{parts['account']}; this is {region}:{account}."
        raise ApiError("InvalidArnException", message)
    if parts["kind"] in _NOT_TAGGED:
        message = f"Resources of kind '{parts['kind']}' have no such tags; applications and deployment groups have."
        raise ApiError("ArnNotSupportedException", message)
    application, slash, group = parts["name"].partition("/")
    names = (application, group) if slash else (application,)
    if len(names) != {"application": 1, "deploymentgroup": 2}.get(parts["kind"]) or not all(map(NAME.fullmatch, names)):
        message = f"'ResourceArn' is not application:NAME nor deploymentgroup:NAME/GROUP behind its account: {arn!r}."
        raise ApiError("InvalidArnException", message)
    return group_key(application, group) if slash else application_key(application)
