"""The bytes of a row: whatever the gate can log comes back as it was, and nothing else passes for a row."""

from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchgate.core.log_entries import Asked, LogEntry
from latchgate.request_log.records import RECORD_BYTES_MAX, decode, encode, encode_what, encode_who, join
from support.log_rows import make_row
from support.old_records import OLD_RECORDS, write_as_before

_ANY = st.characters(exclude_categories=())
_TIMES = st.integers(-(2**63), 2**63 - 1)
_EVIL = make_row(user="\x00", api_key="\ud800\udc00", path="\udc80\ufeff", method="", reason="\U0010ffff", source="")


def _texts(length_max: int) -> st.SearchStrategy[str]:
    return st.text(_ANY, max_size=length_max)


_ENTRIES = st.builds(
    LogEntry,
    time=_TIMES,
    request_id=st.binary(min_size=16, max_size=16).map(bytes.hex) | _texts(256),
    user=st.none() | _texts(512),
    api_key=st.none() | _texts(512),
    scheme=st.none() | _texts(100),
    source=st.none() | _texts(256),
    method=_texts(20),
    path=_texts(1024),
    status=st.integers(0, 2**16 - 1),
    seconds=st.integers(0, 10**13).map(lambda micros: round(micros / 1_000_000, 6)),
    ip_address=_texts(100),
    user_agent=_texts(256),
    reason=st.none() | _texts(256),
    user_id=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    requests=st.integers(1, 2**32 - 1),
    host=st.none() | _texts(256),
)


@given(_ENTRIES)
@example(_EVIL)
@example(make_row(seconds=0.1 + 0.2))
@example(make_row(former_until=1_777_640_000))
@example(make_row(request_id="0123456789abcdef0123456789ABCDEF"))
def test_a_row_comes_back_as_it_was(entry: LogEntry) -> None:
    """Each field does, None apart from the empty text, lone surrogates and NUL too; seconds to the microsecond."""
    payload = encode(entry)

    assert decode(payload) == replace(entry, seconds=round(entry.seconds, 6))
    assert len(payload) <= RECORD_BYTES_MAX


@given(_ENTRIES)
def test_pieces_make_the_same_record(entry: LogEntry) -> None:
    """What is joined of prepared pieces is what encoding the whole gives."""
    entry = replace(entry, requests=1, request_id=f"{abs(entry.time):032x}")
    who = encode_who(entry.user, entry.user_id, entry.api_key, entry.scheme, entry.source)
    asked = Asked(entry.method, entry.path, entry.ip_address, entry.user_agent, entry.host)
    what = encode_what(*asked, entry.reason)
    micros = round(entry.seconds * 1_000_000)

    joined = join(entry.time, bytes.fromhex(entry.request_id), entry.status, micros, who, what)

    assert joined == encode(entry)


@pytest.mark.parametrize("payload", OLD_RECORDS, ids=lambda payload: OLD_RECORDS[payload].method)
def test_what_the_release_before_wrote_is_read(payload: bytes) -> None:
    """Rows that waited in segments while Latchgate was updated are the same rows after, without a host."""
    row = decode(payload)

    assert row == OLD_RECORDS[payload]
    assert row.host is None
    assert decode(encode(row)) == row


@pytest.mark.parametrize("payload", OLD_RECORDS, ids=lambda payload: OLD_RECORDS[payload].method)
def test_an_old_record_is_of_its_version_alone(payload: bytes) -> None:
    """Read as of another it is refused, or another row: no version stands for two."""
    for version in [0, *range(2, 256)]:
        try:
            row = decode(bytes([version]) + payload[1:])
        except ValueError:
            continue
        assert version == 2
        assert row != OLD_RECORDS[payload]


@given(_ENTRIES)
def test_any_old_record_comes_back_as_it_was(entry: LogEntry) -> None:
    """As those of now, but for the host that it cannot tell."""
    entry = replace(entry, host=None)

    assert decode(write_as_before(encode(entry))) == replace(entry, seconds=round(entry.seconds, 6))


@given(st.binary(max_size=300))
def test_noise_is_no_row(noise: bytes) -> None:
    """Bytes from anywhere are refused as a ValueError, or they are what encoding the row gives."""
    _hold_to_one_spelling(noise)


@given(_ENTRIES, st.booleans(), st.data())
def test_a_changed_record_is_refused_or_another_row(entry: LogEntry, old: bool, data: st.DataObject) -> None:
    """However a record was cut, lengthened or changed, it is refused, or the one spelling of the row it gives."""
    written = write_as_before(encode(replace(entry, host=None))) if old else encode(entry)
    payload = bytearray(written)
    place = data.draw(st.integers(0, len(payload) - 1))
    match data.draw(st.sampled_from(["change", "cut", "lengthen"])):
        case "change":
            payload[place] = data.draw(st.integers(0, 255))
        case "cut":
            del payload[place:]
        case _:
            payload[place:place] = data.draw(st.binary(min_size=1, max_size=8))

    _hold_to_one_spelling(bytes(payload))


@pytest.mark.parametrize("field", [field.name for field in fields(LogEntry) if "str" in str(field.type)])
def test_no_text_is_too_long(field: str) -> None:
    """A text beyond all measure is cut, and an ellipsis shows it: the largest record is known beforehand."""
    longest = {name.name: "\U0001f600" * 70_000 for name in fields(LogEntry) if "str" in str(name.type)}
    row = decode(encode(make_row(**longest)))

    assert getattr(row, field).endswith("\U0001f600…")
    assert len(encode(make_row(**longest))) <= RECORD_BYTES_MAX


@pytest.mark.parametrize(
    "impossible",
    [
        {"seconds": -0.1},
        {"seconds": float("inf")},
        {"seconds": float("nan")},
        {"seconds": 2.0**31},
        {"user_id": 2**63},
        {"status": 2**16},
        {"status": -1},
        {"time": 2**63},
        {"requests": 2**32},
        {"requests": 0},
    ],
    ids=str,
)
def test_an_impossible_number_is_refused(impossible: dict[str, int | float]) -> None:
    """A number for which there is no place does not become another one."""
    with pytest.raises(ValueError, match="number"):
        encode(make_row(**impossible))


def _hold_to_one_spelling(payload: bytes) -> None:
    try:
        entry = decode(payload)
    except ValueError:
        return
    written = encode(entry)
    assert (write_as_before(written) if payload[0] == 1 else written) == payload
