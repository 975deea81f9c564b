"""Closes the sockets that take connections without resetting one that a client has already opened.

The kernel opens connections by itself and keeps them in a queue until a process takes them; whoever closes the last
handle of the socket resets what is in it. So first no further ones are let in, then the queue is emptied.
"""

import ctypes
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["count_waiting", "turn_newcomers_away"]

_SO_ATTACH_FILTER = 26
# Reads the flags of a segment and drops it if SYN is set: what begins a connection, and nothing else. To whoever is
# dropped the network seems slow; a second later the kernel asks again and is refused.
_LOAD_FLAGS, _IF_ANY_SET, _RETURN = 0x30, 0x45, 0x06
_DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in ((_LOAD_FLAGS, 0, 0, 13), (_IF_ANY_SET, 0, 1, 0x02), (_RETURN, 0, 0, 0), (_RETURN, 0, 0, 65_535))
)
_WAITING_AT = 24
"""Where in tcp_info a socket that listens has the length of its queue: tcpi_unacked."""


def turn_newcomers_away(listeners: Iterable[socket.socket]) -> None:
    """Let no further connections begin; those that have begun come into being, and wait to be taken.

    Where the system forbids it, nothing happens: then closing may reset what comes at that very moment.
    """
    program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    pointer = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
    for listener in listeners:
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)


def count_waiting(listeners: Iterable[socket.socket]) -> int:
    """Count the connections that clients have opened and no process has taken yet."""
    waiting = 0
    for listener in listeners:
        with suppress(OSError, struct.error):
            told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING_AT + 4)
            waiting += struct.unpack_from("I", told, _WAITING_AT)[0]
    return waiting
