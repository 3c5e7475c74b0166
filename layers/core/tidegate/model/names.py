"""How names, ids and revisions are written (AWS: "CodeDeploy quotas", the API's shapes)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

NAME: Final = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
DEPLOYMENT_ID: Final = re.compile(r"d-[A-Z0-9]{9}")
DEPLOYMENT_ID_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
INSTANCE_ID: Final = re.compile(r"i-[0-9a-f]{8,17}")
MAX_DESCRIPTION: Final = 256
MAX_TAG_KEY: Final = 128
MAX_TAG_VALUE: Final = 256
PREDEFINED_PREFIX: Final = "CodeDeployDefault."
#: The deployment configuration that counts where nobody names one, by compute platform.
DEFAULT_CONFIGS: Final[Mapping[str, str]] = {
    "Server": "CodeDeployDefault.OneAtATime",
    "Lambda": "CodeDeployDefault.LambdaAllAtOnce",
    "ECS": "CodeDeployDefault.ECSAllAtOnce",
}

#: The member of a revision location that holds the payload, by revision type.
PAYLOADS: Final[Mapping[str, str]] = {
    "S3": "s3Location",
    "GitHub": "gitHubLocation",
    "String": "string",
    "AppSpecContent": "appSpecContent",
}


def new_deployment_id(choose: Callable[[str], str]) -> str:
    """Draw a deployment id: ``d-`` and nine capital letters or digits.

    Parameters
    ----------
    choose
        Picks one character of a text at random, such as ``secrets.choice``.
    """
    return "d-" + "".join(choose(DEPLOYMENT_ID_ALPHABET) for _ in range(9))


def revision_key(location: Mapping[str, Any]) -> str:
    """What tells one revision of an application from another: 40 hexadecimal digits.

    Two locations are the same revision when their type and all members of their payload are equal; a missing
    version or eTag is a value of its own. Quotes around an eTag, which S3 adds and some tools keep, do not count;
    nor does the text of an AppSpec beside its sha256.

    >>> revision_key({"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "eTag": '"e"'}}) == \\
    ...     revision_key({"revisionType": "S3", "s3Location": {"eTag": "e", "key": "k", "bucket": "b"}})
    True
    """
    kind = location["revisionType"]
    payload = {name: value for name, value in location.get(PAYLOADS[kind], {}).items() if value is not None}
    if "eTag" in payload:
        payload["eTag"] = payload["eTag"].strip('"')
    if "content" in payload:
        content = payload.pop("content")
        payload.setdefault("sha256", hashlib.sha256(content.encode()).hexdigest())
    text = json.dumps([kind, payload], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def revision_name(location: Mapping[str, Any]) -> str:
    """What messages call a revision that lies somewhere: ``s3://bucket/key`` or ``github:owner/repository@commit``.

    >>> revision_name({"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "abc"}})
    'github:me/shop@abc'
    """
    source = location[PAYLOADS[location["revisionType"]]]
    if location["revisionType"] == "GitHub":
        return f"github:{source['repository']}@{source['commitId']}"
    return f"s3://{source['bucket']}/{source['key']}"


def application_arn(region: str, account: str, application: str) -> str:
    """ARN of an application."""
    return f"arn:aws:codedeploy:{region}:{account}:application:{application}"


def ecs_service_id(service: Mapping[str, str]) -> str:
    """What a service is known by: ``cluster:service``, whether it is given by names or by ARNs.

    >>> ecs_service_id({"serviceName": "arn:aws:ecs:us-east-1:123456789012:service/prod/web"})
    'prod:web'
    >>> ecs_service_id({"serviceName": "web"})
    'default:web'
    """
    name = service["serviceName"].split("/")
    cluster = name[1] if len(name) == 3 else service.get("clusterName", "default").rpartition("/")[2]
    return f"{cluster}:{name[-1]}"


def shift_target_id(arn: str) -> str:
    """Id of the target that a Lambda alias' or an ECS service's ARN names; empty for anything else.

    >>> shift_target_id("arn:aws:lambda:us-east-1:123456789012:function:shop:live")
    'shop:live'
    >>> shift_target_id("arn:aws:ecs:us-east-1:123456789012:service/prod/web")
    'prod:web'
    """
    if re.match(r"arn:aws[a-z-]*:lambda:", arn):
        return arn.partition(":function:")[2]
    if re.match(r"arn:aws[a-z-]*:ecs:", arn) and ":service/" in arn:
        return ecs_service_id({"serviceName": arn})
    return ""


def on_premises_arn(region: str, account: str, name: str, suffix: str) -> str:
    """ARN of one registration of an on-premises instance.

    Parameters
    ----------
    suffix
        Ten letters or digits that tell this registration from others of the same name.
    """
    return f"arn:aws:codedeploy:{region}:{account}:instance/{name}_{suffix}"


def on_premises_name(arn: str) -> str:
    """The name in the ARN of an on-premises instance, with its suffix or without.

    >>> on_premises_name("arn:aws:codedeploy:us-east-1:123456789012:instance/box_1_0123456789")
    'box_1'
    >>> on_premises_name("arn:aws:codedeploy:us-east-1:123456789012:instance/box")
    'box'
    """
    name = arn.rpartition("/")[2]
    return re.sub(r"_[0-9A-Za-z]{10}$", "", name)
