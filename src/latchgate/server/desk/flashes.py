"""What a page says after something was done: the address holds a short code, the sentence stands here alone."""

from collections.abc import Mapping

from starlette.requests import Request

__all__ = ["DONE", "flash_of"]

DONE: Mapping[str, str] = {
    "saved": "Saved.",
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
