import pytest

from latchgate.core.token_families import Approval, StoredConsent
from latchgate.errors import Conflict
from latchgate.services.ports import Store, Transaction
from support.new_rows import APPROVAL, new_client, new_user


def _begin(tx: Transaction) -> tuple[int, int]:
    """Store a user and a client."""
    return tx.users.add(new_user(), 1), tx.clients.add(new_client(), 1)


class TestConsents:
    def test_found_as_stored(self, store: Store) -> None:
        """A consent comes back whole, by user and client or by its name."""
        with store.write() as tx:
            user_id, client = _begin(tx)
            tx.consents.put("c", user_id, client, APPROVAL, 7)

        with store.read() as tx:
            found = tx.consents.find(user_id, client)
            assert found is not None
            assert found == tx.consents.find_public("c")
            assert found == StoredConsent(
                found.id,
                "c",
                "ann@example.com",
                user_id,
                client,
                "client-1",
                "Calendar",
                APPROVAL.scopes,
                APPROVAL.audience,
                7,
                7,
            )
            assert tx.consents.find(client + 100, user_id) is None
            assert [tx.consents.find_public(name) for name in ("C", "c\0", "\ud800", "")] == [None] * 4

    def test_replaced(self, store: Store) -> None:
        """A second consent stands instead of the first, under its name."""
        with store.write() as tx:
            user_id, client = _begin(tx)
            tx.consents.put("c", user_id, client, APPROVAL, 7)
            other = Approval(frozenset({"openid", "email"}), frozenset({"https://b.example.com"}), 950)
            tx.consents.put("d", user_id, client, other, 8)

        with store.read() as tx:
            [found] = tx.consents.list_of(user_id)
        assert (found.public_id, found.creation, found.modified) == ("c", 7, 8)
        assert (found.scopes, found.audience) == (other.scopes, other.audience)

    def test_listed_by_the_clients_names(self, store: Store) -> None:
        """A user's consents come in the order of the clients' names, and nobody else's among them."""
        with store.write() as tx:
            user_id, client = _begin(tx)
            bob = tx.users.add(new_user("bob@example.com"), 1)
            first = tx.clients.add(new_client("client-2", app_name="Address book"), 1)
            tx.consents.put("c", user_id, client, APPROVAL, 7)
            tx.consents.put("d", user_id, first, APPROVAL, 8)
            tx.consents.put("e", bob, client, APPROVAL, 9)

        with store.read() as tx:
            assert [consent.public_id for consent in tx.consents.list_of(user_id)] == ["d", "c"]

    def test_name_taken(self, store: Store) -> None:
        """No two consents are called alike."""
        with store.write() as tx:
            user_id, client = _begin(tx)
            tx.consents.put("c", user_id, client, APPROVAL, 7)
            with pytest.raises(Conflict):
                tx.consents.put("c", user_id, tx.clients.add(new_client("client-2"), 1), APPROVAL, 7)

    def test_deleted(self, store: Store) -> None:
        """A consent that was taken back is gone, and so are those of a user who is gone."""
        with store.write() as tx:
            user_id, client = _begin(tx)
            tx.consents.put("c", user_id, client, APPROVAL, 7)
            found = tx.consents.find_public("c")
            assert found is not None
            tx.consents.delete(found.id)
            assert tx.consents.find(user_id, client) is None
            tx.consents.put("d", user_id, client, APPROVAL, 8)
            tx.users.delete(user_id)

        with store.read() as tx:
            assert tx.consents.find_public("d") is None
