"""Latchgate within another application: the same gate, rules and log, in that application's own processes.

`asgi` and `wsgi` hold the middleware; `fastapi`, `flask`, `django` and `rest_framework` what those frameworks like;
`local` and `remote` whom it asks.
"""

from latchgate.core.policy import PUBLIC, SIGNED_IN, UNLIMITED, Requirement
from latchgate.middleware.identities import Identity
from latchgate.middleware.refusals import Refused

__all__ = ["PUBLIC", "SIGNED_IN", "UNLIMITED", "Identity", "Refused", "Requirement"]
