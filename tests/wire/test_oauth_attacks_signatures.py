"""What is tried with signatures: assertions and ID tokens that are forged, replayed or meant for somebody else."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import pytest
from joserfc.jwk import ECKey, RSAKey

from latchgate.core.clients import AuthMethod
from support.asgi import Answer
from support.oauth import ALL_GRANTS, ENDPOINTS, JWT_BEARER, App, OAuth, assert_refused, opened_oauth, told_in
from unit.oauth.jwts import Signer, as_shared_secret, forge, without

USER, MACHINE = "user@example.com", "machine@example.com"
ISSUER = "http://127.0.0.1:8000"
_GRANT = {"grant_type": "client_credentials"}
_KEY, _OTHER_KEY = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
_CURVE = ECKey.generate_key("P-256")


@pytest.fixture(scope="module")
def oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuth]:
    """A service with a user, and one that clients run as."""
    with opened_oauth(tmp_path_factory.mktemp("attacked") / "home", USER, MACHINE) as oauth:
        yield oauth


@pytest.fixture(scope="module")
def app(oauth: OAuth) -> App:
    """A confidential client with every grant."""
    return oauth.make("App", grant_types=ALL_GRANTS, user=MACHINE)


# Signed assertions


@dataclass(frozen=True)
class _Signing:
    oauth: OAuth
    client_id: str

    def claims(self, **changes: object) -> dict[str, object]:
        """Write what the client claims."""
        now = int(time.time())
        usual = {"iss": self.client_id, "sub": self.client_id, "aud": ISSUER, "iat": now, "exp": now + 60}
        return {**usual, "jti": f"{time.monotonic_ns()}", **changes}

    def send(self, assertion: str, **fields: str) -> Answer:
        """Ask for a token."""
        return self.oauth.send("get_token", self.form(assertion, **fields))

    def form(self, assertion: str, **fields: str) -> dict[str, str]:
        """Write the request for a token."""
        return {**_GRANT, "client_assertion_type": JWT_BEARER, "client_assertion": assertion, **fields}

    def good(self, **changes: object) -> str:
        """Sign as the client does."""
        return forge({"alg": "RS256"}, self.claims(**changes), _KEY, "RS256")


@pytest.fixture(scope="module")
def signing(oauth: OAuth) -> _Signing:
    """A client that signs, by an RSA key or one on a curve."""
    keys = json.dumps({"keys": [key.as_dict(private=False) for key in (_KEY, _CURVE)]})
    app = oauth.make(auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks=keys, grant_types=ALL_GRANTS, user=MACHINE)
    return _Signing(oauth, app.client_id)


def test_a_signed_assertion_is_good_once(signing: _Signing) -> None:
    """What is sent again, with all else changed, is refused."""
    assertion = signing.good()

    assert signing.send(assertion).status == 200
    assert_refused(signing.send(assertion), "invalid_client", 401)
    assert_refused(signing.send(assertion, client_id=signing.client_id), "invalid_client", 401)
    assert signing.send(signing.good(jti="same")).status == 200
    assert_refused(signing.send(signing.good(jti="same")), "invalid_client", 401)


def test_of_eight_at_once_one_assertion_is_good(signing: _Signing) -> None:
    """Raced, an assertion opens the door to one request."""
    form = list(signing.form(signing.good()).items())

    answers = signing.oauth.service.forms_together(f"{ENDPOINTS}get_token", form, None, 8)

    assert sorted(status for status, _ in answers) == [200] + [401] * 7


_FORGED: dict[str, tuple[dict[str, object], Signer, str]] = {
    "no signature": ({"alg": "none"}, None, "none"),
    "no signature, in capitals": ({"alg": "NONE"}, None, "none"),
    "public key as a secret": ({"alg": "HS256"}, as_shared_secret(_KEY), "HS256"),
    "public key as a secret, called RS256": ({"alg": "RS256"}, as_shared_secret(_KEY), "HS256"),
    "another key": ({"alg": "RS256"}, _OTHER_KEY, "RS256"),
    "a key that comes along": ({"alg": "RS256", "jwk": _OTHER_KEY.as_dict(private=False)}, _OTHER_KEY, "RS256"),
    "a key elsewhere": ({"alg": "RS256", "jku": "https://evil.example/keys"}, _OTHER_KEY, "RS256"),
    "another algorithm's name": ({"alg": "ES256"}, _KEY, "RS256"),
    "an extension": ({"alg": "RS256", "crit": ["exp"], "exp": 1}, _KEY, "RS256"),
    "another kind of token": ({"alg": "RS256", "typ": "at+jwt"}, _KEY, "RS256"),
}


@pytest.mark.parametrize("name", _FORGED)
def test_a_forged_assertion_is_none(signing: _Signing, name: str) -> None:
    """No other key, no other algorithm and no key that the attacker brings along proves the client."""
    header, signer, algorithm = _FORGED[name]

    assert_refused(signing.send(forge(header, signing.claims(), signer, algorithm)), "invalid_client", 401)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://evil.example"},
        {"aud": [ISSUER, "https://evil.example"]},
        {"aud": ""},
        {"iss": "other"},
        {"sub": "other"},
        {"exp": 1},
        {"exp": 2**60},
        {"jti": ""},
        {"jti": None},
        {"iat": 2**40},
        {"exp": True},
        {"sub": "nosuch", "iss": "nosuch"},
    ],
)
def test_an_assertion_says_whom_it_is_from_for_whom_and_until_when(
    signing: _Signing, changes: dict[str, object]
) -> None:
    """One for somebody else, from somebody else or without an end is refused."""
    assert_refused(signing.send(signing.good(**changes)), "invalid_client", 401)


def test_a_client_that_signs_proves_itself_by_nothing_else(signing: _Signing, app: App) -> None:
    """Neither a secret nor its mere name does, nor does an assertion serve a client that has a secret."""
    for secret in ("", "x", "None"):
        form = {**_GRANT, "client_id": signing.client_id, "client_secret": secret}
        assert_refused(signing.oauth.send("get_token", form), "invalid_client", 401)
    claims = signing.claims(iss=app.client_id, sub=app.client_id)
    by_secret = forge({"alg": "HS256"}, claims, app.secret.encode(), "HS256")
    assert_refused(signing.send(by_secret), "invalid_client", 401)
    assert_refused(signing.send(signing.good(), client_id=app.client_id), "invalid_client", 401)


# Hints


def _hints(oauth: OAuth, app: App) -> dict[str, str]:
    """Give ID tokens that look like one of ours: each says that it is the user's."""
    token: str = oauth.tokens(app, USER)["id_token"]
    head, claims, signature = token.split(".")
    document = oauth.service.ask("/.well-known/jwks.json").document
    ours = RSAKey.import_key(next(key for key in document["keys"] if key["kty"] == "RSA"))
    read = json.loads(_decoded(claims))
    header = json.loads(_decoded(head))
    return {
        "another key": forge(header, read, _OTHER_KEY, "RS256"),
        "no signature": forge({**header, "alg": "none"}, read, None, "none"),
        "public key as a secret": forge({**header, "alg": "HS256"}, read, as_shared_secret(ours), "HS256"),
        "no key id": forge(without(header, "kid"), read, _OTHER_KEY, "RS256"),
        "key that comes along": forge({**header, "jwk": _OTHER_KEY.as_dict(private=False)}, read, _OTHER_KEY, "RS256"),
        "changed": f"{head}.{claims[:-2]}AA.{signature}",
        "without its signature": f"{head}.{claims}.",
        "access token": oauth.tokens(app, USER)["access_token"],
    }


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "==")


_HINTS = (
    "another key",
    "no signature",
    "public key as a secret",
    "no key id",
    "key that comes along",
    "changed",
    "without its signature",
    "access token",
)


@pytest.mark.parametrize("name", _HINTS)
def test_a_forged_hint_ends_no_session_and_leads_nowhere(oauth: OAuth, name: str) -> None:
    """Where a log-out is asked for by an ID token, no imitation of one does it, nor leads it anywhere."""
    app = oauth.make("Leaving", post_logout_redirect_uris=("https://app.example/bye",))
    query = {"id_token_hint": _hints(oauth, app)[name], "post_logout_redirect_uri": "https://app.example/bye"}

    answer = oauth.service.ask(
        f"{ENDPOINTS}end_session?{urlencode(query)}",
        headers=[("accept", "text/html"), ("cookie", f"sid={oauth.sid(USER)}")],
    )

    assert (answer.status, answer.header("location"), answer.cookies) == (400, None, {})
    assert "signed in as before" in answer.text


@pytest.mark.parametrize("name", _HINTS)
def test_a_forged_hint_gets_no_code_silently(oauth: OAuth, app: App, name: str) -> None:
    """`prompt=none` with an imitation is answered as by a user who has to sign in."""
    oauth.code(app, USER)
    changes = {"prompt": "none", "id_token_hint": _hints(oauth, app)[name]}

    answer = oauth.ask(oauth.request(app, changes), USER)

    assert told_in(answer.header("location"))["error"] == "login_required"


def test_a_true_hint_of_somebody_else_ends_no_session_unasked(oauth: OAuth, app: App) -> None:
    """An ID token of another user does not sign this one out: the user is asked."""
    other = oauth.service.make_user("other@example.com")
    hint = oauth.tokens(app, other)["id_token"]

    answer = oauth.service.ask(
        f"{ENDPOINTS}end_session?id_token_hint={quote(hint)}",
        headers=[("accept", "text/html"), ("cookie", f"sid={oauth.sid(USER)}")],
    )

    assert (answer.status, answer.cookies) == (200, {})
    assert "Sign out?" in answer.text


@pytest.mark.parametrize("address", ["https://evil.example/", "https://app.example/bye/", "https://app.example/cb"])
def test_a_log_out_leads_to_no_address_but_those_for_it(oauth: OAuth, address: str) -> None:
    """Whoever is signed out goes where the client registered for that, or nowhere."""
    app = oauth.make("Leaving", post_logout_redirect_uris=("https://app.example/bye",))
    query = {"client_id": app.client_id, "post_logout_redirect_uri": address}

    answer = oauth.service.ask(f"{ENDPOINTS}end_session?{urlencode(query)}", headers=[("accept", "text/html")])

    assert (answer.status, answer.header("location")) == (400, None)
