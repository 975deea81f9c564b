"""Two servers, one with the fast lane and one without, answer, log and end connections alike, byte for byte."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from itertools import islice
from pathlib import Path

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.port_values import UserChanges
from latchgate.services.users import UserOrder
from support import odd_questions, odd_requests
from support.asgi import Pair, opened_service
from support.frappe_like import running_like_frappe
from support.lanes import COMMON, LANES
from support.odd_requests import Credentials, request
from support.tampering import Tampering, tampering_proxy
from support.two_servers import Exchange, Fate, Side, Twins, running_twins

_USER = "api@example.com"
_BEARER = "Bearer bearer-ok-00000000000000000001"
_HALF_A_MINUTE = 30


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Credentials]:
    """A data folder that nobody has open, with what the recorded server held and one credential of every fate."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with running_like_frappe(home):
        pass
    with opened_service(home) as service:
        latchgate = service.latchgate
        revoked, elsewhere = service.make_key(_USER), service.make_key(_USER, networks=(ip_network("192.0.2.0/24"),))
        latchgate.api_keys.revoke(COMMAND_LINE, revoked.key_id)
        nearby = service.make_key(_USER, networks=(ip_network("127.0.0.0/8"),))
        narrow = service.make_key(_USER, scopes=frozenset({"User:read"}))
        good, rotated = service.make_key(_USER), service.make_key(_USER)
        latchgate.api_keys.rotate(COMMAND_LINE, rotated.key_id, overlap_seconds=0)
        overlapping = service.make_key(_USER)
        latchgate.api_keys.rotate(COMMAND_LINE, overlapping.key_id, overlap_seconds=86_400)
        limited = tuple(service.make_key(_USER, per_minute=3) for _ in range(2))
        latchgate.access_rules.load(COMMAND_LINE, odd_questions.RULES, origin="a test")
    bad = {
        "revoked": revoked.token,
        "revoked, by Basic": revoked.basic,
        "rotated": rotated.token,
        "elsewhere": elsewhere.token,
        "wrong": Pair(good.key_id, "guess").token,
        "unknown": Pair("nobodys", "guess").token,
        "disabled user": "token d1skey000000001:d1ssecret000001",
        "user with other addresses": "token 1pkey0000000001:1psecret0000001",
        "user out of hours": "token hrskey000000001:hrssecret000001",
        "unknown token": "Bearer nobodys",
        "expired token": "Bearer bearer-expired-000000000000001",
        # These are good, each in a way that a remembered verdict must not lose.
        "from here": nearby.token,
        "few scopes": narrow.token,
        "former secret": overlapping.token,
    }
    return home, Credentials(good, _BEARER, bad, limited)


@pytest.fixture(scope="module")
def known(filled: tuple[Path, Credentials]) -> Credentials:
    """What there is to present."""
    return filled[1]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory, filled: tuple[Path, Credentials]) -> Iterator[Twins]:
    """A server with the lane and one without; nobody is believed about addresses."""
    with running_twins(filled[0], tmp_path_factory.mktemp("twins"), [{**COMMON, **lane} for lane in LANES]) as twins:
        yield twins


@pytest.fixture(scope="module")
def twins_behind_a_proxy(tmp_path_factory: pytest.TempPathFactory, filled: tuple[Path, Credentials]) -> Iterator[Twins]:
    """The same, and this host is believed about addresses."""
    settings = [{**COMMON, "LATCHGATE_TRUSTED_PROXIES": "127.0.0.0/8", **lane} for lane in LANES]
    with running_twins(filled[0], tmp_path_factory.mktemp("twins"), settings) as twins:
        yield twins


# That the comparison notices what differs


def _replace(old: bytes, new: bytes) -> Tampering:
    return lambda data: data.replace(old, new)


@pytest.mark.parametrize(
    ("asked", "answered", "told"),
    [
        (None, _replace(b'"message"', b'"messagE"'), "answers"),
        (None, _replace(b"nosniff\r\n", b"nosniff \r\n"), "answers"),
        (None, _replace(b"x-request-id: ", b"x-request-id: 0"), "answers"),
        (None, lambda data: re.sub(rb"x-request-id: [^\r]*\r\n", b"", data), "answers"),
        (None, lambda data: re.sub(rb"x-request-id: [0-9a-f]{32}", b"x-request-id: " + b"0" * 32, data), "which row"),
        (_replace(b"get_logged_user HTTP", b"get_logged_user?a=1 HTTP"), None, "log rows"),
        (lambda data: data * 2 if b"token" in data else data, None, "log rows"),
        (_replace(b"Host: latchgate", b"Connection: close"), None, "connection"),
    ],
    ids=["a byte", "a space", "a longer id", "no id", "another's id", "another path", "one row more", "closed"],
)
def test_a_difference_is_noticed(
    twins: Twins, known: Credentials, asked: Tampering | None, answered: Tampering | None, told: str
) -> None:
    """Whatever a proxy before one of the servers changes is told; one that changes nothing makes no difference."""
    exchange = Exchange((request(b"Authorization: " + known.good.token.encode()),), answers=1)
    unchanged: Tampering = lambda data: data  # noqa: E731  # a value like the others

    with tampering_proxy(twins.other.port) as port, closing(Side(twins.other.latchgate, port)) as honest:
        Twins(twins.one, honest).compare(exchange)
    with (
        tampering_proxy(twins.other.port, asked=asked or unchanged, answered=answered or unchanged) as port,
        closing(Side(twins.other.latchgate, port)) as dishonest,
    ):
        found = twins.differences(twins.one.play(exchange), dishonest.play(exchange))

    assert any(line.startswith(told) for line in found), found
    twins.other._new_rows()  # what the proxies brought is nobody's


@pytest.mark.parametrize(
    ("exchange", "fate"),
    [
        (Exchange((request(),)), Fate.OPEN),
        (Exchange((request(b"Connection: close"),)), Fate.CLOSED),
        (Exchange((b"nonsense\r\n\r\n",)), Fate.HALF_CLOSED),
        (Exchange((request(),), ends_its_side=True), Fate.ENDED),
    ],
    ids=["open", "closed", "half closed", "ended"],
)
def test_the_fate_of_a_connection_is_told(twins: Twins, exchange: Exchange, fate: Fate) -> None:
    """What became of a connection is known without waiting for time to pass."""
    one, other = twins.compare(exchange)

    assert (one.fate, other.fate) == (fate, fate)
    assert one.answers.startswith(b"HTTP/1.1 ")


# What is sent


@pytest.mark.parametrize(
    "kind",
    [
        odd_requests.credentials,
        odd_requests.headers,
        odd_requests.heads,
        odd_requests.targets,
        odd_requests.bodies_and_framing,
        odd_requests.streams,
    ],
)
def test_every_shape_is_answered_alike(
    twins: Twins, known: Credentials, kind: Callable[[Credentials], Iterator[Exchange]]
) -> None:
    """Each odd request gets the same answer, the same rows and the same end, the first time and from memory."""
    twins.compare_each(list(kind(known)))


@pytest.mark.parametrize("kind", [odd_requests.credentials, odd_requests.headers])
def test_every_shape_is_answered_alike_behind_a_proxy(
    twins_behind_a_proxy: Twins, known: Credentials, kind: Callable[[Credentials], Iterator[Exchange]]
) -> None:
    """So it is where addresses are another's word, which decides whether some credentials hold."""
    twins_behind_a_proxy.compare_each(list(kind(known)))


@pytest.mark.parametrize(
    "kind",
    [
        odd_questions.asked_by_everybody,
        odd_questions.told_oddly,
        odd_questions.written_oddly,
        odd_questions.asked_oddly,
    ],
)
def test_questions_of_proxies_are_answered_alike(
    twins_behind_a_proxy: Twins, known: Credentials, kind: Callable[[Credentials], Iterator[Exchange]]
) -> None:
    """What a proxy is told about a request, and what the log keeps of that, does not depend on the way."""
    twins = Twins(twins_behind_a_proxy.one, twins_behind_a_proxy.other, liken=_without_signature)

    twins.compare_each(list(kind(known)))


def test_questions_of_strangers_are_answered_alike(twins: Twins, known: Credentials) -> None:
    """Where no proxy is believed, neither way answers any of them."""
    for exchange in islice(odd_questions.told_oddly(known), 10):
        one, _ = twins.compare(exchange)
        assert b"HTTP/1.1 20" not in one.answers


def _without_signature(*answers: bytes) -> tuple[bytes, bytes]:
    one, other = (re.sub(rb"(x-auth-request-token: )[\w.-]+", rb"\1<token>", answer) for answer in answers)
    return one, other


def test_a_request_may_be_cut_anywhere(twins: Twins, known: Credentials) -> None:
    """Where the network cuts a request changes nothing, at any of its bytes, with another one before it or not."""
    good = request(b"Authorization: " + known.good.token.encode(), b"Accept: */*")
    twins.compare(Exchange((good,)))

    for position in range(1, len(good)):
        twins.compare(Exchange((good[:position], good[position:])))
    for position in range(1, 2 * len(good), 7):
        stream = good * 2
        twins.compare(Exchange((stream[:position], stream[position:])))


def test_a_limit_counts_alike(twins: Twins, known: Credentials) -> None:
    """The fourth use within a minute is refused by both, in one piece or in several."""
    for key, count in zip(known.limited, (1, 5), strict=True):
        asked = request(b"Authorization: " + key.token.encode())
        pieces = (asked * 5,) if count == 1 else (asked,) * count

        one, other = (side.play(Exchange(pieces, answers=5)) for side in (twins.one, twins.other))

        if max(one.seconds, other.seconds) > _HALF_A_MINUTE:
            continue  # on so slow a machine the minute may have gone by on one of them
        assert [row.status for row in one.rows] == [200] * 3 + [429] * 2
        assert Twins(twins.one, twins.other, liken=_without_wait).differences(one, other) == []


def _without_wait(*answers: bytes) -> tuple[bytes, bytes]:
    one, other = (re.sub(rb"retry-after: \d+", b"retry-after: <seconds>", answer) for answer in answers)
    return one, other


def test_a_change_counts_for_both(twins: Twins) -> None:
    """A key that both remember is refused by both from the very next request after each kind of change."""
    sides = (twins.one, twins.other)
    users = [f"changed-{number}@example.com" for number in range(4)]
    changes: list[Callable[[Side, str, Pair], object]] = [
        lambda side, user, pair: side.latchgate.api_keys.revoke(COMMAND_LINE, pair.key_id),
        lambda side, user, pair: side.latchgate.api_keys.rotate(COMMAND_LINE, pair.key_id, overlap_seconds=0),
        lambda side, user, pair: side.latchgate.users.set_enabled(COMMAND_LINE, user, enabled=False),
        lambda side, user, pair: side.latchgate.users.change(
            COMMAND_LINE, user, UserChanges(restrict_ip=(ip_network("192.0.2.0/24"),))
        ),
    ]
    for user, change in zip(users, changes, strict=True):
        pair = _same_key(sides, user)
        asked = Exchange((request(b"Authorization: " + pair.token.encode()),))
        twins.compare_each([asked])
        for side in sides:
            change(side, user, pair)

        one, _ = twins.compare(asked)

        assert one.answers.startswith(b"HTTP/1.1 401 "), user


def _same_key(sides: tuple[Side, Side], user: str) -> Pair:
    """Give both instances the same user with the same key."""
    digits = hashlib.sha256(f"{user}{sides[0].port}".encode()).hexdigest()
    pair = Pair(digits[:15], digits[15:40])
    for side in sides:
        side.latchgate.users.create(COMMAND_LINE, UserOrder(user))
        order = KeyOrder(limits=Limits(frozenset({"all"})))
        side.latchgate.api_keys.import_key(
            COMMAND_LINE, Owner("User", user), PairText(pair.key_id, Secret(pair.secret)), order
        )
    return pair
