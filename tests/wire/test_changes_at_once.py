"""A running server, and changes that another process makes: they hold from the very next request on."""

import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from typing import Any

import pytest

from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import LogQuery, UserChanges
from support.asgi import PASSWORD, Pair, Service
from support.running import RunningLatchgate
from support.wire_client import Client, Received

GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"
_DEADLINE_SECONDS = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLatchgate]:
    """A server on a data folder of its own."""
    running = RunningLatchgate(tmp_path_factory.mktemp("running") / "home").start()
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.output.read_text()


@pytest.fixture(scope="module")
def beside(running: RunningLatchgate) -> Iterator[Service]:
    """The same instance, opened by this process: what it changes, it changes behind the server's back."""
    service = Service(running.home)
    yield service
    service.close()


@pytest.fixture
def client(running: RunningLatchgate) -> Iterator[Client]:
    """One connection, kept over all requests of a test."""
    with closing(Client(running.port)) as client:
        yield client


def _assert_refused(answer: Received) -> None:
    assert (answer.status, answer.document["exc_type"]) == (401, "AuthenticationError")
    assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")
    assert answer.headers["cache-control"] == "no-store"


def _reason(beside: Service, answer: Received) -> str | None:
    (row,) = (
        row for row in beside.latchgate.request_log.search(LogQuery(limit=0)) if row.request_id == answer.request_id
    )
    return row.reason


# What ends a credential


def test_a_revoked_key_is_refused_at_once(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """The request after `key revoke` is a 401, on the connection that had just been let in, by each scheme."""
    key = beside.make_key(beside.make_user("revoked@example.com"))
    assert client.ask(key.token).document == {"message": "revoked@example.com"}

    running.ask("key", "revoke", key.key_id)

    answer = client.ask(key.token)
    _assert_refused(answer)
    _assert_refused(client.ask(key.basic))
    rows = running.ask("log", "search", "--key", key.key_id)
    assert [row.get("reason") for row in rows] == ["revoked", "revoked", None]
    assert [row["request_id"] for row in rows][1] == answer.request_id


def test_a_rotated_secret_is_refused_at_once(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """Without an overlap the former secret ends with the rotation; with one, both work."""
    key = beside.make_key(beside.make_user("rotated@example.com"))
    assert client.ask(key.token).status == 200

    second = running.ask("key", "rotate", key.key_id)
    former, present = client.ask(key.token), client.ask(Pair(key.key_id, second["api_secret"]).token)
    third = running.ask("key", "rotate", key.key_id, "--overlap", "24h")

    _assert_refused(former)
    assert present.status == 200
    assert client.ask(Pair(key.key_id, second["api_secret"]).token).status == 200
    assert client.ask(Pair(key.key_id, third["api_secret"]).token).status == 200


def test_a_disabled_user_is_refused_by_every_credential(
    running: RunningLatchgate, beside: Service, client: Client
) -> None:
    """Key, access token, session, and the key of another source that runs as this user."""
    user = beside.make_user("leaver@example.com")
    beside.latchgate.sources.create(COMMAND_LINE, "Terminal")
    beside.latchgate.sources.create_record(COMMAND_LINE, "Terminal", "desk 1", user)
    key, device = beside.make_key(user), beside.make_key("desk 1", source="Terminal")
    bearer = beside.make_bearer(user, "made-elsewhere-for-the-leaver-01")
    signed_in = client.ask(path="/api/method/login", method="POST", arguments={"usr": user, "pwd": PASSWORD})
    cookie = {"Cookie": f"sid={signed_in.cookies['sid']}"}
    source = {"Frappe-Authorization-Source": "Terminal"}

    def ask() -> list[Received]:
        return [
            client.ask(key.token),
            client.ask(key.basic),
            client.ask(bearer),
            client.ask(headers=cookie),
            client.ask(device.token, headers=source),
        ]

    assert [answer.status for answer in ask()] == [200] * 5
    running.ask("user", "disable", user)
    refused = ask()
    running.ask("user", "enable", user)

    for answer in refused:
        _assert_refused(answer)
        assert _reason(beside, answer) == "user_disabled"
    assert [answer.status for answer in ask()] == [200] * 5


def test_a_disabled_record_is_refused_at_once(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """The keys of a source's record end with it, and its user's own go on."""
    user = beside.make_user("owner@example.com")
    running.ask("source", "create", "Reader")
    running.ask("source", "record", "create", "Reader", "door", "--user", user)
    device, own = beside.make_key("door", source="Reader"), beside.make_key(user)
    source = {"Frappe-Authorization-Source": "Reader"}
    assert client.ask(device.token, headers=source).document == {"message": user}

    running.ask("source", "record", "disable", "Reader", "door")

    answer = client.ask(device.token, headers=source)
    _assert_refused(answer)
    assert _reason(beside, answer) == "record_disabled"
    assert client.ask(own.token).status == 200


def test_a_revoked_access_token_is_refused_at_once(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """The command reads the token from its standard input."""
    bearer = beside.make_bearer(beside.make_user("bearer@example.com"), "made-elsewhere-to-be-revoked-001")
    assert client.ask(bearer).status == 200

    running.ask("token", "revoke", typed="made-elsewhere-to-be-revoked-001\n")

    _assert_refused(client.ask(bearer))


def test_a_deleted_user_is_refused_at_once(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """And its name, given anew, opens nothing with what the former had."""
    user = beside.make_user("gone@example.com")
    key = beside.make_key(user)
    assert client.ask(key.token).status == 200

    running.run("user", "delete", user)
    _assert_refused(client.ask(key.token))
    beside.make_user(user)

    _assert_refused(client.ask(key.token))


def test_a_role_that_was_taken_away_counts_no_more(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """What only a System Manager may do is refused with the next request."""
    user = beside.make_user("demoted@example.com", roles=frozenset({SYSTEM_MANAGER}))
    other, key = beside.make_user("other@example.com"), beside.make_key(user)
    assert client.ask(key.token, path=GENERATE, method="POST", arguments={"user": other}).status == 200

    running.ask("role", "revoke", user, SYSTEM_MANAGER)

    assert client.ask(key.token, path=GENERATE, method="POST", arguments={"user": other}).status == 403
    assert client.ask(key.token).status == 200


_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "hours": ({"login_after": 24}, "outside_hours"),
    "addresses": ({"restrict_ip": (ip_network("10.9.8.0/24"),)}, "user_address_not_allowed"),
}


@pytest.mark.parametrize("name", _CHANGES)
def test_a_user_kept_to_other_hours_or_addresses_is_refused_at_once(beside: Service, client: Client, name: str) -> None:
    """By key and by access token, however they were let in before."""
    changes, reason = _CHANGES[name]
    user = beside.make_user(f"{name}@example.com")
    key, bearer = beside.make_key(user), beside.make_bearer(user, f"made-elsewhere-to-be-kept-to-{name}")
    assert [client.ask(value).status for value in (key.token, bearer)] == [200, 200]

    with beside.latchgate.store.write() as tx:
        found = tx.users.find(user)
        assert found
        tx.users.change(found.id, UserChanges(**changes), beside.latchgate.clock.now_us())

    for value in (key.token, key.basic, bearer):
        answer = client.ask(value)
        _assert_refused(answer)
        assert _reason(beside, answer) == reason


def test_a_key_from_a_forbidden_address_is_refused(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """The same key, at the same moment, from two addresses."""
    user = beside.make_user("placed@example.com")
    made = running.ask("key", "generate", user, "--allow-ip", "127.0.0.2/32")
    key = Pair(made["api_key"], made["api_secret"])

    with closing(Client(running.port, "127.0.0.2")) as allowed:
        assert allowed.ask(key.token).document == {"message": user}
    answer = client.ask(key.token, headers={"X-Forwarded-For": "127.0.0.2"})

    _assert_refused(answer)
    assert _reason(beside, answer) == "address_not_allowed"


def test_an_expired_key_is_refused_from_its_second_on(beside: Service, client: Client) -> None:
    """It works until then, and never after."""
    user, ends = beside.make_user("expired@example.com"), beside.latchgate.clock.now() + 2
    key = beside.make_key(user, expires_at=ends)
    passed = 0

    answer = client.ask(key.token)
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while answer.status == 200 and time.monotonic() < deadline:
        passed += 1
        answer = client.ask(key.token)

    _assert_refused(answer)
    assert passed
    assert beside.latchgate.clock.now() >= ends
    assert _reason(beside, answer) == "expired"


# Limits


def test_a_key_over_its_limit_waits(running: RunningLatchgate, beside: Service, client: Client) -> None:
    """Beyond its requests a minute there is a 429 with Retry-After, for this key alone."""
    user = beside.make_user("limited@example.com")
    made = running.ask("key", "generate", user, "--limit", "3")
    key, other = Pair(made["api_key"], made["api_secret"]), beside.make_key(user)

    answers = [client.ask(value) for value in (key.token, key.basic, key.token, key.token)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert client.ask(other.token).status == 200


def test_hammering_keeps_no_good_key_of_the_same_address_out(running: RunningLatchgate, beside: Service) -> None:
    """300 wrong secrets a minute are answered 401, those beyond 429; good credentials pass all the while."""
    user = beside.make_user("neighbour@example.com")
    key, bearer = beside.make_key(user), beside.make_bearer(user, "made-elsewhere-for-the-neighbour")
    wrong = [f"token {key.key_id}:guess", "token unknown:guess", "Bearer guessed-guessed-guessed"]

    with closing(Client(running.port, "127.0.0.3")) as hammering, closing(Client(running.port, "127.0.0.3")) as good:
        refused: list[Received] = []
        passed: list[int] = []
        for number in range(330):
            refused.append(hammering.ask(wrong[number % 3]))
            if number % 10 == 0:
                passed.append(good.ask((key.token, bearer, key.basic)[number // 10 % 3]).status)
    with closing(Client(running.port, "127.0.0.4")) as elsewhere:
        calm = elsewhere.ask(wrong[0])

    assert [answer.status for answer in refused] == [401] * 300 + [429] * 30
    assert all(0 < int(answer.headers["retry-after"]) <= 60 for answer in refused[300:])
    assert passed == [200] * 33
    assert calm.status == 401
