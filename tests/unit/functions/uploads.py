"""OnRevisionUpload over an account in virtual time: a bucket that remembers what was put, and a bus."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from functions.on_revision_upload import app
from tests.unit.functions.subscribers import record
from tests.unit.functions.world import ENV, START, Account, hosts

from tidegate.gateways.uploads import Look
from tidegate.model.bundle_kinds import HEAD
from tidegate.model.uploads import Upload
from tidegate.store.groups import Groups, group_key
from tidegate.store.table import Update
from tidegate.upload_runtime import UploadRuntime


def archive(text: str = "x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("appspec.yml", text)
    return buffer.getvalue()


class Bucket:
    """Keeps versions; ``look`` answers as the gateway does."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], Look] = {}
        self.fault: Exception | None = None

    def look(self, upload: Upload) -> Look | None:
        if self.fault:
            raise self.fault
        return self.kept.get((upload.bucket, upload.key, upload.version))


class Bus:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, detail: Mapping[str, Any], resource: str) -> None:
        self.told.append({**detail, "resource": resource})


class Watched:
    """An account whose group ``prod`` follows what its tag says."""

    def __init__(self, follow: str = "s3://releases/shop/") -> None:
        self.account = Account(hosts(1))
        self.bucket, self.bus = Bucket(), Bus()
        self.runtime = UploadRuntime({**ENV, "TIDEGATE_NOTIFICATION_SOURCE": "tidegate"})
        ports = {"table": self.account.table, "executions": self.account, "objects": self.bucket, "refusals": self.bus}
        for name, port in ports.items():
            setattr(self.runtime, name, port)
        self.runtime.clock = lambda: self.account.now
        self.runtime.new_deployment_id = lambda: next(self.account.ids)  # type: ignore[method-assign]
        for name in ("progress", "logs"):
            setattr(self.runtime, name, None)
        info = Groups(self.account.table).get("shop", "prod")["info"]
        style = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
        changed = {**info, "deploymentStyle": style, "autoScalingGroups": []}
        self.account.table.write(Update(group_key("shop", "prod"), set={"info": changed}))
        self.follow("prod", follow)
        self._number = itertools.count(1)

    def follow(self, group: str, value: str) -> None:
        tags = [{"Key": "tidegate:follow", "Value": value}]
        self.account.table.write(Update(group_key("shop", group), set={"tags": tags}))

    def put(
        self, key: str, data: bytes | None = None, *, version: str = "", bucket: str = "releases", **labels: Any
    ) -> Any:
        """Put an object; the event that tells of it."""
        data = archive(key) if data is None else data
        etag, number = hashlib.sha256(data).hexdigest()[:32], next(self._number)
        look = Look(etag, data[:HEAD], labels.get("metadata", {}), labels.get("tags", {}))
        self.bucket.kept[bucket, key, version] = look
        told = {"key": key, "size": len(data), "etag": etag, "sequencer": f"{number:04X}"}
        told |= {"version-id": version} if version else {}
        moment = datetime.fromtimestamp(START + number, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": f"event-{number}",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "time": moment,
            "detail": {"bucket": {"name": bucket}, "object": told},
        }

    def deliver(self, *events: Any) -> list[str]:
        """Hand events over as the queue does; those that come again."""
        records = [
            {"eventSource": "aws:sqs", "messageId": f"m{i}", "body": json.dumps(each)} for i, each in enumerate(events)
        ]
        answer = app.run({"Records": records}, self.runtime)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def ended(self, deployment_id: str) -> None:
        """What the stream tells when a deployment has ended."""
        app.run({"Records": self.record_of(deployment_id)}, self.runtime)

    def record_of(self, deployment_id: str) -> list[Any]:
        item = self.account.deployment(deployment_id)
        return [record({**item, "status": "InProgress"}, item)]

    @property
    def deployed(self) -> dict[str, str]:
        """Key of the revision by deployment, oldest first."""
        items = self.account.table.query("DEPS", index="GSI2").items
        return {item["deploymentId"]: item["location"]["s3Location"]["key"] for item in items}

    @property
    def registered(self) -> list[Any]:
        return [each["location"]["s3Location"] for each in self.account.table.query("APP#shop", "REV#").items]

    def add_group(self, name: str, follow: str) -> None:
        info = Groups(self.account.table).get("shop", "prod")["info"]
        self.runtime.groups.create(f"id-{name}", {**info, "deploymentGroupName": name})
        self.follow(name, follow)
