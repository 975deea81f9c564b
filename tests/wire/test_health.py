"""/livez, /readyz and the metadata: what load balancers and clients ask before anything else."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from support.asgi import LOGGED_USER, Service, opened_service
from support.envelopes import assert_refused, assert_refused_v2, assert_shown

METADATA = "/.well-known/oauth-protected-resource"


@pytest.fixture
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance of one's own, to take its databases away from."""
    with opened_service(tmp_path_factory.mktemp("failing") / "home") as service:
        service.make_user("api@example.com")
        yield service


def _drop(service: Service, file: str, table: str) -> None:
    with closing(sqlite3.connect(service.latchgate.settings.home / file)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(f"DROP TABLE {table}")
        database.commit()


def _refuse_room(_descriptor: int, _offset: int, _length: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/livez/"])
def test_a_service_that_is_well_says_so(service: Service, path: str) -> None:
    """Both ask for no credential and leave no row."""
    answer = service.ask(path)

    assert answer.document == {"status": "ok"}
    assert answer.rows == ()


def test_the_metadata_tells_where_credentials_go(service: Service) -> None:
    """The resource's own address and how it takes tokens (RFC 9728, section 2)."""
    assert service.ask(METADATA).document == {
        "resource": "http://127.0.0.1:8000",
        "authorization_servers": ["http://127.0.0.1:8000"],
        "resource_name": "Latchgate",
        "scopes_supported": ["all", "read", "openid", "profile", "email", "roles"],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize("host", ["evil.example", "", "[", "a b", "\xff", "evil.example/", "user@evil.example:99999"])
def test_the_public_address_is_never_the_host_header_s(service: Service, host: str) -> None:
    """Where metadata, challenges and pages lead to is set by the operator, whatever a caller says of the host."""
    with opened_service(service.latchgate.settings.home, public_url="https://auth.example.com") as public:
        headers = [("host", host), ("x-forwarded-host", host), ("x-forwarded-proto", "https")]
        answers = [public.ask(path, headers=headers) for path in (METADATA, LOGGED_USER, "/me", "/login", "/nowhere")]
        page = public.ask(authorization="token a:b", headers=[*headers, ("accept", "text/html")])

    assert answers[0].document["resource"] == "https://auth.example.com"
    assert answers[1].header("www-authenticate") == f'Bearer resource_metadata="https://auth.example.com{METADATA}"'
    assert answers[2].header("location") == "/login"
    assert [answer.status for answer in answers] == [200, 403, 303, 200, 404]
    assert_shown(page, 401)
    assert not any("evil.example" in answer.text + str(answer.headers) for answer in (*answers, page))


# 503


@pytest.mark.parametrize(("file", "table"), [("latchgate.db", "fact"), ("log.db", "request_log")])
def test_a_service_without_a_database_is_alive_and_not_ready(failing: Service, file: str, table: str) -> None:
    """A load balancer takes it out; nobody restarts it for what a restart would not mend."""
    _drop(failing, file, table)

    answer = failing.ask("/readyz")

    assert (answer.status, answer.document) == (503, {"status": "unavailable"})
    assert failing.ask("/livez").status == 200


def test_a_credential_that_cannot_be_looked_up_is_no_guest(failing: Service) -> None:
    """Without the accounts nobody is let in, and nothing of the database's complaint is told."""
    key, sid = failing.make_key("api@example.com"), failing.sign_in("api@example.com").sid
    _drop(failing, "latchgate.db", "api_key")
    _drop(failing, "latchgate.db", "session")

    answers = [failing.ask(authorization=key.token), failing.ask(headers=[("cookie", f"sid={sid}")])]
    second = failing.ask("/api/v2/method/frappe.auth.get_logged_user", key.token)

    for answer in answers:
        assert "no such table" not in assert_refused(answer, 503, "ServiceUnavailable")
        assert (answer.row.status, answer.row.user, answer.row.reason) == (503, None, "storage")
    assert_refused_v2(second, 503, "ServiceUnavailable")


def test_what_cannot_be_logged_is_not_answered(failing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose row cannot be written is refused, with no cookie and nothing of what was asked."""
    key = failing.make_key("api@example.com")
    sid = failing.sign_in("api@example.com").sid
    failing.latchgate.request_log.segments.close()
    monkeypatch.setattr(os, "posix_fallocate", _refuse_room)

    refused = failing.ask(LOGGED_USER, key.token)

    assert "logged" in assert_refused(refused, 503, "ServiceUnavailable")
    assert "api@example.com" not in refused.text
    assert failing.ask("/me", headers=[("cookie", f"sid={sid}")]).status == 503
    assert failing.ask("/api/method/ping").status == 200
