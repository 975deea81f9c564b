"""What the standards ask of an authorization server, a row each, and what an answer must be to fulfil one.

A row names its source, says the requirement in our words and holds the request with what must come of it. What is not
met stands among the rows too, with the reason instead of a request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from support.asgi import LOGGED_USER, Answer
from support.oauth import ALL_GRANTS, CALLBACK, App, OAuth, told_in

__all__ = [
    "CLOSED_ROLE",
    "HERE",
    "MACHINE_USER",
    "NATIVE",
    "OTHER_CALLBACK",
    "PAGE",
    "PRIVATE",
    "RESOURCE",
    "USER",
    "Row",
    "World",
    "answered",
    "build_world",
    "given",
    "told",
]

USER, MACHINE_USER = "user@example.com", "machine@example.com"
OTHER_CALLBACK = "https://app.example/other?a=1&b=%20"
NATIVE = "http://127.0.0.1/cb"
PRIVATE = "com.example.app:/cb"
RESOURCE = "https://api.example/v1"
CLOSED_ROLE = "Website Manager"


@dataclass(frozen=True)
class World:
    """A service with a client of each kind, and what a test asks of it."""

    oauth: OAuth
    web: App
    """Confidential, with every grant."""
    two: App
    """With two redirect URIs."""
    public: App
    native: App
    """Public, at a loopback address and a private scheme."""
    lax: App
    """Confidential, without the duty to use PKCE."""
    narrow: App
    """With few scopes."""
    resource: App
    """A protected resource of its own."""

    def ask(self, app: App | None = None, *, user: str = USER, **changes: str | None) -> Answer:
        """Send the user's browser with a request of a client, in which some parameters are changed."""
        return self.oauth.ask(self.oauth.request(app or self.web, changes), user)

    def ask_twice(self, name: str, value: str) -> Answer:
        """Send a request that holds one more parameter, whether it is there already or not."""
        return self.oauth.ask([*self.oauth.request(self.web), (name, value)], USER)

    def code(self, app: App | None = None, **changes: str | None) -> str:
        """Get a code."""
        return self.oauth.code(app or self.web, USER, changes)

    def exchange(
        self,
        app: App | None = None,
        code: str | None = None,
        asked: Mapping[str, str | None] | None = None,
        **changes: str | None,
    ) -> Answer:
        """Exchange a code, a fresh one if none is named."""
        app = app or self.web
        return self.oauth.exchange(app, code or self.oauth.code(app, USER, asked), changes)

    def refreshed(self, app: App | None = None, by: App | None = None, **changes: str | None) -> Answer:
        """Exchange a fresh refresh token, perhaps by another client than it was issued to."""
        app = app or self.web
        scope = "read openid" if app is self.narrow else "all openid"
        return self.oauth.refresh(by or app, self.tokens(app, scope=scope)["refresh_token"], changes)

    def tokens(self, app: App | None = None, **changes: str | None) -> dict[str, Any]:
        """Go the whole way."""
        return self.oauth.tokens(app or self.web, USER, changes)

    def post(self, endpoint: str, app: App | None = None, **fields: str) -> Answer:
        """Send a form as a client."""
        app = app or self.web
        return self.oauth.send(endpoint, {**fields, **app.named}, app.basic)

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        """Ask for what anybody may see."""
        return self.oauth.service.ask(path, headers=headers, peer=self.oauth.service.new_peer())

    def call(self, token: str, path: str = LOGGED_USER) -> Answer:
        """Use an access token."""
        return self.oauth.service.ask(path, f"Bearer {token}", peer=self.oauth.service.new_peer())

    def metadata(self) -> dict[str, Any]:
        """Read the authorization server's metadata."""
        document: dict[str, Any] = self.get("/.well-known/oauth-authorization-server").document
        return document


Expected = Callable[[Answer], object]


@dataclass(frozen=True)
class Row:
    """A requirement."""

    rfc: str
    section: str
    requirement: str
    request: Callable[[World], Answer] | None = None
    expected: Expected | None = None
    holds: Callable[[World], bool] | None = None
    """In place of request and expectation, where one answer does not show it."""
    unmet: str = field(default="", kw_only=True)
    """Why it is not met, or met elsewhere than on this wire."""

    def __str__(self) -> str:
        return f"{self.rfc}-{self.section}-{self.requirement}".replace(" ", "_")

    def check(self, world: World) -> None:
        """Hold the service to it."""
        if self.holds:
            assert self.holds(world)
            return
        assert self.request is not None
        assert self.expected is not None
        answer = self.request(world)
        assert self.expected(answer) is not False, (answer.status, answer.headers, answer.text[:500])


def told(error: str, *, at: str = CALLBACK) -> Expected:
    """The client is told an error at its redirect URI, with its state and who says so."""

    def check(answer: Answer) -> bool:
        location = answer.header("location")
        assert answer.status in {302, 303}, (answer.status, answer.text[:300])
        assert location is not None
        assert location.startswith(at), location
        assert "#" not in location
        said = told_in(location)
        return said["error"] == error and said["state"] == "st4te" and bool(said["iss"]) and "code" not in said

    return check


def given(answer: Answer) -> bool:
    """The user's browser goes on to the client, or the user is asked whether it may."""
    return PAGE(answer) if answer.status == 200 else "code" in told_in(answer.header("location"))


def PAGE(answer: Answer) -> bool:  # noqa: N802  # reads as an expectation, as HERE does
    """The user is asked."""
    return answer.status == 200 and "Allow access?" in answer.text


def HERE(answer: Answer) -> bool:  # noqa: N802
    """The user is told, and nobody is redirected."""
    return answer.status == 400 and answer.header("location") is None and "Nothing was sent" in answer.text


def answered(status: int, error: str | None = None, **headers: str) -> Expected:
    """A client is answered in JSON by a status, an error and headers."""

    def check(answer: Answer) -> bool:
        document = answer.document
        for name, beginning in headers.items():
            assert (answer.header(name.replace("_", "-")) or "").startswith(beginning), (name, answer.headers)
        assert answer.header("cache-control") == "no-store"
        assert set(document) <= {"error", "error_description"} or error is None, document
        return answer.status == status and document.get("error") == error

    return check


def build_world(oauth: OAuth) -> World:
    """Make users and clients."""
    service = oauth.service
    service.make_user(USER, first_name="Una")
    service.make_user(MACHINE_USER)
    return World(
        oauth=oauth,
        web=oauth.make("Web", grant_types=ALL_GRANTS, user=MACHINE_USER, scopes=frozenset({"all", "openid", "custom"})),
        two=oauth.make("Two", redirect_uris=(CALLBACK, OTHER_CALLBACK)),
        public=oauth.make_public("Public", grant_types=ALL_GRANTS - {"client_credentials"}),
        native=oauth.make_public("Native", redirect_uris=(NATIVE, PRIVATE)),
        lax=oauth.make("Lax", require_pkce=False),
        narrow=oauth.make("Narrow", scopes=frozenset({"read", "openid"})),
        resource=oauth.make("Resource", resources=(RESOURCE,)),
    )


def is_same_host(location: str | None, path: str) -> bool:
    """Whether a redirect stays here, at a path."""
    parts = urlsplit(location or "")
    return not parts.netloc and parts.path == path


def met(rows: Sequence[Row]) -> list[Row]:
    """Give the rows that are checked by a request."""
    return [row for row in rows if not row.unmet]
