"""Descriptions of AWS's services, read once a process.

A session of boto3 reads and parses them anew, and looks through hundreds of folders for them: most of what making a
client costs, and moto makes sessions wherever it needs the name of a Region.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any


@functools.cache
def share() -> None:
    """Have all sessions of this process share what they read, but those that look elsewhere first."""
    import botocore.session
    from botocore.loaders import Loader
    from botocore.loaders import create_loader as original

    usual: list[str] = Loader().search_paths
    shared: dict[Any, Any] = {}

    class SharingLoader(Loader):
        """A loader whose memory is everybody's while it looks where all do; what boto3 appends changes nothing."""

        @property
        def _cache(self) -> dict[Any, Any]:
            return shared if self.search_paths[: len(usual)] == usual else self._own

        @_cache.setter
        def _cache(self, empty: dict[Any, Any]) -> None:
            self._own = empty

    def create_loader(search_path: str | None = None) -> Any:
        return SharingLoader() if search_path is None else original(search_path)

    # Where sessions look the function up; through setattr, since the stubs do not know it there.
    setattr(botocore.session, "create_loader", create_loader)  # noqa: B010


def read(services: Iterable[str]) -> None:
    """Read ahead what clients of these services need; what there is not, is left to them."""
    import botocore.session
    from botocore.exceptions import DataNotFoundError

    loader: Any = botocore.session.create_loader()
    for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        loader.load_data_with_path(name)
    for service in services:
        for kind in ("service-2", "endpoint-rule-set-1"):
            try:
                loader.load_service_model(service, kind)
            except DataNotFoundError:
                continue
