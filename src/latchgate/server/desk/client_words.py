"""What an OAuth client is, in the words that people use for it."""

from collections.abc import Iterable

from latchgate.core.clients import AuthMethod, GrantType

__all__ = ["AUTH_METHODS", "GRANTS", "KINDS", "grant_words", "kind_words", "preset_of"]

KINDS: tuple[tuple[str, str], ...] = (
    ("web", "A web application: its server keeps a secret"),
    ("app", "A single-page or native app: it can keep no secret"),
    ("script", "A script or service that acts by itself"),
    ("device", "A device without a keyboard or browser"),
)
"""What somebody says who makes one."""
_PRESETS: dict[str, tuple[AuthMethod, frozenset[GrantType]]] = {
    "web": (AuthMethod.BASIC, frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN})),
    "app": (AuthMethod.NONE, frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN})),
    "script": (AuthMethod.BASIC, frozenset({GrantType.CLIENT_CREDENTIALS})),
    "device": (AuthMethod.NONE, frozenset({GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN})),
}
GRANTS: dict[str, tuple[str, str]] = {
    GrantType.AUTHORIZATION_CODE: ("sign-in", "Users sign in with it (authorization code)"),
    GrantType.DEVICE_CODE: ("device", "Users connect it by a code that it shows (device code)"),
    GrantType.CLIENT_CREDENTIALS: ("by itself", "It acts by itself, as the user named above (client credentials)"),
    GrantType.REFRESH_TOKEN: ("refresh", "It stays connected without asking again (refresh token)"),
}
"""By grant type: a word for lists, and a sentence for forms."""
AUTH_METHODS: tuple[tuple[str, str], ...] = (
    (AuthMethod.BASIC, "A client secret"),
    (AuthMethod.PRIVATE_KEY_JWT, "A key of its own (private_key_jwt)"),
    (AuthMethod.NONE, "Nothing: it can keep no secret"),
)


def preset_of(kind: str) -> tuple[AuthMethod, frozenset[GrantType]] | None:
    """Give how a client of a kind proves that it is itself, and what it exchanges; None for no kind."""
    return _PRESETS.get(kind)


def grant_words(grants: Iterable[str]) -> str:
    """Say what a client exchanges for tokens, in a list's few words; grants of other versions by their names."""
    named = set(grants)
    known = [word for grant, (word, _) in GRANTS.items() if grant in named]
    return ", ".join((*known, *sorted(named - GRANTS.keys())))


def kind_words(auth_method: str, *, trusted: bool) -> str:
    """Say whether a client can keep a secret, and whether users are asked."""
    kept = "public" if auth_method == AuthMethod.NONE else "confidential"
    return f"{kept}, trusted" if trusted else kept
