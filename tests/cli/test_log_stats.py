"""latchgate log stats: requests by outcome, the busiest names, and the log itself."""

import pytest

from latchgate.services.clock import SystemClock
from support.command_line import CommandLine
from support.log_rows import make_row

_HOUR_US = 3_600_000_000


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    """An instance with requests of two users, a stranger, and one of long ago."""
    now_us = SystemClock().now_us()
    ann = {"time": now_us - _HOUR_US}
    bob = {"time": now_us - 2 * _HOUR_US, "user": "bob@example.com", "user_id": 8, "api_key": "lgk_bob"}
    stranger = {"user": None, "user_id": None, "api_key": None, "reason": "unknown_key", "status": 401}
    with cli.opened() as latchgate:
        for _ in range(3):
            latchgate.request_log.append(make_row(**ann))
        latchgate.request_log.append(make_row(**ann, reason="over_limit", status=429))
        latchgate.request_log.append(make_row(**bob, status=404))
        latchgate.request_log.append(make_row(time=now_us, **stranger))
        latchgate.request_log.append(make_row(time=now_us - 50 * 24 * _HOUR_US))
    return cli


def test_requests_are_counted_by_outcome(filled: CommandLine) -> None:
    """Of the last day, by class of status and whether they were refused; with the users, keys and reasons first."""
    found = filled.json("log", "stats")

    assert found["outcomes"] == [
        {"status": 2, "refused": False, "requests": 3},
        {"status": 4, "refused": False, "requests": 1},
        {"status": 4, "refused": True, "requests": 2},
    ]
    assert [(one["name"], one["requests"], one["refused"]) for one in found["top"]["user"]] == [
        ("ann@example.com", 4, 1),
        ("bob@example.com", 1, 0),
    ]
    assert [(one["name"], one["detail"]) for one in found["top"]["key"]] == [("lgk_ann", "User"), ("lgk_bob", "User")]
    assert sorted(one["name"] for one in found["top"]["reason"]) == ["over_limit", "unknown_key"]
    assert (found["log"]["lost"], found["log"]["rows"]) == (0, 0)
    assert found["log"]["pending"] == 7


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--since", "90d"), 7),
        (("--since", "3d"), 6),
        (("--user", "ann@example.com"), 4),
        (("--key", "lgk_bob"), 1),
        (("--user", "nobody"), 0),
        (("--until", "3h"), 0),
        (("--key", "lgk_ann", "--since", "60d"), 5),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_time_and_whose_they_are_can_be_told(filled: CommandLine, options: tuple[str, ...], count: int) -> None:
    """From when, before when, of one user or one key."""
    found = filled.json("log", "stats", *options)

    assert sum(one["requests"] for one in found["outcomes"]) == count


def test_people_get_tables(filled: CommandLine) -> None:
    """Outcomes, names and the log itself, numbers to the right."""
    lines = filled.lines("log", "stats", "--top", "1")

    assert lines[0].startswith("Requests from 20")
    assert lines[1:5] == ["  2xx           3", "  4xx           1", "  4xx, refused  2", "  all           6"]
    assert "  ann@example.com  4  1 refused" in lines
    assert "  bob@example.com  1" not in lines
    assert "  rows waiting in segments" in "\n".join(lines)


def test_what_is_wrong_with_the_log_itself_is_told(filled: CommandLine) -> None:
    """Lost rows with their time, and files that cannot be read."""
    segment = next((filled.home / "log").glob("*.segment"))
    segment.write_bytes(b"spoilt" * 1000)
    filled.run("log", "search")

    assert f"  cannot be read: {segment.stem}  its header is damaged" in filled.lines("log", "stats")


def test_a_user_and_a_key_together_are_refused(cli: CommandLine) -> None:
    """There is no count of both."""
    assert "not both" in cli.run("log", "stats", "--user", "a", "--key", "b", code=2).stderr
