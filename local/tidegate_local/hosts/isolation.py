"""How a local host is kept apart from the machine it runs on."""

from enum import StrEnum


class Isolation(StrEnum):
    """What separates a local host from the machine, best first.

    ``NAMESPACES`` needs root: own mounts, processes and host name over an overlay of ``/``.
    ``USER_NAMESPACE`` is the same for an ordinary user, who is the host's root; only that one user exists in it.
    ``FOLDER`` separates nothing: commands run on the machine and are told of a folder by
    ``TIDEGATE_HOST_ROOT``; programs that do not heed the variable see the machine itself.

    The first two guard the machine against accidents of scripts, not against programs that mean harm.
    """

    NAMESPACES = "namespaces"
    USER_NAMESPACE = "user-namespace"
    FOLDER = "folder"


HOST_ROOT_VARIABLE = "TIDEGATE_HOST_ROOT"

#: Set beside it: the host's own address, which the machine's name does not tell there.
HOST_ADDRESS_VARIABLE = "TIDEGATE_HOST_ADDRESS"

#: What a process in a host starts with, as under a service manager.
DEFAULT_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class HostError(Exception):
    """A local host could not be started, found or entered; the text says which, why and what to do."""
