"""What the protocol asks of the state: codes, tokens, families. The services fulfil it, on one transaction."""

from dataclasses import dataclass, field
from typing import Protocol

from latchgate.core.clients import StoredClient
from latchgate.core.token_families import Redeemed, StoredCode, StoredDeviceCode, StoredRefreshToken
from latchgate.core.tokens import Secret
from latchgate.core.users import StoredUser

__all__ = ["Backing", "CodeOrder", "Issued", "Refusal", "TokenOrder"]


@dataclass(frozen=True, slots=True)
class CodeOrder:
    """An authorization code to be made, for what a user allowed."""

    client: StoredClient
    user: StoredUser
    auth_time: int
    redirect_uri: str
    redirect_uri_given: bool
    scopes: frozenset[str]
    audience: frozenset[str]
    code_challenge: str
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """Tokens to be made, and what from: a code, a refresh token, a device's code, or nothing but a client."""

    client: StoredClient
    user: StoredUser
    scopes: frozenset[str]
    audience: frozenset[str]
    made_from: StoredCode | StoredRefreshToken | StoredDeviceCode | None
    refreshable: bool
    """Whether a refresh token comes with it."""
    presented: Secret | None = None
    """The text of the refresh token that it is made from: its successors are derived from it."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens as they are answered, this once. Source: RFC 6749, section 5.1."""

    access_token: Secret
    expires_in: int
    """Seconds."""
    scopes: frozenset[str]
    refresh_token: Secret | None = None
    id_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a token request is refused. Source: RFC 6749, section 5.2."""

    error: str
    description: str


class Backing(Protocol):
    """The state, as the protocol sees it."""

    def find_client(self, client_id: str) -> StoredClient | None:
        """Look up a client that may ask for anything: one that was not revoked."""
        ...

    def list_resources(self) -> frozenset[str]:
        """List the resources that tokens can be for."""
        ...

    def make_code(self, order: CodeOrder) -> Secret:
        """Make an authorization code."""
        ...

    def find_code(self, text: str, client: StoredClient) -> StoredCode | None:
        """Look up a code that was given to a client, used or not."""
        ...

    def redeem_code(self, code: StoredCode) -> Redeemed:
        """Tell what a code is worth whose every binding was proved; one that was used ends what it gave."""
        ...

    def find_refresh_token(self, text: str, client: StoredClient) -> StoredRefreshToken | None:
        """Look up a refresh token that was given to a client, used or not."""
        ...

    def redeem_refresh_token(self, token: StoredRefreshToken) -> Redeemed:
        """Tell what a refresh token is worth; one that was used long ago ends its family."""
        ...

    def find_device_code(self, text: str, client: StoredClient) -> StoredDeviceCode | None:
        """Look up the code of a device that asked through a client."""
        ...

    def may_poll(self, code: StoredDeviceCode) -> bool:
        """Note that a device asks again, and tell whether it waited long enough."""
        ...

    def is_expired(self, code: StoredDeviceCode) -> bool:
        """Whether a device's code is over."""
        ...

    def may_use(self, user: StoredUser, client: StoredClient) -> bool:
        """Whether a user may act at all, and through this client."""
        ...

    def issue(self, order: TokenOrder) -> Issued | None:
        """Make tokens, or give once more those that a lost reply held; None if these are spent already."""
        ...
