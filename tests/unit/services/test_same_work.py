"""A wrong secret costs what an unknown key costs, whatever became of the key and of the key file since."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from latchgate.core import tokens
from latchgate.core.api_keys import StoredKey, digest_secret, find_proof
from latchgate.core.tokens import Peppers, Secret
from latchgate.services.authentication import _DECOY
from unit.core.examples import FORMER_SECRET, KEY, NOW, OLD_PEPPER, PEPPERS

_IDENTITY = KEY.id, KEY.source, KEY.key_id


@pytest.mark.parametrize(
    "former",
    [
        pytest.param(None, id="never rotated"),
        pytest.param(PEPPERS, id="rotated"),
        pytest.param(Peppers([OLD_PEPPER]), id="rotated after the key file was"),
    ],
)
def test_same_work(monkeypatch: pytest.MonkeyPatch, former: Peppers | None) -> None:
    """So many digests are made for both."""
    digest = digest_secret(former, _IDENTITY, FORMER_SECRET) if former else None
    known = replace(KEY, previous_digest=digest, previous_until=NOW - 10 if digest else None)
    made: list[bytes] = []
    make = tokens._hmac

    def count(key: bytes, parts: Sequence[str]) -> bytes:
        made.append(key)
        return make(key, parts)

    monkeypatch.setattr(tokens, "_hmac", count)

    def work(key: StoredKey) -> int:
        made.clear()
        assert find_proof(PEPPERS, key, Secret("guess"), NOW) is None
        return len(made)

    assert work(known) == work(_DECOY)
