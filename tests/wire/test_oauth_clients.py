"""Clients that we did not write, against a running server: Authlib's, requests-oauthlib's, and a device's requests."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from requests_oauthlib import OAuth2Session as RequestsSession

from support.asgi import LOGGED_USER, PASSWORD, Service
from support.oauth import ALL_GRANTS, DEVICE_CODE, App, OAuth, fields_of_form
from support.running import RunningLatchgate

USER = "user@example.com"
_LIMIT_SECONDS = 30
_SCOPE = "all openid"


@dataclass(frozen=True)
class _House:
    """The server, its metadata as any client reads them, and clients of each kind."""

    base: str
    metadata: dict[str, Any]
    web: App
    public: App

    def me(self, session: requests.Session) -> Any:  # noqa: ANN401  # whatever the JSON is
        """Ask who one is."""
        answer = session.get(f"{self.base}{LOGGED_USER}", timeout=_LIMIT_SECONDS)
        return answer.json()["message"] if answer.status_code == 200 else answer.status_code


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_House]:
    """A server with a user, and the clients made beside it."""
    running = RunningLatchgate(tmp_path_factory.mktemp("running") / "home").start()
    try:
        beside = Service(running.home)
        beside.make_user(USER, first_name="Una", last_name="User")
        oauth = OAuth(beside)
        web = oauth.make("Web", grant_types=ALL_GRANTS, user=USER)
        public = oauth.make_public("Public")
        beside.close()
        discovery = f"{running.base}/.well-known/openid-configuration"
        metadata = requests.get(discovery, timeout=_LIMIT_SECONDS).json()
        yield _House(running.base, metadata, web, public)
    finally:
        assert running.stop() == 0
        assert "Traceback" not in running.output.read_text()


@pytest.fixture
def browser(house: _House) -> Iterator[requests.Session]:
    """The user's browser, without scripts; nobody is signed in."""
    with requests.Session() as session:
        session.headers["Accept"] = "text/html"
        yield session


def _allow(house: _House, browser: requests.Session, url: str) -> str:
    """Follow a client's address, sign in and allow where asked; give where the client's answer leads."""
    answer = browser.get(url, timeout=_LIMIT_SECONDS, allow_redirects=False)
    for _ in range(8):
        location = answer.headers.get("Location", "")
        if location.startswith("https://app.example/"):
            return location
        if location:
            here = urlsplit(location)._replace(scheme="", netloc="").geturl()
            answer = browser.get(f"{house.base}{here}", timeout=_LIMIT_SECONDS, allow_redirects=False)
            continue
        fields = dict(fields_of_form(answer.text))
        action = html.unescape(re.findall(r'<form method="post" action="([^"]+)"', answer.text)[-1])
        typed = {"usr": USER, "pwd": PASSWORD} if action == "/login" else {"decision": "allow"}
        sent = {**fields, **typed}
        answer = browser.post(f"{house.base}{action}", sent, timeout=_LIMIT_SECONDS, allow_redirects=False)
    raise AssertionError(f"the client is never reached: {answer.status_code} {answer.text[:300]}")


@pytest.mark.parametrize("kind", ["client_secret_basic", "client_secret_post", "none"])
def test_authlibs_client(house: _House, browser: requests.Session, kind: str) -> None:
    """Authlib's OAuth2Session gets a code with PKCE and tokens, uses, refreshes and revokes them."""
    app = house.public if kind == "none" else house.web
    with AuthlibSession(
        app.client_id,
        app.secret or None,
        token_endpoint_auth_method=kind,
        revocation_endpoint_auth_method=kind,
        scope=_SCOPE,
        redirect_uri=app.redirect_uri,
        code_challenge_method="S256",
    ) as session:
        verifier = "authlib-makes-the-challenge-of-this-verifier-0123456789"
        url, state = session.create_authorization_url(
            house.metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-0"
        )
        location = _allow(house, browser, url)

        token = session.fetch_token(
            house.metadata["token_endpoint"], authorization_response=location, code_verifier=verifier, state=state
        )
        assert house.me(session) == USER
        _assert_id_token(house, app, token, "n-0")

        refreshed = session.refresh_token(house.metadata["token_endpoint"])
        assert refreshed["access_token"] != token["access_token"]
        assert house.me(session) == USER

        answer = session.revoke_token(house.metadata["revocation_endpoint"], token=refreshed["refresh_token"])
        assert answer.status_code == 200
        assert house.me(session) == 401


def _assert_id_token(house: _House, app: App, token: dict[str, Any], nonce: str) -> None:
    """Hold an ID token to all that Authlib's OpenID Connect client asks of one."""
    keys = KeySet.import_key_set(requests.get(house.metadata["jwks_uri"], timeout=_LIMIT_SECONDS).json())
    read = jwt.decode(token["id_token"], keys, algorithms=house.metadata["id_token_signing_alg_values_supported"])
    claims = CodeIDToken(
        read.claims,
        read.header,
        {
            "iss": {"essential": True, "value": house.metadata["issuer"]},
            "aud": {"essential": True, "value": app.client_id},
        },
        {"nonce": nonce, "access_token": token["access_token"], "client_id": app.client_id},
    )
    claims.validate()
    profile = requests.get(
        house.metadata["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=_LIMIT_SECONDS,
    ).json()
    assert profile["sub"] == claims["sub"]
    assert profile["email"] == USER


def test_requests_oauthlibs_client(house: _House, browser: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests-oauthlib's OAuth2Session goes the same way, with its own PKCE."""
    # It refuses http, even to this machine, unless it is told.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    app = house.web
    with RequestsSession(app.client_id, redirect_uri=app.redirect_uri, scope=_SCOPE.split(), pkce="S256") as session:
        url, _ = session.authorization_url(house.metadata["authorization_endpoint"])
        location = _allow(house, browser, url)
        assert parse_qs(urlsplit(location).query)["iss"] == [house.metadata["issuer"]]

        token = session.fetch_token(
            house.metadata["token_endpoint"], authorization_response=location, client_secret=app.secret
        )
        assert house.me(session) == USER

        refreshed = session.refresh_token(house.metadata["token_endpoint"], auth=(app.client_id, app.secret))
        assert refreshed["refresh_token"] != token["refresh_token"]
        assert house.me(session) == USER

        answer = requests.post(
            house.metadata["revocation_endpoint"],
            {"token": refreshed["access_token"]},
            auth=(app.client_id, app.secret),
            timeout=_LIMIT_SECONDS,
        )
        assert answer.status_code == 200
        assert house.me(session) == 401


def test_client_credentials_by_authlib(house: _House) -> None:
    """A script with its own proof gets a token by one call."""
    with AuthlibSession(house.web.client_id, house.web.secret, scope="read") as session:
        token = session.fetch_token(house.metadata["token_endpoint"], grant_type="client_credentials")

        assert token["scope"] == "read"
        assert house.me(session) == USER


def test_a_device(house: _House, browser: requests.Session) -> None:
    """A device gets its tokens when the user has typed the code and allowed it at the page."""
    auth = house.web.client_id, house.web.secret
    endpoint, token_endpoint = house.metadata["device_authorization_endpoint"], house.metadata["token_endpoint"]
    device = requests.post(endpoint, {"scope": "read"}, auth=auth, timeout=_LIMIT_SECONDS).json()
    poll = {"grant_type": DEVICE_CODE, "device_code": device["device_code"]}
    browser.post(f"{house.base}/login", {"usr": USER, "pwd": PASSWORD}, timeout=_LIMIT_SECONDS)
    page = browser.get(device["verification_uri_complete"], timeout=_LIMIT_SECONDS)
    fields = {**dict(fields_of_form(page.text)), "user_code": device["user_code"]}
    shown = browser.post(device["verification_uri"], fields, timeout=_LIMIT_SECONDS)
    assert "Web" in shown.text
    browser.post(device["verification_uri"], {**fields, "decision": "allow"}, timeout=_LIMIT_SECONDS)

    token = requests.post(token_endpoint, poll, auth=auth, timeout=_LIMIT_SECONDS)
    assert token.json()["scope"] == "read"
