import pytest

from latchgate.core.clients import SigningAlgorithm
from latchgate.core.tokens import Sealed
from latchgate.errors import Conflict
from latchgate.services.oauth_ports import NewSigningKey, StoredSigningKey
from latchgate.services.ports import Store


def _new(kid: str, created_at: int) -> NewSigningKey:
    return NewSigningKey(kid, SigningAlgorithm.ES256, '{"kty": "EC"}', Sealed(3, b"\x00sealed\xff"), created_at)


class TestSigningKeys:
    def test_found_as_stored(self, store: Store) -> None:
        """Keys come back whole, the newest first; of two of one second the one stored later."""
        with store.write() as tx:
            ids = {kid: tx.signing_keys.add(_new(kid, at)) for kid, at in (("b", 5), ("a", 9), ("c", 5))}

        with store.read() as tx:
            listed = tx.signing_keys.list_all()
        assert [key.kid for key in listed] == ["a", "c", "b"]
        assert listed[0] == StoredSigningKey(
            ids["a"], "a", SigningAlgorithm.ES256, '{"kty": "EC"}', Sealed(3, b"\x00sealed\xff"), 9, None
        )

    def test_kid_taken(self, store: Store) -> None:
        """No two keys have one kid."""
        with store.write() as tx:
            tx.signing_keys.add(_new("a", 1))
            with pytest.raises(Conflict, match="a"):
                tx.signing_keys.add(_new("a", 2))

    def test_retired_and_deleted(self, store: Store) -> None:
        """A key retires once, and stays to verify until it is deleted."""
        with store.write() as tx:
            row_id = tx.signing_keys.add(_new("a", 1))
            tx.signing_keys.add(_new("b", 2))
            tx.signing_keys.retire(row_id, 10)
            tx.signing_keys.retire(row_id, 20)
            assert [(key.kid, key.retired_at) for key in tx.signing_keys.list_all()] == [("b", None), ("a", 10)]
            tx.signing_keys.delete(row_id)

        with store.read() as tx:
            assert [key.kid for key in tx.signing_keys.list_all()] == ["b"]
