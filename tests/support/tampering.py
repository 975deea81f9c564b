"""A proxy that is not quite honest: it shows that a comparison of two servers notices what differs."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

__all__ = ["Tampering", "tampering_proxy"]

Tampering = Callable[[bytes], bytes | None]
"""Changes what passes; None ends the connection after what passed before."""


@contextlib.contextmanager
def tampering_proxy(
    port: int, *, asked: Tampering = lambda data: data, answered: Tampering = lambda data: data
) -> Iterator[int]:
    """Pass connections on to a port, changing what the client asks and what it is answered; give the proxy's port."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_accept, args=(listener, port, asked, answered), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Waiting in accept(), it would not notice that the socket was closed.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(listener: socket.socket, port: int, asked: Tampering, answered: Tampering) -> None:
    connections = []
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            connection = threading.Thread(target=_carry, args=(client, server, asked, answered))
            connection.start()
            connections.append(connection)
    for connection in connections:
        connection.join()


def _carry(client: socket.socket, server: socket.socket, asked: Tampering, answered: Tampering) -> None:
    with client, server:
        there = threading.Thread(target=_pass, args=(client, server, asked))
        there.start()
        _pass(server, client, answered)
        there.join()


def _pass(source: socket.socket, target: socket.socket, tamper: Tampering) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            changed = tamper(data)
            if changed is None:
                break
            target.sendall(changed)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
