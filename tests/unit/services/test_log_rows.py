"""What of a request's texts is remembered, so that they need not be searched for secrets once more."""

import pytest

from latchgate.core.credentials import KeyPair, Presented, Scheme
from latchgate.core.tokens import Secret, TokenKind, issue_token
from latchgate.services import log_rows
from latchgate.services.log_rows import asked_of, without_secret
from support.house import ADDRESS

_TOKEN = issue_token(TokenKind.ACCESS_TOKEN, bytes(24))


def _remembered() -> set[str]:
    return {*log_rows._plain_paths, *log_rows._plain_agents}


def _presented(path: str = "/", user_agent: str = "") -> Presented:
    return Presented("GET", path, ADDRESS, user_agent=user_agent)


@pytest.mark.parametrize(
    "presented",
    [
        _presented(f"/?token={_TOKEN}"),
        _presented("/?password=hunter2hunter2"),
        _presented("/setup/lgl_whatever"),
        _presented(f"/{_TOKEN}"),
        _presented(user_agent=f"tool/1 {_TOKEN}"),
        _presented("/a\nb"),
        _presented(user_agent="tool\x1b[2J"),
        _presented("/" + "a" * 300),
        _presented("/\ud800"),
    ],
)
def test_what_is_changed_or_long_is_not_remembered(presented: Presented) -> None:
    """Nothing that is blanked, escaped or cut stays in memory, and it is shown alike each time."""
    first, second = asked_of(presented), asked_of(presented)

    assert first == second
    assert not _remembered() & {presented.path, presented.user_agent} - {"/", ""}


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    """However many addresses are asked for, and by however many programs."""
    for number in range(3_000):
        asked = asked_of(_presented(f"/app/user/{number}", f"tool/{number}"))
        assert (asked.path, asked.user_agent) == (f"/app/user/{number}", f"tool/{number}")

    assert len(log_rows._plain_paths) <= 1024
    assert len(log_rows._plain_agents) <= 1024


def test_the_secret_itself_is_blanked_where_it_was_plain_before() -> None:
    """A text that was remembered as plain is not, once it holds the secret of who sends it."""
    presented = _presented("/files/correct-horse-battery", "correct-horse-battery/1.0")
    assert asked_of(presented).path == presented.path

    shown = without_secret(presented, KeyPair(Scheme.TOKEN, "key", Secret("correct-horse-battery"), "User"))

    assert asked_of(shown)[1::2] == ("/files/***", "***/1.0")
