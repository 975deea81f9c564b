"""A person at the pages of a service: what they ask for and the forms that they send, signed in or not."""

import re
from collections.abc import Mapping

from support.asgi import Answer, Service

__all__ = ["HTML", "Browser", "done_at", "key_seen_in", "secret_in", "send_form", "send_json", "visit"]

HTML = ("accept", "text/html")


class Browser:
    """A browser in which a user is signed in, and stays so."""

    def __init__(self, service: Service, user: str) -> None:
        self._service = service
        self.sid = service.sign_in(user).sid
        self._token = service.csrf_token(self.sid)

    def visit(self, path: str) -> Answer:
        """Ask for a page."""
        return self._service.ask(path, headers=[("cookie", f"sid={self.sid}"), HTML])

    def send(self, path: str, typed: Mapping[str, object]) -> Answer:
        """Send a form, with the session's token."""
        return self.send_without_token(path, {**typed, "csrf_token": self._token})

    def send_without_token(self, path: str, typed: Mapping[str, object]) -> Answer:
        """Send a form as another site could make the browser do it."""
        return self._service.post(path, typed, form=True, headers=[("cookie", f"sid={self.sid}"), HTML])


def visit(service: Service, path: str, user: str) -> Answer:
    """Ask for a page as a user's browser does; nobody is signed in if the user is empty."""
    cookie = [("cookie", f"sid={service.sign_in(user).sid}")] if user else []
    return service.ask(path, headers=[*cookie, HTML])


def send_form(service: Service, path: str, user: str, typed: Mapping[str, object]) -> Answer:
    """Send a form as a user's browser does, with the session's token."""
    sid = service.sign_in(user).sid
    sent = {**typed, "csrf_token": service.csrf_token(sid)}
    return service.post(path, sent, form=True, headers=[("cookie", f"sid={sid}"), HTML])


def send_json(service: Service, path: str, user: str, sent: Mapping[str, object]) -> Answer:
    """Send what no form can, values of other kinds, to a page."""
    sid = service.sign_in(user).sid
    token = service.csrf_token(sid)
    return service.post(path, sent, headers=[("cookie", f"sid={sid}"), ("x-frappe-csrf-token", token), HTML])


def done_at(answer: Answer) -> str:
    """Give the page to which a form that was taken leads, without the id under which it can be undone."""
    return (answer.header("location") or "").partition("&undo=")[0]


def secret_in(text: str) -> str:
    """Give the secret that a page's dialog shows."""
    (secret,) = re.findall(r'<code id="secret">([^<]+)</code>', text)
    return str(secret)


def key_seen_in(text: str) -> dict[str, str]:
    """Give what a page's dialog says of the key that it is about, as its form sends it."""
    *_, seen = re.findall(r'name="seen" value="([^"]*)"', text)
    return {"seen": str(seen)}
