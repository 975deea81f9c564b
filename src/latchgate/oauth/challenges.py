"""What a challenge says to whoever sent an access token that is not good, or not good enough.

Source: RFC 6750, sections 3 and 3.1.
"""

import re

from latchgate.oauth.scopes import write_scopes

__all__ = ["INVALID_TOKEN", "insufficient_scope"]

INVALID_TOKEN = ', error="invalid_token"'

# RFC 6749, section 3.3; the name of a type of records may hold more.
_SCOPE = re.compile(r"[!#-\[\]-~]+")


def insufficient_scope(scope: str) -> str:
    """Say that a token lacks a scope; which one, if a challenge can name it. Empty if it is not known."""
    needed = write_scopes([scope])
    return ', error="insufficient_scope"' + (f', scope="{needed}"' if _SCOPE.fullmatch(needed) else "")
