"""What OAuth 2 needs from the store: clients, families of tokens, consents, device codes, signing keys.

As in ports.py: `find_` gives None for what is absent, an `add_` returns the new row's id, all times are Unix seconds
but `creation` and `modified` (microseconds). All that ends a family or a client ends what was issued of it, since
`AccessTokens.find` tells the earliest end of the three.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.core.token_families import (
    Approval,
    DeviceState,
    StoredCode,
    StoredConsent,
    StoredDeviceCode,
    StoredFamily,
    StoredRefreshToken,
)
from latchgate.core.tokens import Digest, Sealed

__all__ = [
    "ClientFields",
    "Clients",
    "Consents",
    "DeviceCodes",
    "NewClient",
    "NewCode",
    "NewDeviceCode",
    "NewSigningKey",
    "SigningKeys",
    "StoredSigningKey",
    "TokenFamilies",
]


@dataclass(frozen=True, slots=True)
class ClientFields:
    """All of a client that is chosen."""

    app_name: str
    auth_method: AuthMethod
    jwks: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: frozenset[GrantType]
    scopes: frozenset[str]
    resources: tuple[str, ...]
    user_id: int | None
    allowed_roles: frozenset[str]
    skip_authorization: bool
    require_pkce: bool
    id_token_alg: SigningAlgorithm
    client_uri: str


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client to be stored."""

    client_id: str
    fields: ClientFields
    registered: bool
    owner: str


@dataclass(frozen=True, slots=True)
class NewCode:
    """An authorization code to be stored, by the digest that it is looked up by."""

    lookup: bytes = field(repr=False)
    client_row_id: int
    user_id: int
    redirect_uri: str
    redirect_uri_given: bool
    code_challenge: str
    approval: Approval
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class NewDeviceCode:
    """A device that begins to wait, by the digests that its two codes are looked up by."""

    lookup: bytes = field(repr=False)
    user_code_lookup: bytes = field(repr=False)
    client_row_id: int
    scopes: frozenset[str]
    audience: frozenset[str]
    issued_at: int
    expires_at: int
    interval_seconds: int


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A key that ID tokens are signed with: the public half as a JSON Web Key, the private half encrypted."""

    id: int
    kid: str
    algorithm: SigningAlgorithm
    public_jwk: str
    sealed: Sealed = field(repr=False)
    created_at: int
    retired_at: int | None
    """Since when it signs no more; what it signed is still verified with it."""


@dataclass(frozen=True, slots=True)
class NewSigningKey:
    """A signing key to be stored."""

    kid: str
    algorithm: SigningAlgorithm
    public_jwk: str
    sealed: Sealed = field(repr=False)
    created_at: int


class Clients(Protocol):
    """The OAuth clients of one transaction."""

    def find(self, client_id: str) -> StoredClient | None:
        """Look a client up by its exact id, revoked ones too."""
        ...

    def find_id(self, row_id: int) -> StoredClient | None:
        """Look a client up by its row."""
        ...

    def list_all(self) -> list[StoredClient]:
        """List the clients by name, then id, revoked ones too."""
        ...

    def list_resources(self) -> frozenset[str]:
        """List the resources that clients which were not revoked are themselves."""
        ...

    def add(self, new: NewClient, now_us: int) -> int:
        """Store a client without a secret. Raises Conflict if the id is taken."""
        ...

    def change(self, row_id: int, fields: ClientFields, by: str, now_us: int) -> None:
        """Replace all that is chosen of a client."""
        ...

    def replace_secret(self, row_id: int, digest: Digest, previous_until: int | None, by: str, now_us: int) -> None:
        """Give a client a new secret; the one before goes on working until `previous_until`, None ends it now."""
        ...

    def revoke(self, row_id: int, now: int, by: str, now_us: int) -> None:
        """End a client. An earlier end stands."""
        ...

    def delete(self, row_id: int) -> None:
        """Delete a client with all that was issued to it."""
        ...

    def use_assertion(self, row_id: int, digest: bytes, expires_at: int, now: int) -> bool:
        """Note that an assertion of a client was used; False if it was before. Forgets those that expired by now."""
        ...


class TokenFamilies(Protocol):
    """Authorization codes, refresh tokens and the families that they belong to, of one transaction."""

    def add_family(self, public_id: str, client_row_id: int, user_id: int, approval: Approval, now: int) -> int:
        """Store a family, which keeps no nonce."""
        ...

    def find_family(self, family_id: int) -> StoredFamily | None:
        """Look a family up."""
        ...

    def revoke_family(self, family_id: int, now: int) -> None:
        """End a family: its access tokens and refresh tokens are dead from now on. An earlier end stands."""
        ...

    def revoke_families(self, now: int, *, user_id: int, client_row_id: int | None = None) -> int:
        """End every live family of a user, or those of the user with one client; tells how many.

        With them end the codes that would begin another: authorization codes, and devices that the user allowed.
        """
        ...

    def list_live(self, user_id: int, now: int) -> list[StoredFamily]:
        """List a user's families of which a token still works, or can be exchanged, the newest 1,000 first."""
        ...

    def count_users(self, client_row_id: int, now: int) -> int:
        """Count the users of whose families with a client a token still works, or can be exchanged."""
        ...

    def add_code(self, new: NewCode) -> int:
        """Store an authorization code, and forget those that expired long ago (a day)."""
        ...

    def find_code(self, lookups: Sequence[bytes]) -> StoredCode | None:
        """Look a code up by any of the digests that it may be stored under."""
        ...

    def use_code(self, code_id: int, family_id: int, now: int) -> None:
        """Note that a code was redeemed, and what came of it."""
        ...

    def add_refresh_token(self, lookup: bytes, family_id: int, issued_at: int, expires_at: int) -> int:
        """Store a refresh token without its digest; it opens nothing until `set_refresh_digest`."""
        ...

    def set_refresh_digest(self, token_id: int, digest: Digest) -> None:
        """Bind the digest to the row."""
        ...

    def find_refresh_token(self, lookups: Sequence[bytes]) -> StoredRefreshToken | None:
        """Look a refresh token up by any of its look-up values, with its family and that one's user and roles."""
        ...

    def use_refresh_token(self, token_id: int, now: int) -> None:
        """Note that a refresh token was exchanged. An earlier use stands."""
        ...

    def forget_expired(self, now: int) -> None:
        """Delete a bounded number (200) of what ended at least seven days before: refresh and access tokens, families.

        A family is deleted only when it has no token left. What was used or revoked stays for these days, so that a
        reuse is recognised and a revoked token is told from an unknown one.
        """
        ...


class Consents(Protocol):
    """What users allowed clients once and for all, of one transaction."""

    def find(self, user_id: int, client_row_id: int) -> StoredConsent | None:
        """Look up what a user allowed a client."""
        ...

    def find_public(self, public_id: str) -> StoredConsent | None:
        """Look a consent up by its name."""
        ...

    def list_of(self, user_id: int) -> list[StoredConsent]:
        """List what a user allowed, by the clients' names."""
        ...

    def put(self, public_id: str, user_id: int, client_row_id: int, approval: Approval, now_us: int) -> None:
        """Store a consent; one that is there already becomes what is allowed now, and keeps its name."""
        ...

    def delete(self, consent_id: int) -> None:
        """Delete a consent; the tokens are ended by `TokenFamilies.revoke_families`."""
        ...


class DeviceCodes(Protocol):
    """Devices that wait for their user, of one transaction."""

    def add(self, new: NewDeviceCode) -> int:
        """Store a device code, and forget those that expired a day ago. Raises Conflict if a user code is taken."""
        ...

    def find(self, lookups: Sequence[bytes]) -> StoredDeviceCode | None:
        """Look up by any digest of the device code."""
        ...

    def find_user_code(self, lookups: Sequence[bytes]) -> StoredDeviceCode | None:
        """Look up by any digest of the user code."""
        ...

    def answer(self, row_id: int, state: DeviceState, user_id: int, auth_time: int) -> None:
        """Note what the user said, who it was, and since when that one is signed in."""
        ...

    def poll(self, row_id: int, now: int, interval_seconds: int) -> None:
        """Note that the device asked, and how long it must wait from now on."""
        ...

    def use(self, row_id: int, now: int) -> None:
        """Note that tokens were issued for it."""
        ...


class SigningKeys(Protocol):
    """The keys that ID tokens are signed with, of one transaction."""

    def list_all(self) -> list[StoredSigningKey]:
        """List the keys, the newest first."""
        ...

    def add(self, new: NewSigningKey) -> int:
        """Store a key. Raises Conflict if the kid is taken."""
        ...

    def retire(self, row_id: int, now: int) -> None:
        """Note that a key signs no more. An earlier time stands."""
        ...

    def delete(self, row_id: int) -> None:
        """Delete a key: what it signed is not verified any more."""
        ...
