"""The least that a server in Python does for a request: parse it and write, on uvloop and httptools. The lane's floor.

    python bench/bare.py PORT

Nothing is verified, logged, counted or guarded, and no header is looked at.
"""

import asyncio
import signal
import sys

import httptools
import uvloop
from answer import ANSWER

_REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


class Bare(asyncio.Protocol):
    """Answers every request alike."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection."""
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.headers: list[tuple[bytes, bytes]] = []

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, as whoever judges it must."""
        self.headers.append((name.lower(), value))

    def on_message_complete(self) -> None:
        """Answer."""
        self.headers = []
        self.transport.write(_REPLY)  # type: ignore[attr-defined]  # of a stream


async def _serve(port: int) -> None:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    server = await loop.create_server(Bare, "127.0.0.1", port)
    async with server:
        await end.wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
