"""The quick way from a segment to rows gives what the slow one gives."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from latchgate.core.log_entries import LogEntry
from latchgate.errors import StorageError
from latchgate.request_log import rows as rows_module
from latchgate.request_log.database import connect
from latchgate.request_log.ingester import LOCK_NAME, Ingester
from latchgate.request_log.log_entries import SqlRequestLog
from latchgate.request_log.records import decode, encode
from latchgate.request_log.revisions import upgrade
from latchgate.request_log.rows import RowDecoder, row_of
from latchgate.request_log.runs import read_run
from latchgate.request_log.schema import log_loss
from latchgate.request_log.segment_reader import list_segments
from latchgate.services.clock import SystemClock
from latchgate.services.port_values import LogQuery
from support.host_log import open_segments
from support.log_rows import make_row
from support.old_records import OLD_RECORDS

_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
_ENTRIES = st.builds(
    make_row,
    time=st.integers(0, 2**53),
    request_id=st.binary(min_size=16, max_size=16).map(bytes.hex) | st.just("a text"),
    # Few of each, so that the same bytes come again.
    user=st.none() | st.sampled_from(["ann", "", "\x00\udc80", "u" * 600]),
    user_id=st.none() | st.integers(-5, 5),
    api_key=st.none() | st.sampled_from(["lgk_1", "lgk_2"]),
    scheme=st.none() | st.sampled_from(["token", "Bearer"]),
    source=st.none() | st.just("User"),
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/", "/a"]) | _TEXT,
    status=st.integers(0, 999),
    seconds=st.integers(0, 10**9).map(lambda micros: micros / 1_000_000),
    ip_address=st.just("192.0.2.7"),
    user_agent=st.sampled_from(["curl", ""]) | _TEXT,
    reason=st.none() | st.just("wrong_secret"),
    requests=st.integers(1, 3),
    host=st.none() | st.sampled_from(["app.example.com", "", "\x00\udc80"]),
)


def _hex_rows(count: int) -> list[LogEntry]:
    return [make_row(request_id=f"{number + 1:032x}", user=f"u{number % 3}") for number in range(count)]


@given(entries=st.lists(_ENTRIES, min_size=1, max_size=20), kept=st.sampled_from([1, 3, 20_000]))
def test_any_row_is_read_as_the_slow_way_reads_it(entries: list[LogEntry], kept: int) -> None:
    """Whatever was read before, and however much of it is kept: each payload is its own row, the second time too."""
    decoder = RowDecoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "_KEPT_MAX", kept)
        for entry in [*entries, *entries]:
            payload = encode(entry)
            assert decoder.row(payload) == row_of(decode(payload))


def test_old_records_are_read_among_new_ones() -> None:
    """Each as its own row, in whatever order they come, the second time too."""
    decoder = RowDecoder()
    new = [encode(replace(row, host=host)) for row in OLD_RECORDS.values() for host in (None, "app.example.com")]

    for payload in [*OLD_RECORDS, *new, *OLD_RECORDS, *new]:
        assert decoder.row(payload) == row_of(decode(payload))


@given(entry=_ENTRIES, cut=st.integers(1, 120), extra=st.binary(max_size=3))
def test_what_is_no_row_is_none_the_quick_way_either(entry: LogEntry, cut: int, extra: bytes) -> None:
    """A payload that the slow way refuses is refused, also when its pieces were met in a good one."""
    payload = encode(entry)
    decoder = RowDecoder()
    decoder.row(payload)
    for other in (payload[:-cut], payload + extra, bytes([9]) + payload[1:], payload[:1] + bytes([7]) + payload[2:]):
        try:
            expected = row_of(decode(other))
        except ValueError:
            with pytest.raises(ValueError, match=r"\w"):
                decoder.row(other)
        else:
            assert decoder.row(other) == expected


def test_a_segment_is_read_in_one_run(tmp_path: Path) -> None:
    """As many rows as asked for, from wherever the last run ended, over the bounds of what one read gives."""
    rows = [make_row(request_id=f"{number:032x}", path=f"/{'p' * 900}") for number in range(2_500)]
    with closing(open_segments(tmp_path)) as segments:
        for row in rows[:700]:
            segments.append(encode(row))
        (segment, *_) = [one for one in list_segments(tmp_path) if one.scan(rows_max=1).rows]
        first = read_run(segment.path, (0, 1), 300, RowDecoder())
        second = read_run(segment.path, (first.offset, first.next_seq), 10_000, RowDecoder())

    assert [row for _, row in first.rows] == [row_of(row) for row in rows[:300]]
    assert [row for _, row in second.rows] == [row_of(row) for row in rows[300:700]]
    assert [seq for seq, _ in second.rows] == list(range(301, 701))


def test_a_whole_record_that_is_no_row_is_lost_alone(tmp_path: Path) -> None:
    """Its checksum holds, but this release cannot read it: it is counted, and those around it come in."""
    rows = _hex_rows(6)
    with closing(open_segments(tmp_path / "log")) as segments:
        for row in rows[:3]:
            segments.append(encode(row))
        segments.append(b"\x09 of a later version")
        for row in rows[3:]:
            segments.append(encode(row))
    with closing(connect(tmp_path / "log.db", 5.0)) as database:
        upgrade(database)
        Ingester(tmp_path / "log", database, SystemClock()).ingest_once()

        assert list(SqlRequestLog(database).search(LogQuery(limit=0))) == rows[::-1]
        with database.reading.connect() as connection:
            assert connection.execute(select(log_loss.c.records)).scalar() == 1


def test_the_end_is_found_without_the_header(tmp_path: Path) -> None:
    """Where the first page is spoilt, the copy of the header serves, and rows are counted one by one."""
    rows = _hex_rows(5)
    with closing(open_segments(tmp_path / "log")) as segments:
        for row in rows:
            segments.append(encode(row))
    (segment,) = list_segments(tmp_path / "log")
    with segment.path.open("r+b") as file:
        file.write(b"spoilt" * 50)
    with closing(connect(tmp_path / "log.db", 5.0)) as database:
        upgrade(database)
        ingester = Ingester(tmp_path / "log", database, SystemClock())

        assert ingester.count_missing(ingester.find_ends()) == 5
        assert list(SqlRequestLog(database, ingester).search(LogQuery(limit=0))) == rows[::-1]


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """Where the lock cannot be taken nothing is moved, and a segment that cannot be opened holds up no other."""
    told: list[str] = []
    with closing(open_segments(tmp_path / "log")) as segments:
        segments.append(encode(make_row()))
    (segment,) = list_segments(tmp_path / "log")
    with closing(connect(tmp_path / "log.db", 5.0)) as database:
        upgrade(database)
        ingester = Ingester(tmp_path / "log", database, SystemClock(), lambda event, **_: told.append(event))
        # What is a folder can be opened and not read, also by root.
        other = tmp_path / "log" / f"{'0' * 32}.segment"
        other.mkdir()
        moved = [ingester.ingest_once(), ingester.ingest_once()]
        other.rmdir()
        (tmp_path / "log" / LOCK_NAME).unlink()
        (tmp_path / "log" / LOCK_NAME).mkdir()

        assert moved == [1, 0]
        assert told == ["log_segment_cannot_be_read"]
        with pytest.raises(StorageError, match="folder cannot be used"):
            ingester.ingest_once()
    assert not segment.path.exists()
    assert [path.name for path in (tmp_path / "log").iterdir()] == [LOCK_NAME]
