"""What is told of deployments, to whom, and in which words; from the old and the new state of an item alone.

``changes`` finds the notices, ``deliveries`` where they go and when to try again; ``messages`` and ``events`` write
them.
"""

from tidegate.notices.changes import deployment_notices, target_change, target_notice
from tidegate.notices.deliveries import Wording, deliveries_of, lost, put_off

__all__ = [
    "Wording",
    "deliveries_of",
    "deployment_notices",
    "lost",
    "put_off",
    "target_change",
    "target_notice",
]
