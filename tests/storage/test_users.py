from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.users import StoredUser, UserType
from latchgate.errors import Conflict, Invalid, NotFound
from latchgate.services.port_values import LiveCredentials, UserChanges
from latchgate.services.ports import Store
from support.new_rows import (
    ALL_SCOPES,
    APPROVAL,
    digest,
    new_client,
    new_record,
    new_session,
    new_token,
    new_user,
    user_key,
)


class TestUsers:
    def test_found_as_stored(self, store: Store) -> None:
        """Every field of a user comes back as it was stored."""
        networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
        user = new_user(user_type=UserType.SYSTEM, password_hash="hash", restrict_ip=networks, login_after=8)
        with store.write() as tx:
            user_id = tx.users.add(user, 1_000_001)

        with store.read() as tx:
            found = tx.users.find("ann@example.com")

        assert found == StoredUser(
            user_id,
            "ann@example.com",
            "Ann",
            "Lee",
            UserType.SYSTEM,
            True,
            frozenset(),
            "hash",
            networks,
            8,
            0,
            1_000_001,
            1_000_001,
        )

    @pytest.mark.parametrize("name", ["", "Ann@example.com", "ann@example.com ", "ann\0", "\ud800", "%"])
    def test_only_the_exact_name(self, store: Store, name: str) -> None:
        """A user is found by its name, byte for byte; what cannot be a name is nobody's."""
        with store.write() as tx:
            tx.users.add(new_user(), 1)

        with store.read() as tx:
            assert tx.users.find(name) is None

    def test_name_taken(self, store: Store) -> None:
        """A second user of one name is refused, and the transaction can go on."""
        with store.write() as tx:
            tx.users.add(new_user(), 1)
            with pytest.raises(Conflict, match=r"ann@example\.com"):
                tx.users.add(new_user(), 2)
            tx.users.add(new_user("bob@example.com"), 3)

        with store.read() as tx:
            assert tx.users.find("bob@example.com") is not None

    @pytest.mark.parametrize("text", ["a\0b", "half \udc00 a pair"])
    def test_text_that_cannot_be_stored(self, store: Store, text: str) -> None:
        """NUL and half a surrogate pair are refused alike on both engines."""
        with pytest.raises(Invalid), store.write() as tx:
            tx.users.add(new_user(first_name=text), 1)

    def test_any_other_text(self, store: Store) -> None:
        """All other text comes back as it was, whatever its script or meaning to SQL."""
        text = "Ünï ☃ \U0001f600 '\"; -- %s :name \\ \r\n\t\x01"
        with store.write() as tx:
            tx.users.add(new_user(first_name=text), 1)

        with store.read() as tx:
            found = tx.users.find("ann@example.com")
        assert found is not None
        assert found.first_name == text

    def test_list_in_the_order_of_bytes(self, store: Store) -> None:
        """Users are listed by name, in the same order on both engines."""
        with store.write() as tx:
            for name in ("b@x.org", "a@x.org", "a-c@x.org", "ab@x.org"):
                tx.users.add(new_user(name), 1)

        with store.read() as tx:
            names = [user.name for user in tx.users.list_all()]
        assert names == ["Administrator", "Guest", "a-c@x.org", "a@x.org", "ab@x.org", "b@x.org"]

    def test_change_only_what_is_named(self, store: Store) -> None:
        """A change replaces the fields it names, notes the time, and leaves the others."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(login_after=8, password_hash="old"), 1)
            tx.users.change(user_id, UserChanges(enabled=False, login_after=0, restrict_ip=()), 2)

        with store.read() as tx:
            found = tx.users.find("ann@example.com")
        assert found is not None
        assert (found.enabled, found.login_after, found.password_hash) == (False, 0, "old")
        assert (found.creation, found.modified) == (1, 2)

    def test_change_of_nobody(self, store: Store) -> None:
        """A change of a user that is gone is an error, not silence."""
        with pytest.raises(NotFound), store.write() as tx:
            tx.users.change(999, UserChanges(enabled=False), 1)

    def test_built_in_users(self, store: Store) -> None:
        """A new database holds Administrator, who may use the desk, and Guest; neither has a password."""
        with store.read() as tx:
            users = {user.name: (user.user_type, user.enabled, user.password_hash) for user in tx.users.list_all()}

        assert users == {
            "Administrator": (UserType.SYSTEM, True, None),
            "Guest": (UserType.WEBSITE, True, None),
        }

    def test_deletion_takes_all_that_was_the_users(self, store: Store) -> None:
        """Keys, tokens, sessions, links and roles end with their user; a record that named it names nobody."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            key_id = tx.api_keys.add(user_key(user_id), 1)
            tx.api_keys.replace_secret(key_id, digest("secret"), None)
            tx.access_tokens.add(new_token(user_id))
            tx.sessions.add(new_session(user_id), 1)
            tx.links.add(b"link", "setup", user_id, 100)
            tx.roles.grant(user_id, "System Manager")
            tx.sources.add_record(new_record("Event Consumer", "billing", user_id, enabled=True), 1)

        with store.write() as tx:
            tx.users.delete(user_id)

        with store.read() as tx:
            assert tx.api_keys.find("User", "key-1") is None
            assert tx.access_tokens.find([b"lookup"]) is None
            assert tx.sessions.find([b"session"]) is None
            assert tx.links.find([b"link"], "setup", 1) is None
            assert tx.roles.list_users("System Manager") == []
            record = tx.sources.find_record("Event Consumer", "billing")
            assert record is not None
            assert record.user is None

    def test_a_namesake_inherits_nothing(self, store: Store) -> None:
        """A new user of a deleted one's name has another id, and none of its roles, keys or records."""
        with store.write() as tx:
            first = tx.users.add(new_user(), 1)
            tx.roles.grant(first, "System Manager")
            tx.api_keys.add(user_key(first), 1)
            tx.sources.add_record(new_record("Event Consumer", "billing", first, enabled=True), 1)
            tx.users.delete(first)

        with store.write() as tx:
            second = tx.users.add(new_user(), 2)

        with store.read() as tx:
            found = tx.users.find("ann@example.com")
            assert second != first
            assert found is not None
            assert found.roles == frozenset()
            assert tx.api_keys.find_any("key-1") == []
            record = tx.sources.find_record("Event Consumer", "billing")
            assert record is not None
            assert record.user is None

    def test_counts_what_is_alive(self, store: Store) -> None:
        """A user's credentials that neither were revoked nor have expired, and nobody else's."""
        with store.write() as tx:
            ann, bob = tx.users.add(new_user(), 1), tx.users.add(new_user("bob@example.com"), 1)
            tx.api_keys.add(user_key(ann, "alive"), 1)
            tx.api_keys.add(user_key(ann, "limited", limits=Limits(ALL_SCOPES, expires_at=1_501)), 1)
            tx.api_keys.add(user_key(ann, "expired", limits=Limits(ALL_SCOPES, expires_at=1_500)), 1)
            tx.api_keys.revoke(tx.api_keys.add(user_key(ann, "revoked"), 1), 1_000)
            tx.access_tokens.add(new_token(ann))
            tx.access_tokens.add(new_token(ann, b"expired", expires_at=1_500))
            tx.access_tokens.revoke(tx.access_tokens.add(new_token(ann, b"revoked")), 1_000)
            client, gone = tx.clients.add(new_client(), 1), tx.clients.add(new_client("gone"), 1)
            families = [tx.token_families.add_family(name, client, ann, APPROVAL, 1) for name in ("on", "over")]
            for family in families:
                tx.access_tokens.add(new_token(ann, b"of %d" % family, client_row_id=client, family_id=family))
            tx.token_families.revoke_family(families[1], 1_000)
            tx.access_tokens.add(new_token(ann, b"gone", client_row_id=gone))
            tx.clients.revoke(gone, 1_000, "Administrator", 1)
            for name in (b"one", b"two", b"three"):
                tx.sessions.add(new_session(ann, name), 1_000)
            tx.sessions.revoke(tx.sessions.add(new_session(ann, b"revoked"), 1_000), 1_000)

        with store.read() as tx:
            assert tx.users.count_credentials(ann, 1_500) == LiveCredentials(2, 2, 3)
            assert tx.users.count_credentials(bob, 1_500) == LiveCredentials(0, 0, 0)
