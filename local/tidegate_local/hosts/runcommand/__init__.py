"""Run Command over local hosts: what Systems Manager and its agent do together, without moto."""

from tidegate_local.hosts.runcommand.documents import RUN_SHELL_SCRIPT, Document, parse_document
from tidegate_local.hosts.runcommand.errors import RunCommandError
from tidegate_local.hosts.runcommand.faults import Faults
from tidegate_local.hosts.runcommand.service import Request, RunCommand

__all__ = [
    "RUN_SHELL_SCRIPT",
    "Document",
    "Faults",
    "Request",
    "RunCommand",
    "RunCommandError",
    "parse_document",
]
