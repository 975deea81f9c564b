"""What keys were used for, and who was refused: exact within a bound, and the bound is told."""

import pytest

from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.log_ports import KeyUse, RefusedBurst
from support.log_rows import NOON, make_row

_ANN = ("User", "lgk_ann")
_MINUTE, _HOUR = 60_000_000, 3_600_000_000
_REFUSED = {"user": None, "user_id": None, "status": 401, "reason": "wrong_secret"}


def test_a_keys_use_is_told_by_what_it_opened(sql_log: HostRequestLog) -> None:
    """Methods and addresses, the most usual first; what was refused, older, or another source's is no use of it."""
    sql_log.append(make_row(time=NOON, ip_address="192.0.2.1"))
    for method in ("HEAD", "OPTIONS", "POST"):
        sql_log.append(make_row(time=NOON, method=method, ip_address="192.0.2.2"))
    sql_log.append(make_row(time=NOON - 10, method="DELETE", ip_address="192.0.2.9"))
    sql_log.append(make_row(time=NOON, method="DELETE", source="Event Consumer", ip_address="192.0.2.9"))
    sql_log.append(make_row(time=NOON, method="DELETE", ip_address="192.0.2.9", status=403, reason="scope_missing"))
    sql_log.append(make_row(time=NOON, method="DELETE", ip_address="192.0.2.9", **_REFUSED))

    uses = sql_log.key_uses([_ANN, ("Event Consumer", "lgk_ann"), ("User", "lgk_none")], NOON - 5, 100)

    assert uses[_ANN] == KeyUse(4, 2, ("192.0.2.2", "192.0.2.1"), NOON, whole=True)
    assert (uses["Event Consumer", "lgk_ann"].requests, uses["Event Consumer", "lgk_ann"].reads) == (1, 0)
    assert uses["User", "lgk_none"] == KeyUse(0, 0, (), NOON - 5, whole=True)


@pytest.mark.parametrize(("rows_max", "expected"), [(2, (2, False)), (3, (3, False)), (4, (3, True))])
def test_only_the_newest_rows_are_looked_at(sql_log: HostRequestLog, rows_max: int, expected: tuple[int, bool]) -> None:
    """However many there are; that older ones were left is told, and when the oldest looked at was."""
    for place in range(3):
        sql_log.append(make_row(time=NOON + place))

    use = sql_log.key_uses([_ANN], NOON - 5, rows_max)[_ANN]

    assert (use.requests, use.whole) == expected
    assert use.since == NOON + 3 - use.requests


def test_when_users_were_last_seen(sql_log: HostRequestLog) -> None:
    """By their newest row, whatever came of it; who sent nothing is not named."""
    for time, user in ((NOON + 5, "ann@example.com"), (NOON, "ann@example.com"), (NOON - 7, "bob@example.com")):
        sql_log.append(make_row(time=time, user=user, status=403, reason="role_missing"))

    seen = sql_log.last_seen(["bob@example.com", "ann@example.com", "nobody@example.com"])

    assert seen == {"ann@example.com": NOON + 5, "bob@example.com": NOON - 7}


def test_refusals_are_counted_by_address_and_by_key(sql_log: HostRequestLog) -> None:
    """Those that stand for many count as many; what a client or a database is to blame for does not count."""
    now = NOON + 30 * _MINUTE
    sql_log.append(make_row(time=now, api_key=None, ip_address="198.51.100.7", requests=40, **_REFUSED))
    sql_log.append(make_row(time=now - 3 * _HOUR, ip_address="198.51.100.7", **_REFUSED))
    sql_log.append(make_row(time=now, ip_address="198.51.100.8", status=403, reason="scope_missing"))
    sql_log.append(make_row(time=now - 30 * _HOUR, ip_address="198.51.100.9", **_REFUSED))
    sql_log.append(make_row(time=now, ip_address="198.51.100.9", status=503, reason="storage"))
    sql_log.append(make_row(time=now, ip_address="198.51.100.9", status=404))
    sql_log.append(make_row(time=now, ip_address="198.51.100.9", status=499, reason="client_gone", api_key="lgk_bob"))

    found = sql_log.refusals(now - _HOUR, now - 24 * _HOUR, 100, 5)

    assert found.addresses == [
        RefusedBurst("198.51.100.7", "", 40, 41),
        RefusedBurst("198.51.100.8", "", 1, 1),
    ]
    # Of a key by whole hours, whatever kept its requests from being answered.
    assert found.keys == [RefusedBurst("lgk_ann", "User", 1, 2), RefusedBurst("lgk_bob", "User", 1, 1)]
    assert found.whole
    assert [one.name for one in sql_log.refusals(now - _HOUR, now - 24 * _HOUR, 100, 1).addresses] == ["198.51.100.7"]
    assert not sql_log.refusals(now - _HOUR, now - 24 * _HOUR, 2, 5).whole
