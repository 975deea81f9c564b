"""Access tokens that are fetched when they are needed, once however many wait, and a little before they end."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from latchgate.client.credentials import for_httpx_of, for_requests_of, require_only_for
from latchgate.client.servers import read_server

if TYPE_CHECKING:
    from latchgate.client.httpx_auth import HttpxAuth
    from latchgate.client.requests_auth import RequestsAuth

__all__ = ["ClientCredentials", "RefreshToken", "TokenError"]

_TOKEN_PATH = "/api/method/frappe.integrations.oauth2.get_token"
_MARGIN_SECONDS = 30.0
"""How long before its end a token is replaced, so that none ends on its way; a tenth of its life if that is less."""
_TIMEOUT_SECONDS = 10.0
_BODY_BYTES_MAX = 64 * 1024
_OK = 200


class TokenError(Exception):
    """No token was given; `error` is the code that the server sent, or `unreachable`."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description


class _Tokens:
    """The present token of one grant. Any thread may ask; one fetches, and the others wait for what comes of it."""

    def __init__(self, server: str, write_grant: Callable[[], Mapping[str, str]]) -> None:
        self._address = read_server(server)
        self.server = server
        self._write_grant = write_grant
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0
        self._attempts = 0
        self._failure: TokenError | None = None

    def get(self, refused: str | None, keep: Callable[[Mapping[str, Any]], None]) -> str:
        """Give a token that is not the refused one, and is good for a while. Raises TokenError.

        Args:
            refused: One that a server did not take.
            keep: Takes what a server answers.
        """
        token = self._token
        if token and token != refused and time.monotonic() < self._until:
            return token
        attempts = self._attempts
        with self._lock:
            if self._token and self._token != refused and time.monotonic() < self._until:
                return self._token
            if self._attempts != attempts and self._failure is not None:
                # It was tried while this one waited: once more would fail alike, for each that waits.
                raise self._failure
            self._attempts += 1
            try:
                self._fetch(keep)
                self._failure = None
            except TokenError as error:
                self._token, self._failure = "", error
                raise
            return self._token

    def _fetch(self, keep: Callable[[Mapping[str, Any]], None]) -> None:
        # From before it was asked for: a token is never taken for younger than it is, whatever the clocks say.
        asked_at = time.monotonic()
        answer = self._post(self._write_grant())
        token, lives_seconds = answer.get("access_token"), answer.get("expires_in", 0)
        if not isinstance(token, str) or not isinstance(lives_seconds, int | float):
            raise TokenError("unreadable", "the server answered without a token")
        keep(answer)
        self._token, self._until = token, _until(asked_at, lives_seconds)

    def _post(self, fields: Mapping[str, str]) -> Mapping[str, Any]:
        kind = http.client.HTTPSConnection if self._address.secure else http.client.HTTPConnection
        connection = kind(self._address.host, self._address.port, timeout=_TIMEOUT_SECONDS)
        try:
            # Redirects are not followed: what stands in the form is for this server alone.
            connection.request(
                "POST", _TOKEN_PATH, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"}
            )
            response = connection.getresponse()
            body = response.read(_BODY_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise TokenError("unreachable", f"{self.server}: {type(error).__name__}") from None
        finally:
            connection.close()
        return _read(response.status, body)


class ClientCredentials:
    """A program that acts by itself, as an OAuth client (RFC 6749, section 4.4). Any thread may use it."""

    def __init__(
        self, server: str, client_id: str, client_secret: str, *, scope: str = "", only_for: str | None = None
    ) -> None:
        """Ask for nothing yet.

        Args:
            server: The address of Latchgate, such as `https://auth.example.com`.
            client_id: The client's.
            client_secret: The client's.
            scope: Scopes separated by spaces; without any, all that the client may have.
            only_for: The address of the only server that tokens are sent to, besides the one that gives them.

        Raises:
            ValueError: An address is none, or has a path, a user or a password, which would not count.
        """
        require_only_for(only_for)
        self.client_id = client_id
        self.only_for = only_for
        grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        self._tokens = _Tokens(server, lambda: {**grant, **({"scope": scope} if scope else {})})

    def __repr__(self) -> str:
        return f"ClientCredentials({self._tokens.server!r}, {self.client_id!r})"

    def headers(self) -> Mapping[str, str]:
        """Give the header, fetching a token if need be. Raises TokenError."""
        return _bearer(self._tokens.get(None, _forget))

    def renewed_headers(self, refused: str) -> Mapping[str, str]:
        """Give a header with another token. Raises TokenError."""
        return _bearer(self._tokens.get(_token_in(refused), _forget))

    def for_requests(self) -> "RequestsAuth":
        """Give what `requests` takes as `auth`."""
        return for_requests_of(self)

    def for_httpx(self) -> "HttpxAuth":
        """Give what `httpx` takes as `auth`, in clients of both kinds."""
        return for_httpx_of(self)


class RefreshToken:
    """A user's approval, as a refresh token (RFC 6749, section 6), which each use replaces. Any thread may use it."""

    def __init__(
        self,
        server: str,
        client_id: str,
        refresh_token: str,
        *,
        client_secret: str = "",
        keep: Callable[[str], None] = lambda _: None,
        only_for: str | None = None,
    ) -> None:
        """Ask for nothing yet.

        Args:
            server: The address of Latchgate, such as `https://auth.example.com`.
            client_id: The client's.
            refresh_token: The latest that was given.
            client_secret: The client's; empty for a public one.
            keep: Takes each new refresh token, before the access token that came with it is used: the old one ends.
            only_for: As that of a key.

        Raises:
            ValueError: An address is none, or has a path, a user or a password, which would not count.
        """
        require_only_for(only_for)
        self.client_id = client_id
        self.only_for = only_for
        self._refresh_token, self._client_secret, self._keep = refresh_token, client_secret, keep
        self._tokens = _Tokens(server, self._grant)

    def __repr__(self) -> str:
        return f"RefreshToken({self._tokens.server!r}, {self.client_id!r})"

    def headers(self) -> Mapping[str, str]:
        """Give the header, fetching a token if need be. Raises TokenError."""
        return _bearer(self._tokens.get(None, self._note))

    def renewed_headers(self, refused: str) -> Mapping[str, str]:
        """Give a header with another token. Raises TokenError."""
        return _bearer(self._tokens.get(_token_in(refused), self._note))

    def for_requests(self) -> "RequestsAuth":
        """Give what `requests` takes as `auth`."""
        return for_requests_of(self)

    def for_httpx(self) -> "HttpxAuth":
        """Give what `httpx` takes as `auth`, in clients of both kinds."""
        return for_httpx_of(self)

    def _grant(self) -> Mapping[str, str]:
        grant = {"grant_type": "refresh_token", "client_id": self.client_id, "refresh_token": self._refresh_token}
        return {**grant, **({"client_secret": self._client_secret} if self._client_secret else {})}

    def _note(self, answer: Mapping[str, Any]) -> None:
        given = answer.get("refresh_token")
        if isinstance(given, str) and given:
            self._refresh_token = given
            self._keep(given)


def _until(asked_at: float, lives_seconds: float) -> float:
    return asked_at + lives_seconds - min(_MARGIN_SECONDS, lives_seconds / 10)


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _token_in(header: str) -> str:
    return header.removeprefix("Bearer ")


def _forget(_answer: Mapping[str, Any]) -> None:
    return


def _read(status: int, body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TokenError("unreadable", f"the server answered {status} without JSON")
    if status != _OK:
        raise TokenError(str(document.get("error", status)), str(document.get("error_description", "")))
    return document
