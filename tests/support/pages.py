"""A person at the pages of a service: what they ask for and the forms that they send, signed in or not."""

import re
from collections.abc import Mapping

from support.asgi import Answer, Service

__all__ = ["HTML", "key_seen_in", "secret_in", "send_form", "send_json", "visit"]

HTML = ("accept", "text/html")


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


def secret_in(text: str) -> str:
    """Give the secret that a page's dialog shows."""
    (secret,) = re.findall(r'<code id="secret">([^<]+)</code>', text)
    return str(secret)


def key_seen_in(text: str) -> dict[str, str]:
    """Give what a page's dialog says of the key that it is about, as its form sends it."""
    *_, seen = re.findall(r'name="seen" value="([^"]*)"', text)
    return {"seen": str(seen)}
