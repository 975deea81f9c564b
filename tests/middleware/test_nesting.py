"""Middleware behind middleware: one judgement, one row; and what makes the inner one judge by itself."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from latchgate.core.access_rules import RuleSet
from latchgate.core.heads import Head
from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import PUBLIC, SIGNED_IN, Requirement
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.identities import JUDGED_KEY, KEY, Judged, identity_of
from latchgate.middleware.local import LocalKeeper
from latchgate.middleware.nesting import find_judged
from latchgate.middleware.wsgi import WsgiMiddleware
from latchgate.settings import load_settings
from support.asgi import Pair, Service, opened_service
from support.callers import Ask, Request, ask_asgi, ask_wsgi
from support.entrances import HeldKeeper, echo_asgi, echo_wsgi
from support.rule_books import FakeBook, rule_of

Rows = Callable[[], list[LogEntry]]
_ROLE = Requirement(user=True, roles=frozenset({"Auditor"}))


def _carrying(key: Pair, target: bytes = b"/x") -> Request:
    return Request(target, ((b"authorization", key.token.encode()), (b"cookie", b"a=b")))


def _asgi(keeper: HeldKeeper, outer: dict[str, Any], inner: dict[str, Any]) -> Ask:
    return ask_asgi(AsgiMiddleware(AsgiMiddleware(echo_asgi, **{"keeper": keeper, **inner}), keeper=keeper, **outer))


def _wsgi(keeper: HeldKeeper, outer: dict[str, Any], inner: dict[str, Any]) -> Ask:
    return ask_wsgi(WsgiMiddleware(WsgiMiddleware(echo_wsgi, **{"keeper": keeper, **inner}), keeper=keeper, **outer))


@pytest.mark.parametrize("nested", [_asgi, _wsgi])
@pytest.mark.parametrize(
    ("outer", "inner", "status", "reason"),
    [
        ({}, {}, 200, None),
        ({"rules": True}, {"rules": True}, 200, None),
        ({"rules": True}, {}, 200, None),
        ({"requires": PUBLIC}, {}, 200, None),
        ({}, {"requires": _ROLE}, 403, "role_missing"),
    ],
)
def test_a_request_has_one_row_however_often_it_passes(  # what the test is given, and what is expected
    request: pytest.FixtureRequest,
    nested: Callable[..., Ask],
    outer: dict[str, Any],
    inner: dict[str, Any],
    status: int,
    reason: str | None,
) -> None:
    """What is asked further in is judged there; it is logged where it was judged first."""
    service, key, rows = (request.getfixturevalue(name) for name in ("service", "key", "rows"))
    gate = replace(service.latchgate.gate, rule_book=FakeBook(RuleSet([rule_of("/*")])))
    ask = nested(HeldKeeper(replace(service.latchgate, gate=gate)), outer, inner)

    assert ask(_carrying(key)).status == status
    assert [(row.status, row.reason) for row in rows()] == [(status, reason)]


@pytest.mark.parametrize("nested", [_asgi, _wsgi])
def test_a_guest_of_the_outer_one_is_asked_who_it_is(
    keeper: HeldKeeper, rows: Rows, nested: Callable[..., Ask]
) -> None:
    """What anybody may do there needs a user here."""
    assert nested(keeper, {"requires": PUBLIC}, {})(Request()).status == 401
    assert rows() == []


def test_a_limit_counts_a_request_once(service: Service, keeper: HeldKeeper) -> None:
    """A key of two requests a minute opens two of them."""
    key = service.make_key("api@example.com", per_minute=2)
    ask = _asgi(keeper, {}, {})

    assert [ask(_carrying(key)).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("wrap", ["asgi", "wsgi"])
def test_django_behind_middleware(keeper: HeldKeeper, key: Pair, rows: Rows, wrap: str) -> None:
    """Its own middleware finds what the one before Django has judged."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.latchgate.user)

    middleware = ["latchgate.middleware.django.LatchgateMiddleware"]
    with override_settings(LATCHGATE={"keeper": keeper}, MIDDLEWARE=middleware, ROOT_URLCONF=(path("x", view),)):
        outer: dict[str, Callable[[], Ask]] = {
            "asgi": lambda: ask_asgi(AsgiMiddleware(ASGIHandler(), keeper=keeper)),
            "wsgi": lambda: ask_wsgi(WsgiMiddleware(WSGIHandler(), keeper=keeper)),
        }
        seen = outer[wrap]()(_carrying(key))

    assert (seen.status, seen.body) == (200, b"api@example.com")
    assert len(rows()) == 1


def test_another_credential_is_judged_anew(service: Service, keeper: HeldKeeper, key: Pair, rows: Rows) -> None:
    """Whoever puts another one into the request, between the two, does not go by the first."""
    service.make_user("other@example.com")
    other = service.make_key("other@example.com")
    inner = WsgiMiddleware(echo_wsgi, keeper=keeper)

    def between(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        return inner({**environ, "HTTP_AUTHORIZATION": other.token}, start_response)

    seen = ask_wsgi(WsgiMiddleware(between, keeper=keeper))(_carrying(key))

    assert seen.document["user"] == "other@example.com"
    assert {row.user for row in rows()} == {"api@example.com", "other@example.com"}


_HEAD = Head("GET", b"/x", "192.0.2.7", [(b"authorization", b"token a:b"), (b"host", b"a.example.com")])


@pytest.mark.parametrize(
    ("head", "by_rules", "requires", "found"),
    [
        (_HEAD, False, SIGNED_IN, True),
        (_HEAD, True, None, True),
        # Of the rules nobody was asked, or for another address.
        (_HEAD, False, None, False),
        (replace(_HEAD, target=b"/y"), True, None, False),
        (replace(_HEAD, method="POST"), True, None, False),
        (replace(_HEAD, headers=[*_HEAD.headers][:1]), True, None, False),
        # Nor is it the same where a keeper asks the rules in any case, or whether a session may be forged.
        (replace(_HEAD, target=b"/y"), True, SIGNED_IN, False),
        (replace(_HEAD, method="POST"), False, SIGNED_IN, False),
        (replace(_HEAD, headers=[*_HEAD.headers][:1]), True, SIGNED_IN, False),
        (replace(_HEAD, peer="192.0.2.8"), True, SIGNED_IN, False),
        (replace(_HEAD, headers=[*_HEAD.headers, (b"frappe-authorization-source", b"X")]), True, SIGNED_IN, False),
        (replace(_HEAD, headers=[*_HEAD.headers, (b"cookie", b"sid=x")]), True, SIGNED_IN, False),
    ],
)
def test_what_counts_as_the_same_request(
    service: Service, keeper: HeldKeeper, head: Head, by_rules: bool, requires: Requirement | None, found: bool
) -> None:
    """A judgement counts for the same credential, method and address alone."""
    who = keeper.admit(
        Head("GET", b"/", "192.0.2.7", [(b"authorization", service.make_key("api@example.com").token.encode())]),
        SIGNED_IN,
    )
    assert who.identity is not None
    judged = Judged(keeper.instance, _HEAD, by_rules=by_rules)
    told = {KEY: identity_of(who.identity.who, "", lambda _: None), JUDGED_KEY: judged}

    assert (find_judged(told, keeper, head, requires) is not None) == found


def test_only_the_same_instance_and_its_own_word_counts(tmp_path: Path, keeper: HeldKeeper, key: Pair) -> None:
    """Another instance judges by itself, as does one that cannot be named; a text in an identity's place is nothing."""
    environ: dict[str, Any] = {}

    def application(given: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        environ.update(given)
        return echo_wsgi(given, start_response)

    ask_wsgi(WsgiMiddleware(application, keeper=keeper))(_carrying(key))
    judged: Judged = environ[JUDGED_KEY]
    head = judged.head
    elsewhere = LocalKeeper(load_settings({"home": tmp_path}))

    assert find_judged(environ, keeper, head, SIGNED_IN) is not None
    assert find_judged(environ, elsewhere, head, SIGNED_IN) is None
    for other in ({JUDGED_KEY: replace(judged, instance=None)}, {JUDGED_KEY: "all"}, {KEY: "Administrator"}):
        assert find_judged({**environ, **other}, keeper, head, SIGNED_IN) is None


def test_a_guest_who_came_with_a_foreign_credential_is_judged_anew(service: Service, keeper: HeldKeeper) -> None:
    """What a rule leaves to the application opens nothing where no rule says so."""
    book = FakeBook(RuleSet([replace(rule_of("/*", guest=True), allow_foreign_authorization=True)]))
    gate = replace(service.latchgate.gate, rule_book=book)
    ask = _asgi(HeldKeeper(replace(service.latchgate, gate=gate)), {"rules": True}, {"requires": PUBLIC})

    assert ask(Request(headers=((b"authorization", b"Bearer foreign"),))).status == 401
    assert ask(Request()).status == 200


def test_a_session_is_guarded_against_forgery_by_the_method_that_counts(service: Service, rows: Rows) -> None:
    """What was asked as a GET, and made a POST on its way, needs the token there."""
    keeper = LocalKeeper(load_settings({"home": service.latchgate.settings.home}), sessions=True)
    inner = WsgiMiddleware(echo_wsgi, keeper=keeper)

    def between(environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # as WSGI says
        return inner({**environ, "REQUEST_METHOD": "POST"}, start_response)

    sid = service.sign_in("api@example.com").sid
    seen = ask_wsgi(WsgiMiddleware(between, keeper=keeper))(Request(headers=((b"cookie", f"sid={sid}".encode()),)))
    keeper.close()

    assert seen.status == 400
    assert ("POST", 400) in {(row.method, row.status) for row in rows()}


def test_keepers_upon_one_instance_know_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what names it; one that takes sessions lets in whom another would not."""
    home = tmp_path / "home"
    with opened_service(home):
        monkeypatch.setenv("LATCHGATE_HOME", str(home))
        own = LocalKeeper()

        assert own.instance == LocalKeeper(load_settings({"home": home})).instance
        assert own.instance != LocalKeeper(sessions=True).instance
        assert own.instance != LocalKeeper(load_settings({"home": tmp_path})).instance
        assert "latchgate.db" not in repr(own.instance)

    monkeypatch.setenv("LATCHGATE_WORKERS", "many")
    assert LocalKeeper().instance is None
