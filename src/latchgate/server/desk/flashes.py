"""What a page says after something was done: the address holds a short code, the sentence stands here alone."""

import re
from collections.abc import Mapping

from starlette.requests import Request

__all__ = ["DONE", "UNDO", "flash_of", "undo_id_of", "with_done"]

UNDO = "/undo"
"""Where it is asked that the change be undone."""
_UNDO_ID = re.compile("[0-9a-f]{32}")

DONE: Mapping[str, str] = {
    "saved": "Saved.",
    "disabled": "Disabled. Its requests are refused from now on.",
    "enabled": "Enabled. Its credentials work again.",
    "undone": "Undone. What stood before the change stands again.",
    "client-undone": "Undone. The settings stand as before the change; tokens that it ended stay ended.",
    "created": "Created.",
    "deleted": "Deleted.",
    "revoked": "The key was revoked. Whatever still uses it is refused from now on.",
    "keys-revoked": "The keys were revoked. Whatever still uses them is refused from now on.",
    "former-ended": "The former secret was ended. The present one goes on.",
    "rotated": "The key has a new secret.",
    "password": "The password was changed.",
    "client-revoked": "The client was revoked. Nothing that it holds opens anything from now on.",
    "token-ended": "The token was ended, and whatever came of the same sign-in.",
    "disconnected": "The application was disconnected. It must ask again.",
    "session-ended": "The session was ended.",
    "sessions-ended": "All other sessions were ended.",
    "user-signed-out": "The user was signed out everywhere.",
    "second-factor-off": "The second factor was turned off. The password alone opens your account now.",
    "second-factor-ended": "The second factor was ended, and the user's sessions with it.",
}
"""By the code that follows `?done=`."""


def flash_of(request: Request) -> str:
    """Give the sentence that a page's address asks for, empty if none; what is in no table is never shown."""
    return DONE.get(request.query_params.get("done", ""), "")


def with_done(address: str, code: str, undo_id: str = "") -> str:
    """Write the address of a page that says what was done, and offers to undo it if that has an id."""
    done = f"{address}{'&' if '?' in address else '?'}done={code}"
    return f"{done}&undo={undo_id}" if undo_id else done


def undo_id_of(sent: object) -> str:
    """Read the id of a change that can be undone; empty if it is none."""
    return sent if isinstance(sent, str) and _UNDO_ID.fullmatch(sent) else ""
