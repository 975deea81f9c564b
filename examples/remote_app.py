"""An application on another machine: who may do what is asked of the server, which holds keys, rules and log."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from latchgate.middleware.identities import get_identity
from latchgate.middleware.remote import RemoteKeeper
from latchgate.middleware.wsgi import WsgiMiddleware


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the user that the server has told."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"user": get_identity(environ).user}).encode()]


server = os.environ.get("LATCHGATE_SERVER", "http://127.0.0.1:8000")  # noqa: TID251  # as an application reads it
app = WsgiMiddleware(application, rules=True, keeper=RemoteKeeper(server, cache_seconds=1.0))
