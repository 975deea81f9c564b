"""What the cache of verdicts needs from storage: a hold on the database that tells what changed, and looks things up.

All of it may be used from any thread, and none across a fork.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from latchgate.core.access_rules import RuleSet
from latchgate.core.access_tokens import StoredToken
from latchgate.core.api_keys import StoredKey

__all__ = ["Changes", "Feed", "FoundKey", "FoundRules", "FoundToken", "OpenFeed", "Position"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of changes. Numbers of different epochs cannot be compared."""

    epoch: str
    """Another one after a restore."""
    seq: int
    """How many changes there had been."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a position, read at one moment."""

    head: Position
    floor: int
    """The last number whose row is gone."""
    rows: Sequence[tuple[str, int]] | None
    """Kind and record of each change, in order; None where there are too many to follow."""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What a look-up of a key came to."""

    position: Position
    """As of which change it is so."""
    stored: StoredKey | None
    known_source: bool


@dataclass(frozen=True, slots=True)
class FoundToken:
    """What a look-up of an access token came to."""

    position: Position | None
    """As of which change it is so; None where there is no such token."""
    stored: StoredToken | None


@dataclass(frozen=True, slots=True)
class FoundRules:
    """What a look-up of the access rules came to."""

    position: Position
    """As of which change it is so."""
    rules: RuleSet


class Feed(Protocol):
    """A hold on one database file and its generation file, good as long as both are in their places."""

    @property
    def nonce(self) -> int:
        """The present nonce, read from memory: another one after each acknowledged change."""
        ...

    def is_whole(self) -> bool:
        """Whether both files are in their places and the same as when it was opened."""
        ...

    def version(self) -> int:
        """Tell a number that changes with every commit of others, also of those who raise no nonce.

        Raises StorageError.
        """
        ...

    def read_changes(self, after: int) -> Changes:
        """List the changes after a number.

        Raises:
            StorageError: They cannot be read, or what was read is no more the database that everybody uses.
        """
        ...

    def find_key(self, source: str, key_id: str) -> FoundKey:
        """Look a key up with its user and roles, as `ApiKeys.find`. Raises as `read_changes`."""
        ...

    def find_token(self, lookups: Sequence[bytes]) -> FoundToken:
        """Look an access token up with its user and roles, as `AccessTokens.find`. Raises as `read_changes`."""
        ...

    def find_rules(self) -> FoundRules:
        """Read the access rules, as `AccessRules.list_all`. Raises as `read_changes`."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


OpenFeed = Callable[[], Feed]
"""Takes hold of the files as they are now. Raises StorageError."""
