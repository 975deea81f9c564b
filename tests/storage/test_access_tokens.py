import pytest

from latchgate.core.access_tokens import StoredToken
from latchgate.core.tokens import Digest
from latchgate.errors import Conflict, NotFound
from latchgate.services.ports import Store
from support.new_rows import ALL_SCOPES, digest, new_token, new_user


class TestAccessTokens:
    def test_found_as_stored(self, store: Store) -> None:
        """A token comes back whole, with its user and the user's roles, by any of its look-up values."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.roles.grant(user_id, "System Manager")
            token_id = tx.access_tokens.add(new_token(user_id, revoked_at=1_500))
            tx.access_tokens.set_digest(token_id, digest("token", pepper=3))

        with store.read() as tx:
            user = tx.users.find("ann@example.com")
            found = tx.access_tokens.find([b"newer", b"lookup", b"older"])

        assert user is not None
        assert user.roles == {"System Manager"}
        assert found == StoredToken(
            token_id,
            "public-6c6f6f6b7570",
            user,
            "client",
            ALL_SCOPES,
            digest("token", pepper=3),
            1_000,
            2_000,
            1_500,
        )

    @pytest.mark.parametrize("lookups", [[], [b""], [b"Lookup"], [b"lookup\0"], [b"look", b"up"]])
    def test_unknown_token(self, store: Store, lookups: list[bytes]) -> None:
        """No other look-up value finds a token, nor does none."""
        with store.write() as tx:
            tx.access_tokens.add(new_token(tx.users.add(new_user(), 1)))

        with store.read() as tx:
            assert tx.access_tokens.find(lookups) is None

    def test_without_a_digest_it_opens_nothing(self, store: Store) -> None:
        """A token that never got its digest has one that no token and no pepper gives."""
        with store.write() as tx:
            tx.access_tokens.add(new_token(tx.users.add(new_user(), 1)))

        with store.read() as tx:
            found = tx.access_tokens.find([b"lookup"])
        assert found is not None
        assert found.digest == Digest(0, b"")

    def test_the_first_end_stands(self, store: Store) -> None:
        """A token is revoked once; a later revocation does not move the time."""
        with store.write() as tx:
            token_id = tx.access_tokens.add(new_token(tx.users.add(new_user(), 1)))
            tx.access_tokens.revoke(token_id, 1_100)
            tx.access_tokens.revoke(token_id, 1_200)

        with store.read() as tx:
            found = tx.access_tokens.find([b"lookup"])
        assert found is not None
        assert found.revoked_at == 1_100

    def test_look_up_value_taken(self, store: Store) -> None:
        """The same token cannot be stored twice, for whomever."""
        with store.write() as tx:
            tx.access_tokens.add(new_token(tx.users.add(new_user(), 1)))
            bob = tx.users.add(new_user("bob@example.com"), 1)
            with pytest.raises(Conflict):
                tx.access_tokens.add(new_token(bob, public_id="other"))

    def test_digest_of_no_token(self, store: Store) -> None:
        """A digest for a token that is gone is an error, not silence."""
        with pytest.raises(NotFound), store.write() as tx:
            tx.access_tokens.set_digest(999, digest("token"))
