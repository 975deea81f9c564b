"""What a key allows beyond its use, by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.questions import Asked
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.key_findings import KEYS_JUDGED_MAX, Finding, KeyFindings, excess_of, may_change
from latchgate.services.log_ports import KeyUse
from support.house import USER, House
from support.log_rows import make_row
from support.log_uses import FakeUses

_HERE = ("192.0.2.7",)


def _use(requests: int = 3, reads: int = 3, addresses: tuple[str, ...] = _HERE) -> KeyUse:
    return KeyUse(requests, reads, addresses, 0, whole=True)


def _key(scopes: list[str], networks: list[str] | None = None) -> dict[str, list[str]]:
    return {"scopes": scopes, "allowed_networks": networks or []}


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["all"], True),
        (["User:write"], True),
        (["User:create"], True),
        (["User:delete", "read"], True),
        (["read"], False),
        (["User:read"], False),
        (["deploy", "door.write"], False),
        ([], False),
    ],
)
def test_scopes_that_change_records_are_known(scopes: list[str], expected: bool) -> None:
    """All, and every action but reading; what a free name opens elsewhere is not guessed."""
    assert may_change(scopes) is expected


@pytest.mark.parametrize(
    ("key", "use", "expected"),
    [
        (_key(["all"]), _use(), (True, True)),
        (_key(["all"]), _use(reads=2), (False, True)),
        (_key(["all"]), _use(addresses=(*_HERE, "192.0.2.8")), (True, False)),
        (_key(["read"]), _use(), (False, True)),
        (_key(["all"], ["192.0.2.0/24"]), _use(), (True, False)),
        (_key(["read"], ["192.0.2.0/24"]), _use(), None),
        (_key(["all"]), _use(reads=2, addresses=(*_HERE, "192.0.2.8")), None),
        (_key(["all"]), _use(0, 0, ()), None),
    ],
)
def test_excess_is_what_was_allowed_and_not_used(
    key: dict[str, list[str]], use: KeyUse, expected: tuple[bool, bool] | None
) -> None:
    """Changing, and coming from elsewhere, each by itself; of a key that was not used nothing is said."""
    excess = excess_of(key, use)

    assert (excess and (excess.changes, excess.elsewhere)) == expected


_KEYS = st.builds(
    _key,
    st.lists(st.sampled_from(["all", "read", "User:read", "User:write", "free"]), max_size=3),
    st.lists(st.sampled_from(["10.0.0.0/8"]), max_size=1),
)


@given(_KEYS, st.integers(0, 3), st.integers(0, 3), st.lists(st.sampled_from("abc"), unique=True))
def test_one_more_request_never_adds_to_an_excess_of_change(
    key: dict[str, list[str]], reads: int, writes: int, addresses: list[str]
) -> None:
    """Whoever writes once has used what allows to write; a second address ends "one address alone"."""
    before = excess_of(key, _use(reads + writes, reads, tuple(addresses)))
    wrote = excess_of(key, _use(reads + writes + 1, reads, (*addresses, "d", "e")))

    assert wrote is None
    assert before is None or before.changes or before.elsewhere


def _use_keys(house: House, count: int) -> None:
    """Make keys of long ago that were used just now."""
    house.add_user()
    for _ in range(count):
        key_id = house.add_key().key.key_id
        house.log.append(make_row(time=house.clock.now_us(), user=USER, api_key=key_id))
    house.execute("UPDATE api_key SET creation = 1, modified = 1")


def test_keys_are_told_while_the_log_cannot_be_read(house: House) -> None:
    """So that one can be ended then; of its use nothing is said."""
    _use_keys(house, 1)
    keys = house.documents.list_whole(COMMAND_LINE, "API Key", Asked()).documents()
    log = FakeUses()
    findings = KeyFindings(house.documents, log, house.clock)
    assert [key.findings for key in findings.judge(COMMAND_LINE, keys)] == [{Finding.WIDE}]

    log.broken = True

    assert [(key.values, key.findings) for key in findings.judge(COMMAND_LINE, keys)] == [(keys[0], frozenset())]
    assert findings.uses_of_a_day(COMMAND_LINE, keys) == {}


@pytest.mark.parametrize("more", [0, 1])
def test_of_very_many_keys_those_used_last_are_judged(house: House, more: int) -> None:
    """However many there are, the log is asked for so many; and it is told that there are others."""
    _use_keys(house, KEYS_JUDGED_MAX + more)
    log = FakeUses()

    counted = KeyFindings(house.documents, log, house.clock).count(COMMAND_LINE)

    assert (counted.counts[Finding.WIDE], counted.judged_all) == (KEYS_JUDGED_MAX, not more)
    assert log.asked == KEYS_JUDGED_MAX
