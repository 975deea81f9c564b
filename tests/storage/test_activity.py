from dataclasses import replace
from typing import Any

import pytest

from latchgate.core.log_entries import ActivityEntry
from latchgate.errors import NotFound
from latchgate.services.port_values import ActivityQuery
from latchgate.services.ports import Store
from latchgate.storage.activity import PAGE_ROWS_MAX
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

    def test_a_page_holds_what_was_asked_for(self, store: Store) -> None:
        """By who did it or whom it was done to, and by time; what no database could hold is nobody's name."""
        by_ann = replace(ENTRY, time=1_000)
        to_ann = replace(ENTRY, time=2_000, user="Administrator", subject="ann@example.com")
        other = replace(ENTRY, time=3_000, user="bob@example.com")
        with store.write() as tx:
            for entry in (by_ann, to_ann, other):
                tx.activity.append(entry)

        def page(**wanted: Any) -> list[ActivityEntry]:  # noqa: ANN401  # the query's fields
            with store.read() as tx:
                return tx.activity.list_page(ActivityQuery(**wanted), None)[0]

        assert page() == [other, to_ann, by_ann]
        assert page(user="ann@example.com") == [to_ann, by_ann]
        assert page(user="Ann@example.com") == []
        assert page(user="ann\0") == []
        assert page(since=2_000) == [other, to_ann]
        assert page(since=2_000, user="ann@example.com") == [to_ann]

    def test_pages_join_without_a_gap(self, store: Store) -> None:
        """Each row is on one page, and what is written meanwhile is on none of those that follow."""
        entries = [replace(ENTRY, subject=f"key {number}") for number in range(2 * PAGE_ROWS_MAX)]
        with store.write() as tx:
            for entry in entries:
                tx.activity.append(entry)

        with store.read() as tx:
            first, position = tx.activity.list_page(ActivityQuery(), None)
        with store.write() as tx:
            tx.activity.append(ENTRY)
        with store.read() as tx:
            second, end = tx.activity.list_page(ActivityQuery(), position)
            third = tx.activity.list_page(ActivityQuery(), end)[0] if end else []

        assert first + second + third == entries[::-1]
        assert [len(first), len(second), len(third)] == [PAGE_ROWS_MAX, PAGE_ROWS_MAX, 0]

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

    def test_addresses_are_walked_in_order_of_time_and_replaced(self, store: Store) -> None:
        """From a place on, before a time, so many at most; rows of one time follow each other by their number."""
        with store.write() as tx:
            for time in (3_000, 1_000, 1_000, 2_000):
                tx.activity.append(replace(ENTRY, time=time))

        with store.read() as tx:
            first = tx.activity.list_addresses((-1, -1), 3_000, 2)
            rest = tx.activity.list_addresses(first[-1][:2], 3_000, 9)
        with store.write() as tx:
            tx.activity.replace_addresses({row_id: "192.0.2.0/24" for _, row_id, _ in rest})
            tx.activity.replace_addresses({})

        assert [row[0] for row in (*first, *rest)] == [1_000, 1_000, 2_000]
        assert first[0][1] < first[1][1]
        with store.read() as tx:
            assert [(row.time, row.ip_address) for row in tx.activity.list_latest(9)] == [
                (2_000, "192.0.2.0/24"),
                (1_000, "192.0.2.1"),
                (1_000, "192.0.2.1"),
                (3_000, "192.0.2.1"),
            ]
