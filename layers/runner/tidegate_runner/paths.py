"""Where things are on the host, under an optional other root.

Two spellings of a path are kept apart: a *logical* path is what users, orders and records name
(``/srv/app``); ``at`` gives the *real* one, which differs only on re-rooted hosts.
"""

import os
import posixpath
from typing import Mapping, Optional

from tidegate_runner.system import IS_WINDOWS

__all__ = ["DeploymentPaths", "HostPaths", "destination_path", "drive_of", "logical_path"]

ROOT_VARIABLE = "TIDEGATE_HOST_ROOT"

if IS_WINDOWS:
    from tidegate_runner.windows_names import destination_path, drive_of, logical_path, real_path

    SYSTEM_DRIVE = os.environ.get("SYSTEMDRIVE") or "C:"
    _DATA = logical_path(os.environ.get("PROGRAMDATA") or "\\ProgramData", SYSTEM_DRIVE)
    DEPLOYMENT_ROOT = _DATA + "/Amazon/CodeDeploy"
    TIDEGATE_ROOT = _DATA + "/Tidegate"
else:
    DEPLOYMENT_ROOT = "/opt/codedeploy-agent/deployment-root"
    TIDEGATE_ROOT = "/opt/tidegate"

    def logical_path(text: str, system_drive: str = "") -> str:
        """Give the one spelling of a path: absolute and plain."""
        return "/" + posixpath.normpath("/" + text).lstrip("/")

    destination_path = logical_path

    def drive_of(path: str) -> str:
        """Give what stands in front of a logical path's first slash."""
        return ""


class HostPaths:
    """Maps logical paths to real ones and names the well-known places."""

    def __init__(self, root: str = "", state: Optional[str] = None) -> None:
        """Take the other root, and where revisions are kept if not in the usual place."""
        self.root = root.rstrip("/")
        self.state = DEPLOYMENT_ROOT if state is None else state.rstrip("/")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], state: Optional[str] = None) -> "HostPaths":
        return cls(environ.get(ROOT_VARIABLE, ""), state)

    if IS_WINDOWS:

        def at(self, logical: str) -> str:
            return real_path(logical_path(logical, SYSTEM_DRIVE), self.root)

    else:

        def at(self, logical: str) -> str:
            if "//" in logical or "/." in logical or not logical.startswith("/") or logical.endswith("/"):
                logical = posixpath.normpath("/" + logical.lstrip("/"))
            return self.root + logical

    def journal(self, deployment_id: str, stage: str) -> str:
        return self.at("%s/journal/%s/%s.json" % (TIDEGATE_ROOT, deployment_id, stage))

    def stage_lock(self, deployment_id: str, stage: str) -> str:
        return self.at("%s/journal/%s/%s.lock" % (TIDEGATE_ROOT, deployment_id, stage))

    def worker_log(self, deployment_id: str, stage: str) -> str:
        return self.at("%s/journal/%s/%s.log" % (TIDEGATE_ROOT, deployment_id, stage))

    def spool_root(self) -> str:
        return self.at(TIDEGATE_ROOT + "/spool")

    def spool(self, deployment_id: str, stage: str) -> str:
        return self.at("%s/spool/%s/%s" % (TIDEGATE_ROOT, deployment_id, stage))

    def group_lock(self, group_id: str) -> str:
        if self.state != DEPLOYMENT_ROOT:  # somebody else's state, which may be an ordinary user's
            return self.instructions(group_id + ".lock")
        return self.at("%s/lock/%s" % (TIDEGATE_ROOT, group_id))

    def journals(self) -> str:
        return self.at(TIDEGATE_ROOT + "/journal")

    def runners(self) -> str:
        return self.at(TIDEGATE_ROOT + "/runner")

    def group_folder(self, group_id: str) -> str:
        return self.at("%s/%s" % (self.state, group_id))

    def deployments_log(self) -> str:
        return self.at(self.state + "/deployment-logs/codedeploy-agent-deployments.log")

    def instructions(self, name: str) -> str:
        return self.at("%s/deployment-instructions/%s" % (self.state, name))

    def ongoing(self, deployment_id: str) -> str:
        return self.at("%s/ongoing-deployment/%s" % (self.state, deployment_id))


class DeploymentPaths:
    """The folder of one deployment of one group (logical path, as the pointers hold it)."""

    def __init__(self, host: HostPaths, logical: str) -> None:
        self.host = host
        self.logical = logical
        self.real = host.at(logical)
        self.logical_archive = logical + "/deployment-archive"
        self.archive = os.path.join(self.real, "deployment-archive")
        self.appspec = os.path.join(self.real, "appspec.json")
        self.bundle = os.path.join(self.real, "bundle.tar")
        self.scripts_log = os.path.join(self.real, "logs", "scripts.log")

    @classmethod
    def of(cls, host: HostPaths, group_id: str, deployment_id: str) -> "DeploymentPaths":
        return cls(host, "%s/%s/%s" % (host.state, group_id, deployment_id))

    @property
    def deployment_id(self) -> str:
        return os.path.basename(self.logical)
