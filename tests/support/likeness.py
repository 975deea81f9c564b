"""What two answers may differ in although they are the same: what is random, and what time it is.

A random text of one side stands for one text of the other, throughout all that is compared.
"""

import re

__all__ = ["Likeness"]

_WORD = re.compile(rb"[A-Za-z0-9_-]+|[^A-Za-z0-9_-]+")
_MOMENTS = (
    (re.compile(rb"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?"), b"<moment>"),
    (re.compile(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT"), b"<moment>"),
    (re.compile(rb"\b1[789]\d{8}\b"), b"<unix time>"),
    (re.compile(rb"(?im)^(retry-after: )\d+(?=\r$)"), rb"\1<seconds>"),
    (re.compile(rb'("expires_in": ?|"exp": ?|Max-Age=)\d+'), rb"\1<seconds>"),
)
_RANDOM_LENGTH_MIN = 10


class Likeness:
    """Holds pairs of texts that stand for each other."""

    def __init__(self) -> None:
        self._pairs: dict[bytes, bytes] = {}
        self._taken: dict[bytes, bytes] = {}

    def __call__(self, one: bytes, other: bytes) -> tuple[bytes, bytes]:
        """Put two answers into the same form where they differ in nothing but moments and random texts."""
        for pattern, replacement in _MOMENTS:
            one, other = pattern.sub(replacement, one), pattern.sub(replacement, other)
        if one == other:
            return one, other
        words, others = _WORD.findall(one), _WORD.findall(other)
        if len(words) != len(others):
            return one, other
        found = [a if a == b or not self._stand_for_each_other(a, b) else b for a, b in zip(words, others, strict=True)]
        return b"".join(found), other

    def _stand_for_each_other(self, one: bytes, other: bytes) -> bool:
        if len(one) != len(other) or len(one) < _RANDOM_LENGTH_MIN:
            return False
        # What was alike once is no random text, and nobody stands for two.
        return self._pairs.setdefault(one, other) == other and self._taken.setdefault(other, one) == one
