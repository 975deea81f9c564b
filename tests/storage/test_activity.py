from dataclasses import replace

import pytest

from latchgate.core.log_entries import ActivityEntry
from latchgate.errors import NotFound
from latchgate.services.ports import Store
from support.new_rows import new_user

ENTRY = ActivityEntry(1_000_001, "ann@example.com", "api_key.generated", "lgk_x", "label: CI", "192.0.2.1")


class TestActivityLog:
    def test_newest_first(self, store: Store) -> None:
        """The rows come back whole, in the order of writing, newest first, as many as asked for."""
        entries = [replace(ENTRY, subject=f"key {number}") for number in range(4)]
        with store.write() as tx:
            for entry in entries:
                tx.activity.append(entry)

        with store.read() as tx:
            assert tx.activity.list_latest(3) == entries[:0:-1]
            assert tx.activity.list_latest(100) == entries[::-1]

    def test_falls_with_its_change(self, store: Store) -> None:
        """A row of a change that was rolled back is not there."""

        def append_and_fail() -> None:
            with store.write() as tx:
                tx.activity.append(ENTRY)
                tx.roles.grant(1, "no such role")

        with pytest.raises(NotFound):
            append_and_fail()

        with store.read() as tx:
            assert tx.activity.list_latest(10) == []

    def test_outlives_its_user(self, store: Store) -> None:
        """A row keeps the name of a user that was deleted."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.activity.append(ENTRY)
            tx.users.delete(user_id)

        with store.read() as tx:
            assert tx.activity.list_latest(10) == [ENTRY]
