"""The same requests through every entrance: one decision, one row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest

from latchgate.core.users import GUEST
from latchgate.middleware.keepers import Keeper
from latchgate.middleware.remote import RemoteKeeper
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Service, opened_service
from support.callers import HOST, Request
from support.entrances import ENTRANCES, LEVELS, REMOTE, ROLE, RULES, SCOPE, CountedLane, HeldKeeper
from support.protected import PROXY
from support.running import RunningLatchgate

_BY_RULES = frozenset({"asgi by rules", "wsgi by rules", "forward-auth", "lane", *REMOTE})
"""The entrances where the access rules decide, and so which host is asked for."""
API, OTHER = "api@example.com", "auditor@example.com"


@dataclass(frozen=True)
class Case:
    """What is presented, and what is to come of it at each address: the user let in, or a status."""

    headers: tuple[tuple[str, str], ...]
    signed_in: str | int
    role: str | int
    scope: str | int
    open: str | int
    reason: str | None = None
    """In the row, where the credential itself is refused."""
    key: str | None = None
    rows: int = 1
    any_scope: str | int | None = None
    """None: as where a credential must be limited to nothing."""

    @property
    def answers(self) -> dict[str, str | int]:
        """What is to come of it, by address."""
        any_scope = self.signed_in if self.any_scope is None else self.any_scope
        return dict(zip(LEVELS, (self.signed_in, any_scope, self.role, self.scope, self.open), strict=True))

    @property
    def sent(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers in bytes."""
        return tuple((name.encode(), value.encode()) for name, value in self.headers)

    def reason_at(self, level: str) -> str | None:
        """Why it is refused at an address, as the row says."""
        if isinstance(self.answers[level], str):
            return None
        lacks_role = level == "/role" and self.any_scope != OTHER
        return self.reason or ("role_missing" if lacks_role else "scope_missing")


class House:
    """An instance, keys of every kind, and what each is good for."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.latchgate.roles.create(COMMAND_LINE, ROLE)
        service.make_user(API)
        service.make_user(OTHER, roles=frozenset({ROLE}))
        self.good, self.auditor = service.make_key(API), service.make_key(OTHER)
        self.elsewhere = service.make_key(API, networks=(ip_network("203.0.113.0/24"),))
        self.cases = {**self._good_ones(), **self._bad_ones(), **self._malformed_ones(), **self._words()}

    def _good_ones(self) -> dict[str, Case]:
        service, good, auditor = self.service, self.good, self.auditor
        narrow = service.make_key(API, scopes=frozenset({SCOPE}))
        read = service.make_key(OTHER, scopes=frozenset({"read"}))
        bearer = service.make_bearer(API, "an-access-token-of-some-other-make-0001", SCOPE)
        usual = (("authorization", good.token), ("frappe-authorization-source", "User"))
        return {
            "nobody": Case((), 401, 401, 401, GUEST, rows=0),
            "token": _case(good.token, API, 403, API, API, key=good.key_id),
            "Basic": _case(good.basic, API, 403, API, API, key=good.key_id),
            "TOKEN in capitals": _case(good.token.replace("token", "TOKEN"), API, 403, API, API, key=good.key_id),
            "Bearer": _case(bearer, 403, 403, API, API, any_scope=API),
            "narrow scope": _case(narrow.token, 403, 403, API, API, key=narrow.key_id, any_scope=API),
            "role": _case(auditor.token, OTHER, OTHER, OTHER, OTHER, key=auditor.key_id),
            "role without scope": _case(read.token, 403, 403, 403, OTHER, key=read.key_id, any_scope=OTHER),
            "role without scope by Basic": _case(read.basic, 403, 403, 403, OTHER, key=read.key_id, any_scope=OTHER),
            "the usual source": Case(usual, API, 403, API, API, key=good.key_id),
        }

    def _bad_ones(self) -> dict[str, Case]:
        service, good = self.service, self.good
        service.make_user("gone@example.com")
        revoked, expired, gone = service.make_key(API), service.make_key(API), service.make_key("gone@example.com")
        service.latchgate.api_keys.revoke(COMMAND_LINE, revoked.key_id)
        service.latchgate.users.set_enabled(COMMAND_LINE, "gone@example.com", enabled=False)
        with closing(sqlite3.connect(service.latchgate.settings.home / "latchgate.db")) as database, database:
            database.execute("UPDATE api_key SET expires_at = 1000000000 WHERE key_id = ?", [expired.key_id])
        other = (("authorization", good.token), ("frappe-authorization-source", "Robot"))
        return {
            "wrong secret": _refused(f"token {good.key_id}:lgs_wrong", "wrong_secret", good.key_id),
            "unknown key": _refused("token lgk_nobody:lgs_nothing", "unknown_key"),
            "unknown token": _refused("Bearer lga_nothing", "unknown_token"),
            "unknown scheme": _refused("Digest abc", "unknown_scheme"),
            "unreadable": _refused("token without-a-colon", "authorization_unreadable"),
            "revoked": _refused(revoked.token, "revoked", revoked.key_id),
            "expired": _refused(expired.token, "expired", expired.key_id),
            "disabled user": _refused(gone.token, "user_disabled", gone.key_id),
            "not from here": _refused(self.elsewhere.token, "address_not_allowed", self.elsewhere.key_id),
            "another source": Case(other, 401, 401, 401, 401, "unknown_source"),
        }

    def _malformed_ones(self) -> dict[str, Case]:
        good, auditor = ("authorization", self.good.token), ("authorization", self.auditor.token)
        twice = "two_authorization_headers"
        return {
            "Basic without padding": _malformed([("authorization", "Basic YWI6Yw")], "basic_not_base64"),
            "two": _malformed([good, auditor], twice),
            "two alike": _malformed([good, good], twice),
            "two schemes": _malformed([("authorization", "Basic YWI6YWI="), good], twice),
            "two sources": _malformed([good, *[("frappe-authorization-source", "User")] * 2], "two_source_headers"),
        }

    def _words(self) -> dict[str, Case]:
        """What a caller merely says of itself."""
        good, elsewhere = self.good, self.elsewhere
        somebody = (("x-auth-request-user", OTHER), ("remote-user", OTHER), ("x_forwarded_user", OTHER))
        other = (("authorization", good.token), ("x-auth-request-user", OTHER), ("x-auth-request-groups", ROLE))
        far = (("authorization", elsewhere.token), ("x-forwarded-for", "203.0.113.9"))
        return {
            "said to be somebody": Case(somebody, 401, 401, 401, GUEST, rows=0),
            "said to be somebody else": Case(other, API, 403, API, API, key=good.key_id),
            "said to come from elsewhere": Case(far, 401, 401, 401, 401, "address_not_allowed", elsewhere.key_id),
            "a cookie": Case((("cookie", "sid=abc"),), 401, 401, 401, GUEST, rows=0),
        }


def _case(
    authorization: str,
    signed_in: str | int,
    role: str | int,
    scope: str | int,
    anywhere: str | int,
    **more: Any,  # noqa: ANN401  # of the case
) -> Case:
    return Case((("authorization", authorization),), signed_in, role, scope, anywhere, **more)


def _refused(authorization: str, reason: str, key: str | None = None) -> Case:
    return Case((("authorization", authorization),), 401, 401, 401, 401, reason, key)


def _malformed(headers: list[tuple[str, str]], reason: str) -> Case:
    return Case(tuple(headers), 400, 400, 400, 400, reason)


@pytest.fixture(name="house", scope="module")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened_service(tmp_path_factory.mktemp("entrances") / "home", trusted_proxies=PROXY) as service:
        house = House(service)
        service.latchgate.access_rules.load(COMMAND_LINE, RULES, origin="the test")
        yield house


@pytest.fixture(name="remote", scope="module")
def _remote(house: House) -> Iterator[RemoteKeeper]:
    """A keeper that asks a server of the same instance, each time."""
    running = RunningLatchgate(house.service.latchgate.settings.home, LATCHGATE_TRUSTED_PROXIES="127.0.0.1")
    running.start()
    keeper = RemoteKeeper(running.base, cache_seconds=0)
    yield keeper
    keeper.close()
    running.kill()


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_each_entrance_decides_alike_and_logs_once(request: pytest.FixtureRequest, house: House, entrance: str) -> None:
    """Whichever way a request comes in, the same is decided about it, and one row says so before it is answered."""
    latchgate = house.service.latchgate
    keeper = request.getfixturevalue("remote") if entrance in REMOTE else HeldKeeper(latchgate)
    ask = ENTRANCES[entrance](latchgate, keeper)
    # A proxy is told yes without a body.
    yes = 204 if entrance in {"forward-auth", "lane", *REMOTE} else 200
    _, position = latchgate.request_log.follow(None)
    due: list[tuple[str, str, int, str | None, str | int, str | None]] = []

    for name, case in house.cases.items():
        for level in LEVELS:
            told, expected = f"{name} at {level}", case.answers[level]
            seen = ask(Request(f"{level}?case={len(due)}".encode(), case.sent))
            if isinstance(expected, str):
                assert (seen.status, seen.body and seen.document["user"]) == (200, expected), told
            else:
                # Whoever sends nothing is a guest, whom the server answers as Frappe does.
                guest = entrance == "server" and not case.rows
                assert seen.status == (403 if guest else expected), told
                # RFC 6750, section 3.1; but a permission class has no header of its own.
                lacks_scope = name == "Bearer" and case.reason_at(level) == "scope_missing"
                challenged = seen.status == 401 or (lacks_scope and entrance != "django rest framework")
                assert ("www-authenticate" in seen.headers) == (guest or challenged), told
            if case.rows:
                due.append(
                    (
                        told,
                        f"{level}?case={len(due)}",
                        yes if seen.status == 200 else seen.status,
                        case.key,
                        expected,
                        case.reason_at(level),
                    )
                )

    # Where nothing is signed for the caller in this minute, the lane leaves it to the ordinary way.
    assert not isinstance(ask, CountedLane) or ask.answered > len(LEVELS)
    rows, _ = latchgate.request_log.follow(position)
    assert len(rows) == len(due)
    for row, (told, path, status, key, expected, reason) in zip(rows, due, strict=True):
        assert (row.path, row.status, row.reason) == (path, status, reason), told
        assert key is None or row.api_key == key, told
        assert not isinstance(expected, str) or row.user == expected, told
        assert row.host == (HOST.decode() if entrance in _BY_RULES else None), told


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/%6fpen",
            "/op%65n",
            "//open",
            "/open/",
            "/open%2f..%2frole",
            "/open/../role",
            "/./open",
            "/open%00",
            "/role%2e",
        ),
        *(
            "/open;x=1",
            "/open%3bx",
            "/OPEN",
            "/%2e%2e/open",
            "/open%5c..%5crole",
            "/r%C3%B4le",
            "/role%FF",
            "/open?/role",
            "/",
        ),
    ],
)
def test_odd_paths_are_judged_alike(house: House, remote: RemoteKeeper, target: str) -> None:
    """By whichever entrance access rules are asked, a path is let in by all of them or by none."""
    latchgate = house.service.latchgate
    keeper = HeldKeeper(latchgate)
    by_rules: dict[str, Keeper] = {
        "asgi by rules": keeper,
        "wsgi by rules": keeper,
        "forward-auth": keeper,
        "lane": keeper,
        **dict.fromkeys(REMOTE, remote),
    }
    request = Request(target.encode(), house.cases["token"].sent)

    statuses = {name: ENTRANCES[name](latchgate, using)(request).status for name, using in by_rules.items()}

    assert len(set(statuses.values())) == 1, statuses
