"""Whatever is sent to the endpoints, they answer; nothing that is secret is told or written down."""

import itertools
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latchgate.services.port_values import LogQuery
from support.asgi import PASSWORD, Answer, opened_service
from support.oauth import ALL_GRANTS, CALLBACK, ENDPOINTS, VERIFIER, App, OAuth, fields_of_form, told_in
from support.postgres import PostgresServer

USER = "user@example.com"
_FORM = ("content-type", "application/x-www-form-urlencoded")
_PAGES = ("authorize", "end_session")
_FORMS = (
    "get_token",
    "introspect_token",
    "revoke_token",
    "device_authorization",
    "approve",
    "authorize",
    "end_session",
    "/device",
    "/end-session",
    "/login",
)
_NAMES = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "response_type",
    "response_mode",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "request",
    "request_uri",
    "claims",
    "display",
    "ui_locales",
    "acr_values",
    "registration",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "device_code",
    "user_code",
    "token",
    "token_type_hint",
    "decision",
    "csrf_token",
    "post_logout_redirect_uri",
    "logout_hint",
    "signed_in_after",
    "username",
    "password",
]
_ODD = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "é",
    "\u202e",
    "\U0001f511",
    "\ud800",
    "\x7f",
    "\r\nLocation: https://evil.example",
    '"',
    "\\",
    "%00",
    "%",
    "[]",
    "{}",
    "null",
    "-1",
    "9" * 400,
    "a" * 20_000,
    "../../etc/passwd",
    "' OR '1'='1",
    "lga_",
    "a.b.c",
)


@dataclass(frozen=True)
class _Asked:
    oauth: OAuth
    app: App

    def send(self, endpoint: str, pairs: list[tuple[str, str]], *, proved: bool, user: bool) -> Answer:
        """Send a form, whatever it holds, as a client, as a user's browser, as both or as nobody."""
        headers = [_FORM, *([("cookie", f"sid={self.oauth.sid(USER)}")] if user else [])]
        return self.hold(
            self.oauth.service.ask(
                endpoint if endpoint.startswith("/") else f"{ENDPOINTS}{endpoint}",
                self.app.basic if proved else None,
                method="POST",
                headers=headers,
                body=_encoded(pairs).encode(),
                peer=self.oauth.service.new_peer(),
            )
        )

    def open(self, endpoint: str, pairs: list[tuple[str, str]], *, user: bool) -> Answer:
        """Send a browser there, signed in or not."""
        headers = [("cookie", f"sid={self.oauth.sid(USER)}")] if user else []
        return self.hold(self.oauth.service.ask(f"{ENDPOINTS}{endpoint}?{_encoded(pairs)}", headers=headers))

    def hold(self, answer: Answer) -> Answer:
        """Hold an answer to being none of a fault, and to lead nowhere but here or to the client."""
        assert answer.status < 500, answer.text
        location = answer.header("location")
        assert location is None or location.startswith(("/", CALLBACK, "http://127.0.0.1:8000/")), location
        assert location is None or not location.startswith("//")
        return answer


def _encoded(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="surrogatepass")


@pytest.fixture(scope="module")
def asked(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Asked]:
    """A service with a user and a client, on the engine that is stricter about what a text may hold."""
    with ExitStack() as stack:
        url = postgres_server.url(stack.enter_context(postgres_server.fresh_database()))
        home = tmp_path_factory.mktemp("asked") / "home"
        service = stack.enter_context(opened_service(home, oauth_registration="open", database_url=url))
        service.make_user(USER)
        oauth = OAuth(service)
        app = oauth.make(grant_types=ALL_GRANTS, user=USER)
        oauth.sid(USER)
        yield _Asked(oauth, app)


# One parameter at a time


@pytest.mark.parametrize("name", _NAMES)
def test_no_value_of_a_parameter_is_a_fault(asked: _Asked, name: str) -> None:
    """NUL, other alphabets, half surrogate pairs and length are refused or passed over, wherever they stand."""
    # Each value at another endpoint, and over all the names each at every one.
    endpoints = itertools.islice(itertools.cycle(_FORMS), _NAMES.index(name), None)
    usual = dict([*asked.oauth.exchange_form(asked.app, "lgo_x"), *asked.oauth.request(asked.app)])
    for value, endpoint in zip(_ODD, endpoints, strict=False):
        sent = [*[pair for pair in usual.items() if pair[0] != name], (name, value)]
        asked.send(endpoint, sent, proved=not endpoint.startswith("/"), user=endpoint in {"approve", "/device"})
        asked.open("authorize", [pair for pair in sent if pair[0] not in {"code", "code_verifier"}], user=True)


# Several resources are several, what proves a client or its address is judged before, and the last is our own.
_NOT_ONCE = frozenset({"resource", "client_id", "redirect_uri", "signed_in_after"})


@pytest.mark.parametrize("name", [name for name in _NAMES if name not in _NOT_ONCE])
def test_a_parameter_that_comes_twice_gets_nothing(asked: _Asked, name: str) -> None:
    """Two values of one name are refused where a client asks and where a browser is sent, equal ones too."""
    code = asked.oauth.code(asked.app, USER)
    form = [*asked.oauth.exchange_form(asked.app, code), (name, "x"), (name, "x")]

    answer = asked.send("get_token", form, proved=True, user=False)
    sent = asked.open("authorize", [*asked.oauth.request(asked.app), (name, "x"), (name, "x")], user=True)

    assert (answer.status, answer.document["error"]) == (400, "invalid_request")
    told = told_in(sent.header("location"))
    assert told["error"] == "invalid_request"
    assert ("state" in told) == (name != "state")


@pytest.mark.parametrize("endpoint", _FORMS)
@pytest.mark.parametrize("count", [5_000, 5_001])
def test_thousands_of_fields_are_refused_or_passed_over(asked: _Asked, endpoint: str, count: int) -> None:
    """A form of however many fields is no work worth speaking of."""
    pairs = [(f"f{number}", "x") for number in range(count)]

    answer = asked.send(endpoint, pairs, proved=True, user=False)

    assert answer.status in {200, 303, 400, 401, 403, 413, 417}


@pytest.mark.parametrize("endpoint", _PAGES)
def test_an_address_of_thousands_of_fields_is_refused(asked: _Asked, endpoint: str) -> None:
    """A hundred parameters are enough for anybody."""
    answer = asked.open(endpoint, [(f"f{number}", "x") for number in range(101)], user=True)

    assert answer.status == 400


# Any at all

_VALUES = st.sampled_from([*_ODD, CALLBACK, VERIFIER, "code", "S256", "all", "openid", "none", "login", "allow"])
_PAIRS = st.lists(
    st.tuples(st.sampled_from(_NAMES) | st.text(max_size=8), _VALUES | st.text(st.characters(), max_size=40)),
    max_size=10,
)
_FIXED = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.parametrize("endpoint", _FORMS)
@_FIXED
@given(pairs=_PAIRS, good=st.booleans(), proved=st.booleans(), user=st.booleans())
def test_any_form_is_answered(
    asked: _Asked, endpoint: str, pairs: list[tuple[str, str]], good: bool, proved: bool, user: bool
) -> None:
    """No form whatever is a fault of the service, nor leads anybody elsewhere."""
    usual = [*asked.oauth.exchange_form(asked.app, "lgo_x"), *asked.oauth.request(asked.app)] if good else []
    names = {name for name, _ in pairs}

    asked.send(endpoint, [*[pair for pair in usual if pair[0] not in names], *pairs], proved=proved, user=user)


@pytest.mark.parametrize("endpoint", _PAGES)
@_FIXED
@given(pairs=_PAIRS, good=st.booleans(), user=st.booleans())
def test_any_address_is_answered(
    asked: _Asked, endpoint: str, pairs: list[tuple[str, str]], good: bool, user: bool
) -> None:
    """No address to which a browser is sent is a fault of the service, nor leads it elsewhere."""
    usual = asked.oauth.request(asked.app) if good else []
    names = {name for name, _ in pairs}

    asked.open(endpoint, [*[pair for pair in usual if pair[0] not in names], *pairs], user=user)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | _VALUES,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
_METADATA = st.dictionaries(
    st.sampled_from(
        [
            "client_name",
            "redirect_uris",
            "token_endpoint_auth_method",
            "grant_types",
            "response_types",
            "scope",
            "client_uri",
            "logo_uri",
            "jwks",
            "jwks_uri",
            "contacts",
            "post_logout_redirect_uris",
            "id_token_signed_response_alg",
            "software_id",
        ]
    ),
    _JSON,
)


@_FIXED
@given(metadata=_METADATA | _JSON)
def test_any_registration_is_answered(asked: _Asked, metadata: object) -> None:
    """No metadata whatever is a fault of the service."""
    body = json.dumps(metadata).encode()

    answer = asked.oauth.service.ask(
        f"{ENDPOINTS}register_client",
        method="POST",
        headers=[("content-type", "application/json")],
        body=body,
        peer=asked.oauth.service.new_peer(),
    )

    assert answer.status in {201, 400}
    assert answer.status == 201 or answer.document["error"] in {
        "invalid_request",
        "invalid_client_metadata",
        "invalid_redirect_uri",
    }


# What is secret


def test_no_secret_is_written_down(asked: _Asked, caplog: pytest.LogCaptureFixture) -> None:
    """A whole flow, and its mistakes, leave no secret in the request log, nor in what the libraries say."""
    caplog.set_level(logging.DEBUG)
    oauth, app = asked.oauth, asked.app
    # What other tests sent in parameters that name no secret is theirs.
    since = oauth.service.latchgate.clock.now_us()
    code = oauth.code(app, USER)
    tokens = oauth.exchange(app, code).document
    second = oauth.refresh(app, tokens["refresh_token"]).document
    oauth.refresh(app, "lgr_unknown")
    oauth.exchange(app, code)
    credentials = oauth.send("get_token", {"grant_type": "client_credentials"}, app.basic).document
    device = oauth.send("device_authorization", {}, app.basic).document
    oauth.send("get_token", {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", **device}, app.basic)
    oauth.introspect(app, second["access_token"])
    secrets = [code, VERIFIER, app.secret, device["device_code"], credentials["access_token"]]
    secrets += [one[kind] for one in (tokens, second) for kind in ("access_token", "refresh_token")]
    secrets += [tokens["id_token"], oauth.sid(USER)]
    for name in ("code", "token", "id_token_hint", "code_verifier"):
        for secret in secrets:
            for endpoint in ("get_token", "authorize"):
                oauth.service.ask(f"{ENDPOINTS}{endpoint}?{name}={quote_plus(secret)}", app.basic)

    found = oauth.service.latchgate.request_log.search(LogQuery(limit=0, since=since))
    rows = [str(row.document()) for row in found]
    assert len(rows) > 2 * len(secrets)

    for secret in secrets:
        assert secret not in caplog.text
        assert not [row for row in rows if secret in row]


@pytest.mark.parametrize("name", [name for name in _NAMES if name not in {"state", "signed_in_after"}])
def test_no_error_repeats_what_it_was_sent(asked: _Asked, name: str) -> None:
    """A secret that went into the wrong parameter comes back in no error, neither to the client nor in an address."""
    oauth, app = asked.oauth, asked.app
    for secret in (PASSWORD.replace(" ", "-"), app.secret, "lga_0123456789abcdefghijABCDEFGHIJ"):
        form = [*dict(oauth.exchange_form(app, "lgo_x", {name: secret})).items()]
        asked_for = oauth.request(app, {"scope": '"', name: secret})
        for endpoint in ("get_token", "introspect_token", "revoke_token", "device_authorization"):
            assert secret not in asked.send(endpoint, form, proved=True, user=False).text
        answer = asked.open("authorize", asked_for, user=True)
        assert secret not in (answer.header("location") or "")
        assert answer.status == 302 or secret not in answer.text


def test_the_page_of_consent_repeats_what_it_must_and_nothing_else(asked: _Asked) -> None:
    """Its form holds the client's parameters as they were sent, harmless, and the session's token."""
    state = "'\"><script>&amp;"

    page = asked.open("authorize", asked.oauth.request(asked.app, {"state": state, "prompt": "consent"}), user=True)

    assert dict(fields_of_form(page.text))["state"] == state
    assert "<script>&" not in page.text
    assert asked.app.secret not in page.text
    assert asked.oauth.sid(USER) not in page.text
