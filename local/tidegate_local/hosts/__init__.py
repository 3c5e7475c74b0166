"""Local hosts: targets with a file system, processes and a name of their own, on one machine."""

from tidegate_local.hosts.enter import exec_in_host
from tidegate_local.hosts.fleet import Fleet, Register, random_instance_id
from tidegate_local.hosts.host import LocalHost
from tidegate_local.hosts.isolation import HOST_ROOT_VARIABLE, HostError, Isolation
from tidegate_local.hosts.process import HostProcess

__all__ = [
    "HOST_ROOT_VARIABLE",
    "Fleet",
    "HostError",
    "HostProcess",
    "Isolation",
    "LocalHost",
    "Register",
    "exec_in_host",
    "random_instance_id",
]
