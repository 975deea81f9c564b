"""A WSGI environ, or Django's `META`, as the head of a request."""

from collections.abc import Iterator, Mapping
from typing import Any

from latchgate.core.heads import Head, find_target, split_joined

__all__ = ["read_environ"]

_RAW_TARGETS = ("RAW_URI", "REQUEST_URI")
"""Where servers tell the target as it was sent."""
_NO_PATH = b"(SCRIPT_NAME from a header)"
"""Before a target, so that it is none that a rule can be about."""
_NAMES = {
    "HTTP_HOST": b"host",
    "HTTP_AUTHORIZATION": b"authorization",
    "HTTP_FRAPPE_AUTHORIZATION_SOURCE": b"frappe-authorization-source",
    "HTTP_USER_AGENT": b"user-agent",
    "HTTP_X_FORWARDED_FOR": b"x-forwarded-for",
    "HTTP_COOKIE": b"cookie",
    "HTTP_X_FRAPPE_CSRF_TOKEN": b"x-frappe-csrf-token",
}


def read_environ(environ: Mapping[str, Any], *, by_rules: bool) -> Head:
    """Read what authentication looks at; never raises for anything sent.

    Some servers take SCRIPT_NAME from a header, which a proxy may have passed on from the caller: so the caller would
    choose the beginning of the path that rules see, and the application answers what follows it. Then no rule counts.

    The server has joined headers of one name by commas, or has kept one of them: two Authorization headers are noticed
    where it joins, as gunicorn, waitress and mod_wsgi do.
    """
    path = _bytes(environ.get("SCRIPT_NAME", "")) + _bytes(environ.get("PATH_INFO", ""))
    raw = next((_bytes(environ[name]) for name in _RAW_TARGETS if environ.get(name)), None)
    target = find_target(path or b"/", _bytes(environ.get("QUERY_STRING", "")), raw)
    chosen = by_rules and environ.get("SCRIPT_NAME") and environ.get("HTTP_SCRIPT_NAME")
    return Head(
        method=str(environ.get("REQUEST_METHOD", "")),
        target=_NO_PATH + target if chosen else target,
        # Nothing, or empty, at a Unix socket.
        peer=str(environ.get("REMOTE_ADDR") or ""),
        headers=list(_headers(environ)),
    )


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for variable, name in _NAMES.items():
        value = environ.get(variable)
        if value is not None:
            for part in split_joined(name, _bytes(value)):
                yield name, part


def _bytes(value: object) -> bytes:
    # As PEP 3333 has it: bytes of the wire as characters of latin-1. Some servers hand on what is none.
    return str(value).encode("latin-1", "replace")
