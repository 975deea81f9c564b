"""An application that Latchgate is embedded in, as gunicorn and uvicorn load it; its instance is the environment's."""

import json
import os
from collections.abc import Iterable
from typing import Any

from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.identities import get_identity
from latchgate.middleware.local import LocalKeeper
from latchgate.middleware.wsgi import WsgiMiddleware


def _wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
    body = json.dumps({"user": get_identity(environ).user, "pid": os.getpid()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def _asgi(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # as ASGI says
    if scope["type"] != "http":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = json.dumps({"user": get_identity(scope).user, "pid": os.getpid()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


wsgi = WsgiMiddleware(_wsgi)
behind_a_proxy = WsgiMiddleware(_wsgi, keeper=LocalKeeper(trusts_socket=True))
asgi = AsgiMiddleware(_asgi)


# As an application does that asks itself something when it is loaded: with --preload, before the fork.
if os.environ.get("EMBEDDED_WARM"):
    _headers = {"HTTP_AUTHORIZATION": os.environ["EMBEDDED_WARM"], "REMOTE_ADDR": "127.0.0.1"}
    _environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/warm", **_headers}
    assert b"".join(wsgi(_environ, lambda *_: None)), "the first request"
