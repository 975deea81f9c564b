"""/auth/verify: what a proxy is told about a request, and what the log keeps of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from latchgate.core.forwarded import Proxy
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.oauth.identity_tokens import TYPE
from latchgate.oauth.signatures import import_key
from latchgate.oauth.signed_tokens import parse_signed_token, signature_holds
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair
from support.protected import APP, CALLER, PROXY, Protected, identity, protected_service, question
from support.rule_books import rule_of

ANN, BOB = "ann@example.com", "bob@example.com"
_STATUS = {proxy: 200 if proxy is Proxy.ENVOY else 204 for proxy in Proxy}
_NOBODY = dict.fromkeys(("user", "email", "groups", "scopes", "key", "token"), "")


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """An instance with Ann, who has two roles, and Bob, who has none."""
    options = {"sign_in_for": ["example.com"]}
    with protected_service(tmp_path_factory.mktemp("protected") / "home", **options) as protected:
        for role in ("Süd 100%", "Reports"):
            protected.service.latchgate.roles.create(COMMAND_LINE, role)
        protected.service.make_user(ANN, roles=frozenset({"Süd 100%", "Reports"}))
        protected.service.make_user(BOB)
        yield protected


@pytest.fixture(autouse=True)
def rules(protected: Protected) -> None:
    """What is open, what is for anybody, for a role, for a scope, and what nobody may."""
    protected.rule(
        rule_of("/open/*", guest=True, number=1),
        rule_of("/reports/*", "Reports", number=2),
        rule_of("/write", methods="POST", scopes="write", number=3),
        rule_of("/mine/*", number=4),
        rule_of("/shop", guest=True, foreign=True, number=5),
    )


@pytest.fixture(scope="module")
def ann(protected: Protected) -> Pair:
    """A key of Ann's."""
    return protected.service.make_key(ANN)


# 204


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize("scheme", ["token", "basic", "bearer"])
def test_who_may_pass_is_named(protected: Protected, ann: Pair, proxy: Proxy, scheme: str) -> None:
    """Each scheme, each dialect: no body, the caller in the headers, the original request in the log."""
    bearer = protected.service.make_bearer(ANN, f"bearer-for-{proxy}-{scheme}")
    value = {"token": ann.token, "basic": ann.basic, "bearer": bearer}[scheme]

    answer = protected.ask("/reports/may?month=5", value, proxy=proxy, method="PUT", headers=[("user-agent", "curl")])

    assert (answer.status, answer.body) == (_STATUS[proxy], b"")
    named = identity(answer)
    assert (named["user"], named["email"]) == (ANN, ANN)
    assert named["groups"] == "All,Desk User,Guest,Reports,S%C3%BCd 100%25"
    assert named["scopes"] == "all"
    row = answer.row
    assert named["key"] == row.api_key
    assert (row.user, row.method, row.path, row.status) == (ANN, "PUT", "/reports/may?month=5", _STATUS[proxy])
    assert (row.host, row.ip_address, row.user_agent) == (APP, CALLER, "curl")


@pytest.mark.parametrize("proxy", Proxy)
def test_a_guest_passes_as_nobody(protected: Protected, proxy: Proxy) -> None:
    """Where guests are let in, each identity header is there and empty, so that it takes the place of a forged one."""
    answer = protected.ask("/open/door", proxy=proxy)

    assert (answer.status, identity(answer), answer.rows) == (_STATUS[proxy], _NOBODY, ())


def test_a_credential_that_is_not_ours_may_be_the_applications(protected: Protected) -> None:
    """Where a rule says so, its sender is a guest, and no row tells of it; elsewhere it is refused."""
    answer = protected.ask("/shop", "Negotiate abc")

    assert (answer.status, identity(answer), answer.rows) == (204, _NOBODY, ())
    assert protected.ask("/open/door", "Negotiate abc").status == 401


def test_the_token_is_signed_for_the_host(protected: Protected, ann: Pair) -> None:
    """It says who, for which host, what it may do and until when, and opens nothing here; its key is published."""
    answer = protected.ask("/reports/", ann.token, host=f"{APP.upper()}.:8080")

    token = parse_signed_token(identity(answer)["token"], 4_000)
    assert token is not None
    assert token.header["typ"] == TYPE
    [key] = [key for key in _published(protected) if key["kid"] == token.header["kid"]]
    assert signature_holds(token, import_key(key))
    lifetime = token.claims.pop("exp") - token.claims.pop("iat")
    assert 60 <= lifetime <= 120
    assert token.claims == {
        "iss": "https://example.com:8443",
        "sub": ANN,
        "aud": APP,
        "roles": ["All", "Desk User", "Guest", "Reports", "Süd 100%"],
        "scopes": ["all"],
        "key": ann.key_id,
    }
    assert protected.service.ask(authorization=f"Bearer {identity(answer)['token']}").status == 401


def _published(protected: Protected) -> list[dict[str, str | list[str]]]:
    keys: list[dict[str, str | list[str]]] = json.loads(protected.service.ask("/.well-known/jwks.json").body)["keys"]
    return keys


def test_a_token_is_made_once_for_each_caller_and_host(protected: Protected, ann: Pair) -> None:
    """Within a minute; another host, credential or set of roles has another."""
    other = protected.service.make_key(ANN)
    minute = protected.service.latchgate.clock.now() // 60
    asked = [(ann, APP), (ann, APP), (ann, "b.example.com"), (other, APP)]
    tokens = [identity(protected.ask("/mine/", key.token, host=host))["token"] for key, host in asked]

    if protected.service.latchgate.clock.now() // 60 == minute:
        assert tokens[0] == tokens[1]
    assert len({tokens[0], tokens[2], tokens[3]}) == 3


def test_a_session_counts(protected: Protected) -> None:
    """Of a browser that the application's host brings it from: for what changes nothing, or with its CSRF token."""
    signed_in = protected.service.sign_in(BOB)
    cookie = ("cookie", f"other=1; sid={signed_in.sid}")
    csrf = ("x-frappe-csrf-token", protected.service.csrf_token(signed_in.sid))

    answer = protected.ask("/mine/", headers=[cookie])
    assert (answer.status, identity(answer)["user"], answer.row.scheme) == (204, BOB, "session")
    assert protected.ask("/mine/", headers=[cookie], method="POST").status == 400
    assert protected.ask("/mine/", headers=[cookie, csrf], method="POST").status == 204
    assert protected.ask("/mine/", "token nobodys:guess", headers=[cookie]).status == 401


# 303


@pytest.mark.parametrize("proxy", Proxy)
def test_a_browser_is_sent_to_sign_in_and_back(protected: Protected, proxy: Proxy) -> None:
    """To the host that is named for it, from a page's request alone; nginx is told where, beside its 401."""
    page = [("accept", "text/html,*/*;q=0.8"), ("sec-fetch-mode", "navigate")]

    answer = protected.ask("/mine/?a=b", proxy=proxy, host="example.com", headers=page)

    assert answer.status == (401 if proxy is Proxy.NGINX else 303)
    place = urlsplit(answer.header("location") or "")
    assert f"{place.scheme}://{place.netloc}{place.path}" == "https://example.com:8443/login"
    assert parse_qs(place.query) == {"redirect-to": ["https://example.com/mine/?a=b"]}
    form = protected.service.ask(f"/login?{place.query}")
    assert 'value="https://example.com/mine/?a=b"' in form.text
    assert "form-action 'self' https://example.com" in (form.header("content-security-policy") or "")
    signed_in = protected.service.post(
        "/login",
        {"usr": BOB, "pwd": "correct horse battery", "redirect-to": "https://example.com/mine/?a=b"},
        form=True,
    )
    assert (signed_in.status, signed_in.header("location")) == (303, "https://example.com/mine/?a=b")
    for changed in (
        {"host": APP},
        {"host": "example.com:81"},
        {"method": "POST"},
        {"headers": [("accept", "application/json")]},
        {"headers": [*page, ("x-requested-with", "XMLHttpRequest")]},
        {"headers": [page[0], ("sec-fetch-mode", "cors")]},
        {"authorization": "token nobodys:guess"},
        {"target": "//evil.example"},
    ):
        asked = {"target": "/mine/", "proxy": proxy, "host": "example.com", "headers": page, **changed}
        other = protected.ask(**asked)  # type: ignore[arg-type]
        assert (other.status in {401, 403}, other.header("location")) == (True, None), changed


# 400


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (b"/auth/verify?proxy=apache", "'proxy=apache' names no proxy"),
        (b"/auth/verify?proxy=nginx&proxy=envoy", "names no proxy"),
        (b"/auth/verify?Proxy=nginx", "names no proxy"),
        (b"/auth/verify?proxy=traefik", "X-Forwarded-Method is missing"),
        (b"/auth/verify?proxy=envoy", "The path after the address is no absolute path"),
    ],
)
def test_a_question_that_says_too_little_is_told_so(protected: Protected, ann: Pair, target: bytes, told: str) -> None:
    """What is missing is named, and leaves a row of its own address."""
    _, _, headers = question(Proxy.NGINX, target="/open/door")

    answer = protected.service.ask(target, ann.token, headers=headers, peer=PROXY)

    assert answer.status == 400
    assert told in answer.document["exception"]
    assert (answer.row.path, answer.row.reason) == (target.decode(), "bad_request")
    for method in ("OPTIONS", "POST", "HEAD"):
        assert protected.service.ask(target, method=method, headers=headers, peer=PROXY).status == 400


@pytest.mark.parametrize(
    "target", ["/auth/verify/", "/auth/verify//", "/auth/verify/open/door", "/auth/verify/?proxy=nginx"]
)
def test_a_slash_too_many_opens_nothing(tmp_path: Path, target: str) -> None:
    """Where no Envoy is expected, what follows the address is a fault of the configuration, not the original's path."""
    with protected_service(tmp_path / "home", proxy="nginx") as protected:
        protected.rule(rule_of("/", guest=True, number=1), rule_of("/open/*", guest=True, number=2))
        _, _, headers = question(Proxy.NGINX, target="/closed")

        answer = protected.service.ask(target, headers=headers, peer=PROXY)

        assert answer.status == 400
        assert "LATCHGATE_PROXY" in answer.document["exception"]
        named = protected.service.ask("/auth/verify", headers=question(Proxy.NGINX, target="/open/")[2], peer=PROXY)
        assert named.status == 204


def test_two_credentials_are_refused(protected: Protected, ann: Pair) -> None:
    """Whichever the application would have believed."""
    twice = [("authorization", ann.token)]

    answer = protected.ask("/reports/", ann.token, headers=twice)

    assert (answer.status, answer.row.reason) == (400, "two_authorization_headers")
    assert protected.ask("/open/door", ann.token, headers=twice).status == 400


# 401


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize("authorization", [None, "token nobodys:guess", "Bearer nobodys", "Negotiate abc"])
def test_who_is_nobody_is_asked_for_a_credential(protected: Protected, proxy: Proxy, authorization: str | None) -> None:
    """All of them alike, with the application's host as what it is for; no identity stands in a refusal."""
    answer = protected.ask("/mine/", authorization, proxy=proxy, headers=[("accept", "text/html")])

    assert answer.status == 401
    assert (answer.header("www-authenticate") or "").startswith(f'Bearer realm="{APP}"')
    assert answer.document["exc_type"] == "AuthenticationError"
    assert not [name for name, _ in answer.headers if name.startswith("x-auth-request")]
    assert len(answer.rows) == (authorization is not None)


# 403


@pytest.mark.parametrize("proxy", Proxy)
@pytest.mark.parametrize(
    ("method", "target", "host", "reason"),
    [
        ("GET", "/reports/", APP, "role_missing"),
        ("GET", "/elsewhere", APP, "no_rule"),
        ("GET", "/open/../reports/", APP, "unusual_path"),
        ("GET", "/open/%2e%2e/reports/", APP, "unusual_path"),
        ("GET", "/open/..%2freports/", APP, "unusual_path"),
        ("GET", "/open/;/../reports/", APP, "unusual_path"),
        ("GET", "/open\\..\\reports", APP, "unusual_path"),
        ("GET", "//reports/", APP, "unusual_path"),
        ("get", "/mine/", APP, "unusual_method"),
        ("GET", "/mine/", "app.example.com, b.example.com", "unusual_host"),
        ("GET", "/mine/", "app.example.com@b.example.com", "unusual_host"),
    ],
)
def test_what_no_rule_allows_is_refused(
    protected: Protected, proxy: Proxy, method: str, target: str, host: str, reason: str
) -> None:
    """With a good credential; the log says why, and which request it was."""
    bob = protected.service.make_key(BOB)

    answer = protected.ask(target, bob.token, proxy=proxy, method=method, host=host)

    assert answer.status == 403
    row = answer.row
    assert (row.user, row.method, row.path.replace("\\\\", "\\"), row.reason) == (BOB, method, target, reason)


def test_scopes_are_asked_for(protected: Protected) -> None:
    """A credential without the scope is told which it lacks where its scheme has a word for that."""
    protected.service.make_user("carl@example.com")
    narrow = protected.service.make_bearer("carl@example.com", "narrow-token-00000001", "notes")
    wide = protected.service.make_bearer("carl@example.com", "wide-token-000000001", "notes", "write")

    refused = protected.ask("/write", narrow, method="POST")

    assert (refused.status, refused.row.reason) == (403, "scope_missing")
    assert 'error="insufficient_scope"' in (refused.header("www-authenticate") or "")
    assert protected.ask("/write", wide, method="POST").status == 204
    assert protected.ask("/write", wide, method="GET").status == 403


def test_a_limited_credential_opens_nothing_that_names_no_scope(protected: Protected) -> None:
    """A token that a program got with `openid`, to learn who somebody is, opens no application; no narrow key does."""
    openid = protected.service.make_bearer(ANN, "openid-token-0000001", "openid", "profile", "email")
    narrow = protected.service.make_key(ANN, scopes=frozenset({"orders.read"})).token

    for authorization in (openid, narrow):
        for target in ("/mine/1", "/reports/1"):
            refused = protected.ask(target, authorization)
            assert (refused.status, refused.row.user, refused.row.reason) == (403, ANN, "scope_missing")
        assert protected.ask("/open/1", authorization).status == 204
    challenge = protected.ask("/mine/1", openid).header("www-authenticate") or ""
    assert challenge.endswith(', error="insufficient_scope", scope="all"')
    protected.rule(rule_of("/mine/*", scopes="*"))
    told = protected.ask("/mine/1", openid)
    assert (told.status, identity(told)["scopes"]) == (204, "email,openid,profile")


def test_no_credential_helps_where_no_rule_is(protected: Protected) -> None:
    """A guest is told so at once, rather than to send a credential."""
    assert protected.ask("/elsewhere").status == 403


@pytest.mark.parametrize("peer", ["192.0.2.7", "127.0.0.2", "::1", "", "testclient", "10.0.0.1"])
@pytest.mark.parametrize("proxy", Proxy)
def test_strangers_are_told_which_setting_it_is(
    protected: Protected, ann: Pair, proxy: Proxy, peer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever is no configured proxy gets no answer about anybody, whatever it forges; the operator is told too."""
    for target in ("/open/door", "/mine/"):
        answer = protected.ask(target, ann.token, proxy=proxy, peer=peer, headers=[("x-forwarded-for", PROXY)])

        assert answer.status == 403
        assert "LATCHGATE_TRUSTED_PROXIES" in answer.document["exception"]
        assert (answer.row.path.startswith("/auth/verify"), answer.row.ip_address) == (True, peer)
    protected.ask("/", peer="198.51.100.1")
    assert capsys.readouterr().err.count("198.51.100.1") <= 1
    assert SYSTEM_MANAGER not in str(answer.headers)


# 429


def test_a_limit_of_the_key_is_told(protected: Protected) -> None:
    """With the time to wait, which a proxy passes on or not."""
    protected.service.make_user("dora@example.com")
    key = protected.service.make_key("dora@example.com", per_minute=2)

    answers = [protected.ask("/mine/", key.token) for _ in range(3)]

    assert [answer.status for answer in answers] == [204, 204, 429]
    assert answers[-1].row.reason == "over_limit"


# 503


def test_without_the_rules_nobody_passes(protected: Protected, ann: Pair) -> None:
    """A database that does not answer is no yes, neither to a guest nor to a good credential."""
    protected.book.broken = True
    try:
        answers = [protected.ask("/open/door"), protected.ask("/mine/", ann.token)]
    finally:
        protected.book.broken = False

    assert [answer.status for answer in answers] == [503, 503]
    assert not [name for answer in answers for name, _ in answer.headers if name.startswith("x-auth-request")]
