from dataclasses import replace

import pytest

from latchgate.core.access_tokens import StoredToken
from latchgate.core.tokens import Digest
from latchgate.errors import Conflict, NotFound
from latchgate.services.ports import Store
from support.new_rows import ALL_SCOPES, APPROVAL, digest, new_client, new_token, new_user


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

    @pytest.mark.parametrize(
        ("token", "family", "client", "end"),
        [
            (None, None, None, None),
            (1_100, None, None, 1_100),
            (None, 1_100, None, 1_100),
            (None, None, 1_100, 1_100),
            (1_100, 1_200, 1_300, 1_100),
            (1_300, 1_200, 1_100, 1_100),
            (1_200, 1_100, None, 1_100),
        ],
    )
    def test_the_earliest_end(
        self, store: Store, token: int | None, family: int | None, client: int | None, end: int | None
    ) -> None:
        """A token has ended when it, its family or its client has, whichever came first."""
        audience = frozenset({"https://b", "https://a"})
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            client_id = tx.clients.add(new_client(), 1)
            family_id = tx.token_families.add_family("family", client_id, user_id, APPROVAL, 1)
            new = replace(new_token(user_id, revoked_at=token), audience=audience)
            tx.access_tokens.add(replace(new, client_row_id=client_id, family_id=family_id))
            if family is not None:
                tx.token_families.revoke_family(family_id, family)
            if client is not None:
                tx.clients.revoke(client_id, client, "Administrator", 2)

        with store.read() as tx:
            found = tx.access_tokens.find([b"lookup"])
            assert found is not None
            assert found == tx.access_tokens.find_public(found.public_id)
        assert found.revoked_at == end
        assert (found.audience, found.client_row_id, found.family_id) == (audience, client_id, family_id)

    def test_whom_its_client_is_for(self, store: Store) -> None:
        """A token tells the roles that its client asks for now; one that was imported asks for none."""
        roles = frozenset({"Editor", 'Größe, "klein"'})
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            of_some = tx.clients.add(new_client("some", allowed_roles=roles), 1)
            for lookup, client in ((b"some", of_some), (b"any", tx.clients.add(new_client("any"), 1)), (b"none", None)):
                tx.access_tokens.add(new_token(user_id, lookup, client_row_id=client))

        with store.read() as tx:
            found = [tx.access_tokens.find([lookup]) for lookup in (b"some", b"any", b"none")]
        assert [token and token.client_roles for token in found] == [roles, frozenset(), frozenset()]

    def test_all_that_belong_to_no_family(self, store: Store) -> None:
        """What a client was issued for itself ends together; its families and other clients' tokens go on."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            one, two = (tx.clients.add(new_client(name), 1) for name in ("client-1", "client-2"))
            family_id = tx.token_families.add_family("family", one, user_id, APPROVAL, 1)
            for name, client, family in (
                (b"a", one, None),
                (b"b", one, None),
                (b"c", one, family_id),
                (b"d", two, None),
            ):
                tx.access_tokens.add(new_token(user_id, name, client_row_id=client, family_id=family))
            tx.access_tokens.add(new_token(user_id, b"imported"))
            tx.access_tokens.add(new_token(user_id, b"ended", client_row_id=one, revoked_at=1_050))
            counts = [tx.access_tokens.revoke_issued(one, now) for now in (1_100, 1_200)]

        with store.read() as tx:
            found = {name: tx.access_tokens.find([name]) for name in (b"a", b"b", b"c", b"d", b"imported", b"ended")}
        assert counts == [2, 0]
        assert [token and token.revoked_at for token in found.values()] == [1_100, 1_100, None, None, None, 1_050]

    def test_all_that_belong_to_no_family_of_a_user(self, store: Store) -> None:
        """Other users' tokens of the same client go on."""
        with store.write() as tx:
            one, two = (tx.users.add(new_user(f"{name}@example.com"), 1) for name in ("one", "two"))
            client = tx.clients.add(new_client("client-1"), 1)
            for name, user_id in ((b"a", one), (b"b", two)):
                tx.access_tokens.add(new_token(user_id, name, client_row_id=client))
            count = tx.access_tokens.revoke_issued(client, 1_100, user_id=one)

        with store.read() as tx:
            found = [tx.access_tokens.find([name]) for name in (b"a", b"b")]
        assert count == 1
        assert [token and token.revoked_at for token in found] == [1_100, None]

    def test_all_that_reach_further(self, store: Store) -> None:
        """Those of the client that are alive, and no others."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            one, two = (tx.clients.add(new_client(name), 1) for name in ("client-1", "client-2"))
            for name, client, scope, expires_at in (
                (b"wide", one, "all", 2_000),
                (b"narrow", one, "User:read", 2_000),
                (b"over", one, "all", 1_100),
                (b"another's", two, "all", 2_000),
            ):
                token = new_token(user_id, name, client_row_id=client, expires_at=expires_at, scopes=frozenset({scope}))
                tx.access_tokens.add(token)
            count = tx.access_tokens.revoke_beyond(one, frozenset({"read"}), 1_100)

        with store.read() as tx:
            found = [tx.access_tokens.find([name]) for name in (b"wide", b"narrow", b"over", b"another's")]
        assert count == 1
        assert [token and token.revoked_at for token in found] == [1_100, None, None, None]

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
