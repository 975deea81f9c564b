"""An empty ASGI application on the server that Latchgate runs on: what the rest is compared with."""

import sys

import uvicorn

from latchgate.server.protocol import protocol_class
from latchgate.server.wire import WireLimits

_BODY = b'{"message":"api@example.com"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def empty(scope: dict, _receive: object, send) -> None:  # type: ignore[no-untyped-def, type-arg]  # noqa: ANN001
    """Answer every request alike."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.run(
        empty,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http=protocol_class(WireLimits()),
        loop="uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
    )
