"""An empty ASGI application: what the rest is compared with. uvicorn serves it as it comes, see servers.py."""

from answer import ANSWER

_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def empty(scope: dict, _receive: object, send) -> None:  # type: ignore[no-untyped-def, type-arg]  # noqa: ANN001  # ASGI
    """Answer every request alike."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})
