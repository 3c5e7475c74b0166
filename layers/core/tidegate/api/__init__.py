"""The door: CodeDeploy's API, and a second service of our own, over one table.

:func:`handle` takes a request and gives a response; it knows nothing of Lambda or HTTP servers. What it needs of the
world is in :class:`Services`.
"""

from tidegate.api.door import handle
from tidegate.api.messages import ApiRequest, ApiResponse
from tidegate.api.services import Executions, ExecutionsBusyError, Logs, Progress, Services, Settings, Signals

__all__ = [
    "ApiRequest",
    "ApiResponse",
    "Executions",
    "ExecutionsBusyError",
    "Logs",
    "Progress",
    "Services",
    "Settings",
    "Signals",
    "handle",
]
