from ipaddress import ip_network

import pytest
from sqlalchemy import event

from latchgate.core.api_keys import KeyOwner, Limits, StoredKey
from latchgate.core.tokens import Digest
from latchgate.errors import Conflict, NotFound
from latchgate.services.port_values import KeyFilter
from latchgate.services.ports import Store, Transaction
from latchgate.storage.database import Database
from latchgate.storage.store import SqlStore
from support.databases import Outside
from support.new_rows import digest, new_record, new_user, record_key, user_key


def find(store: Store, source: str = "User", key_id: str = "key-1") -> StoredKey:
    """Get a key that is there."""
    with store.read() as tx:
        found = tx.api_keys.find(source, key_id)
    assert found is not None
    return found


def key_ids(tx: Transaction, wanted: KeyFilter, now: int = 0) -> list[str]:
    """List the ids of keys."""
    return [key.key_id for key in tx.api_keys.list_some(wanted, now)]


class TestApiKeys:
    def test_found_as_stored(self, store: Store) -> None:
        """A key comes back whole, with its user and the user's roles."""
        limits = Limits(frozenset({"read", "ToDo:write"}), (ip_network("10.0.0.0/8"),), 60, 5_000)
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.roles.grant(user_id, "System Manager")
            row_id = tx.api_keys.add(user_key(user_id, limits=limits, primary=True), 1_000_001)
            tx.api_keys.replace_secret(row_id, digest("secret"), None)

        with store.read() as tx:
            user = tx.users.find("ann@example.com")
            found = tx.api_keys.find("User", "key-1")

        assert user is not None
        assert user.roles == {"System Manager"}
        assert found == StoredKey(
            row_id,
            "key-1",
            "User",
            KeyOwner("ann@example.com", True, user),
            "label",
            True,
            limits,
            digest("secret"),
            None,
            None,
            1_000_001,
            "Administrator",
            None,
            1_000_001,
        )

    @pytest.mark.parametrize("with_user", [True, False])
    @pytest.mark.parametrize("enabled", [True, False])
    def test_key_of_a_record(self, store: Store, with_user: bool, enabled: bool) -> None:
        """A key of a source's record tells the record, whether it is enabled, and its user if it has one."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1) if with_user else None
            record_id = tx.sources.add_record(new_record("Event Consumer", "billing", user_id, enabled=enabled), 1)
            tx.api_keys.add(record_key("Event Consumer", record_id), 1)

        owner = find(store, "Event Consumer").owner

        assert (owner.record, owner.record_enabled) == ("billing", enabled)
        assert (owner.user.name if owner.user else None) == ("ann@example.com" if with_user else None)

    @pytest.mark.parametrize(
        ("source", "key_id"),
        [
            ("User", "key-2"),
            ("User", "KEY-1"),
            ("User", "key-1 "),
            ("User", ""),
            ("User", "key-1\0"),
            ("User", "\udcff"),
            ("user", "key-1"),
            ("Event Consumer", "key-1"),
            ("User\0", "key-1"),
        ],
    )
    def test_only_the_exact_key(self, store: Store, source: str, key_id: str) -> None:
        """A key is found by its source and id, byte for byte, and by nothing else that bytes can spell."""
        with store.write() as tx:
            tx.api_keys.add(user_key(tx.users.add(new_user(), 1)), 1)

        with store.read() as tx:
            assert tx.api_keys.find(source, key_id) is None
            assert tx.api_keys.find_any(key_id) == ([find(store)] if key_id == "key-1" else [])

    def test_without_a_secret_it_opens_nothing(self, store: Store) -> None:
        """A key that never got a secret has a digest that no secret and no pepper gives."""
        with store.write() as tx:
            tx.api_keys.add(user_key(tx.users.add(new_user(), 1)), 1)

        assert find(store).digest == Digest(0, b"")

    def test_one_id_in_two_sources(self, store: Store) -> None:
        """The same id may serve in two sources, once in each, and is found in both."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            record_id = tx.sources.add_record(new_record("Event Consumer", "billing", user_id, enabled=True), 1)
            tx.api_keys.add(user_key(user_id), 1)
            tx.api_keys.add(record_key("Event Consumer", record_id), 1)
            with pytest.raises(Conflict, match="key-1"):
                tx.api_keys.add(user_key(user_id, label="second"), 1)

        with store.read() as tx:
            assert [key.source for key in tx.api_keys.find_any("key-1")] == ["Event Consumer", "User"]

    def test_a_new_secret_ends_the_old(self, store: Store) -> None:
        """Without an overlap only the new secret is left, also where one before it was still alive."""
        with store.write() as tx:
            row_id = tx.api_keys.add(user_key(tx.users.add(new_user(), 1)), 1)
            tx.api_keys.replace_secret(row_id, digest("first"), None)
            tx.api_keys.replace_secret(row_id, digest("second"), 500)
            tx.api_keys.replace_secret(row_id, digest("third", pepper=2), None)

        key = find(store)

        assert key.digest == digest("third", pepper=2)
        assert (key.previous_digest, key.previous_until) == (None, None)

    def test_a_new_secret_beside_the_old(self, store: Store) -> None:
        """With an overlap the secret before stays, under the pepper it was made with, until the time named."""
        with store.write() as tx:
            row_id = tx.api_keys.add(user_key(tx.users.add(new_user(), 1)), 1)
            tx.api_keys.replace_secret(row_id, digest("first"), None)
            tx.api_keys.replace_secret(row_id, digest("second", pepper=2), 500)

        key = find(store)

        assert key.digest == digest("second", pepper=2)
        assert (key.previous_digest, key.previous_until) == (digest("first"), 500)

    def test_secret_of_no_key(self, store: Store) -> None:
        """A secret for a key that is gone is an error, not silence."""
        with pytest.raises(NotFound), store.write() as tx:
            tx.api_keys.replace_secret(999, digest("secret"), None)

    def test_the_first_end_stands(self, store: Store) -> None:
        """A key is revoked once; a later revocation does not move the time."""
        with store.write() as tx:
            row_id = tx.api_keys.add(user_key(tx.users.add(new_user(), 1)), 1)
            tx.api_keys.revoke(row_id, 100)
            tx.api_keys.revoke(row_id, 200)

        assert find(store).revoked_at == 100

    def test_one_primary_key(self, store: Store) -> None:
        """An owner has one unrevoked primary key; another one can follow it."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            first = tx.api_keys.add(user_key(user_id, primary=True), 1)
            tx.api_keys.add(user_key(user_id, "other"), 1)
        with pytest.raises(Conflict), store.write() as tx:
            tx.api_keys.add(user_key(user_id, "key-2", primary=True), 1)
        with store.write() as tx:
            tx.api_keys.revoke(first, 5)
            assert tx.api_keys.find_primary("User", "ann@example.com") is None
            second = tx.api_keys.add(user_key(user_id, "key-2", primary=True), 1)

        with store.read() as tx:
            found = tx.api_keys.find_primary("User", "ann@example.com")
            assert found is not None
            assert found.id == second
            assert tx.api_keys.find_primary("Event Consumer", "ann@example.com") is None
            assert tx.api_keys.find_primary("User", "bob@example.com") is None
            assert tx.api_keys.find_primary("User", "\0") is None

    def test_primary_key_of_a_record(self, store: Store) -> None:
        """A record's primary key is found by the record's name, even if a user bears the same."""
        with store.write() as tx:
            user_id = tx.users.add(new_user("same"), 1)
            record_id = tx.sources.add_record(new_record("Event Consumer", "same", None, enabled=True), 1)
            tx.api_keys.add(user_key(user_id, "of-user", primary=True), 1)
            tx.api_keys.add(record_key("Event Consumer", record_id, "of-record", primary=True), 1)

        with store.read() as tx:
            of_user = tx.api_keys.find_primary("User", "same")
            of_record = tx.api_keys.find_primary("Event Consumer", "same")
        assert of_user is not None
        assert of_record is not None
        assert (of_user.key_id, of_record.key_id) == ("of-user", "of-record")

    def test_lists(self, store: Store) -> None:
        """Keys are listed by source, owner and age; those that ended only if asked for."""
        with store.write() as tx:
            ann, bob = tx.users.add(new_user(), 1), tx.users.add(new_user("bob@example.com"), 1)
            record_id = tx.sources.add_record(new_record("Event Consumer", "billing", ann, enabled=True), 1)
            tx.api_keys.add(user_key(bob, "bob-1"), 10)
            tx.api_keys.add(user_key(ann, "ann-2"), 30)
            tx.api_keys.add(user_key(ann, "ann-1"), 20)
            tx.api_keys.add(user_key(ann, "expiring", limits=Limits(frozenset({"all"}), expires_at=100)), 40)
            tx.api_keys.revoke(tx.api_keys.add(user_key(ann, "revoked"), 50), 60)
            tx.api_keys.add(record_key("Event Consumer", record_id, "event"), 60)

        of_ann = KeyFilter(source="User", record="ann@example.com")
        with store.read() as tx:
            assert key_ids(tx, KeyFilter(), 99) == ["event", "ann-1", "ann-2", "expiring", "bob-1"]
            assert key_ids(tx, KeyFilter(source="Event Consumer")) == ["event"]
            assert key_ids(tx, KeyFilter(record="billing")) == ["event"]
            assert key_ids(tx, of_ann, 99) == ["ann-1", "ann-2", "expiring"]
            assert key_ids(tx, of_ann, 100) == ["ann-1", "ann-2"]
            with_ended = KeyFilter(record="ann@example.com", include_ended=True)
            assert key_ids(tx, with_ended, 100) == ["ann-1", "ann-2", "expiring", "revoked"]
            assert key_ids(tx, KeyFilter(record="\0")) == []

    def test_unknown_owner(self, store: Store) -> None:
        """A key for an owner that was deleted meanwhile is refused."""
        with pytest.raises(Conflict), store.write() as tx:
            tx.api_keys.add(user_key(999), 1)

    @pytest.mark.parametrize("databases", ["sqlite"], indirect=True, scope="session")
    def test_owner_removed_by_another_program(self, store: Store, outside: Outside) -> None:
        """A key whose owner was removed by a program that checks no references opens nothing."""
        with store.write() as tx:
            tx.api_keys.add(user_key(tx.users.add(new_user(), 1), primary=True), 1)

        outside("DELETE FROM \"user\" WHERE name = 'ann@example.com'")

        with store.read() as tx:
            assert tx.api_keys.find("User", "key-1") is None
            assert tx.api_keys.find_any("key-1") == []
            assert key_ids(tx, KeyFilter()) == []

    def test_look_up_is_one_statement(self, database: Database) -> None:
        """A known and an unknown key cost one statement each, and one row comes back for both."""
        statements: list[str] = []
        store = SqlStore(database)
        with store.write() as tx:
            tx.api_keys.add(user_key(tx.users.add(new_user(), 1)), 1)
        event.listen(database.reading, "before_cursor_execute", lambda *args: statements.append(args[2]))

        with store.read() as tx:
            assert tx.api_keys.find("User", "key-1") is not None
            assert tx.api_keys.find("User", "key-2") is None

        assert len(statements) == 2
        assert statements[0] == statements[1]

    @pytest.mark.parametrize("databases", ["sqlite"], indirect=True, scope="session")
    def test_look_up_goes_by_indexes(self, database: Database) -> None:
        """No look-up of a request reads a table from end to end."""
        statements: list[tuple[str, tuple[object, ...]]] = []
        event.listen(database.reading, "before_cursor_execute", lambda *args: statements.append(args[2:4]))
        with SqlStore(database).read() as tx:
            tx.api_keys.find("User", "key-1")
            tx.access_tokens.find([b"new", b"old"])
            tx.sessions.find([b"new", b"old"])

        with database.read() as connection:
            plans = [
                row[3]
                for statement, values in list(statements)
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]

        assert len(plans) > len(statements)
        # The table of one row is the one from which every look-up of a credential starts.
        assert {step for step in plans if step.startswith("SCAN")} <= {"SCAN CONSTANT ROW", "SCAN change_head"}
