"""What is made of a principal alone, made once and kept in bounded memory: most requests are of few callers."""

from collections.abc import Callable
from typing import Generic, TypeVar

from latchgate.core.principals import Principal

__all__ = ["PrincipalMemory"]

T = TypeVar("T")

_PRINCIPALS_MAX = 1024


class PrincipalMemory(Generic[T]):
    """Gives what a function makes of a principal; any thread may ask.

    It goes by the very object, since two that are equal may have come with two secrets of a key. So nothing here can
    outlive what it was made of: a change ends the verdict, and whoever is verified after that is another object.
    """

    def __init__(self, make: Callable[[Principal], T]) -> None:
        """Keep nothing yet. What `make` gives follows from the principal alone."""
        self._make = make
        self._kept: dict[int, tuple[Principal, T]] = {}
        """By its id a principal, which is held so that the id is no other's, and what was made of it."""

    def get(self, who: Principal) -> T:
        """Give what is made of a principal."""
        kept = self._kept.get(id(who))
        if kept is not None and kept[0] is who:
            return kept[1]
        if len(self._kept) >= _PRINCIPALS_MAX:
            self._kept.clear()
        made = self._make(who)
        self._kept[id(who)] = who, made
        return made
