"""The table `change`: whatever may alter a verdict adds a row, whoever wrote it, and nothing else does."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from latchgate.services.port_values import RecordChanges, UserChanges
from latchgate.services.ports import Store, Transaction
from latchgate.storage.revisions import upgrade
from latchgate.storage.schema import VERDICT_COLUMNS, complete_metadata
from latchgate.storage.store import SqlStore
from support.changes import Changes, fill, id_of, ref_column
from support.databases import Databases, Outside
from support.new_rows import (
    APPROVAL,
    client_fields,
    digest,
    new_client,
    new_record,
    new_session,
    new_token,
    new_user,
    record_key,
)

# ruff: noqa: S608  # every name in a statement is our own

WITHOUT_VERDICTS = {
    "undo",
    "link",
    "activity_log",
    "fact",
    "change",
    "change_head",
    "oauth_assertion",
    "oauth_code",
    "oauth_consent",
    "oauth_device_code",
    "oauth_refresh_token",
    "oauth_signing_key",
    "recovery_code",
    "second_factor",
    "sign_in_step",
}
_TABLES = complete_metadata().tables
VERDICT_TABLE_COLUMNS = [(table, column.name) for table in VERDICT_COLUMNS for column in _TABLES[table].c]


def test_every_table_is_judged() -> None:
    """Each table is one that verdicts stand on, with its columns named, or one that they do not."""
    assert VERDICT_COLUMNS.keys() | WITHOUT_VERDICTS == _TABLES.keys()
    assert not VERDICT_COLUMNS.keys() & WITHOUT_VERDICTS
    for table, columns in VERDICT_COLUMNS.items():
        assert columns <= {column.name for column in _TABLES[table].c}


@pytest.fixture(scope="class")
def run(databases: Databases) -> Iterator[Outside]:
    """Another program at a filled database that the tests of a class share: they leave every value as it is."""
    with databases.fresh() as database:
        with SqlStore(database).write() as tx:
            fill(tx)
        with databases.outside(database) as run:
            yield run


class TestColumns:
    @pytest.mark.parametrize(("table", "column"), VERDICT_TABLE_COLUMNS)
    def test_update(self, run: Outside, table: str, column: str) -> None:
        """An update of a column that verdicts stand on notes the change of each row; of any other column, nothing."""
        refs = [ref for (ref,) in run(f'SELECT {ref_column(table)} FROM "{table}"')]
        changes = Changes(run)

        try:
            run(f'UPDATE "{table}" SET "{column}" = "{column}"')
        except psycopg.errors.GeneratedAlways:
            # PostgreSQL lets nobody change the number of a row.
            assert column == "id"
            return

        expected = [(table, ref) for ref in refs] if column in VERDICT_COLUMNS[table] else []
        assert refs
        assert sorted(changes.new()) == sorted(expected)

    @pytest.mark.parametrize("statement", ["UPDATE link SET expires_at = expires_at", "UPDATE fact SET value = value"])
    def test_other_tables(self, run: Outside, statement: str) -> None:
        """No verdict stands on links and facts."""
        changes = Changes(run)

        run(statement)

        assert changes.new() == []


class TestRows:
    @pytest.mark.parametrize("table", VERDICT_COLUMNS)
    def test_deletion(self, changes: Changes, outside: Outside, table: str) -> None:
        """A deleted row is noted, by whomever it was deleted."""
        where = "name = 'Event Consumer'" if table == "authorization_source" else "id = (SELECT max(id) FROM {0})"
        where = "true" if table == "user_role" else where.format(f'"{table}"')
        ref = id_of(outside, table, where)

        outside(f'DELETE FROM "{table}" WHERE {where}')

        assert (table, ref) in changes.new()

    def test_cascade(self, filled: Store, changes: Changes, outside: Outside) -> None:
        """With a user everything is noted that ends or changes with it."""
        user_id = id_of(outside, "user", "name = 'ann@example.com'")
        rows = {
            "user": [user_id],
            "user_role": [user_id],
            "api_key": [id_of(outside, "api_key", "key_id = 'key-1'")],
            "oauth_family": [id_of(outside, "oauth_family")],
            "oauth_token": [id_of(outside, "oauth_token")],
            "session": [id_of(outside, "session")],
            "source_record": [id_of(outside, "source_record")],
        }

        with filled.write() as tx:
            tx.users.delete(user_id)

        assert sorted(changes.new()) == sorted((table, ref) for table, refs in rows.items() for ref in refs)

    def test_cascade_of_a_client(self, filled: Store, changes: Changes, outside: Outside) -> None:
        """With a client everything is noted that was issued to it."""
        rows = [(table, id_of(outside, table)) for table in ("oauth_client", "oauth_family", "oauth_token")]

        with filled.write() as tx:
            tx.clients.delete(id_of(outside, "oauth_client"))

        assert sorted(changes.new()) == rows

    def test_what_is_new(self, changes: Changes, filled: Store) -> None:
        """A new user, grant, source, record or key may alter a verdict, a refusal for instance."""
        with filled.write() as tx:
            user_id = tx.users.add(new_user("cem@example.com"), 1)
            tx.roles.grant(user_id, "Editor")
            source_id = tx.sources.add("Robot", "Administrator", 1)
            record_id = tx.sources.add_record(new_record("Robot", "arm", user_id, enabled=True), 1)
            key_id = tx.api_keys.add(record_key("Robot", record_id, "key-3"), 1)

        assert changes.new() == [
            ("user", user_id),
            ("user_role", user_id),
            ("authorization_source", source_id),
            ("source_record", record_id),
            ("api_key", key_id),
        ]

    def test_what_is_fresh(self, changes: Changes, filled: Store) -> None:
        """A role of nobody, a session, a client, a family, a token with its first digest: no verdict ends by them."""
        with filled.write() as tx:
            user = tx.users.find("ann@example.com")
            assert user is not None
            tx.roles.add("Reader", "Administrator", 1)
            session_id = tx.sessions.add(new_session(user.id, b"other"), 1)
            tx.sessions.touch(session_id, 100)
            client_id = tx.clients.add(new_client("other"), 1)
            family_id = tx.token_families.add_family("other", client_id, user.id, APPROVAL, 1)
            issued = {"client_row_id": client_id, "family_id": family_id}
            token_id = tx.access_tokens.add(new_token(user.id, b"other", **issued))
            tx.access_tokens.set_digest(token_id, digest("token"))

        assert changes.new() == []

    def test_ends(self, changes: Changes, filled: Store, outside: Outside) -> None:
        """Every way to end or narrow a credential through the store is noted."""
        user_id = id_of(outside, "user", "name = 'ann@example.com'")
        key_id = id_of(outside, "api_key", "key_id = 'key-1'")
        token_id, session_id = id_of(outside, "oauth_token"), id_of(outside, "session")
        family_id, client_id = id_of(outside, "oauth_family"), id_of(outside, "oauth_client")
        record_id = id_of(outside, "source_record")
        for_editors = client_fields(allowed_roles=frozenset({"Editor"}))
        acts: list[tuple[str, int, Callable[[Transaction], object]]] = [
            ("api_key", key_id, lambda tx: tx.api_keys.replace_secret(key_id, digest("new"), 100)),
            ("api_key", key_id, lambda tx: tx.api_keys.revoke(key_id, 5)),
            ("oauth_token", token_id, lambda tx: tx.access_tokens.set_digest(token_id, digest("new"))),
            ("oauth_token", token_id, lambda tx: tx.access_tokens.revoke(token_id, 5)),
            ("oauth_family", family_id, lambda tx: tx.token_families.revoke_family(family_id, 5)),
            ("oauth_client", client_id, lambda tx: tx.clients.change(client_id, for_editors, "Administrator", 5)),
            ("oauth_client", client_id, lambda tx: tx.clients.revoke(client_id, 5, "Administrator", 5)),
            ("session", session_id, lambda tx: tx.sessions.revoke_all(user_id, 5)),
            (
                "source_record",
                record_id,
                lambda tx: tx.sources.change_record(record_id, RecordChanges(enabled=False), "ann@example.com", 2),
            ),
            ("user_role", user_id, lambda tx: tx.roles.revoke(user_id, "Editor")),
            ("user", user_id, lambda tx: tx.users.change(user_id, UserChanges(enabled=False), 5)),
        ]

        for _, _, act in acts:
            with filled.write() as tx:
                act(tx)

        assert changes.new() == [(kind, ref) for kind, ref, _ in acts]

    def test_what_ended_ends_once(self, changes: Changes, filled: Store, outside: Outside) -> None:
        """To revoke again what is revoked notes nothing, nor does a password or the time of a last use."""
        user_id = id_of(outside, "user", "name = 'ann@example.com'")
        key_id = id_of(outside, "api_key", "key_id = 'key-1'")
        family_id, client_id = id_of(outside, "oauth_family"), id_of(outside, "oauth_client")

        def end(tx: Transaction, now: int) -> None:
            tx.api_keys.revoke(key_id, now)
            tx.token_families.revoke_family(family_id, now)
            tx.clients.revoke(client_id, now, "Administrator", now)

        with filled.write() as tx:
            end(tx, 5)
        changes.new()

        with filled.write() as tx:
            end(tx, 6)
            tx.users.change(user_id, UserChanges(password_hash="hash"), 6)

        assert changes.new() == []

    def test_a_grant_that_is_moved(self, changes: Changes, outside: Outside) -> None:
        """A grant that is moved to another user alters the verdicts of both."""
        ann, bob = (id_of(outside, "user", f"name = '{name}@example.com'") for name in ("ann", "bob"))

        outside(f"UPDATE user_role SET user_id = {bob}")

        assert changes.new() == [("user_role", ann), ("user_role", bob)]


def test_epochs_differ(databases: Databases) -> None:
    """Each database has an epoch of its own, which nobody can guess."""
    epochs = set()
    for _ in range(2):
        with databases.empty() as database:
            upgrade(database)
            with databases.outside(database) as run:
                epochs |= set(run("SELECT epoch FROM change_head"))

    assert len(epochs) == 2
    assert all(len(epoch) == 32 for (epoch,) in epochs)
