from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.addresses import parse_networks
from latchgate.core.users import (
    ADMINISTRATOR,
    UserType,
    effective_roles,
    hours_allow,
    hours_hold_until,
    networks_allow,
    parse_user_name,
)
from unit.core.examples import USER

_BERLIN = ZoneInfo("Europe/Berlin")
_HOURS = st.integers(0, 24)


def _at(year: int, month: int, day: int, hour: int) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def _allowed(after: int, before: int, zone: tzinfo = UTC) -> set[int]:
    user = replace(USER, login_after=after, login_before=before)
    return {hour for hour in range(24) if hours_allow(user, _at(2026, 7, 1, hour), zone)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("api@example.com", "api@example.com"),
        (" Api.User+x@Example.COM ", "api.user+x@example.com"),
        ("administrator", "Administrator"),
        ("ADMINISTRATOR", "Administrator"),
        ("guest", "Guest"),
        ("a@b", "a@b"),
        ("O'Brien@example.com", "o'brien@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_user_names(text: str, name: str) -> None:
    """A user is named by an e-mail address in lower case, but Administrator and Guest."""
    assert parse_user_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api",
        "@example.com",
        "api@",
        "api@@example.com",
        "a@b@c",
        "a..b@example.com",
        "a@example..com",
        "a b@example.com",
        "a,b@example.com",
        "a@example.com, b@example.com",
        "a@exa\nmple.com",
        "a\r\nb@example.com",
        "a\x00@example.com",
        "a@-example.com",
        "a@example.com-",
        '"a"@example.com',
        "<a@example.com>",
        "a/b@example.com",
        "mi\u212ae@example.com",
        "a\u00a0@example.com",
        "\u00a0administrator",
        "gr\u00fcn@example.com",
        "a@\u202eexample.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 200,
    ],
)
def test_what_names_no_user(text: str) -> None:
    """What is no plain e-mail address names nobody, and nothing but ASCII is folded into one."""
    assert parse_user_name(text) is None


@given(st.text(st.characters()) | st.from_regex(r"[ -~]{1,10}@[ -~]{1,10}", fullmatch=True))
def test_parsed_names_are_stable(text: str) -> None:
    """Any text can be asked about; a name that was read is read again as itself, and is safe in a header."""
    name = parse_user_name(text)

    if name is not None:
        assert parse_user_name(name) == name
        assert name.isascii()
        assert name.isprintable()
        assert " " not in name


@pytest.mark.parametrize(
    ("name", "user_type", "automatic"),
    [
        ("web@example.com", UserType.WEBSITE, {"All", "Guest"}),
        ("api@example.com", UserType.SYSTEM, {"All", "Guest", "Desk User"}),
        (ADMINISTRATOR, UserType.SYSTEM, {"All", "Guest", "Desk User", "System Manager"}),
    ],
)
def test_effective_roles(name: str, user_type: UserType, automatic: set[str]) -> None:
    """Every user has its granted roles and the automatic ones; only Administrator is System Manager by itself."""
    user = replace(USER, name=name, user_type=user_type, roles=frozenset({"Report Manager"}))

    assert effective_roles(user) == automatic | {"Report Manager"}
    assert effective_roles(replace(user, roles=frozenset())) == automatic


@pytest.mark.parametrize(
    ("first", "last", "full"),
    [("Api", "User", "Api User"), ("Api", "", "Api"), ("", "User", "User"), ("", "", "api@example.com")],
)
def test_full_name(first: str, last: str, full: str) -> None:
    """A user without first and last name is called by its name."""
    assert replace(USER, first_name=first, last_name=last).full_name == full


@pytest.mark.parametrize(
    ("restrict_ip", "address", "allowed"),
    [
        ("", "192.0.2.1", True),
        ("", "unix", True),
        ("10.1.1.1", "10.1.1.1", True),
        ("10.1.1.1", "::ffff:10.1.1.1", True),
        ("10.1.1.1", "10.1.1.2", False),
        ("10.1.1.1", "", False),
        ("10.1.1.1, 2001:db8::/32", "2001:db8::1", True),
    ],
)
def test_networks_allow(restrict_ip: str, address: str, allowed: bool) -> None:
    """A user with addresses may act from those alone, one without from anywhere."""
    networks = parse_networks(restrict_ip)
    assert isinstance(networks, tuple)

    assert networks_allow(replace(USER, restrict_ip=networks), address) == allowed


@pytest.mark.parametrize(
    ("after", "before", "hours"),
    [
        (0, 0, set(range(24))),
        (9, 0, set(range(9, 24))),
        (0, 17, set(range(17))),
        (9, 17, set(range(9, 17))),
        (9, 10, {9}),
        (22, 6, {22, 23, 0, 1, 2, 3, 4, 5}),
        (23, 1, {23, 0}),
        (9, 9, set()),
        (0, 24, set(range(24))),
        (9, 24, set(range(9, 24))),
        (24, 0, set()),
        (24, 6, set()),
        (24, 24, set()),
    ],
)
def test_hours(after: int, before: int, hours: set[int]) -> None:
    """A user may act from the first hour up to the second, over midnight too; after 24 is never."""
    assert _allowed(after, before) == hours


@given(_HOURS, _HOURS)
def test_a_window_and_its_opposite(after: int, before: int) -> None:
    """Two windows that begin where the other ends share no hour and leave none out."""
    if 0 < after < 24 and 0 < before < 24 and after != before:
        assert _allowed(after, before) | _allowed(before, after) == set(range(24))
        assert not _allowed(after, before) & _allowed(before, after)


@given(_HOURS)
def test_never_is_never(before: int) -> None:
    """After 24 there is no hour, whatever the other limit."""
    assert _allowed(24, before) == set()


def test_hours_to_the_second() -> None:
    """The window opens and closes on the hour."""
    user = replace(USER, login_after=9, login_before=17)
    opening, closing = _at(2026, 7, 1, 9), _at(2026, 7, 1, 17)

    assert not hours_allow(user, opening - 1, UTC)
    assert hours_allow(user, opening, UTC)
    assert hours_allow(user, closing - 1, UTC)
    assert not hours_allow(user, closing, UTC)


@pytest.mark.parametrize(
    ("zone", "utc_hours"),
    [
        (UTC, {9}),
        (timezone(timedelta(hours=5, minutes=45)), {4}),
        (timezone(timedelta(hours=-8)), {17}),
        (_BERLIN, {7}),
    ],
)
def test_hours_are_of_the_zone(zone: tzinfo, utc_hours: set[int]) -> None:
    """The hours are those of the set time zone."""
    user = replace(USER, login_after=9, login_before=10)

    assert {hour for hour in range(24) if hours_allow(user, _at(2026, 7, 1, hour), zone)} == utc_hours


def test_hours_follow_summer_time() -> None:
    """Nine o'clock is nine o'clock on the wall, in summer and in winter."""
    user = replace(USER, login_after=9, login_before=10)

    assert [hour for hour in range(24) if hours_allow(user, _at(2026, 1, 1, hour), _BERLIN)] == [8]
    assert [hour for hour in range(24) if hours_allow(user, _at(2026, 7, 1, hour), _BERLIN)] == [7]


def test_hours_on_the_days_of_change() -> None:
    """An hour that the clock leaves out opens nothing that day; one that comes twice opens twice."""
    user = replace(USER, login_after=2, login_before=3)

    assert [hour for hour in range(24) if hours_allow(user, _at(2026, 3, 29, hour), _BERLIN)] == []
    assert [hour for hour in range(24) if hours_allow(user, _at(2026, 10, 25, hour), _BERLIN)] == [0, 1]


_SINCE, _UNTIL = int(_at(1973, 1, 1, 0)), int(_at(2037, 1, 1, 0))


@given(
    st.sampled_from(sorted(available_timezones())),
    st.integers(_SINCE, _UNTIL),
    st.integers(0, 24),
    st.integers(0, 24),
)
def test_hours_hold_until(zone: str, now: int, after: int, before: int) -> None:
    """Whatever the zone, and whatever its clocks do meanwhile: until then the hour allows what it allows now."""
    user = replace(USER, login_after=after, login_before=before)

    until = hours_hold_until(user, now)

    if until is None:
        assert (after, before) == (0, 0)
        return
    assert now < until <= now + 900
    assert len({hours_allow(user, moment, ZoneInfo(zone)) for moment in (*range(now, until, 37), until - 1)}) == 1
