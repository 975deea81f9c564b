"""Request ids: random, from a supply. Asking the system for each would cost as much as the rest of a quick answer."""

from collections.abc import Iterator

from latchgate.services.ports import Entropy

__all__ = ["RequestIds"]

_BYTES = 16
_SUPPLY = 256


class RequestIds:
    """Gives each id once, in any thread. Never across a fork: parent and child would give the same."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._supply: Iterator[bytes] = iter(())

    def take(self) -> bytes:
        """Give sixteen bytes."""
        while True:
            # One step of the interpreter: no two threads are given the same.
            taken = next(self._supply, None)
            if taken is not None:
                return taken
            drawn = self._entropy.random_bytes(_BYTES * _SUPPLY)
            self._supply = iter([drawn[start : start + _BYTES] for start in range(0, len(drawn), _BYTES)])
