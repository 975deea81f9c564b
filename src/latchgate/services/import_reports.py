"""What came of an import, and how a refusal names the entry of the document that it is about."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from latchgate.errors import Conflict, Invalid, NotFound

__all__ = ["ImportReport", "Left", "naming"]


@dataclass(frozen=True, slots=True)
class Left:
    """Something in the document that was not taken, and why."""

    entry: str
    """Such as `users[8].api_secret`."""
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import: how many of each kind were taken, how many existed, and what was left."""

    taken: Counter[str] = field(default_factory=Counter)
    existed: Counter[str] = field(default_factory=Counter)
    left: list[Left] = field(default_factory=list)
    new_managers: list[str] = field(default_factory=list)
    """Users that gained the role System Manager."""
    new_keys: list[str] = field(default_factory=list)
    """Users that existed and gained a key, one of a source's record or an access token."""
    weak_passwords: list[str] = field(default_factory=list)
    """Users whose password was taken although nobody could choose it here."""
    trusted_clients: list[str] = field(default_factory=list)
    """Clients that were taken and whose users are not asked whether they allow them."""

    def leave(self, entry: str, reason: str) -> None:
        """Note what was not taken."""
        self.left.append(Left(entry, reason))


@contextmanager
def naming(place: str, name: str | None = None) -> Iterator[None]:
    """Let a refusal name the entry of the document that it is about."""
    try:
        yield
    except Invalid as error:
        raise Invalid({f"{place}.{name or key}": reason for key, reason in error.fields.items()}) from None
    except (NotFound, Conflict) as error:
        raise Invalid({place: error.public}) from None
