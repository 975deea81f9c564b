"""An application of somebody else's: a page that begins the sign-in, and the address that users are sent back to."""

import base64
import hashlib
import html
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from support.running import RunningLatchgate

__all__ = ["METHODS", "Application", "connect_application", "running_application"]

METHODS = "/api/method/frappe.integrations.oauth2."
_PATIENCE_SECONDS = 30


@dataclass
class Application:
    """A client of a running Latchgate, on a port of its own."""

    base: str
    """Of the Latchgate that it signs its users in with."""
    port: int
    client_id: str = ""
    client_secret: str = ""
    scope: str = "all openid"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(40))
    received: list[dict[str, str]] = field(default_factory=list)
    """What came back, by name, the latest last."""

    @property
    def origin(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def redirect_uri(self) -> str:
        """Where users are sent back to."""
        return f"{self.origin}/callback"

    def authorization(self, **more: str) -> str:
        """Write the address that a user is sent to."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": "st4te",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.base}{METHODS}authorize?{urlencode(query)}"

    def exchange(self, *, redirect_uri: str = "") -> dict[str, Any]:
        """Exchange the code that came back for tokens."""
        sent = {
            "grant_type": "authorization_code",
            "code": self.received[-1]["code"],
            "redirect_uri": redirect_uri or self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return self.ask_tokens(sent, 200)

    def ask_tokens(self, sent: dict[str, str], status: int) -> dict[str, Any]:
        """Ask the token endpoint, as the client that it is; the answer must have this status."""
        credentials = (self.client_id, self.client_secret) if self.client_secret else None
        sent = sent if credentials else {**sent, "client_id": self.client_id}
        address = f"{self.base}{METHODS}get_token"
        answer = requests.post(address, sent, auth=credentials, timeout=_PATIENCE_SECONDS)
        assert answer.status_code == status, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def who_am_i(self, access_token: str) -> str | None:
        """Tell as whom a token acts; None if it opens nothing."""
        address = f"{self.base}/api/method/frappe.auth.get_logged_user"
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = requests.get(address, headers=headers, timeout=_PATIENCE_SECONDS)
        return str(answer.json()["message"]) if answer.ok else None


@contextmanager
def running_application(base: str) -> Iterator[Application]:
    """Run an application's own pages for a while."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    server.application = Application(base, server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.application  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def connect_application(running: RunningLatchgate, user: str, password: str) -> tuple[str, str]:
    """Let a user allow an application all that it asks for; give the client's id and the name of its access token."""
    base, back = running.base, "https://calendar.example.com/callback"
    made = running.ask("client", "create", "Calendar", "--redirect-uri", back)
    application = Application(base, 0, str(made["client_id"]), str(made["client_secret"]))
    browser = requests.Session()
    browser.post(f"{base}/api/method/login", {"usr": user, "pwd": password}, timeout=_PATIENCE_SECONDS)
    page = browser.get(application.authorization(redirect_uri=back), timeout=_PATIENCE_SECONDS)
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
    sent = {name: html.unescape(value) for name, value in hidden} | {"decision": "allow"}
    answer = browser.post(f"{base}{METHODS}approve", sent, allow_redirects=False, timeout=_PATIENCE_SECONDS)
    application.received.append(dict(parse_qsl(urlsplit(answer.headers["location"]).query)))
    application.exchange(redirect_uri=back)
    listed = browser.get(f"{base}/api/resource/OAuth Bearer Token", timeout=_PATIENCE_SECONDS).json()
    return application.client_id, str(listed["data"][0]["name"])


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        application: Application = self.server.application  # type: ignore[attr-defined]
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if path == "/callback":
            application.received.append(dict(parse_qsl(query)))
            self._answer("<h1>Welcome back</h1>")
        elif path == "/":
            link = html.escape(application.authorization())
            self._answer(f'<h1>Calendar</h1><a href="{link}">Sign in with Latchgate</a>')
        else:
            self._answer("")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, text: str) -> None:
        # An icon of its own: a browser that still asked for one when the application stops would complain of it.
        head = '<title>Calendar</title><link rel="icon" href="data:,">'
        body = f'<!doctype html><html lang="en">{head}{text}</html>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
