"""A port is closed without resetting a connection that a client has already opened."""

import socket
from collections.abc import Iterator

import pytest

from latchgate.server.listeners import count_waiting, turn_newcomers_away
from support.families import wait_until

_DEADLINE_SECONDS = 20.0


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A port that is listened on."""
    host = "127.0.0.1" if request.param == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=request.param) as listener:
        yield listener


def _connect(listener: socket.socket, seconds: float = _DEADLINE_SECONDS) -> socket.socket:
    return socket.create_connection(listener.getsockname()[:2], timeout=seconds)


def test_who_has_come_is_let_in_and_nobody_else(listener: socket.socket) -> None:
    """What stands in the queue is counted, taken and served; a newcomer hears nothing, and then that nobody listens."""
    address = listener.getsockname()[:2]
    with _connect(listener) as early, _connect(listener) as other:
        wait_until(lambda: count_waiting([listener]) == 2, "both stand in the queue")

        turn_newcomers_away([listener])
        with pytest.raises(TimeoutError):
            _connect(listener, 0.2)
        for client in (early, other):
            taken, _ = listener.accept()
            with taken:
                client.sendall(b"request")
                assert taken.recv(100) == b"request"
                taken.sendall(b"answer")
            assert client.recv(100) == b"answer"

        assert count_waiting([listener]) == 0
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=_DEADLINE_SECONDS)


def test_what_is_no_listening_socket_is_let_be() -> None:
    """Where the system cannot do it, stopping goes on without."""
    gone = socket.socket()
    gone.close()

    turn_newcomers_away([gone])

    assert count_waiting([gone]) == 0
