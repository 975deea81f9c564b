"""Help: each page leads to the document that is about it, and the documents are shown to everybody, whole."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.server.desk.help_topics import TOPICS, help_about
from latchgate.server.openapi_texts import PAGES
from support.asgi import Service, opened_service
from support.documents import ROOT, find_headings, find_links
from support.envelopes import assert_page
from support.pages import visit

MANAGER, WEB = "manager@example.com", "web@example.com"
GUEST = ""
_DOCS = ROOT / "docs"
DOCUMENTS = sorted(path.relative_to(_DOCS) for path in _DOCS.rglob("*.md"))
_BEFORE_THE_DESK = ("/login", "/setup/lgl_ended", "/reset-password/lgl_ended", "/nowhere")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a System Manager and a Website User."""
    with opened_service(tmp_path_factory.mktemp("help") / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(WEB, user_type=UserType.WEBSITE)
        yield service


def _address(document: str) -> str:
    return "/help" if document == "README.md" else f"/help/{document.removesuffix('.md')}"


def _anchors(text: str) -> set[str]:
    return set(re.findall(r'<h[2-6] id="([^"]+)"', text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_document_is_shown(service: Service, document: object) -> None:
    """To a guest, with all of its headings; every link and picture in it leads somewhere here."""
    answer = visit(service, _address(str(document)), GUEST)

    assert answer.status == 200
    # Words may lead to other hosts, when somebody follows them.
    assert_page(replace(answer, body=re.sub(rb'<a href="https?://[^"]+">', b"<a>", answer.body)))
    shown = html.unescape(re.sub(r"<[^>]+>", "", answer.text))
    headings = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", one) for one in find_headings((_DOCS / str(document)).read_text())]
    # The index is called by what leads to it.
    assert [one for one in headings if one not in shown and one != "Documents"] == []
    article = answer.text.partition('<article class="manual">')[2].partition("</article>")[0]
    assert "style=" not in article
    for link in re.findall(r'(?:href|src)="(/[^"]*)"', article):
        path, _, anchor = html.unescape(link).partition("#")
        led_to = service.ask(path)
        assert led_to.status == 200, link
        assert not anchor or anchor in _anchors(led_to.text), link
    # What is left out is only what is no document.
    targets = [
        target for target in find_links((_DOCS / str(document)).read_text()) if not re.match(r"[a-z]+:|#", target)
    ]
    inside = [
        one
        for one in targets
        if ((_DOCS / str(document)).parent / one.partition("#")[0]).resolve().is_relative_to(_DOCS)
    ]
    assert len(re.findall(r'<a href="/help', article)) == len(inside)


@pytest.mark.parametrize(
    "page", sorted(page for page in PAGES if page.startswith(("/app", "/me", "/help", "/api/docs")))
)
def test_every_page_has_its_document(service: Service, page: str) -> None:
    """Whatever the route table has for people leads to a document, and to a heading in it."""
    path, _, anchor = help_about(re.sub(r"\{\w+\}", "x", page)).partition("#")

    answer = service.ask(path)

    assert answer.status == 200
    assert not anchor or anchor in _anchors(answer.text)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_topic_is_there(service: Service, topic: str) -> None:
    """Also of pages that are still to come."""
    path, _, anchor = TOPICS[topic].partition("#")

    answer = service.ask(path)

    assert answer.status == 200
    assert not anchor or anchor in _anchors(answer.text)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/app/user/ann%40example.com", "/help/howto/desk#users"),
        ("/app/user/ann%40example.com/key/lgk_x/rotate", "/help/howto/desk#keys"),
        ("/app/role/System%20Manager", "/help/permissions"),
        ("/app/userland", "/help/howto/desk"),
        ("/app", "/help/howto/desk"),
        ("/me/key/lgk_x/revoke", "/help/howto/desk#my-account"),
        ("/me/second-factor/set-up", "/help/howto/desk#signing-in"),
    ],
)
def test_the_longest_beginning_counts(path: str, leads_to: str) -> None:
    """By whole segments."""
    assert help_about(path) == leads_to


@pytest.mark.parametrize("path", ["/app/user", "/app/search", "/help"])
def test_a_page_of_the_desk_leads_there(service: Service, path: str) -> None:
    """Beside its title, in a new tab."""
    answer = visit(service, path, MANAGER)

    assert f'<a class="help" href="{help_about(path)}" target="_blank"' in answer.text


@pytest.mark.parametrize("path", _BEFORE_THE_DESK)
def test_a_page_before_the_desk_leads_there_too(service: Service, path: str) -> None:
    """At its foot, to a document and a heading that are there."""
    (address,) = re.findall(r'<a href="(/help[^"]*)" target="_blank">Help', visit(service, path, GUEST).text)
    document, _, anchor = address.partition("#")

    answer = service.ask(document)

    assert answer.status == 200
    assert not anchor or anchor in _anchors(answer.text)


def test_every_plain_template_leads_to_a_document(service: Service) -> None:
    """Those that only a flow of OAuth 2 shows as well."""
    templates = ROOT / "src" / "latchgate" / "server" / "desk" / "templates"
    addresses = {
        found for file in templates.glob("*.html") for found in re.findall(r"block help %}([^{]+){%", file.read_text())
    }

    assert len(addresses) >= 5
    for address in addresses:
        document, _, anchor = address.partition("#")
        answer = service.ask(document)
        assert answer.status == 200, address
        assert not anchor or anchor in _anchors(answer.text), address


@pytest.mark.parametrize("user", [WEB, MANAGER])
def test_whoever_is_signed_in_stays_in_the_frame(service: Service, user: str) -> None:
    """With their own sidebar."""
    answer = visit(service, "/help/cli", user)

    assert_page(answer)
    assert '<nav aria-label="Main">' in answer.text
    assert '<nav class="trail"' in answer.text
    assert "/app/user" not in answer.text or user == MANAGER


def test_a_picture_is_a_file(service: Service) -> None:
    """That browsers may keep."""
    answer = service.ask("/help/pictures/tour-home.webp")

    assert (answer.status, answer.header("content-type")) == (200, "image/webp")
    assert answer.header("cache-control") == "public, max-age=3600"
    assert answer.body == (_DOCS / "pictures" / "tour-home.webp").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "nowhere",
        "README",
        "readme",
        "cli.md",
        "howto",
        "howto/nowhere",
        "../pyproject",
        "..%2f..%2fREADME",
        "%00",
        "pictures/x.png",
    ]
    + [quote(one, safe="") for one in ("../../../../etc/passwd", "/etc/passwd", "howto/../cli", "a" * 3000)],
)
def test_nothing_else_is_shown(service: Service, path: str) -> None:
    """A name is looked up in a list; it opens no file."""
    answer = visit(service, f"/help/{path}", GUEST)

    assert answer.status == (200 if path == "README" else 404)
    assert "root:" not in answer.text
