"""A person at a browser: signs in, reads what is asked, presses Allow, and follows where that leads."""

from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin

import requests

__all__ = ["Person"]

_TIMEOUT_SECONDS = 60
_REDIRECTS_MAX = 10


class _Forms(HTMLParser):
    """Collects the first form of a page: where it goes, and what is hidden in it."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    @classmethod
    def of(cls, page: str) -> Self:
        forms = cls()
        forms.feed(page)
        return forms

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = attributes["action"]
        elif tag == "input" and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")


class Person:
    """Who has a user and a password, and no reason to mistrust what a guide says."""

    def __init__(self, user: str, password: str) -> None:
        self._answers = {"usr": user, "pwd": password}
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html"

    def visit(self, address: str, stop_at: str) -> str:
        """Open an address, fill in and allow whatever is asked; give the first address that begins with `stop_at`."""
        for _ in range(_REDIRECTS_MAX):
            response = self._session.get(address, allow_redirects=False, timeout=_TIMEOUT_SECONDS)
            while response.status_code == requests.codes.ok:
                form = _Forms.of(response.text)
                assert form.action is not None, response.text
                # Pressed as long as there is something to press.
                sent = {**form.fields, **self._answers_for(form, response.text)}
                target = urljoin(response.url, form.action)
                response = self._session.post(target, data=sent, allow_redirects=False, timeout=_TIMEOUT_SECONDS)
                if response.status_code == requests.codes.ok and _Forms.of(response.text).action is None:
                    return response.url
            assert response.is_redirect, f"{response.status_code}: {response.text}"
            address = urljoin(response.url, response.headers["location"])
            if address.startswith(stop_at):
                return address
        raise AssertionError(f"{address}: this goes round in circles")

    def read(self, address: str) -> str:
        """Give the text of a page."""
        return self._session.get(address, timeout=_TIMEOUT_SECONDS).text

    def _answers_for(self, form: _Forms, page: str) -> dict[str, str]:
        answers = {name: value for name, value in self._answers.items() if name in form.fields}
        return {**answers, "decision": "allow"} if 'value="allow"' in page else answers
