"""The application on PostgreSQL, where the gate waits for a network and leaves the event loop: every answer alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair, Service, opened_service
from support.envelopes import assert_refused
from support.postgres import PostgresServer

API = "api@example.com"


@pytest.fixture
def remote(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[tuple[Service, str]]:
    """An instance on a database of its own, and that database's name."""
    with (
        postgres_server.fresh_database() as name,
        opened_service(tmp_path / "home", database_url=postgres_server.url(name)) as service,
    ):
        service.make_user(API)
        yield service, name


def test_credentials_are_judged_and_logged_alike(remote: tuple[Service, str]) -> None:
    """A key, an access token and a session, and each of them ended: the answers and rows are those of SQLite."""
    service, _ = remote
    key = service.make_key(API)
    values = (key.token, key.basic, service.make_bearer(API, "made-elsewhere-for-postgresql-01"))
    cookie = [("cookie", f"sid={service.sign_in(API).sid}")]

    good = [service.ask(authorization=value) for value in values] + [service.ask(headers=cookie)]
    wrong = service.ask(authorization=Pair(key.key_id, "guess").token)
    guest = service.ask()
    service.latchgate.users.set_enabled(COMMAND_LINE, API, enabled=False)
    ended = [service.ask(authorization=value) for value in values] + [service.ask(headers=cookie)]

    assert [answer.document for answer in good] == [{"message": API}] * 4
    assert [answer.row.scheme for answer in good] == ["token", "Basic", "Bearer", "session"]
    assert_refused(wrong, 401, "AuthenticationError")
    assert (wrong.row.reason, wrong.row.api_key) == ("wrong_secret", key.key_id)
    assert_refused(guest, 403, "PermissionError")
    assert [answer.row.reason for answer in ended] == ["user_disabled"] * 4


def test_without_its_database_nobody_is_let_in(remote: tuple[Service, str], postgres_server: PostgresServer) -> None:
    """A clean 503 that tells nothing of the database, and a service that is alive and not ready."""
    service, name = remote
    key = service.make_key(API)
    assert service.ask(authorization=key.token).status == 200

    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608  # ours
    postgres_server.execute(ended)
    refused = service.ask(authorization=key.token)
    ready = service.ask("/readyz")
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    assert name not in assert_refused(refused, 503, "ServiceUnavailable")
    assert (ready.status, service.ask("/livez").status) == (503, 200)
    assert service.ask(authorization=key.token).document == {"message": API}
