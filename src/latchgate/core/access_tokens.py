"""OAuth 2 access tokens: what is stored of one, and how a presented one is judged."""

import re
from dataclasses import dataclass, field

from latchgate.core.clients import roles_admit
from latchgate.core.principals import Reason
from latchgate.core.tokens import Digest, Peppers, Purpose, Secret, has_our_prefix, verify_checksum
from latchgate.core.users import StoredUser

__all__ = ["StoredToken", "digest_token", "judge_token", "lookup_values", "parse_foreign_token", "token_matches"]


@dataclass(frozen=True, slots=True)
class StoredToken:
    """An access token as stored. Times are Unix seconds."""

    id: int
    public_id: str
    """What the log names; tells nothing of the token."""
    user: StoredUser
    client: str
    scopes: frozenset[str]
    digest: Digest = field(repr=False)
    issued_at: int
    expires_at: int
    revoked_at: int | None
    """The earliest end: of the token itself, of its family, or of its client."""
    audience: frozenset[str] = frozenset()
    """The protected resources that it is for (RFC 8707); none means this service."""
    client_row_id: int | None = None
    """Of the client that it was issued to here; None for one that was imported."""
    family_id: int | None = None
    client_roles: frozenset[str] = frozenset()
    """One of these its user must have, as its client says now; none means any user."""


def lookup_values(peppers: Peppers, token: Secret) -> list[bytes]:
    """List the values under which a token may be found, the newest pepper's first.

    A token has no public half to look it up by. The look-up value is a digest of its own purpose, so that it is not
    the one that proves the token.
    """
    return peppers.candidates(Purpose.ACCESS_TOKEN_LOOKUP, token.text)


def digest_token(peppers: Peppers, token_id: int, public_id: str, token: Secret) -> Digest:
    """Make what is stored of a token, bound to its row: copied into another row it matches nothing."""
    return peppers.digest(Purpose.ACCESS_TOKEN, str(token_id), public_id, token.text)


def token_matches(peppers: Peppers, stored: StoredToken, token: Secret) -> bool:
    """Whether a presented text is the stored token."""
    return peppers.matches(stored.digest, Purpose.ACCESS_TOKEN, str(stored.id), stored.public_id, token.text)


def judge_token(stored: StoredToken, now: int, issuer: str) -> Reason | None:
    """Tell why a genuine token is refused here, or None; whether its user may act at all is judged apart.

    Args:
        stored: The token.
        now: Unix seconds.
        issuer: This service's own address; a token for other resources alone opens nothing here (RFC 8707, section 2).
    """
    # Whatever the time: it was written by a clock that may be ahead of this one.
    if stored.revoked_at is not None:
        return Reason.REVOKED
    if stored.expires_at <= now:
        return Reason.EXPIRED
    if stored.audience and issuer not in stored.audience:
        return Reason.OTHER_AUDIENCE
    return None if roles_admit(stored.client_roles, stored.user) else Reason.CLIENT_ROLE_MISSING


def parse_foreign_token(token: Secret) -> str | None:
    """Tell what keeps a token made elsewhere from working here, or None. Source: RFC 6750, section 2.1."""
    if not re.fullmatch(r"[A-Za-z0-9\-._~+/]{16,512}=*", token.text):
        return "must be 16 to 512 characters of A-Z a-z 0-9 - . _ ~ + /"
    if has_our_prefix(token.text) and not verify_checksum(token.text):
        return "looks like one made by Latchgate but its last six characters do not fit"
    return None
