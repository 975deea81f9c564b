"""Documents as pieces of pages: links, pictures, headings, tables, and nothing that a policy would refuse."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.server.desk.manual_text import render_text, slug_of


def _resolve(path: str) -> str:
    known = {"README.md": "/help", "cli.md": "/help/cli", "howto/desk.md": "/help/howto/desk", "pictures/a.png": "/p/a"}
    return known.get(path, "")


def _html(text: str, folder: str = "howto") -> str:
    return render_text(text, folder, _resolve).html


def test_the_first_heading_is_the_title() -> None:
    """Without its marks, and it is not shown twice."""
    rendered = render_text("# The `cli` of **it**\n\nText.", "", _resolve)

    assert rendered.title == "The cli of it"
    assert rendered.html == "<p>Text.</p>\n"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[a](desk.md)", '<a href="/help/howto/desk">a</a>'),
        ("[a](desk.md#users)", '<a href="/help/howto/desk#users">a</a>'),
        ("[a](../cli.md)", '<a href="/help/cli">a</a>'),
        ("[a](../README.md)", '<a href="/help">a</a>'),
        ("[a](#here)", '<a href="#here">a</a>'),
        ("[a](https://example.com/x)", '<a href="https://example.com/x">a</a>'),
        ("[`a`](../../src/a.py) b", "<code>a</code> b"),
        ("[a](../../../../etc/passwd)", "a"),
        ("![a](../pictures/a.png)", '<img src="/p/a" alt="a" />'),
    ],
)
def test_links_lead_where_documents_are_shown(link: str, shown: str) -> None:
    """Of a link to a file that is none, its words are left."""
    assert _html(link) == f"<p>{shown}</p>\n"


def test_headings_are_named_as_documents_name_them() -> None:
    """The second of the same name gets a number."""
    html = _html("## A `b` c!\n\n## A b c\n")

    assert re.findall(r'id="([^"]+)"', html) == ["a-b-c", "a-b-c-1"]
    assert slug_of("7. Revoke") == "7-revoke"


def test_a_table_can_be_moved_and_has_no_style() -> None:
    """What is aligned to the right says so by a class."""
    html = _html("| a | b |\n|---|--:|\n| 1 | 2 |\n")

    assert 'class="scroll" role="group" aria-label="Table" tabindex="0"><table>' in html
    assert '<td class="number">2</td>' in html
    assert "style" not in html
    assert "<th></th>" not in _html("| a | |\n|---|---|\n| 1 | 2 |\n")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[a](javascript:alert(1))",
        "![a](javascript:alert(1))",
        "[a](data:text/html,x)",
        "# <script>alert(1)</script>\n\n## <b>x</b>",
        "`<script>`",
        "```html\n<script>\n```",
    ],
)
def test_what_is_no_markdown_is_text(text: str) -> None:
    """No document can bring an element or an address that runs."""
    html = _html(text)

    assert not re.search(r"<(?:script|img|b)\b|(?:href|src)=\"(?:javascript|data):|<[^>]*\son", html)


@given(st.text(max_size=200))
def test_any_text_is_rendered(text: str) -> None:
    """Nothing in a document is an error."""
    assert isinstance(_html(text), str)
