"""The API over a table in memory, with ports that tests can look into and break."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.api import ApiRequest, ApiResponse, Services, Settings, handle
from tidegate.model.logs import Segment
from tidegate.store.memory import MemoryTable
from tidegate.store.table import Put

CODEDEPLOY = "CodeDeploy_20141006"
TIDEGATE = "Tidegate_20261101"
ROLE = "arn:aws:iam::123456789012:role/deployer"
ALICE = "arn:aws:iam::123456789012:user/alice"


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the test
    """The API answered with an error."""

    def __init__(self, response: ApiResponse) -> None:
        body = json.loads(response.body)
        super().__init__(f"{body['__type']}: {body['message']}")
        self.code: str = body["__type"]
        self.message: str = body["message"]
        self.status = response.status


class Executions:
    """Remembers what was started; raises ``fault`` where there is one."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []
        self.fault: Exception | None = None

    def start(self, deployment_id: str, generation: int) -> None:
        if self.fault is not None:
            raise self.fault
        self.started.append((deployment_id, generation))


class Signals:
    """Remembers who was woken; raises ``fault`` where there is one."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fault: Exception | None = None

    def signal(self, deployment_id: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.sent.append(deployment_id)


class Progress(dict[tuple[str, str], dict[str, Any]]):
    """Progress objects by deployment and target; raises ``fault`` where there is one."""

    fault: Exception | None = None

    def read(self, deployment_id: str, target_id: str) -> Mapping[str, Any] | None:
        if self.fault is not None:
            raise self.fault
        return self.get((deployment_id, target_id))


class Logs(dict[str, bytes]):
    """Log segments by what follows ``progress/`` in their keys."""

    def segments(self, deployment_id: str, target_id: str, brought_by: str = "") -> list[Segment]:
        prefix = f"{brought_by}/late/{deployment_id}/" if brought_by else f"{deployment_id}/"
        found = []
        for key in sorted(self):
            if key.startswith(f"{prefix}{target_id}/"):
                stage, number, _ = key.rsplit("/", 1)[1].rsplit(".", 2)
                found.append(Segment(stage, int(number), key, len(self[key])))
        return found

    def read(self, segment: Segment, offset: int) -> bytes:
        return self[segment.key][offset:]


class GitHubTokens(set[str]):
    """Names of tokens."""

    def names(self) -> list[str]:
        return sorted(self)

    def delete(self, name: str) -> bool:
        found = name.lower() in self
        self.discard(name.lower())
        return found


class LifecycleHooks(dict[str, dict[str, str]]):
    """The hooks of Auto Scaling groups, by group and name; ``faults`` by what is asked for."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: {} for name in names})
        self["full"] = {f"hook-{number}": "autoscaling:EC2_INSTANCE_LAUNCHING" for number in range(50)}
        self.faults: dict[str, Exception] = {}

    def act_for(self, role_arn: str, on: str) -> None:
        self._called("act_for")

    def groups(self, names: Sequence[str]) -> dict[str, object]:
        self._called("groups")
        return {name: self[name] for name in names if name in self}

    def names(self, scaling_group: str) -> list[str]:
        return list(self[scaling_group])

    def put(self, scaling_group: str, name: str, transition: str, about: Mapping[str, str]) -> None:
        self._called("put")
        self[scaling_group][name] = transition

    def delete(self, scaling_group: str, name: str) -> None:
        self._called("delete")
        self.get(scaling_group, {}).pop(name, None)

    def _called(self, name: str) -> None:
        if name in self.faults:
            raise self.faults[name]


@dataclass
class World:
    """One account. Time stands still unless a test moves it; ids count up."""

    now: float = 1764000000.25
    buckets: tuple[str, ...] = ("releases", "team-*")
    table: MemoryTable = field(default_factory=MemoryTable)
    executions: Executions = field(default_factory=Executions)
    signals: Signals = field(default_factory=Signals)
    progress: Progress = field(default_factory=Progress)
    logs: Logs = field(default_factory=Logs)
    github_tokens: GitHubTokens = field(default_factory=lambda: GitHubTokens())
    lifecycle_hooks: LifecycleHooks = field(default_factory=lambda: LifecycleHooks("a", "b", "asg"))
    ids: list[str] = field(default_factory=list)
    _drawn: int = 0

    @property
    def services(self) -> Services:
        return Services(
            table=self.table,
            executions=self.executions,
            signals=self.signals,
            progress=self.progress,
            logs=self.logs,
            github_tokens=self.github_tokens,
            lifecycle_hooks=self.lifecycle_hooks,
            clock=lambda: self.now,
            new_id=self._new_id,
            new_uuid=self._new_uuid,
            account="123456789012",
            region="us-east-1",
            settings=Settings(self.buckets),
        )

    def _new_id(self) -> str:
        return self.ids.pop(0) if self.ids else f"d-{self._next():09d}"

    def _new_uuid(self) -> str:
        return f"00000000-0000-4000-8000-{self._next():012d}"

    def _next(self) -> int:
        self._drawn += 1
        return self._drawn

    def send(self, target: str, body: bytes, *, method: str = "POST", path: str = "/") -> ApiResponse:
        """Send a request as it comes over the wire."""
        headers = {"x-amz-target": target} if target else {}
        return handle(ApiRequest(method, path, headers, body, caller=ALICE, request_id="req-1"), self.services)

    def call(self, operation: str, service: str = CODEDEPLOY, **given: Any) -> dict[str, Any]:
        """Call an operation; an error is raised as ``Refused``."""
        response = self.send(f"{service}.{operation}", json.dumps(given).encode())
        if response.status != 200:
            raise Refused(response)
        output: dict[str, Any] = json.loads(response.body)
        return output

    def shop(self, **group: Any) -> None:
        """Make application ``shop`` with group ``prod``."""
        self.call("CreateApplication", applicationName="shop")
        self.group("prod", **group)

    def group(self, name: str, **group: Any) -> str:
        """Make a group of application ``shop``."""
        filters = [{"Key": "Fleet", "Value": "demo", "Type": "KEY_AND_VALUE"}]
        given = {"serviceRoleArn": ROLE, "ec2TagFilters": filters, **group}
        found = self.call("CreateDeploymentGroup", applicationName="shop", deploymentGroupName=name, **given)
        return str(found["deploymentGroupId"])

    def deploy(self, key: str = "v1.zip", group: str = "prod", **given: Any) -> str:
        """Create a deployment of a revision of ``shop``."""
        given = {"revision": s3(key), **given}
        found = self.call("CreateDeployment", applicationName="shop", deploymentGroupName=group, **given)
        return str(found["deploymentId"])

    def end(self, deployment_id: str, status: str = "Succeeded", **given: Any) -> None:
        """End a deployment as the state machine would."""
        self.services.deployments.finish(deployment_id, status=status, now=self.now, **given)

    def info(self, deployment_id: str) -> dict[str, Any]:
        """``DeploymentInfo``."""
        found: dict[str, Any] = self.call("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
        return found

    def group_info(self, group: str = "prod") -> dict[str, Any]:
        """``DeploymentGroupInfo`` of a group of ``shop``."""
        answer = self.call("GetDeploymentGroup", applicationName="shop", deploymentGroupName=group)
        found: dict[str, Any] = answer["deploymentGroupInfo"]
        return found

    def fleet(self, deployment_id: str, statuses: Mapping[str, str | None]) -> None:
        """Record the targets of a deployment; a status of ``None`` leaves the target without a record."""
        pk = f"DEP#{deployment_id}"
        members = [[target, True] for target in statuses]
        self.table.write(Put({"PK": pk, "SK": "ROSTER#0000", "members": members}))
        for target, status in statuses.items():
            if status:
                self.table.write(Put(target_item(deployment_id, target, status)))


def target_item(deployment_id: str, target: str, status: str) -> dict[str, Any]:
    """A target as the state machine records it."""
    return {
        "PK": f"DEP#{deployment_id}",
        "SK": f"TARGET#{target}",
        "targetId": target,
        "targetArn": f"arn:aws:ec2:us-east-1:123456789012:instance/{target}",
        "kind": "InstanceTarget",
        "status": status,
        "lastUpdatedAt": 1764000001.5,
        "lifecycleEvents": [
            {"lifecycleEventName": name, "status": "Pending"} for name in ("ApplicationStop", "Install")
        ],
    }


def s3(key: str = "v1.zip", bucket: str = "releases", **more: str) -> dict[str, Any]:
    """The location of a revision in S3."""
    return {"revisionType": "S3", "s3Location": {"bucket": bucket, "key": key, "bundleType": "zip", **more}}
