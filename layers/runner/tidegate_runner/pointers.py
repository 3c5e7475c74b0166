"""Which deployment of a group was last installed here, and which was last downloaded."""

from typing import Optional

from tidegate_runner.files import read_text, write_atomically
from tidegate_runner.paths import DeploymentPaths, HostPaths


class Pointers:
    """Two small files that hold the logical path of a deployment's folder."""

    def __init__(self, host: HostPaths, group_id: str) -> None:
        self._host = host
        self._last_successful = host.instructions(group_id + "_last_successful_install")
        self._most_recent = host.instructions(group_id + "_most_recent_install")

    def last_successful(self) -> Optional[DeploymentPaths]:
        """Give the deployment whose Install event last succeeded (not: which succeeded as a whole)."""
        return self._read(self._last_successful)

    def most_recent(self) -> Optional[DeploymentPaths]:
        return self._read(self._most_recent)

    def set_last_successful(self, place: DeploymentPaths) -> None:
        write_atomically(self._last_successful, place.logical.encode("utf-8"))

    def set_most_recent(self, place: DeploymentPaths) -> None:
        write_atomically(self._most_recent, place.logical.encode("utf-8"))

    def _read(self, path: str) -> Optional[DeploymentPaths]:
        logical = (read_text(path) or "").strip()
        return DeploymentPaths(self._host, logical) if logical else None
