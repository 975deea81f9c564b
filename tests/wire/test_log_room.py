"""A log without room, and one that waits for the disk: nothing is done or answered that its row does not cover."""

import errno
import os
from collections.abc import Iterator

import pytest

from latchgate.services.port_values import LogQuery
from support.asgi import LOGGED_USER, Service, opened_service
from support.envelopes import assert_refused

USER = "api@example.com"
_GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance of one's own, whose log may be filled."""
    with opened_service(tmp_path_factory.mktemp("alone") / "home") as service:
        service.make_user(USER)
        yield service


def _fill_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no room for another segment, and none open."""

    def refuse(_descriptor: int, _offset: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    service.latchgate.request_log.segments.close()
    monkeypatch.setattr(os, "posix_fallocate", refuse)


def test_nothing_is_done_that_could_not_be_logged(alone: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a credential is answered 503 before it has changed anything, and as ever once there is room."""
    key = alone.make_key(USER)
    with monkeypatch.context() as patched:
        _fill_disk(alone, patched)

        refused = alone.post(_GENERATE, {"user": USER}, key.token)

        assert_refused(refused, 503, "ServiceUnavailable")
        assert refused.rows == ()
    # A new secret would have ended this one.
    answer = alone.ask(LOGGED_USER, key.token)
    assert (answer.status, answer.row.user) == (200, USER)


def test_guests_are_served_by_a_full_log(alone: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves no row needs no room."""
    _fill_disk(alone, monkeypatch)

    assert alone.ask("/api/method/ping").status == 200
    assert alone.ask("/login").status == 200


def test_a_restart_finds_what_was_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Rows that nobody had read when a server ended are there for the next."""
    home = tmp_path_factory.mktemp("restarted") / "home"
    with opened_service(home) as service:
        service.make_user(USER)
        key = service.make_key(USER)
        for _ in range(3):
            assert service.send_noting(LOGGED_USER, key.token, []) == 200

    with opened_service(home) as service:
        found = [row.user for row in service.latchgate.request_log.search(LogQuery())]

    assert found == [USER] * 3


@pytest.mark.parametrize(("secret", "status"), [(None, 200), ("wrong", 401)])
def test_a_reply_waits_for_the_disk(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, secret: str | None, status: int
) -> None:
    """By the policy `always` a row is on the disk before the first byte of its reply leaves; a guest waits for none."""
    events: list[str] = []
    fdatasync = os.fdatasync

    def note(descriptor: int) -> None:
        fdatasync(descriptor)
        events.append("disk")

    with opened_service(tmp_path_factory.mktemp("always") / "home", log_sync="always") as service:
        service.make_user(USER)
        key = service.make_key(USER)
        monkeypatch.setattr(os, "fdatasync", note)

        answered = service.send_noting(LOGGED_USER, f"token {key.key_id}:{secret or key.secret}", events)
        of_guest: list[str] = []
        service.send_noting("/api/method/ping", None, of_guest)

    assert answered == status
    assert events[:2] == ["disk", "http.response.start"]
    assert of_guest[0] == "http.response.start"


def test_a_body_that_is_too_large_waits_too(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the protocol refuses by itself is on the disk as well before it is answered."""
    synced: list[int] = []
    with opened_service(tmp_path_factory.mktemp("large") / "home", log_sync="always") as service:
        monkeypatch.setattr(os, "fdatasync", synced.append)

        service.log_refusal("/api/method/ping", "token a:b", 413)

        assert len(synced) == 1


def test_what_the_disk_refused_is_not_answered(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the policy `always` a reply whose row may not be on the disk does not leave; the next one does."""
    with opened_service(tmp_path_factory.mktemp("failing") / "home", log_sync="always") as service:
        service.make_user(USER)
        key = service.make_key(USER)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", _fail)
            assert service.send_noting(LOGGED_USER, key.token, []) == 503

        assert service.ask(LOGGED_USER, key.token).row.user == USER


def _fail(_descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))
