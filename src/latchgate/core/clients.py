"""OAuth 2 clients: what is stored of one, and how its secret is judged. Source: RFC 6749, section 2."""

from dataclasses import dataclass, field
from enum import StrEnum

from latchgate.core.tokens import Digest, Peppers, Purpose, Secret
from latchgate.core.users import StoredUser, effective_roles

__all__ = [
    "AuthMethod",
    "GrantType",
    "SigningAlgorithm",
    "StoredClient",
    "client_secret_matches",
    "digest_client_secret",
    "roles_admit",
]


class AuthMethod(StrEnum):
    """How a client proves that it is itself. Source: RFC 7591, section 2; OpenID Connect Core, section 9."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"
    """A public client: one that can keep no secret."""

    @property
    def by_secret(self) -> bool:
        """Whether it is a shared secret; a client that has one may send it either way."""
        return self in {AuthMethod.BASIC, AuthMethod.POST}


class GrantType(StrEnum):
    """What a client may exchange for tokens. There is no password and no implicit grant (RFC 9700, section 2)."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class SigningAlgorithm(StrEnum):
    """What ID tokens are signed with. Source: RFC 7518, section 3.1."""

    RS256 = "RS256"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A client as stored. Times are Unix seconds, but `creation` and `modified`: microseconds."""

    id: int
    client_id: str
    app_name: str
    auth_method: AuthMethod
    digest: Digest | None = field(repr=False)
    """Of its secret; None for a client that has none."""
    previous_digest: Digest | None = field(repr=False)
    previous_until: int | None
    """Until when the secret before the last rotation works beside the present one."""
    jwks: str
    """Its public keys as a JSON Web Key Set, for `private_key_jwt`; empty for the others."""
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: frozenset[GrantType]
    scopes: frozenset[str]
    """All that it may ask for."""
    resources: tuple[str, ...]
    """The protected resources that it is itself, as absolute URIs: of tokens for these it may learn what they are."""
    user: StoredUser | None
    """Whom it runs as by client credentials."""
    allowed_roles: frozenset[str]
    """One of these a user must have to sign in through it; none means any user."""
    skip_authorization: bool
    """Whether it is trusted: users are not asked."""
    require_pkce: bool
    id_token_alg: SigningAlgorithm
    client_uri: str
    registered: bool
    """Whether it registered itself (RFC 7591)."""
    creation: int
    owner: str
    modified: int
    modified_by: str
    revoked_at: int | None
    changed: int = 0
    """When what is chosen of it was changed last, in microseconds: a new secret is no change."""

    @property
    def public(self) -> bool:
        """Whether it can keep no secret. Source: RFC 6749, section 2.1."""
        return self.auth_method is AuthMethod.NONE


def roles_admit(allowed_roles: frozenset[str], user: StoredUser) -> bool:
    """Whether a client that is for users with one of these roles is for this one; without any it is for everybody."""
    return not allowed_roles or not allowed_roles.isdisjoint(effective_roles(user))


def digest_client_secret(peppers: Peppers, row_id: int, client_id: str, secret: Secret) -> Digest:
    """Make what is stored of a client's secret, bound to its row: copied into another row it matches nothing."""
    return peppers.digest(Purpose.CLIENT_SECRET, str(row_id), client_id, secret.text)


def client_secret_matches(peppers: Peppers, client: StoredClient, secret: Secret, now: int) -> bool:
    """Whether a presented secret is the client's, or its former one while that still works."""
    parts = str(client.id), client.client_id, secret.text
    nothing = Digest(0, bytes(32))
    present = peppers.matches(client.digest or nothing, Purpose.CLIENT_SECRET, *parts)
    former = peppers.matches(client.previous_digest or nothing, Purpose.CLIENT_SECRET, *parts)
    overlaps = client.previous_until is not None and now < client.previous_until
    # Both were compared whatever came of the first, so that the time tells nothing.
    return present or (former and overlaps)
