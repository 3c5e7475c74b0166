"""Load balancers that really forward, check health and drain: by haproxy, or in plain Python where it is missing."""

from __future__ import annotations

import random
from pathlib import Path

from tidegate_local.balancing.haproxy import HaproxyForwarder
from tidegate_local.balancing.haproxy_process import find
from tidegate_local.balancing.health import Forwarding
from tidegate_local.balancing.plain import PlainForwarder


def forwarder(folder: Path) -> tuple[Forwarding, str]:
    """What forwards on this machine; and, where it is not haproxy, why.

    Parameters
    ----------
    folder
        The local cloud's.
    """
    program, told = find()
    return (HaproxyForwarder(program, told, folder), "") if program else (PlainForwarder(), told)


def any_address() -> str:
    """A loopback address of a balancer's own; hosts have none in these networks."""
    draw = random.SystemRandom()
    return f"127.{draw.randint(251, 254)}.{draw.randint(0, 250)}.{draw.randint(1, 250)}"
