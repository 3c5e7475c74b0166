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
    """Have all sessions of this process share what they read, but those that are told to look elsewhere."""
    import botocore.session
    from botocore.loaders import create_loader as original

    read: dict[Any, Any] = {}

    def create_loader(search_path: str | None = None) -> Any:
        loader: Any = original(search_path)
        if search_path is None:
            loader._cache = read
        return loader

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
