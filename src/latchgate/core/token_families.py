"""What tokens descend from: the codes and refresh tokens of OAuth 2, and the family that one approval begins.

All tokens that come of one approval are a family: it ends as a whole when a code or a refresh token is used twice, when
its user, its client or the consent ends, or when it is revoked. Times are Unix seconds.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum

from latchgate.core.scopes import scopes_within
from latchgate.core.tokens import Digest, Peppers, Purpose, Secret
from latchgate.core.users import StoredUser

__all__ = [
    "Approval",
    "DeviceState",
    "Redeemed",
    "StoredCode",
    "StoredConsent",
    "StoredDeviceCode",
    "StoredFamily",
    "StoredRefreshToken",
    "consent_covers",
    "digest_refresh_token",
    "judge_code",
    "judge_refresh_token",
    "refresh_token_matches",
    "widen_consent",
]


@dataclass(frozen=True, slots=True)
class Approval:
    """What a user allowed a client."""

    scopes: frozenset[str]
    audience: frozenset[str]
    """The protected resources that tokens are for (RFC 8707); none means this service."""
    auth_time: int
    """When the user signed in."""
    nonce: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StoredFamily:
    """A family of tokens."""

    id: int
    public_id: str
    client_row_id: int
    client_id: str
    user: StoredUser
    approval: Approval
    created_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class StoredCode:
    """An authorization code."""

    id: int
    client_row_id: int
    user: StoredUser
    redirect_uri: str
    redirect_uri_given: bool
    """Whether the authorization request named it, so that the token request must too."""
    code_challenge: str
    """S256 of the verifier; empty if the request had none."""
    approval: Approval
    issued_at: int
    expires_at: int
    used_at: int | None
    family_id: int | None
    """What its first use began."""


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token, with the family that it goes on."""

    id: int
    family: StoredFamily
    digest: Digest = field(repr=False)
    issued_at: int
    expires_at: int
    used_at: int | None


class DeviceState(StrEnum):
    """What became of a device's request."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class StoredDeviceCode:
    """A device that waits for its user. Source: RFC 8628."""

    id: int
    client_row_id: int
    client_id: str
    state: DeviceState
    user: StoredUser | None
    """Who answered."""
    approval: Approval
    issued_at: int
    expires_at: int
    interval_seconds: int
    polled_at: int | None
    used_at: int | None


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """What a user allowed a client once and is not asked again."""

    id: int
    public_id: str
    user: str
    user_id: int
    client_row_id: int
    client_id: str
    app_name: str
    scopes: frozenset[str]
    audience: frozenset[str]
    creation: int
    """Microseconds since 1970, as `modified`."""
    modified: int


class Redeemed(Enum):
    """What a presented code or refresh token is worth."""

    GOOD = "good"
    AGAIN = "again"
    """It was used a moment ago: its reply may have been lost, and is given once more."""
    REUSED = "reused"
    """It was used before: two hold it, and the family ends."""
    DEAD = "dead"


def judge_code(code: StoredCode, now: int) -> Redeemed:
    """Judge a code of the right client. Source: RFC 6749, section 4.1.2; a code is never redeemed twice."""
    if code.used_at is not None:
        return Redeemed.REUSED
    return Redeemed.GOOD if now < code.expires_at else Redeemed.DEAD


def judge_refresh_token(token: StoredRefreshToken, now: int, grace_seconds: int) -> Redeemed:
    """Judge a refresh token of the right client. Source: RFC 9700, section 4.14.2.

    Args:
        token: As stored.
        now: Unix seconds.
        grace_seconds: How long after its use it may be sent again, for a reply that was lost on its way.
    """
    if token.family.revoked_at is not None:
        return Redeemed.DEAD
    if token.used_at is not None:
        return Redeemed.AGAIN if now <= token.used_at + grace_seconds else Redeemed.REUSED
    return Redeemed.GOOD if now < token.expires_at else Redeemed.DEAD


def consent_covers(consent: StoredConsent, scopes: frozenset[str], audience: frozenset[str]) -> bool:
    """Whether a user allowed before all that is asked for now, so that there is no need to ask again."""
    # No audience means this service: it is not the least of audiences, but another one.
    within = audience == consent.audience or (bool(audience) and audience <= consent.audience)
    return within and scopes_within(scopes, consent.scopes)


def widen_consent(before: StoredConsent | None, approval: Approval) -> Approval:
    """Give what a user has allowed a client who allows something more; of it nothing that was never allowed.

    What was allowed for other resources is left out: together they would be each scope for each resource.
    """
    if before is None or before.audience != approval.audience:
        return approval
    return replace(approval, scopes=before.scopes | approval.scopes)


def digest_refresh_token(peppers: Peppers, row_id: int, family_id: int, token: Secret) -> Digest:
    """Make what is stored of a refresh token, bound to its row and family."""
    return peppers.digest(Purpose.REFRESH_TOKEN, str(row_id), str(family_id), token.text)


def refresh_token_matches(peppers: Peppers, stored: StoredRefreshToken, token: Secret) -> bool:
    """Whether a presented text is the stored refresh token."""
    return peppers.matches(stored.digest, Purpose.REFRESH_TOKEN, str(stored.id), str(stored.family.id), token.text)
