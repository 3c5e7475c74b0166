"""Messages between the local cloud, the keeper of its hosts and each host's first process.

One JSON object a packet over a Unix socket that keeps packets apart; open files travel with it.
"""

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

MAX_MESSAGE = 180_000  # under the kernel's usual limit of 212,992 bytes a packet
_MAX_DESCRIPTORS = 4

Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def from_descriptor(descriptor: int) -> socket.socket:
    """The end that was inherited as an open file."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, descriptor)


def send(end: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one message.

    Raises
    ------
    ValueError : the message is longer than a packet may be
    OSError : the other end is gone
    """
    data = json.dumps(message).encode()
    if len(data) > MAX_MESSAGE:
        raise ValueError(f"a message to a local host has {len(data)} bytes; at most {MAX_MESSAGE} are possible")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    end.sendmsg([data], rights)


def receive(end: socket.socket) -> tuple[Message | None, list[int]]:
    """The next message and its open files; None when the other end is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(end, MAX_MESSAGE + 1, _MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None, []
    if not data:
        return None, []
    message: Message = json.loads(data)
    return message, list(descriptors)
