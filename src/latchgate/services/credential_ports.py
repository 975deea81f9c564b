"""What the services need to keep of credentials: keys, access tokens, sessions, and the links of set-up and reset.

Names and times as in ports.py.
"""

from collections.abc import Sequence
from typing import Protocol

from latchgate.core.access_tokens import StoredToken
from latchgate.core.api_keys import StoredKey
from latchgate.core.sessions import StoredSession
from latchgate.core.tokens import Digest
from latchgate.services.port_values import KeyFilter, NewKey, NewSession, NewToken, Stamp

__all__ = ["AccessTokens", "ApiKeys", "Links", "Sessions"]


class ApiKeys(Protocol):
    """The API keys of one transaction."""

    def find(self, source: str, key_id: str) -> StoredKey | None:
        """Look a key up, byte for byte, with its owner, its user and that user's roles: one query."""
        ...

    def find_any(self, key_id: str) -> list[StoredKey]:
        """List the keys of that id in every source."""
        ...

    def find_primary(self, source: str, record: str) -> StoredKey | None:
        """Look up the unrevoked key that Frappe calls the owner's api_key."""
        ...

    def list_some(self, wanted: KeyFilter, now: int) -> list[StoredKey]:
        """List keys by source, owner and age."""
        ...

    def add(self, key: NewKey, now_us: int) -> int:
        """Store a key without a secret: it opens nothing until `replace_secret`.

        Raises Conflict if the source has a key of that id, or the owner an unrevoked primary one already.
        """
        ...

    def replace_secret(
        self, key_row_id: int, digest: Digest, previous_until: int | None, stamp: Stamp | None = None
    ) -> None:
        """Give a key a new secret; the one before goes on working until `previous_until`, None ends it now."""
        ...

    def end_at(self, key_row_id: int, expires_at: int) -> None:
        """Let a key expire then."""
        ...

    def relabel(self, key_row_id: int, label: str, stamp: Stamp) -> None:
        """Give a key another label."""
        ...

    def revoke(self, key_row_id: int, now: int, stamp: Stamp | None = None) -> None:
        """End a key. An earlier end stands."""
        ...


class AccessTokens(Protocol):
    """The access tokens of one transaction."""

    def find(self, lookups: Sequence[bytes]) -> StoredToken | None:
        """Look a token up by any of its look-up values, with its user and that user's roles."""
        ...

    def find_public(self, public_id: str) -> StoredToken | None:
        """Look a token up by what the log calls it."""
        ...

    def add(self, token: NewToken) -> int:
        """Store a token without its digest; it opens nothing until `set_digest`. Raises Conflict on the look-up."""
        ...

    def set_digest(self, token_id: int, digest: Digest) -> None:
        """Bind the digest to the row."""
        ...

    def revoke(self, token_id: int, now: int) -> None:
        """End a token. An earlier end stands."""
        ...

    def revoke_issued(self, client_row_id: int, now: int, *, user_id: int | None = None) -> int:
        """End a client's tokens of no family (client credentials, imported), or those of a user; tells how many."""
        ...

    def revoke_beyond(self, client_row_id: int, scopes: frozenset[str], now: int) -> int:
        """End a client's live tokens that reach further than these scopes; tells how many."""
        ...


class Sessions(Protocol):
    """The sessions of one transaction."""

    def find(self, digests: Sequence[bytes]) -> StoredSession | None:
        """Look a session up by any of the digests its id may be stored under, with its user and roles."""
        ...

    def find_public(self, public_id: str) -> StoredSession | None:
        """Look a session up by what the log calls it."""
        ...

    def add(self, session: NewSession, now: int) -> int:
        """Store a session."""
        ...

    def set_second_factor(self, public_id: str) -> None:
        """Note that a second factor was given for a session, by what the log calls it."""
        ...

    def touch(self, session_id: int, now: int) -> None:
        """Note that a session was used; this alters no verdict."""
        ...

    def revoke(self, session_id: int, now: int) -> None:
        """End a session."""
        ...

    def list_unrevoked(self, user_id: int) -> list[StoredSession]:
        """List the sessions of a user that nobody has ended, the one used last first; the oldest may be dead by age."""
        ...

    def revoke_all(self, user_id: int, now: int, *, but: str | None = None) -> int:
        """End every session of a user, but perhaps the one with that public id; tells how many."""
        ...


class Links(Protocol):
    """One-time links (set-up, password reset) of one transaction."""

    def add(self, digest: bytes, purpose: str, user_id: int, expires_at: int) -> None:
        """Store a link; one of the same purpose and user made before it ends."""
        ...

    def find(self, digests: Sequence[bytes], purpose: str, now: int) -> int | None:
        """Tell the id of the user of a live link, or None."""
        ...

    def end_all(self, user_id: int) -> None:
        """End every link of a user."""
        ...

    def use(self, digests: Sequence[bytes], purpose: str, now: int) -> int | None:
        """Use a live link up and tell the id of its user; None if it is not alive (any more)."""
        ...
