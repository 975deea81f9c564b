"""Behind each real proxy, set up as its guide says, nothing reaches the application that Latchgate has not let in."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from latchgate.bootstrap import Latchgate, open_latchgate
from latchgate.core.log_entries import LogEntry
from latchgate.services.actors import COMMAND_LINE
from latchgate.settings import load_settings
from support.asgi import Pair, opened_service
from support.documents import ROOT, find_blocks
from support.echo_application import EchoApplication, Reached
from support.proxies import HOST, PROXIES, Mood, Relay, find_program, running_proxy, send
from support.running import RunningLatchgate

ANN, BOB = "ann@example.com", "bob@example.com"
CALLER = "127.0.0.9"
_RULES = """
[[rule]]
path = "/open/*"
allow_guest = true
[[rule]]
path = "/reports/*"
roles = "Reports"
[[rule]]
path = "/mine/*"
"""

_TELLS_OTHERWISE = (
    *("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"),
    *("X-Forwarded-Prefix", "Forwarded"),
)
"""By which some applications take another address, host or method for the request's."""
_NEEDED = ("nginx", "caddy", "haproxy")
_OTHERS = [name for name in PROXIES if name not in _NEEDED and find_program(name)]
"""No part of Debian: tried where they are installed."""
_SIGNS = "_.!#$%&'*+^`|~"
"""What a header's name may hold beside letters, digits and `-`, for which some applications take it."""


@dataclass
class Site:
    """A proxy between callers, Latchgate and an application."""

    proxy: str
    port: int
    relay: Relay
    application: EchoApplication
    latchgate: Latchgate
    ann: Pair
    bob: Pair
    bearer: str
    limited: Pair
    _position: object = field(default=None)

    def ask(self, target: str, *lines: str, method: str = "GET", body: bytes = b"", host: str = HOST) -> bytes:
        """Send a request, and give all that comes back."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
        return send(self.port, "\r\n".join([*head, "", ""]).encode("latin-1") + body, source=CALLER)

    def status(self, target: str, *lines: str, method: str = "GET", host: str = HOST) -> int:
        """Send a request, and give the status of the answer."""
        return status_of(self.ask(target, *lines, method=method, host=host))

    def reached(self) -> Reached | None:
        """Give the one request that reached the application since the last time, if one did."""
        found = self.application.take()
        assert len(found) < 2, found
        return found[0] if found else None

    def rows(self) -> list[LogEntry]:
        """Give what the log has more since the last time."""
        rows, self._position = self.latchgate.request_log.follow(self._position)  # type: ignore[arg-type]
        return rows


def status_of(answer: bytes) -> int:
    """Read the status; 0 if there is no answer."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else 0


def auth(pair: Pair) -> str:
    """Write a key's header."""
    return f"Authorization: {pair.token}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Latchgate and an application, and yet no proxy."""
    folder = tmp_path_factory.mktemp("proxies")
    home, rules = folder / "home", folder / "rules.toml"
    rules.write_text(_RULES)
    with opened_service(home) as service:
        service.latchgate.roles.create(COMMAND_LINE, "Reports")
        service.make_user(ANN, roles=frozenset({"Reports"}))
        service.make_user(BOB)
        ann, bob, limited = service.make_key(ANN), service.make_key(BOB), service.make_key(BOB, per_minute=1)
        bearer = service.make_bearer(ANN, "an-access-token-for-the-proxies")
    settings = {
        "LATCHGATE_ACCESS_RULES": str(rules),
        "LATCHGATE_TRUSTED_PROXIES": "127.0.0.1",
        "LATCHGATE_PROXY": "envoy",
        "LATCHGATE_PUBLIC_URL": f"http://{HOST}:8443",
        "LATCHGATE_SIGN_IN_FOR": HOST,
    }
    running = RunningLatchgate(home, **settings).start()
    relay = Relay(running.port)
    latchgate = open_latchgate(load_settings({"home": home, "password_profile": "cheapest"}), create=False)
    try:
        with EchoApplication() as application:
            yield Site("", 0, relay, application, latchgate, ann, bob, bearer, limited)
    finally:
        relay.close()
        latchgate.close()
        running.stop()


@pytest.fixture(scope="module", params=[*_NEEDED, *_OTHERS])
def started(request: pytest.FixtureRequest, house: Site) -> Iterator[Site]:
    """Each proxy, started once."""
    with running_proxy(request.param, house.relay.port, house.application.port) as port:
        house.proxy, house.port = request.param, port
        yield house


@pytest.fixture
def site(started: Site) -> Iterator[Site]:
    """It, and afterwards: whatever reached the application is open to all, or somebody's who may."""
    started.application.take()
    started.rows()
    yield started
    started.relay.be(Mood.WELL)
    for one in started.application.take():
        assert one.path.startswith("/open/") or one.user in {ANN, BOB}, one


def test_each_scheme_passes_and_is_logged(site: Site) -> None:
    """The application learns who asks, and not by which secret; the row has the original request."""
    for number, value in enumerate((site.ann.token, site.ann.basic, site.bearer)):
        target = f"/reports/{number}?month=5&x=%C3%A4"

        status = site.status(target, f"Authorization: {value}", "User-Agent: a test", method="PUT")

        reached = site.reached()
        assert reached is not None
        assert (status, reached.method, reached.target, reached.user) == (200, "PUT", target, ANN)
        assert "Reports" in reached.values("X-Auth-Request-Groups")[0].split(",")
        assert reached.values("X-Auth-Request-Token")[0].count(".") == 2
        assert reached.values("Authorization") == []
        [row] = site.rows()
        yes = 200 if site.proxy == "envoy" else 204
        assert (row.user, row.method, row.path, row.status) == (ANN, "PUT", target, yes)
        assert (row.ip_address, row.user_agent) == (CALLER, "a test")


@pytest.mark.parametrize(
    ("target", "who", "statuses", "user"),
    [
        ("/open/a", "", {200}, ""),
        ("/open/a", "bob", {200}, BOB),
        ("/mine/a", "bob", {200}, BOB),
        ("/mine/a", "", {401}, None),
        ("/mine/a", "guess", {401}, None),
        ("/reports/a", "ann", {200}, ANN),
        ("/reports/a", "bob", {403}, None),
        ("/elsewhere", "ann", {403}, None),
        ("/elsewhere", "", {403}, None),
        *(
            (f"/open/{way}reports/a", "bob", {400, 403}, None)
            for way in ("../", "%2e%2e/", "..%2f", "./../", ";/../", "%5c../")
        ),
        ("/open/\\../reports/a", "bob", {400, 403}, None),
        ("//reports/a", "bob", {400, 403}, None),
        ("/reports%2Fa", "bob", {400, 403}, None),
        ("/mine/%00", "bob", {400, 403}, None),
        ("/open/a#/../../reports/a", "bob", {400, 403}, None),
        ("*", "bob", {200, 400, 403, 404}, None),
        ("mine", "bob", {400, 403}, None),
    ],
)
def test_who_may_what(site: Site, target: str, who: str, statuses: set[int], user: str | None) -> None:
    """By rules, roles and paths as they were sent; what is refused never reaches the application."""
    keys = {"ann": site.ann, "bob": site.bob, "guess": Pair(site.bob.key_id, "guess")}
    lines = [auth(keys[who])] if who else []

    status = site.status(target, *lines)

    reached = site.reached()
    if reached is not None and reached.target != target and site.proxy == "traefik":
        # It makes paths plain before it asks: what is judged is what arrives.
        assert [row.path for row in site.rows()] == [reached.target]
        assert reached.path.startswith("/open/")
        return
    assert status in statuses
    assert (reached.user if reached else None) == user


@pytest.mark.parametrize("who", ["", "bob"])
@pytest.mark.parametrize("target", ["/open/a", "/mine/a"])
def test_a_caller_says_nothing_of_itself(site: Site, who: str, target: str) -> None:
    """Identity headers that it forges are gone, in each spelling, and those of other dialects tell nothing."""
    names = ["X-Auth-Request-User", "x-auth-request-user", "X-AUTH-REQUEST-GROUPS", "X-Auth-Request-Email"]
    forged = [f"{name}: root@example.com" for name in [*names, names[0]]]
    forged += [f"X-Original-URI: {target}x", "X-Original-Method: POST", "X-Forwarded-Uri: /open/a"]
    forged += ["X-Forwarded-Method: GET", "X-Forwarded-Host: other.example.com", "X-Forwarded-For: 203.0.113.9"]
    forged += [f"{name}: other" for name in _TELLS_OTHERWISE]
    spelt = [f"X-Auth{sign}Request-User: root@example.com" for sign in _SIGNS]
    odd = [[spelt[place], *(line.replace("-", sign) for line in forged)] for place, sign in enumerate(_SIGNS)]
    lines = [auth(site.bob)] if who else []

    for order in ([*forged, *lines], [*lines, *forged], *([*some, *lines] for some in odd)):
        status = site.status(target, *order)

        reached = site.reached()
        if status == 400 and order[0] in spelt and site.proxy in _OTHERS:
            # These refuse such a name rather than take it away.
            assert reached is None
            continue
        may = bool(who) or target == "/open/a"
        assert (status in {401, 303, 302}, reached is None) == (not may, not may)
        if reached is not None:
            assert reached.user == (BOB if who else "")
            for name in ("Email", "Groups", "Token"):
                assert not any("root" in value for value in reached.values(f"X-Auth-Request-{name}"))
            # Nor is the application told of another request than was judged.
            assert not [name for name in _TELLS_OTHERWISE if reached.values(name)]
            assert reached.values("X-Forwarded-Host") in ([], [HOST])
            assert "203.0.113.9" not in "".join(reached.values("X-Forwarded-For"))
        for row in site.rows():
            assert (row.method, row.path, row.ip_address) == ("GET", target, CALLER)


@pytest.mark.parametrize("named", ["Upgrade", "Upgrade, HTTP2-Settings"])
def test_no_way_past_the_proxy_is_opened(site: Site, named: str) -> None:
    """An upgrade to HTTP/2 would be one, on which nobody judges what follows."""
    asked = f"GET /open/a HTTP/1.1\r\nHost: {HOST}\r\nConnection: {named}\r\nUpgrade: h2c\r\n"
    last = f"GET /open/last HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"

    send(site.port, f"{asked}HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n".encode(), last.encode(), source=CALLER)

    for reached in site.application.take():
        assert not reached.values("Upgrade"), reached


@pytest.mark.parametrize("named", ["close, X-Auth-Request-User", "X-Auth-Request-User", "close, x-auth-request-groups"])
def test_a_caller_takes_no_header_away(site: Site, named: str) -> None:
    """By naming it in Connection: either all of them arrive, or the request does not."""
    head = f"GET /mine/a HTTP/1.1\r\nHost: {HOST}\r\nConnection: {named}\r\n{auth(site.bob)}\r\n\r\n"

    # Where the caller leaves the connection open, another request ends it.
    last = f"GET /open/last HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    send(site.port, head.encode(), last.encode(), source=CALLER)

    for reached in site.application.take():
        if reached.path == "/mine/a":
            assert reached.user == BOB
            assert reached.values("X-Auth-Request-Groups")


def test_two_credentials_are_refused(site: Site) -> None:
    """Whichever of the two is good."""
    twice = [[auth(site.bob)] * 2, [auth(site.bob), "Authorization: token a:b"], ["Authorization:", auth(site.bob)]]
    # Envoy drops an empty header.
    for lines in twice[:2] if site.proxy == "envoy" else twice:
        assert site.status("/mine/a", *lines) in {400, 401}, lines
        assert site.reached() is None


@pytest.mark.parametrize("host", ["other.example.com", "app.example.com@other", "app.example.com, b"])
def test_the_host_is_the_one_that_is_served(site: Site, host: str) -> None:
    """Also where the target names another one than the header."""
    site.status("/open/a", host=host)
    site.status(f"http://{host}/open/a")
    answer = site.ask("http://app.example.com/mine/a", auth(site.bob), host=host)

    for reached in site.application.take():
        assert reached.values("Host") in ([HOST], [host])
    assert status_of(answer) in {0, 200, 400, 403}


def test_a_body_streams_through(site: Site) -> None:
    """Of whoever may, whole, in one piece or in chunks; of whoever may not, nothing arrives."""
    body = b"x" * 300_000
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:100_000], body[100_000:])) + b"0\r\n\r\n"

    for line, sent in ((f"Content-Length: {len(body)}", body), ("Transfer-Encoding: chunked", chunked)):
        assert status_of(site.ask("/mine/a", line, auth(site.bob), method="POST", body=sent)) == 200
        reached = site.reached()
        assert reached is not None
        assert (reached.user, reached.body_bytes) == (BOB, len(body))
        status_of(site.ask("/mine/a", line, method="POST", body=sent))
        assert site.reached() is None


def test_nothing_is_smuggled_in(site: Site) -> None:
    """Two lengths, a length and chunks, trailers, folded lines, a second request in a body."""
    inner = f"GET /mine/inner HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    post, get = f"POST /open/a HTTP/1.1\r\nHost: {HOST}\r\n", f"GET /open/a HTTP/1.1\r\nHost: {HOST}\r\n"
    chunked, trailers = "Transfer-Encoding: chunked\r\n", f"{auth(site.bob)}\r\nX-Auth-Request-User: root\r\n\r\n"
    heads = [
        f"{post}Content-Length: 5\r\n{chunked}\r\n0\r\n\r\n{inner}",
        f"{post}Content-Length: {len(inner)}\r\nContent-Length: 0\r\n\r\n{inner}",
        f"{post}Transfer-Encoding: xchunked\r\n\r\n{inner}",
        f"{post}{chunked}Transfer-Encoding: x\r\n\r\n0\r\n\r\n{inner}",
        f"{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{inner}",
        f"{post}{chunked}\r\n0\r\n\r\n{inner}".replace("HTTP/1.1", "HTTP/1.0", 1),
        f"{get}X-A: b\r\n X-Auth-Request-User: root\r\n\r\n{inner}",
        f"{get}X-A: b\rX-Auth-Request-User: root\r\n\r\n{inner}",
        f"{get}X-A: b\r\n\r\n{inner}".replace("\r", ""),
        f"{get}{chunked}Trailer: Authorization\r\n\r\n0\r\n{trailers}".replace("/open/", "/mine/"),
        f"{post}{chunked}Trailer: X-Auth-Request-User\r\n\r\n0\r\nX-Auth-Request-User: root\r\n\r\n",
        f"{get}{auth(site.ann)}\r\n\r\n{inner}",
        f"{get}X-Auth-Request-User\x00: root\r\n\r\n",
        f"{get}Expect: 100-continue\r\nContent-Length: {len(inner)}\r\n\r\n{inner}",
    ]
    for head in heads:
        last = f"GET /open/last HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        send(site.port, head.encode() + last.encode(), source=CALLER)
        for reached in site.application.take():
            assert reached.path.startswith("/open/"), (head, reached)
            assert reached.user in {"", ANN if "Authorization: token" in head and reached.path == "/open/a" else ""}, (
                head
            )


def test_trailers_are_no_headers(site: Site) -> None:
    """HAProxy passes them on for what they are, the others drop them."""
    trailer = "X-Auth-Request-User: root"
    head = f"Trailer: X-Auth-Request-User\r\n{auth(site.bob)}"

    site.ask("/mine/a", "Transfer-Encoding: chunked", head, method="POST", body=f"0\r\n{trailer}\r\n\r\n".encode())

    reached = site.reached()
    assert reached is not None
    assert reached.user == BOB
    assert bool(reached.trailers) is (site.proxy == "haproxy")


def test_a_limit_of_the_key_reaches_the_caller(site: Site) -> None:
    """As a 429 with the time to wait, behind nginx too."""
    answers = [site.ask("/mine/a", auth(site.limited)) for _ in range(4)]

    last = answers[-1]
    assert status_of(last) == 429
    assert int((re.search(rb"(?i)\r\nretry-after: (\d+)", last) or [b"", b"0"])[1]) > 0
    assert len(site.application.take()) <= 1


def test_a_browser_is_sent_to_sign_in(site: Site) -> None:
    """And back; a program is asked for a credential."""
    answer = site.ask("/mine/a?b=c", "Accept: text/html", "Sec-Fetch-Mode: navigate")
    assert status_of(answer) in {302, 303}
    assert (
        b"location: http://app.example.com:8443/login?redirect-to=http%3a%2f%2fapp.example.com%2fmine%2fa%3fb%3dc"
        in answer.lower()
    )
    program = site.ask("/mine/a")
    assert status_of(program) == 401
    assert b'www-authenticate: bearer realm="app.example.com"' in program.lower()
    assert site.reached() is None


@pytest.mark.parametrize("mood", [Mood.DEAD, Mood.SLOW])
def test_without_an_answer_nobody_passes(site: Site, mood: Mood) -> None:
    """Neither a guest nor a good key, whether Latchgate is gone or merely silent."""
    assert site.status("/mine/a", auth(site.bob)) == 200
    assert site.reached() is not None
    site.relay.be(mood)

    for target, lines in (("/open/a", []), ("/mine/a", [auth(site.bob)])):
        # Traefik waits for half a minute, longer than we do.
        assert site.status(target, *lines) >= 500 or (site.proxy, mood) == ("traefik", Mood.SLOW)
    assert site.reached() is None
    site.relay.be(Mood.WELL)
    assert site.status("/mine/a", auth(site.bob)) == 200


def test_the_guides_rules_are_rules(tmp_path: Path) -> None:
    """The commands of the guide to nginx, to which the others refer, make the rules that it speaks of."""
    instance = RunningLatchgate(tmp_path / "home")
    text = (ROOT / "docs" / "howto" / "nginx.md").read_text()
    [block] = [block.text for block in find_blocks(text) if block.text.startswith("latchgate role create")]

    for line in block.splitlines():
        done = instance.run(*shlex.split(line)[1:])
        assert done.returncode == 0, (line, done.stderr)

    rules = instance.ask("rule", "list")
    assert [rule["path"] for rule in rules] == ["/health", "/reports/*", "/*"]
