"""What the instance-metadata endpoint of a local host tells: who it is, and credentials of its role.

Follows "Instance metadata categories", "Instance identity documents" and "Retrieve security credentials from instance
metadata" of the EC2 user guide. The role is that of the instance profile the instance has now, as moto keeps it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate_local.hosts import LocalHost
from tidegate_local.hosts.metadata import MetadataEndpoint

#: The role, and the instance profile, of every local host that is given no other one. It has no right at all.
HOST_ROLE = "tidegate-local-host"

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_LIFE = 21600
_RENEW = timedelta(minutes=10)
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def make_host_role(client: Callable[[str], Any]) -> None:
    """Make the hosts' role and its instance profile.

    Parameters
    ----------
    client
        Makes the administrator's client of a service.
    """
    iam = client("iam")
    iam.create_role(RoleName=HOST_ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.create_instance_profile(InstanceProfileName=HOST_ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=HOST_ROLE, RoleName=HOST_ROLE)


def variables(endpoint: MetadataEndpoint, aws: str, region: str) -> dict[str, str]:
    """The environment that makes AWS's clients in a host reach its metadata and the local cloud.

    Hosts on AWS have none of these and need none.
    """
    return {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint.url,
        "AWS_ENDPOINT_URL": aws,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


class InstanceMetadata:
    """The metadata of one host.

    Parameters
    ----------
    host
        The host.
    client
        Makes the administrator's client of a service.
    account, region
        Where the instance is.
    """

    def __init__(self, host: LocalHost, client: Callable[[str], Any], account: str, region: str) -> None:
        self._host = host
        self._client = client
        self._account, self._region = account, region
        self._lock = threading.Lock()
        self._credentials: tuple[str, datetime, str] | None = None
        self._started = datetime.now(UTC)
        self._zone = f"{region}a"

    def associate(self, profile: str | None = None) -> None:
        """Give the instance a profile, by name or ARN; None: the hosts' own."""
        given = profile or HOST_ROLE
        (reservation,) = self._client("ec2").describe_instances(InstanceIds=[self._host.id])["Reservations"]
        self._zone = reservation["Instances"][0]["Placement"]["AvailabilityZone"]
        self._client("ec2").associate_iam_instance_profile(
            InstanceId=self._host.id, IamInstanceProfile={"Arn" if given.startswith("arn:") else "Name": given}
        )

    def lookup(self, path: str) -> str | None:
        """The text at a path below ``/latest/``."""
        if path == "dynamic/instance-identity/document":
            return json.dumps(self._identity(), indent=2)
        if path == "meta-data/iam/info" or path.startswith("meta-data/iam/security-credentials"):
            return self._iam(path)
        plain = {
            "meta-data/instance-id": self._host.id,
            "meta-data/ami-id": "ami-00000000000000001",
            "meta-data/instance-type": "t3.micro",
            "meta-data/hostname": self._host.name,
            "meta-data/local-hostname": self._host.name,
            "meta-data/local-ipv4": self._host.address,
            "meta-data/placement/region": self._region,
            "meta-data/placement/availability-zone": self._zone,
            "meta-data/services/domain": "amazonaws.com",
            "meta-data/services/partition": "aws",
        }
        return plain.get(path) or _listing(path, [*plain, "meta-data/iam/info", "meta-data/iam/security-credentials/"])

    def _identity(self) -> dict[str, Any]:
        return {
            "accountId": self._account,
            "architecture": "x86_64",
            "availabilityZone": self._zone,
            "billingProducts": None,
            "imageId": "ami-00000000000000001",
            "instanceId": self._host.id,
            "instanceType": "t3.micro",
            "pendingTime": self._started.strftime(_FORMAT),
            "privateIp": self._host.address,
            "region": self._region,
            "version": "2017-09-30",
        }

    def _iam(self, path: str) -> str | None:
        profile = self._profile()
        if profile is None:
            return None
        if path == "meta-data/iam/info":
            told = {
                "Code": "Success",
                "LastUpdated": self._started.strftime(_FORMAT),
                "InstanceProfileArn": profile["Arn"],
                "InstanceProfileId": profile["InstanceProfileId"],
            }
            return json.dumps(told, indent=2)
        roles = {role["RoleName"]: role["Arn"] for role in profile["Roles"]}
        name = path.removeprefix("meta-data/iam/security-credentials").strip("/")
        if not name:
            return "\n".join(roles)
        return self._credentials_of(roles[name]) if name in roles else None

    def _profile(self) -> Any:
        """The instance profile that the instance has now."""
        wanted = [{"Name": "instance-id", "Values": [self._host.id]}]
        found = self._client("ec2").describe_iam_instance_profile_associations(Filters=wanted)
        for association in found["IamInstanceProfileAssociations"]:
            name = association["IamInstanceProfile"]["Arn"].rsplit("/", 1)[-1]
            return self._client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        return None

    def _credentials_of(self, role_arn: str) -> str:
        with self._lock:
            now = datetime.now(UTC)
            if self._credentials is None or self._credentials[0] != role_arn or self._credentials[1] - now < _RENEW:
                got = self._client("sts").assume_role(
                    RoleArn=role_arn, RoleSessionName=self._host.id, DurationSeconds=_LIFE
                )["Credentials"]
                told = {
                    "Code": "Success",
                    "LastUpdated": now.strftime(_FORMAT),
                    "Type": "AWS-HMAC",
                    "AccessKeyId": got["AccessKeyId"],
                    "SecretAccessKey": got["SecretAccessKey"],
                    "Token": got["SessionToken"],
                    "Expiration": (now + timedelta(seconds=_LIFE)).strftime(_FORMAT),
                }
                self._credentials = (role_arn, now + timedelta(seconds=_LIFE), json.dumps(told, indent=2))
            return self._credentials[2]


def _listing(path: str, names: list[str]) -> str | None:
    """What a folder holds, a line a name; folders end in a slash."""
    prefix = f"{path}/" if path else ""
    below = sorted({name.removeprefix(prefix) for name in names if name.startswith(prefix)})
    shown = dict.fromkeys(
        first + ("/" if rest else "") for first, rest in (n.split("/", 1) if "/" in n else (n, "") for n in below)
    )
    return "\n".join(shown) or None
