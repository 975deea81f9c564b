"""OAuth 2 as clients and users do it: a client made, its user asked by the page's own form, the code exchanged."""

import base64
import hashlib
import html
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import LOGGED_USER, Answer, Service, opened_service

__all__ = [
    "ALL_GRANTS",
    "CALLBACK",
    "CHALLENGE",
    "DEVICE_CODE",
    "ENDPOINTS",
    "JWT_BEARER",
    "VERIFIER",
    "App",
    "OAuth",
    "assert_refused",
    "challenge_of",
    "fields_of_form",
    "opened_oauth",
    "told_in",
]

ENDPOINTS = "/api/method/frappe.integrations.oauth2."
CALLBACK = "https://app.example/cb"
DEVICE_CODE = GrantType.DEVICE_CODE.value
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VERIFIER = "a-verifier-of-the-client.~_0123456789ABCDEFGHIJKLMN"
ALL_GRANTS = frozenset(GrantType)

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_HTML = ("accept", "text/html")

Changes = Mapping[str, str | None]
"""Parameters to set, or with None to leave out."""


def challenge_of(verifier: str) -> str:
    """Make the S256 of a verifier. Source: RFC 7636, section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


CHALLENGE = challenge_of(VERIFIER)


def fields_of_form(text: str) -> list[tuple[str, str]]:
    """Read what a page's form sends by itself, in order."""
    return [(html.unescape(name), html.unescape(value)) for name, value in _HIDDEN.findall(text)]


def told_in(location: str | None) -> dict[str, str]:
    """Read what a redirect tells the client; each name may come once."""
    assert location is not None
    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), location
    return dict(pairs)


@dataclass(frozen=True)
class App:
    """A client as its developer has it."""

    client_id: str
    secret: str = field(repr=False)
    """Empty for one that has none."""
    redirect_uri: str = CALLBACK

    @property
    def basic(self) -> str | None:
        """The header by which it proves itself; None for one that cannot. Source: RFC 6749, section 2.3.1."""
        if not self.secret:
            return None
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    @property
    def named(self) -> dict[str, str]:
        """What it says of itself in a form where it sends no header."""
        return {} if self.secret else {"client_id": self.client_id}


class OAuth:
    """The endpoints of a service, and users who are signed in."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._sids: dict[str, str] = {}

    def make(self, name: str = "App", **order: Any) -> App:  # noqa: ANN401  # whatever ClientOrder takes
        """Make a client: confidential, with one redirect URI, unless another is ordered."""
        wanted = ClientOrder(name, **{"redirect_uris": (CALLBACK,), **order})
        made = self.service.latchgate.clients.create(COMMAND_LINE, wanted)
        uris = made.client.redirect_uris or (CALLBACK,)
        return App(made.client.client_id, made.secret.text if made.secret else "", uris[0])

    def make_public(self, name: str = "Public app", **order: Any) -> App:  # noqa: ANN401  # as above
        """Make a client that can keep no secret."""
        return self.make(name, auth_method=AuthMethod.NONE, **order)

    def sid(self, user: str) -> str:
        """Give a session of a user, the same each time."""
        if user not in self._sids:
            self._sids[user] = self.service.sign_in(user, peer=self.service.new_peer()).sid
        return self._sids[user]

    def forget(self, user: str) -> None:
        """Have the user sign in anew next time."""
        self._sids.pop(user, None)

    def request(self, app: App, changes: Changes | None = None) -> list[tuple[str, str]]:
        """Write the parameters of an authorization request."""
        usual = {
            "client_id": app.client_id,
            "response_type": "code",
            "redirect_uri": app.redirect_uri,
            "scope": "all openid",
            "state": "st4te",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return _changed(usual, changes)

    def ask(self, parameters: Iterable[tuple[str, str]], user: str = "", *, cookie: str = "") -> Answer:
        """Send a browser to the authorization endpoint, with the user's session if there is one."""
        sent = cookie or (f"sid={self.sid(user)}" if user else "")
        headers = [_HTML, *([("cookie", sent)] if sent else [])]
        return self.service.ask(f"{ENDPOINTS}authorize?{urlencode(list(parameters))}", headers=headers)

    def decide(self, page: Answer, user: str, decision: str = "allow") -> Answer:
        """Press a button of the page of consent."""
        assert page.status == 200, (page.status, page.header("location"), page.text[:300])
        return self.send("approve", [*fields_of_form(page.text), ("decision", decision)], user=user)

    def code(self, app: App, user: str, changes: Changes | None = None) -> str:
        """Get a code, asking the user where that is needed."""
        answer = self.ask(self.request(app, changes), user)
        if answer.status == 200:
            answer = self.decide(answer, user)
        return told_in(answer.header("location"))["code"]

    def send(
        self,
        endpoint: str,
        parameters: Iterable[tuple[str, str]] | Mapping[str, str],
        authorization: str | None = None,
        *,
        user: str = "",
        peer: str | None = None,
    ) -> Answer:
        """Send a form to an endpoint, as a client or as a user's browser does."""
        headers = [("content-type", "application/x-www-form-urlencoded")]
        headers += [_HTML, ("cookie", f"sid={self.sid(user)}")] if user else []
        sent = parameters.items() if isinstance(parameters, Mapping) else parameters
        body = urlencode(list(sent)).encode()
        target = endpoint if endpoint.startswith("/") else f"{ENDPOINTS}{endpoint}"
        return self.service.ask(
            target, authorization, method="POST", headers=headers, body=body, peer=peer or self.service.new_peer()
        )

    def exchange(self, app: App, code: str, changes: Changes | None = None) -> Answer:
        """Exchange a code."""
        return self.send("get_token", self.exchange_form(app, code, changes), app.basic)

    def exchange_form(self, app: App, code: str, changes: Changes | None = None) -> list[tuple[str, str]]:
        """Write the form by which a code is exchanged."""
        usual = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": VERIFIER,
            **app.named,
        }
        return _changed(usual, changes)

    def refresh(self, app: App, refresh_token: str, changes: Changes | None = None) -> Answer:
        """Exchange a refresh token."""
        usual = {"grant_type": "refresh_token", "refresh_token": refresh_token, **app.named}
        return self.send("get_token", _changed(usual, changes), app.basic)

    def tokens(self, app: App, user: str, changes: Changes | None = None) -> dict[str, Any]:
        """Go the whole way and give the answer's document."""
        answer = self.exchange(app, self.code(app, user, changes))
        assert answer.status == 200, answer.text
        document: dict[str, Any] = answer.document
        return document

    def works(self, access_token: str) -> bool:
        """Whether a token opens something."""
        answer = self.service.ask(LOGGED_USER, f"Bearer {access_token}", peer=self.service.new_peer())
        assert answer.status in {200, 401}, answer.text
        return answer.status == 200

    def introspect(self, app: App, token: str) -> dict[str, Any]:
        """Ask what a token is."""
        answer = self.send("introspect_token", {"token": token}, app.basic)
        assert answer.status == 200, answer.text
        document: dict[str, Any] = answer.document
        return document

    def live_families(self, app: App) -> int:
        """Count the families of a client's tokens that have not ended."""
        statement = (
            "SELECT count(*) FROM oauth_family JOIN oauth_client ON oauth_client.id = oauth_family.client_row_id"
            " WHERE oauth_client.client_id = ? AND oauth_family.revoked_at IS NULL"
        )
        with closing(self._database()) as database:
            count: int = database.execute(statement, (app.client_id,)).fetchone()[0]
            return count

    def age(self, table: str, column: str, seconds: int) -> None:
        """Let time pass for what stands in a table: nobody waits for it."""
        with closing(self._database()) as database, database:
            database.execute(f"UPDATE {table} SET {column} = {column} - ?", (seconds,))  # noqa: S608  # ours

    def _database(self) -> sqlite3.Connection:
        path = self.service.latchgate.settings.database_path
        assert path is not None
        return sqlite3.connect(path)


@contextmanager
def opened_oauth(home: Path, *users: str) -> Iterator[OAuth]:
    """Open a service of these users, as clients and users ask it."""
    with opened_service(home) as service:
        for user in users:
            service.make_user(user)
        yield OAuth(service)


def assert_refused(answer: Answer, error: str, status: int) -> None:
    """Hold an answer to a client to being an error that nobody keeps."""
    assert (answer.status, answer.document["error"]) == (status, error), answer.text
    assert answer.header("cache-control") == "no-store"


def _changed(usual: Mapping[str, str], changes: Changes | None) -> list[tuple[str, str]]:
    merged = {**usual, **(changes or {})}
    return [(name, value) for name, value in merged.items() if value is not None]
