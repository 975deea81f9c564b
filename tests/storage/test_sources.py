import pytest

from latchgate.core.sources import SourceRecord
from latchgate.errors import Conflict, NotFound
from latchgate.services.port_values import RecordChanges
from latchgate.services.ports import Store
from support.new_rows import new_record, new_user


class TestSources:
    def test_built_in_sources(self, store: Store) -> None:
        """A new database knows User, whose records are the users, and Event Consumer."""
        with store.read() as tx:
            assert tx.sources.list_all() == [("Event Consumer", 0), ("User", 2)]
            assert tx.sources.exists("Event Consumer")

    @pytest.mark.parametrize("name", ["API Device", "event consumer", "a\0b", "\ud800"])
    def test_unknown_source(self, store: Store, name: str) -> None:
        """A source is known by its exact name; one that is not known has no records and takes none."""
        with store.read() as tx:
            assert not tx.sources.exists(name)
            assert tx.sources.find_record(name, "x") is None
            assert tx.sources.list_records(name) == []
        with pytest.raises(NotFound), store.write() as tx:
            tx.sources.add_record(new_record(name, "x", None, enabled=True), 1)

    def test_record_found_as_stored(self, store: Store) -> None:
        """A record comes back with the name of its user, or with none."""
        with store.write() as tx:
            tx.sources.add("API Device", "Administrator", 1)
            user_id = tx.users.add(new_user(), 1)
            with_user = tx.sources.add_record(new_record("API Device", "door", user_id, enabled=True), 1)
            without = tx.sources.add_record(new_record("API Device", "attic", None, enabled=False), 1)

        expected = [
            SourceRecord(without, "API Device", "attic", None, False),
            SourceRecord(with_user, "API Device", "door", "ann@example.com", True),
        ]
        with store.read() as tx:
            assert tx.sources.find_record("API Device", "door") == expected[1]
            assert tx.sources.find_record("API Device", "Door") is None
            assert tx.sources.find_record("API Device", "door\0") is None
            assert tx.sources.find_record("Event Consumer", "door") is None
            assert tx.sources.list_records("API Device") == expected
            assert ("API Device", 2) in tx.sources.list_all()

    def test_names_taken(self, store: Store) -> None:
        """A source's name is its own; a record's name within its source."""
        with store.write() as tx:
            tx.sources.add("API Device", "Administrator", 1)
            tx.sources.add_record(new_record("API Device", "door", None, enabled=True), 1)
            tx.sources.add_record(new_record("Event Consumer", "door", None, enabled=True), 1)
            with pytest.raises(Conflict, match="API Device"):
                tx.sources.add("API Device", "Administrator", 2)
            with pytest.raises(Conflict, match="door"):
                tx.sources.add_record(new_record("API Device", "door", None, enabled=True), 1)

    def test_enabling(self, store: Store) -> None:
        """A record is enabled and disabled by its id; one that is gone is an error."""
        with store.write() as tx:
            record_id = tx.sources.add_record(new_record("Event Consumer", "billing", None, enabled=True), 1)
            tx.sources.change_record(record_id, RecordChanges(enabled=False), "ann@example.com", 2)
            with pytest.raises(NotFound):
                tx.sources.change_record(record_id + 1, RecordChanges(enabled=True), "ann@example.com", 2)

        with store.read() as tx:
            assert tx.sources.list_records("Event Consumer") == [
                SourceRecord(record_id, "Event Consumer", "billing", None, False)
            ]
