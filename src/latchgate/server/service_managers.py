"""Tells a service manager what the service is doing. Source: sd_notify(3)."""

import socket
from contextlib import suppress

from latchgate.setting_sources import find_notify_socket

__all__ = ["tell_service_manager"]


def tell_service_manager(state: str) -> None:
    """Tell the state, such as READY=1, to a service manager that wants to hear it, and go on if it does not listen."""
    address = find_notify_socket()
    if address is None:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as talker:
        talker.connect("\0" + address[1:] if address.startswith("@") else address)
        talker.send(state.encode())
