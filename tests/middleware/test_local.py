"""A keeper that opens the instance itself: when, what it does if it cannot, and what counts there."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from latchgate.core.heads import Head
from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import SIGNED_IN, Requirement
from latchgate.errors import SettingsError
from latchgate.middleware import instances
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.local import LocalKeeper
from latchgate.settings import load_settings
from support.asgi import Pair, Service, opened_service
from support.callers import Request, ask_asgi, scope_of
from support.entrances import echo_asgi
from support.forks import run_in_forks


@pytest.fixture(name="own", scope="module")
def _own(service: Service) -> Iterator[LocalKeeper]:
    """A keeper upon the instance, which takes sessions too."""
    keeper = LocalKeeper(load_settings({"home": service.latchgate.settings.home}), sessions=True)
    yield keeper
    keeper.close()


def _carrying(key: Pair) -> Head:
    return Head("GET", b"/", "192.0.2.7", ((b"authorization", key.token.encode()),))


def test_it_opens_when_it_is_needed_and_again_after_it_was_closed(
    service: Service, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """Nothing is open at first; a request opens the instance, and one after its end opens it once more."""
    keeper = LocalKeeper(load_settings({"home": service.latchgate.settings.home}))

    for _ in range(2):
        assert keeper.admit_at_once(_carrying(key), SIGNED_IN) is None
        assert keeper.admit(_carrying(key), SIGNED_IN).refusal is None
        passage = keeper.admit_at_once(_carrying(key), SIGNED_IN)
        assert passage is not None
        assert passage.try_record(200)
        keeper.close()

    assert [row.user for row in rows()] == ["api@example.com"] * 2


def test_a_child_opens_its_own(own: LocalKeeper, key: Pair, rows: Callable[[], list[LogEntry]]) -> None:
    """Parent and children answer and log after a fork as before it."""

    def ask() -> None:
        for _ in range(3):
            passage = own.admit_at_once(_carrying(key), SIGNED_IN) or own.admit(_carrying(key), SIGNED_IN)
            assert passage.refusal is None
            assert passage.try_record(200)

    ask()
    run_in_forks([ask, ask])
    ask()

    assert len({row.request_id for row in rows()}) == 12


def test_what_cannot_be_opened_lets_nobody_in_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an instance every request is a 503; once there is one, it is opened without a restart."""
    home = tmp_path / "home"
    keeper = LocalKeeper(load_settings({"home": home}))
    ask = ask_asgi(AsgiMiddleware(echo_asgi, keeper=keeper))
    with pytest.raises(SettingsError):
        keeper.open()
    assert [ask(Request()).status for _ in range(2)] == [503, 503]
    # Told once, not for each request.
    assert capsys.readouterr().err.count("latchgate cannot be opened") == 1

    with opened_service(home):
        monkeypatch.setattr(instances, "_AGAIN_SECONDS", 0.0)

        assert ask(Request()).status == 401
        keeper.close()


def test_a_session_counts_only_where_that_was_said(own: LocalKeeper, service: Service, keeper: object) -> None:
    """A cookie is read by a keeper that takes sessions; what changes something needs the token against forgery."""
    sid = service.sign_in("api@example.com").sid
    token = service.csrf_token(sid)
    cookie = (b"cookie", f"sid={sid}".encode())

    def ask(method: str, *more: tuple[bytes, bytes], by: object = own) -> int:
        ask = ask_asgi(AsgiMiddleware(echo_asgi, keeper=by))  # type: ignore[arg-type]  # a keeper
        return ask(Request(method=method, headers=(cookie, *more))).status

    assert ask("GET", by=keeper) == 401
    assert ask("GET") == 200
    assert ask("POST") == 400
    assert ask("POST", (b"x-frappe-csrf-token", token.encode())) == 200


def test_no_cookie_opens_a_websocket(own: LocalKeeper, service: Service) -> None:
    """Any page may open one, and its visitor's browser sends the cookie along: only a header counts there."""
    cookie = (b"cookie", f"sid={service.sign_in('api@example.com').sid}".encode())
    sent: list[Any] = []

    async def receive() -> Any:  # noqa: ANN401  # as ASGI says
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401  # as ASGI says
        sent.append(message)

    middleware = AsgiMiddleware(echo_asgi, websockets=True, keeper=own)
    asyncio.run(middleware(scope_of(Request(headers=(cookie,)), "websocket"), receive, send))

    assert [message["type"] for message in sent] == ["websocket.close"]


def test_where_replies_wait_for_the_disk_they_do_here(tmp_path: Path) -> None:
    """By the policy `always` the row is on the disk before the answer leaves, or there is no answer."""
    with opened_service(tmp_path / "home", log_sync="always") as service:
        service.make_user("api@example.com")
        key = service.make_key("api@example.com")
        keeper = LocalKeeper(load_settings({"home": tmp_path / "home", "log_sync": "always"}))
        passage = keeper.admit(_carrying(key), SIGNED_IN)
        assert passage.sync is not None

        ask = ask_asgi(AsgiMiddleware(echo_asgi, keeper=keeper))
        assert ask(Request(headers=((b"authorization", key.token.encode()),))).status == 200
        keeper.close()


def test_requirements_of_schemes_hold(own: LocalKeeper, key: Pair) -> None:
    """An application may take one scheme alone."""
    from latchgate.core.credentials import Scheme  # noqa: PLC0415  # this test alone names one

    requires = Requirement(user=True, schemes=frozenset({Scheme.BEARER}))

    refusal = own.admit(_carrying(key), requires).refusal

    assert refusal is not None
    assert (refusal.status, refusal.reason) == (403, "scheme_not_accepted")


def test_a_row_on_the_event_loop_waits_for_no_fork(
    own: LocalKeeper, key: Pair, rows: Callable[[], list[LogEntry]]
) -> None:
    """While another thread forks nothing is written at once; a thread does it afterwards."""
    passage = own.admit(_carrying(key), SIGNED_IN)
    instance = own._instance()
    instance.shut()
    assert passage.try_record_at_once(200) is None
    instance.reopen()

    assert passage.try_record(200)
    assert [row.status for row in rows()] == [200]


def test_it_is_lent_to_who_has_borrowed_it(own: LocalKeeper) -> None:
    """To no other thread, and no longer than until it is given back: a fork may close it then."""
    own.open()
    instance = own._instance()
    assert instance.lent() is None

    borrowed = instance.borrow_at_once()
    with ThreadPoolExecutor(1) as another:
        assert another.submit(instance.lent).result() is None
    assert instance.lent() is borrowed is not None
    instance.give_back()

    assert instance.lent() is None


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_loop_goes_on_while_an_unanswered_request_waits_for_a_fork(
    own: LocalKeeper, key: Pair, rows: Callable[[], list[LogEntry]], *, cancelled: bool
) -> None:
    """Its row is written in a thread once the fork is over, even if the request is cut off meanwhile."""
    instance = own._instance()
    begun = asyncio.Event()

    async def never(*_: object) -> Any:  # noqa: ANN401  # no message comes
        await asyncio.Future()

    async def application(scope: object, receive: object, send: object) -> None:
        instance.shut()
        begun.set()
        raise RuntimeError("the application fails")

    async def run() -> None:
        request = Request(b"/signed-in", ((b"authorization", key.token.encode()),))
        app = AsgiMiddleware(application, keeper=own)
        answering = asyncio.create_task(app(scope_of(request), never, never))
        await begun.wait()
        # Each of these is a turn of the loop that nobody holds up.
        for _ in range(3):
            await asyncio.sleep(0.01)
            assert not answering.done()
        if cancelled:
            answering.cancel()
        instance.reopen()
        with pytest.raises(asyncio.CancelledError if cancelled else RuntimeError):
            await answering

    asyncio.run(run())

    assert [(row.status, row.reason) for row in rows()] == [(500, "internal")]
