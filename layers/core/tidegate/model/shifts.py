"""What is seen of the one target of a traffic shift, before anything is done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AliasSeen:
    """A Lambda alias and the versions that a deployment names.

    Attributes
    ----------
    function_arn
        Of the function; empty where there is no such function.
    version
        Version the alias points to; empty where there is no such alias.
    weights
        Share of the traffic that goes to other versions, by version.
    missing
        Those of the named versions that are not there.
    """

    function_arn: str = ""
    version: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """An Amazon ECS service and the task definition that a deployment names.

    Attributes
    ----------
    arn, status, controller
        Of the service; empty where there is no such service. Controllers: ECS, CODE_DEPLOY, EXTERNAL.
    task_sets
        As DescribeServices tells them.
    containers
        Ports by container of the task definition; ``None`` where there is none, or it is no longer active.
    """

    arn: str = ""
    status: str = ""
    controller: str = ""
    task_sets: Sequence[Mapping[str, Any]] = ()
    containers: Mapping[str, Sequence[int]] | None = None
