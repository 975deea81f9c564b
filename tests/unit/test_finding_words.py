"""What was found about keys is told exactly: how often, since when, and how much was looked at."""

import pytest

from latchgate.server.desk.finding_words import finding_notes, use_words
from latchgate.services.key_findings import Excess, Finding, JudgedKey
from latchgate.services.log_ports import KeyUse

_NOW = 1_777_636_800
_DAY = 86_400
_VALUES = {"scopes": ["all"], "expires": "2026-05-04 12:00:00", "creation": "2026-01-01", "last_used": "2026-01-09"}


def _use(requests: int, *, days: float = 20, addresses: int = 1, whole: bool = True) -> KeyUse:
    named = tuple(f"192.0.2.{number}" for number in range(1, addresses + 1))
    return KeyUse(requests, requests, named, int((_NOW - days * _DAY) * 1_000_000), whole)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (_use(1204, addresses=2), "used 1,204 times within a day by 2 addresses"),
        (_use(1), "used once within a day by 1 address"),
        (_use(0, addresses=0), "not used within a day"),
        (_use(2000, addresses=2, whole=False), "used at least 2,000 times within a day by at least 2 addresses"),
        (_use(2000, whole=False), "used at least 2,000 times within a day by at least 1 address"),
        (_use(0, addresses=0, whole=False), "not used in its newest requests within a day"),
    ],
)
def test_a_use_is_told_with_its_bound(use: KeyUse, expected: str) -> None:
    """What was not looked at is not taken for nothing."""
    assert use_words(use, "within a day") == expected


@pytest.mark.parametrize(
    ("use", "scopes", "expected"),
    [
        (
            _use(214),
            ["all"],
            "May change everything that its user may, but its 214 requests since 11 April 2026",
        ),
        (
            _use(500, whole=False),
            ["User:write", "User:read", "Role:delete"],
            "May delete Role records and write User records, but its newest 500 requests since 11 April 2026",
        ),
        (
            _use(1, days=0),
            ["read", "User:create"],
            "May create User records, but its one request since today",
        ),
    ],
)
def test_an_excess_of_change_is_told_exactly(use: KeyUse, scopes: list[str], expected: str) -> None:
    """Which rights, how many requests, since when."""
    key = JudgedKey(
        {**_VALUES, "scopes": scopes}, frozenset({Finding.WIDE}), Excess(use, changes=True, elsewhere=False)
    )

    assert finding_notes(key, _NOW) == [f"{expected} only read (GET or HEAD)."]


def test_each_finding_has_its_sentence() -> None:
    """In one order, and none for a key of which nothing was found."""
    excess = Excess(_use(3), changes=False, elsewhere=True)
    notes = finding_notes(JudgedKey(_VALUES, frozenset(Finding), excess), _NOW)

    assert notes == [
        "Expires in 3 days.",
        "Never used, and made on 1 January 2026.",
        "Not used since 9 January 2026.",
        "May be used from any address, but its 3 requests since 11 April 2026 came from 192.0.2.1 alone.",
    ]
    assert finding_notes(JudgedKey(_VALUES), _NOW) == []
