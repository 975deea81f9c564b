"""No text keeps a row out of the log, and every text comes back."""

import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from latchgate.request_log.request_log import HostRequestLog
from latchgate.request_log.texts import INDEXED_LENGTH_MAX, indexable, storable
from latchgate.services.port_values import LogQuery
from support.log_rows import make_row

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
_TEXT_FIELDS = ("request_id", "scheme", "source", "method", "path", "ip_address", "user_agent", "reason")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=_ANY_TEXT, api_key=_ANY_TEXT, texts=st.lists(_ANY_TEXT, min_size=8, max_size=8))
@example(user="\x00", api_key="\ud800", texts=["a\x00b", "\udc80", "\r\n", "\x1b[2J", '"', "'", "\\x00", "𝔘\u2028"])
def test_any_text_is_kept(sql_log: HostRequestLog, user: str, api_key: str, texts: list[str]) -> None:
    """Whatever a field holds, the row is written, found by it and read as it was, but for NUL and lone surrogates."""
    given_texts = {**dict(zip(_TEXT_FIELDS, texts, strict=True)), "user": user, "api_key": api_key}
    row = make_row(**given_texts)

    sql_log.append(row)
    (found,) = sql_log.search(LogQuery(user=user, api_key=api_key, path=row.path, limit=1))

    for name, text in given_texts.items():
        assert getattr(found, name) == storable(text)
    assert found.time == row.time


@given(_ANY_TEXT)
def test_what_is_storable_stays(text: str) -> None:
    """Text that both engines can hold is not touched; the rest becomes such text, and is then not touched again."""
    stored = storable(text)

    stored.encode()
    assert "\x00" not in stored
    assert storable(stored) == stored
    if not any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in text):
        assert stored == text


@pytest.mark.parametrize("character", ["a", "𝔘"])
def test_a_name_too_long_for_an_index_is_cut(sql_log: HostRequestLog, character: str) -> None:
    """A user or key of any length is logged, cut where PostgreSQL's indexes end, and found by its full name."""
    # Not one letter over and over: PostgreSQL would compress it into the index.
    long_name = "".join(chr(ord(character) + (number * 7919) % 26) for number in range(5000))

    sql_log.append(make_row(user=long_name, api_key=long_name[::-1]))
    (found,) = sql_log.search(LogQuery(user=long_name))

    assert found.user == long_name[: INDEXED_LENGTH_MAX - 1] + "…"
    assert list(sql_log.last_uses([long_name[::-1]])) == [long_name[::-1]]


def test_a_name_of_the_longest_length_is_whole() -> None:
    """Nothing is cut that fits."""
    name = (string.ascii_letters * 20)[:INDEXED_LENGTH_MAX]

    assert indexable(name) == name
    assert len(indexable(name + "x")) == INDEXED_LENGTH_MAX
