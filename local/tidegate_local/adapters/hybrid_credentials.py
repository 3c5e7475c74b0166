"""What the SSM agent of a machine that is no EC2 instance gives to programs: credentials of its activation's role.

Follows "Create the IAM service role required for Systems Manager in hybrid and multicloud environments" and the SSM
agent's own documents: the agent keeps them in root's shared credentials file. Here they are not renewed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from tidegate_local.hosts import HostError, Isolation, LocalHost

_FILE = "/root/.aws/credentials"
_WRITE = 'umask 077 && mkdir -p "$1" && cat > "$2"'
_SECONDS = 30.0


def hybrid_variables(aws: str, region: str) -> dict[str, str]:
    """The environment that makes AWS's clients in a host reach the local cloud, and no instance metadata.

    Machines on premises need none of these: what is not there is not found.
    """
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def give_credentials(host: LocalHost, role: str, client: Callable[[str], Any]) -> None:
    """Write credentials of a role, in a session named after the node, where the host's root finds them.

    Parameters
    ----------
    client
        Makes the administrator's client of a service.
    """
    arn = client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]["Arn"]
    got = client("sts").assume_role(RoleArn=arn, RoleSessionName=host.id, DurationSeconds=21600)["Credentials"]
    text = (
        f"[default]\naws_access_key_id = {got['AccessKeyId']}\naws_secret_access_key = {got['SecretAccessKey']}\n"
        f"aws_session_token = {got['SessionToken']}\n"
    )
    path = _FILE
    if host.isolation is Isolation.FOLDER:
        # The folder is no border: the machine's own file must not be touched.
        path = f"{host.root}{_FILE}"
        host.environment["AWS_SHARED_CREDENTIALS_FILE"] = path
    arguments = ["/bin/sh", "-c", _WRITE, "sh", path.rpartition("/")[0], path]
    process = host.popen(arguments, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(text.encode())
    process.stdin.close()
    if process.wait(_SECONDS) != 0:
        raise HostError(f"{host.name}: the credentials of its role could not be written to {path}")
