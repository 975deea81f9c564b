"""How pages show times, long ids and names in addresses."""

import pytest

from latchgate.server.desk.wording import Moment, middle, segment

NOW = 1_771_491_164  # 19 February 2026, 08:52:44 UTC


@pytest.mark.parametrize(
    ("ago_seconds", "words"),
    [
        (0, "just now"),
        (9, "just now"),
        (10, "10 seconds ago"),
        (60, "1 minute ago"),
        (3_599, "59 minutes ago"),
        (3 * 3600, "3 hours ago"),
        (47 * 3600, "47 hours ago"),
        (48 * 3600, "2 days ago"),
        (60 * 86_400, "21 Dec 2025"),
        (-0.9, "just now"),
        (-1, "in 1 second"),
        (-30 * 86_400, "in 30 days"),
        (-365 * 86_400, "19 Feb 2027"),
    ],
)
def test_a_time_in_words(ago_seconds: float, words: str) -> None:
    """Near ones by their distance, others by their day."""
    assert Moment.of(NOW - ago_seconds, NOW).words == words


@pytest.mark.parametrize(
    ("left_seconds", "words"),
    [
        (-60, "for a moment longer"),
        (0, "for a moment longer"),
        (1, "for another second"),
        (59, "for another 59 seconds"),
        (60, "for another minute"),
        (3600, "for another hour"),
        (23 * 3600 + 59, "for another 23 hours"),
        (11 * 86_400, "for another 11 days"),
        (365 * 86_400, "until 19 Feb 2027"),
    ],
)
def test_how_long_something_goes_on(left_seconds: int, words: str) -> None:
    """After a verb: it works for another 23 hours."""
    assert Moment.of(NOW + left_seconds, NOW).remaining == words


def test_a_time_exactly() -> None:
    """The text of a record's field is UTC, and is shown with its zone."""
    shown = Moment.of("2026-02-19 08:52:44.120000", NOW)

    assert (shown.exact, shown.machine) == ("19 February 2026, 08:52:44 UTC", "2026-02-19T08:52:44Z")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", ""), ("3f9c0d71aeb24c6", "3f9c0d71aeb24c6"), ("3f9c0d71aeb24c6d8e10f5a2", "3f9c0d71ae…f5a2")],
)
def test_a_long_id_keeps_its_ends(text: str, shown: str) -> None:
    """What people compare stays; a short one stays whole."""
    assert middle(text) == shown
    assert len(shown) <= 15


@pytest.mark.parametrize(
    ("name", "written"), [("a/b", "a%2Fb"), ("é?#", "%C3%A9%3F%23"), ("\ud800", "%3F"), ("a b", "a%20b")]
)
def test_a_name_is_one_segment(name: str, written: str) -> None:
    """Whatever is in it, the address has no part more."""
    assert segment(name) == written
