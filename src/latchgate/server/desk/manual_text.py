"""A document's Markdown as a piece of a page: links lead to other documents, and nothing needs a style or a script.

Source: CommonMark, and GitHub's tables.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from latchgate.core.late_loading import ONE_AT_A_TIME

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["RenderedText", "render_text", "slug_of"]

Resolver = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class RenderedText:
    """A document, without its first heading."""

    title: str
    html: str
    """Safe to be shown: whatever is no Markdown in it was escaped."""


def render_text(text: str, folder: str, resolve: Resolver) -> RenderedText:
    """Render a document.

    Args:
        text: Its Markdown.
        folder: Where it lies, by which its links are meant; empty for the uppermost folder.
        resolve: Gives the address of a file, by its path from the uppermost folder; empty if it is no page.
    """
    with ONE_AT_A_TIME:
        # Few workers ever show a document.
        from markdown_it import MarkdownIt  # noqa: PLC0415  # see above

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    title = ""
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        title, tokens = tokens[1].content, tokens[3:]
    named: Counter[str] = Counter()
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            # The text comes between its two ends.
            slug = slug_of(tokens[number + 1].content)
            token.attrSet("id", slug if not named[slug] else f"{slug}-{named[slug]}")
            named[slug] += 1
        if token.type in {"th_open", "td_open"}:
            _align_by_class(token)
        if token.children:
            token.children = list(_linked(token.children, folder, resolve))
    body = parser.renderer.render(tokens, parser.options, {})
    # An empty head is the head of nothing.
    body = re.sub(r"<th( [^>]*)?></th>", "<td></td>", body)
    # A table that is wider than its window is moved within itself, by the keyboard too.
    body = body.replace("<table>", '<div class="scroll" role="group" aria-label="Table" tabindex="0"><table>')
    return RenderedText(_plain(title), body.replace("</table>", "</table></div>"))


def slug_of(heading: str) -> str:
    """Write a heading as the anchor by which documents name it, as GitHub does."""
    return re.sub(r"[^\w\- ]", "", _plain(heading).lower()).strip().replace(" ", "-")


def _plain(heading: str) -> str:
    return re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading)


def _align_by_class(token: "Token") -> None:
    # The policy of pages allows no style that stands in them.
    if "right" in str(token.attrs.pop("style", "")):
        token.attrSet("class", "number")


def _linked(tokens: "list[Token]", folder: str, resolve: Resolver) -> "Iterator[Token]":
    """Let links and pictures lead where the pages are; of a link to what is no page its words are left."""
    dropped = 0
    for token in tokens:
        match token.type:
            case "link_open":
                address = _address(str(token.attrGet("href")), folder, resolve)
                if not address:
                    dropped += 1
                    continue
                token.attrSet("href", address)
            case "link_close" if dropped:
                dropped -= 1
                continue
            case "image":
                token.attrSet("src", _address(str(token.attrGet("src")), folder, resolve))
            case _:
                pass
        yield token


def _address(target: str, folder: str, resolve: Resolver) -> str:
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or not parts.path:
        return target
    address = resolve(posixpath.normpath(posixpath.join(folder, parts.path)))
    return f"{address}#{parts.fragment}" if address and parts.fragment else address
