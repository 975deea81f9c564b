"""What a refusal looks like, in each dialect: one assertion each, for every test of the wire."""

import json
import re

from support.asgi import Answer

__all__ = ["UNAUTHENTICATED", "assert_page", "assert_refused", "assert_refused_v2", "assert_shown"]

_SHOWN = {"title", "indicator"}

UNAUTHENTICATED = {
    "exc_type": "AuthenticationError",
    "exception": "frappe.exceptions.AuthenticationError",
    "exc": '["frappe.exceptions.AuthenticationError"]',
}
"""The body of every 401 for a credential, whatever the reason."""


def assert_refused(answer: Answer, status: int, exc_type: str) -> str:
    """Hold an answer to Frappe's first envelope; give its message, empty if it has none."""
    document = answer.document

    assert answer.status == status, document
    assert document.pop("exc_type") == exc_type
    exception = document.pop("exception")
    assert json.loads(document.pop("exc")) == [exception]
    assert exception.partition(": ")[0] == f"frappe.exceptions.{exc_type}"
    assert "Traceback" not in exception
    session_expired = document.pop("session_expired", None)
    assert session_expired in {None, 1}
    if not document:
        return ""
    # One text, in the field that Frappe uses for that kind of error.
    ((name, text),) = document.items()
    if name == "_server_messages":
        (shown,) = (json.loads(entry) for entry in json.loads(text))
        assert shown.pop("raise_exception") == 1
        assert shown.keys() == {"message", *_SHOWN}
        text = shown["message"]
    else:
        assert name in {"message", "_error_message"}
    assert text
    return str(text)


def assert_refused_v2(answer: Answer, status: int, exc_type: str) -> str:
    """Hold an answer to Frappe's second envelope; give its message, empty if it has none."""
    assert answer.status == status, answer.text
    assert answer.document.keys() == {"errors"}
    (error,) = answer.document["errors"]
    assert error.pop("type") == exc_type
    assert error.keys() <= {"message", *_SHOWN}
    return str(error.get("message", ""))


def assert_shown(answer: Answer, status: int) -> str:
    """Hold a refusal to being a page; give its text."""
    assert answer.status == status
    return assert_page(answer)


def assert_page(answer: Answer) -> str:
    """Hold an answer to being a page that runs and loads nothing but our own files; give its text."""
    policy = answer.header("content-security-policy") or ""
    text = answer.text

    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert answer.header("referrer-policy") in {"same-origin", "no-referrer"}
    for tag in re.findall(r"<[^>]*>", text):
        if re.fullmatch(r'<script src="/assets/[a-z0-9.?-]+" defer>', tag):
            assert "script-src 'self';" in policy, tag
            continue
        # What stands within quotes is text.
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", re.sub('"[^"]*"', '""', tag), re.IGNORECASE), tag
        assert "javascript:" not in tag.lower()
        assert not re.search(r"""(?:src|href|action|hx-get|hx-post)=["'](?!/(?!/)|#)""", tag), tag
    return text
