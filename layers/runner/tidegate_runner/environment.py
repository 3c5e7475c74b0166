"""The environment hook scripts get."""

import os
from typing import Dict, Mapping

from tidegate_runner.order import Order
from tidegate_runner.system import IS_WINDOWS

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Never handed on: the order's URL, and credentials that are the caller's and not the host's.
_WITHHELD = (
    "TIDEGATE_ORDER",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
)


def base_environment(environ: Mapping[str, str]) -> Dict[str, str]:
    """Give the runner's own environment without secrets, with a PATH and a HOME (SSM sets neither)."""
    environment = {name: value for name, value in environ.items() if name not in _WITHHELD}
    if IS_WINDOWS:
        return environment  # SSM's agent there is a service like others and has all of the system's
    if not environment.get("PATH"):
        environment["PATH"] = DEFAULT_PATH
    if not environment.get("HOME"):
        environment["HOME"] = _home()
    return environment


def deployment_variables(order: Order, event: str) -> Dict[str, str]:
    """Give the variables that tell a script what it runs for.

    They describe the current deployment, also while a script of an earlier revision runs.
    """
    variables = {
        "LIFECYCLE_EVENT": event,
        "DEPLOYMENT_ID": order.deployment_id,
        "APPLICATION_NAME": order.application_name,
        "DEPLOYMENT_GROUP_NAME": order.group_name,
        "DEPLOYMENT_GROUP_ID": order.group_id,
    }
    s3 = order.revision.get("s3Location") or {}
    github = order.revision.get("gitHubLocation") or {}
    given = (
        ("BUNDLE_BUCKET", s3.get("bucket")),
        ("BUNDLE_KEY", s3.get("key")),
        ("BUNDLE_VERSION", s3.get("version")),
        ("BUNDLE_ETAG", s3.get("eTag")),
        ("BUNDLE_COMMIT", github.get("commitId")),
    )
    variables.update({name: str(value) for name, value in given if value})
    return variables


def _home() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
