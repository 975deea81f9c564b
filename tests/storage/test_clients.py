from dataclasses import replace

import pytest

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm, StoredClient
from latchgate.errors import Conflict, NotFound
from latchgate.services.ports import Store
from support.databases import Outside
from support.new_rows import (
    APPROVAL,
    client_fields,
    digest,
    new_client,
    new_code,
    new_device_code,
    new_token,
    new_user,
)


def _client(store: Store, client_id: str = "client-1") -> StoredClient:
    with store.read() as tx:
        found = tx.clients.find(client_id)
        assert found is not None
        assert tx.clients.find_id(found.id) == found
    return found


class TestClients:
    def test_found_as_stored(self, store: Store) -> None:
        """A client comes back whole, its lists in their order, with whom it runs as and that user's roles."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.roles.grant(user_id, "System Manager")
            new = new_client(
                auth_method=AuthMethod.PRIVATE_KEY_JWT,
                jwks='{"keys": []}',
                post_logout_redirect_uris=("https://z.example.com/", "https://a.example.com/"),
                grant_types=frozenset(GrantType),
                resources=("https://z.example.com/api", "https://a.example.com/api"),
                user_id=user_id,
                allowed_roles=frozenset({"System Manager", "Editor"}),
                skip_authorization=True,
                require_pkce=False,
                id_token_alg=SigningAlgorithm.ES256,
                client_uri="https://example.com/",
            )
            row_id = tx.clients.add(new, 7)

        with store.read() as tx:
            user = tx.users.find("ann@example.com")
        assert user is not None and user.roles == {"System Manager"}  # noqa: PT018  # one thing: whom it runs as
        assert _client(store) == StoredClient(
            id=row_id,
            client_id="client-1",
            app_name="Calendar",
            auth_method=AuthMethod.PRIVATE_KEY_JWT,
            digest=None,
            previous_digest=None,
            previous_until=None,
            jwks='{"keys": []}',
            redirect_uris=("https://b.example.com/back", "https://a.example.com/back"),
            post_logout_redirect_uris=("https://z.example.com/", "https://a.example.com/"),
            grant_types=frozenset(GrantType),
            scopes=frozenset({"openid", "User:read"}),
            resources=("https://z.example.com/api", "https://a.example.com/api"),
            user=user,
            allowed_roles=frozenset({"System Manager", "Editor"}),
            skip_authorization=True,
            require_pkce=False,
            id_token_alg=SigningAlgorithm.ES256,
            client_uri="https://example.com/",
            registered=False,
            creation=7,
            owner="Administrator",
            modified=7,
            modified_by="Administrator",
            revoked_at=None,
            changed=7,
        )

    @pytest.mark.parametrize("client_id", ["", "Client-1", "client-1 ", "client-1\0", "\ud800", "%"])
    def test_only_the_exact_id(self, store: Store, client_id: str) -> None:
        """A client is found by its id, byte for byte; what cannot be an id is nobody's."""
        with store.write() as tx:
            tx.clients.add(new_client(), 1)

        with store.read() as tx:
            assert tx.clients.find(client_id) is None
            assert tx.clients.find_id(999) is None

    def test_id_taken(self, store: Store) -> None:
        """A second client of one id is refused, and the transaction can go on."""
        with store.write() as tx:
            tx.clients.add(new_client(), 1)
            with pytest.raises(Conflict, match="client-1"):
                tx.clients.add(new_client(), 2)
            tx.clients.add(new_client("client-2"), 3)

        with store.read() as tx:
            assert len(tx.clients.list_all()) == 2

    def test_listed_by_name(self, store: Store) -> None:
        """Clients are listed by name, then id, revoked ones too."""
        with store.write() as tx:
            for client_id, name in (("1", "b"), ("3", "a"), ("2", "a")):
                row_id = tx.clients.add(new_client(client_id, app_name=name), 1)
            tx.clients.revoke(row_id, 5, "Administrator", 5)

        with store.read() as tx:
            assert [client.client_id for client in tx.clients.list_all()] == ["2", "3", "1"]

    def test_resources(self, store: Store) -> None:
        """The protected resources are those of all clients but the revoked ones."""
        with store.write() as tx:
            tx.clients.add(new_client("none"), 1)
            tx.clients.add(new_client("two", resources=("https://a.example.com", "https://b.example.com")), 1)
            tx.clients.add(new_client("same", resources=("https://b.example.com",)), 1)
            gone = tx.clients.add(new_client("gone", resources=("https://c.example.com",)), 1)
            tx.clients.revoke(gone, 5, "Administrator", 5)

        with store.read() as tx:
            assert tx.clients.list_resources() == {"https://a.example.com", "https://b.example.com"}

    def test_change(self, store: Store) -> None:
        """All that is chosen is replaced, and who did it when is noted; the secret and the maker stay."""
        with store.write() as tx:
            row_id = tx.clients.add(new_client(), 1)
            tx.clients.replace_secret(row_id, digest("secret"), None, "Administrator", 2)
            tx.clients.change(row_id, client_fields(app_name="Mail", redirect_uris=()), "ann@example.com", 3)

        found = _client(store)
        assert (found.app_name, found.redirect_uris, found.digest) == ("Mail", (), digest("secret"))
        assert (found.creation, found.owner, found.modified, found.modified_by) == (
            1,
            "Administrator",
            3,
            "ann@example.com",
        )

    def test_secrets_overlap(self, store: Store) -> None:
        """The secret before works until then; a later replacement at once leaves none but the new one."""
        with store.write() as tx:
            row_id = tx.clients.add(new_client(), 1)
            tx.clients.replace_secret(row_id, digest("one", pepper=2), None, "ann", 2)
            tx.clients.replace_secret(row_id, digest("two"), 500, "bob", 3)
        found = _client(store)
        assert (found.digest, found.previous_digest, found.previous_until) == (
            digest("two"),
            digest("one", pepper=2),
            500,
        )
        assert (found.modified, found.modified_by) == (3, "bob")

        with store.write() as tx:
            tx.clients.replace_secret(row_id, digest("three"), None, "ann", 4)
        found = _client(store)
        assert (found.digest, found.previous_digest, found.previous_until) == (digest("three"), None, None)

    def test_the_first_end_stands(self, store: Store) -> None:
        """A client is revoked once; a later revocation moves nothing."""
        with store.write() as tx:
            row_id = tx.clients.add(new_client(), 1)
            tx.clients.revoke(row_id, 100, "ann", 2)
            tx.clients.revoke(row_id, 200, "bob", 3)

        found = _client(store)
        assert (found.revoked_at, found.modified, found.modified_by) == (100, 2, "ann")

    def test_change_of_none(self, store: Store) -> None:
        """A change or a secret for a client that is gone is an error, not silence."""
        with pytest.raises(NotFound), store.write() as tx:
            tx.clients.change(999, client_fields(), "ann", 1)
        with pytest.raises(NotFound), store.write() as tx:
            tx.clients.replace_secret(999, digest("secret"), None, "ann", 1)

    def test_deletion_takes_all_that_was_issued(self, store: Store, outside: Outside) -> None:
        """With a client its families, codes, tokens, consents and used assertions are gone, and no other client's."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            for client_id in ("client-1", "client-2"):
                row_id = tx.clients.add(new_client(client_id), 1)
                name = client_id.encode()
                family_id = tx.token_families.add_family(client_id, row_id, user_id, APPROVAL, 1)
                tx.token_families.add_code(new_code(row_id, user_id, name))
                tx.token_families.add_refresh_token(name, family_id, 1_000, 2_000)
                tx.access_tokens.add(new_token(user_id, name, client_row_id=row_id, family_id=family_id))
                tx.access_tokens.add(new_token(user_id, name + b" alone", client_row_id=row_id))
                tx.consents.put(client_id, user_id, row_id, APPROVAL, 1)
                tx.device_codes.add(new_device_code(row_id, name))
                assert tx.clients.use_assertion(row_id, name, 2_000, 1_000)

        with store.write() as tx:
            tx.clients.delete(row_id)

        assert _client(store).client_id == "client-1"
        for table, left in (
            ("oauth_client", 1),
            ("oauth_family", 1),
            ("oauth_code", 1),
            ("oauth_refresh_token", 1),
            ("oauth_token", 2),
            ("oauth_consent", 1),
            ("oauth_device_code", 1),
            ("oauth_assertion", 1),
        ):
            assert (table, outside(f"SELECT count(*) FROM {table}")) == (table, [(left,)])  # noqa: S608

    def test_of_a_deleted_user(self, store: Store) -> None:
        """A client that ran as a user who is gone runs as nobody; what the user had made is Administrator's."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            new = new_client(user_id=user_id)
            tx.clients.add(replace(new, registered=True, owner="ann@example.com"), 1)
            tx.users.delete(user_id)

        found = _client(store)
        assert (found.user, found.owner, found.registered) == (None, "Administrator", True)

    def test_of_a_deleted_role(self, store: Store) -> None:
        """A role that is gone still keeps out who does not have it: nobody has."""
        with store.write() as tx:
            tx.roles.add("Editor", "Administrator", 1)
            tx.clients.add(new_client(allowed_roles=frozenset({"Editor"})), 1)
            tx.roles.delete("Editor")

        assert _client(store).allowed_roles == {"Editor"}


class TestAssertions:
    def test_used_once(self, store: Store) -> None:
        """An assertion is accepted once of one client, and of another client apart from it."""
        with store.write() as tx:
            one, two = (tx.clients.add(new_client(name), 1) for name in ("client-1", "client-2"))
            taken = [tx.clients.use_assertion(row_id, b"jti", 2_000, 1_000) for row_id in (one, one, two)]

        with store.write() as tx:
            assert taken == [True, False, True]
            assert not tx.clients.use_assertion(one, b"jti", 2_000, 1_999)

    def test_forgotten_in_bounded_numbers(self, store: Store, outside: Outside) -> None:
        """Those that expired are forgotten, 200 at a time; the same one may come again however many wait."""
        with store.write() as tx:
            row_id = tx.clients.add(new_client(), 1)
            for number in range(450):
                tx.clients.use_assertion(row_id, b"%d" % number, 2_000, 1_000)
            assert tx.clients.use_assertion(row_id, b"lasting", 3_000, 1_000)

        counts = []
        for _ in range(3):
            with store.write() as tx:
                assert tx.clients.use_assertion(row_id, b"449", 2_000, 2_000)
            counts += [outside("SELECT count(*) FROM oauth_assertion")[0][0]]

        assert 250 <= counts[0] <= 252
        assert counts[2] == 2
        with store.write() as tx:
            assert not tx.clients.use_assertion(row_id, b"lasting", 3_000, 2_999)
