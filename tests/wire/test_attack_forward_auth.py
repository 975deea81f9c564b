"""What callers try through a proxy: to be somebody else, to ask for something else, to be believed as a proxy."""

import csv
import json
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from latchgate.core.forwarded import Proxy
from latchgate.request_log.exports import csv_records, json_line
from support.asgi import Answer, Pair
from support.protected import APP, CALLER, PROXY, Protected, identity, protected_service, question
from support.rule_books import rule_of

ANN = "ann@example.com"
_OTHER = [proxy for proxy in Proxy if proxy is not Proxy.NGINX]
_SPELLINGS = [
    *(
        "X-Auth-Request-User",
        "x-auth-request-user",
        "X_Auth_Request_User",
        "X.Auth.Request.User",
        "X-Auth_Request-User",
    ),
    *("X-Auth-Request-Groups", "X-Auth-Request-Token", "Remote-User", "X-Forwarded-User", "X-WEBAUTH-USER"),
]


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """An application of which a part is open to guests, a part for anybody, and one for managers."""
    with protected_service(tmp_path_factory.mktemp("protected") / "home") as protected:
        protected.service.make_user(ANN)
        protected.rule(
            rule_of("/open/*", guest=True, number=1),
            rule_of("/admin/*", "System Manager", number=2),
            rule_of("/*", host=APP, number=3),
        )
        yield protected


@pytest.fixture(scope="module")
def ann(protected: Protected) -> Pair:
    """A key of Ann's."""
    return protected.service.make_key(ANN)


_SHOWN = {"open.example.com": "open.example.com", "APP.EXAMPLE.COM.": APP, "[::1]": "[::1]"}
"""The hosts of a test as a row tells them; what is no host's name it does not tell."""


def _named(answer: Answer) -> str:
    return identity(answer)["user"]


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize("name", _SPELLINGS)
def test_nobody_says_who_they_are(protected: Protected, ann: Pair, proxy: Proxy, name: str) -> None:
    """Whatever stands in such a header, twice, before or after the proxy's own, the answer is what it is without."""
    forged = [(name, "root@example.com")] * 2
    raw = [(name.encode(), value.encode()) for name, value in forged]

    for headers in ({"headers": forged}, {"before": raw}):
        assert protected.ask("/admin/", proxy=proxy, **headers).status == 401
        assert protected.ask("/admin/", ann.token, proxy=proxy, **headers).status == 403
        assert _named(protected.ask("/open/", proxy=proxy, **headers)) == ""
        assert _named(protected.ask("/mine", ann.token, proxy=proxy, **headers)) == ANN


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize(
    "host",
    [
        *(b"a\x1b[2Kb.example.com", b"a\tb.example.com", "\u202emoc.elpmaxe.ppa".encode(), b"\xff\xfe", b"a" * 8_000),
        *(b"=HYPERLINK(1)", b"+1", b"-1", b"@SUM(A1)", b'","status":200,"', b"<script>alert(1)</script>", b"a\\x0ab"),
        *("\u0430pp.example.com".encode(), "app\uff0eexample.com".encode(), "\u212a.example.com".encode(), b"a,b"),
    ],
)
def test_no_host_breaks_a_row(protected: Protected, ann: Pair, proxy: Proxy, host: bytes) -> None:
    """What is no host's name is refused, and its row, which is one line of JSON and one record of CSV, has none."""
    answer = protected.ask("/mine", ann.token, proxy=proxy, host=host.decode("latin-1"))

    row = answer.row
    assert (answer.status, row.reason, row.host, row.path) == (403, "unusual_host", None, "/mine")
    assert json.loads(json_line(row)) == row.document()
    assert len(list(csv.reader(csv_records([row])))) == 2


@pytest.mark.parametrize("proxy", Proxy)
def test_a_secret_in_the_place_of_a_host_is_not_logged(protected: Protected, ann: Pair, proxy: Proxy) -> None:
    """Whether a program put it there whole, in small letters, or before the name."""
    secret = ann.token.rpartition(":")[2]
    for host in (secret, secret.lower(), f"{secret}.example.com", f"{ann.key_id}:{secret}@{APP}"):
        row = protected.ask("/mine", ann.token, proxy=proxy, host=host).row

        assert row.host is None
        assert secret.lower() not in json_line(row).lower()


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize(
    "line",
    [
        *("X-Original-URI: /open/", "X-Original-URL: /open/", "X-Rewrite-URL: /open/", "X-Forwarded-Uri: /open/"),
        *("X-Forwarded-Path: /open/", "X-Forwarded-Prefix: /open", "X_Original_URI: /open/", "X_Forwarded_Uri: /open/"),
        *("X-Original-Method: OPTIONS", "X-Forwarded-Method: HEAD", "X-HTTP-Method-Override: OPTIONS"),
        *("X-Forwarded-Host: open.example.com", "Forwarded: host=open.example.com;for=127.0.0.1", "Proxy: envoy"),
        *("Connection: X-Forwarded-Uri, X-Original-URI", "Connection: Authorization", "Upgrade-Insecure-Requests: 1"),
    ],
)
def test_nobody_says_what_they_ask_for(protected: Protected, ann: Pair, proxy: Proxy, line: str) -> None:
    """Either it counts for nothing, or it is there beside the proxy's own and the question is refused."""
    name, _, value = line.partition(": ")
    before = [(name.encode(), value.encode())]

    for headers in ({"headers": [(name, value)]}, {"before": before}):
        answer = protected.ask("/admin/", ann.token, proxy=proxy, **headers)
        assert answer.status in {400, 403}
        assert answer.row.path == ("/admin/" if answer.status == 403 else answer.row.path)
        assert protected.ask("/admin/", proxy=proxy, **headers).status in {400, 401}


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize(
    "target",
    [
        *("/open/../admin/", "/open/%2e%2e/admin/", "/open/..%2fadmin/", "/open/%2e%2e%2fadmin/", "/open/.%2e/admin"),
        *(
            "/open/..%252fadmin/",
            "/open/%252e%252e/admin/",
            "/open/..;/admin/",
            "/open/;x/../admin/",
            "/open/..%5cadmin",
        ),
        *("/open\\..\\admin", "/open/..%c0%afadmin", "/open/%u002e%u002e/admin", "//admin/", "/./admin/", "/%61dmin/"),
        *(
            "/open/../../../admin/",
            "/open/..%00/admin",
            "/open/%00/../admin/",
            "/Open/../admin/",
            "/open/..?/../admin/",
        ),
        *("/open/..#/admin", "/open/.../admin/../../admin", "/admin%2f", "/admin;a=b/", "/admin%20/..", "/x/..//admin"),
    ],
)
def test_no_path_is_another(protected: Protected, ann: Pair, proxy: Proxy, target: str) -> None:
    """A path that anybody could read as that of a closed part opens nothing, to guests and to others."""
    for authorization in (None, ann.token):
        answer = protected.ask(target, authorization, proxy=proxy)

        assert answer.status in {401, 403}, answer.headers


@pytest.mark.parametrize("proxy", [proxy for proxy in Proxy if proxy is not Proxy.ENVOY])
@pytest.mark.parametrize(
    "target",
    ["http://app.example.com/open/", "http://open.example.com/", "app.example.com:443", "*", "open/", "\\open\\"],
)
def test_what_is_no_path_is_told(protected: Protected, ann: Pair, proxy: Proxy, target: str) -> None:
    """The absolute form, the authority form, the asterisk: the proxy should have made a path of it, or refused it."""
    answer = protected.ask(target, ann.token, proxy=proxy)

    assert answer.status == 400
    assert "is no absolute path" in answer.document["exception"]


@pytest.mark.parametrize(
    "host", ["open.example.com", "", "app.example.com:80@b", "b, app.example.com", "APP.EXAMPLE.COM.", "[::1]"]
)
def test_a_host_is_one_host(protected: Protected, ann: Pair, host: str) -> None:
    """The rules of an application are not those of another, and a list of hosts is none."""
    answer = protected.ask("/mine", ann.token, host=host)

    assert answer.status == (204 if host.rstrip(".").lower() == APP else 400 if not host else 403)
    assert answer.row.host == _SHOWN.get(host)


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND", "POST"])
def test_no_method_opens_what_another_does_not(protected: Protected, ann: Pair, method: str) -> None:
    """Asking what is possible is a request like any other, also by Envoy, which asks by the original's method."""
    for proxy in Proxy:
        assert protected.ask("/admin/", proxy=proxy, method=method).status == 401
        assert protected.ask("/admin/", ann.token, proxy=proxy, method=method).status == 403
    for proxy in _OTHER[:3]:
        _, target, headers = question(proxy, "GET", "/open/")
        for other in ("OPTIONS", "POST", "TRACE"):
            assert protected.service.ask(target, method=other, headers=headers, peer=PROXY).status in {400, 403}


@pytest.mark.parametrize(
    "forwarded_for", ["127.0.0.1", "127.0.0.1, 127.0.0.1", "nonsense", "192.0.2.1, 127.0.0.1", ", "]
)
@pytest.mark.parametrize("peer", ["192.0.2.7", "127.0.0.11", "::ffff:192.0.2.7", "fe80::1%lo"])
def test_nobody_is_a_proxy_by_saying_so(protected: Protected, ann: Pair, peer: str, forwarded_for: str) -> None:
    """What counts is the other end of the connection, whatever X-Forwarded-For and its like say."""
    headers = [("x-real-ip", PROXY), ("forwarded", f"for={PROXY}"), ("x-forwarded-for", forwarded_for)]

    for proxy in Proxy:
        assert protected.ask("/open/", ann.token, proxy=proxy, peer=peer, headers=headers).status == 403
        assert protected.ask("/open/", proxy=proxy, peer=peer, headers=headers).status == 403


def test_an_address_that_is_mapped_is_the_same(protected: Protected, ann: Pair) -> None:
    """A server that listens on both sees an IPv4 proxy so."""
    assert protected.ask("/mine", ann.token, peer=f"::ffff:{PROXY}").status == 204


def test_a_key_is_held_to_its_addresses(protected: Protected) -> None:
    """To the caller's, as the proxy tells it, not to the proxy's nor to what the caller says before it."""
    near = protected.service.make_key(ANN, networks=(ip_network(f"{CALLER}/32"),))
    local = protected.service.make_key(ANN, networks=(ip_network(f"{PROXY}/32"),))

    assert protected.ask("/mine", near.token).status == 204
    assert protected.ask("/mine", local.token).status == 401
    before = [(b"x-forwarded-for", PROXY.encode())]
    assert protected.ask("/mine", local.token, before=before).status == 401
    assert protected.ask("/mine", near.token, before=before).status == 204


def test_a_token_made_elsewhere_is_none(protected: Protected, ann: Pair) -> None:
    """The token that an application gets opens nothing through the proxy, nor does one that a caller brings along."""
    token = identity(protected.ask("/mine", ann.token))["token"]

    assert protected.ask("/mine", f"Bearer {token}").status == 401
    answer = protected.ask("/mine", ann.token, headers=[("x-auth-request-token", "a.b.c")])
    assert len(identity(answer)["token"]) == len(token)
