"""What a client asks of a user: the parameters of an authorization request, as they are once they were judged.

Source: RFC 6749, section 4.1.1; RFC 7636, section 4.3; RFC 8707, section 2; OpenID Connect Core, section 3.1.2.1.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlencode

from latchgate.core.clients import StoredClient
from latchgate.oauth.redirects import is_claimed

__all__ = [
    "AuthorizationRequest",
    "Prompt",
    "RefusedRequest",
    "challenge_needed",
    "is_challenge",
    "parse_max_age",
    "parse_prompts",
    "redirection",
    "refuse_request",
]

# BASE64URL of 32 bytes: what S256 gives. Source: RFC 7636, section 4.2.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_AGE = re.compile(r"[0-9]{1,9}")


class Prompt(StrEnum):
    """What the user is to be shown. Source: OpenID Connect Core, section 3.1.2.1."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be put before its user."""

    client: StoredClient
    redirect_uri: str
    """Proved to be the client's."""
    redirect_uri_given: bool
    scopes: frozenset[str]
    audience: frozenset[str]
    code_challenge: str
    prompts: frozenset[Prompt]
    max_age: int | None
    """How many seconds ago the user may have signed in."""
    login_hint: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    id_token_hint: str = field(repr=False)

    @property
    def assured(self) -> bool:
        """Whether it is certain which application gets the answer, so that a user need not be asked twice.

        A public client whose answer goes to an address that any program on a device may take can be anybody. Source:
        RFC 6749, section 10.2; RFC 8252, section 8.6.
        """
        return not self.client.public or is_claimed(self.redirect_uri)


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request that its user never sees."""

    error: str
    """The RFC's code."""
    description: str
    location: str | None = field(default=None, repr=False)
    """Where the client is told; None where it is not proved that the address is its own."""


def challenge_needed(client: StoredClient) -> bool:
    """Whether a client must send a code challenge. Source: RFC 7636; RFC 9700, section 2.1.1."""
    return client.require_pkce or client.public


def is_challenge(text: str) -> bool:
    """Whether a text can be the S256 of a verifier."""
    return bool(_CHALLENGE.fullmatch(text))


def parse_prompts(text: str) -> frozenset[Prompt] | None:
    """Read `prompt`; None if a value is unknown or `none` is not alone."""
    values = set(text.split(" ")) - {""}
    if not values <= set(Prompt) or (Prompt.NONE in values and len(values) > 1):
        return None
    return frozenset(Prompt(value) for value in values)


def parse_max_age(text: str) -> int | None:
    """Read `max_age`, in seconds; None if it is no whole number that is not negative."""
    return int(text) if _MAX_AGE.fullmatch(text) else None


def refuse_request(redirect_uri: str, state: str, issuer: str, told: tuple[str, str]) -> RefusedRequest:
    """Refuse a request whose redirect URI was proved: the client is told, with the issuer (RFC 9207).

    Args:
        redirect_uri: Where the client is told.
        state: The request's.
        issuer: Who tells it.
        told: The RFC's code, and words for the client's developer.
    """
    error, description = told
    parameters = {"error": error, **({"error_description": description} if description else {})}
    return RefusedRequest(error, description, redirection(redirect_uri, parameters, state, issuer))


def redirection(redirect_uri: str, parameters: dict[str, str], state: str, issuer: str) -> str:
    """Write the address by which a browser tells the client. Source: RFC 6749, section 4.1.2; RFC 9207, section 2."""
    told = {**parameters, **({"state": state} if state else {}), "iss": issuer}
    # What stands in the client's own query stays as it is, byte for byte.
    return redirect_uri + ("&" if "?" in redirect_uri else "?") + urlencode(told)
