"""The fast lane by itself: what it leaves to the ordinary way, and what it keeps of what strangers send."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.errors import StorageError
from latchgate.server.fast_lane import FastLane
from support.asgi import LOGGED_USER, Service, opened_service

ANN = "ann@example.com"
_LONG = b"a" * 20_000
_KEPT_BYTES_MAX = 4 * 2**20


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An instance with Ann."""
    with opened_service(tmp_path / "home") as service:
        service.make_user(ANN)
        yield service


@pytest.fixture
def lane(service: Service) -> FastLane:
    """The lane of its application."""
    assert service.application.lane is not None
    return service.application.lane


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"user-agent"])
def test_strangers_fill_no_memory(lane: FastLane, name: bytes) -> None:
    """Whatever is sent with any credential: what is remembered of it stays small."""
    tracemalloc.start()
    try:
        for number in range(1_000):
            lane.read(
                LOGGED_USER.encode(),
                [(b"authorization", b"token x:y"), (name, b"%d, %b" % (number, _LONG))],
                "203.0.113.9",
            )
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < _KEPT_BYTES_MAX


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"token x:y")] * 2,
        [(b"authorization", b"token " + b"x" * 1_100)],
        [(b"authorization", b"token x:y"), (b"host", b"a"), (b"host", b"b")],
        [(b"authorization", b"token x:y"), (b"user-agent", _LONG)],
        *([(b"authorization", b"token x:y"), (name, b"1")] for name in (b"cookie", b"expect", b"content-length")),
    ],
)
def test_what_is_unusual_is_left(lane: FastLane, headers: list[tuple[bytes, bytes]]) -> None:
    """It reads nothing that the ordinary way might read in another way."""
    assert lane.read(LOGGED_USER.encode(), headers, "203.0.113.9") is None


def test_one_row_a_request_whoever_answers(service: Service) -> None:
    """The first answer stands on a look-up, the others on what is remembered, for each of several user agents."""
    key = service.make_key(ANN).token
    for agent in ("a", "b", "c", "d", "e", "f", "a"):
        answer = service.ask(LOGGED_USER, key, headers=[("user-agent", agent)])

        assert (answer.status, answer.document) == (200, {"message": ANN})
        assert (answer.row.user, answer.row.user_agent, answer.row.path) == (ANN, agent, LOGGED_USER)
        assert answer.row.request_id == answer.header("x-request-id")


def test_a_secret_in_the_user_agent_stays_out_of_the_log(service: Service) -> None:
    """The lane's rows are blanked as all others."""
    pair = service.make_key(ANN)
    for _ in range(2):
        answer = service.ask(LOGGED_USER, pair.token, headers=[("user-agent", f"tool {pair.secret}")])

        assert answer.status == 200
        assert pair.secret not in answer.row.user_agent


def test_a_full_log_is_the_ordinary_ways_to_tell(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane cannot write its row, and no room can be had: the request is answered 503, and no row says otherwise."""
    key = service.make_key(ANN).token
    assert service.ask(LOGGED_USER, key).status == 200
    log = service.latchgate.request_log

    def fail(*_: object) -> None:
        raise StorageError("The request log has no room for more")

    monkeypatch.setattr(log, "append_prepared", fail)
    monkeypatch.setattr(log, "reserve", fail)
    answer = service.ask(LOGGED_USER, key)

    assert (answer.status, [row.status for row in answer.rows]) == (503, [503])


def test_a_fault_of_the_lane_is_nobodys(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever fails in it, the ordinary way answers, and the operator is told."""
    key = service.make_key(ANN).token

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("latchgate.server.fast_lane.FastLane._prepare", fail)
    answer = service.ask(LOGGED_USER, key)

    assert (answer.status, answer.row.status) == (200, 200)
    assert "fast lane failed" in capsys.readouterr().err
