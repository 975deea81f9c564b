"""`make docs` makes a whole site, of which nothing is missing, and a package brings the documents along."""

import html
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer

from latchgate.cli.commands import app
from support.asgi import Service, opened_service
from support.documents import ROOT, find_headings

_BUILDER = ROOT / "tools" / "docs_site.py"
_ADDRESS = re.compile(
    r"""(?:<(?:link|script|img|source|iframe)\b[^>]*?\b(?:href|src)|@import|url\()\s*[=(]?\s*["']?([^"'\s>)]+)"""
)


def _build(repository: Path, output: Path) -> subprocess.CompletedProcess[str]:
    script = f"import sys; from pathlib import Path; import docs_site; sys.exit(docs_site.main(Path({str(output)!r})))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LATCHGATE_")}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository / "tools",
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is made of, in a folder of its own."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("docs", "tools"):
        shutil.copytree(ROOT / name, folder / name)
    for document in ROOT.glob("*.md"):
        shutil.copy(document, folder)
    # Documents link to code, whose words are kept.
    for name in ("src", "tests", "bench", "examples", "LICENSE"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def site(clone: Path) -> Path:
    """The site."""
    done = _build(clone, clone / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    return clone / "site"


def _texts(folder: Path) -> str:
    """Give all that stands on pages, without markup."""
    pages = (page.read_text() for page in sorted(folder.glob("*.html")))
    return html.unescape(re.sub(r"<[^>]+>", "", "".join(pages)))


def test_every_document_is_in_the_navigation(site: Path) -> None:
    """In the parts of docs/README.md, which are those that people look for."""
    index = (site / "index.html").read_text()
    sidebar = index.partition('<div class="sidebar-tree">')[2].partition("</aside>")[0]

    captions = [html.unescape(found) for found in re.findall(r'class="caption-text">([^<]+)<', sidebar)]
    linked = set(re.findall(r'href="([^"#]+)"', sidebar))
    documents = {str(path.relative_to(ROOT / "docs").with_suffix(".html")) for path in (ROOT / "docs").rglob("*.md")}
    assert captions == find_headings((ROOT / "docs" / "README.md").read_text())[1:]
    assert captions[:3] == ["Start here", "How-tos", "Reference"]
    assert {"Decisions", "Differences from Frappe"} < set(captions)
    assert documents - {"README.html"} <= linked


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture of another host, on any page."""
    files = [*site.rglob("*.html"), *site.rglob("*.css")]

    asked = {address for file in files for address in _ADDRESS.findall(file.read_text())}
    assert asked
    assert [address for address in asked if re.match(r"(?:[a-z]+:)?//", address)] == []


def test_every_address_of_the_api_is_in_its_reference(site: Path, tmp_path: Path) -> None:
    """By the document that a running instance gives, with each of its methods."""
    text = _texts(site / "api")

    with opened_service(tmp_path / "home") as service:
        paths = _paths(service)
    assert len(paths) > 200
    assert [path for path in paths if path not in text] == []


def _paths(service: Service) -> list[str]:
    return list(service.ask("/api/openapi.json").document["paths"])


def test_the_reference_tells_methods_fields_and_arguments(site: Path) -> None:
    """Of an address each method, of a record each field, of a method each argument."""
    text = (site / "api" / "user.html").read_text()
    methods = (site / "api" / "methods.html").read_text()

    headings = {re.sub(r"<[^>]+>", "", found) for found in re.findall(r"<h3>(.*?)<a class=", text)}
    assert {"GET", "POST", "PUT", "DELETE", "PATCH, under /api/v2/ alone"} <= headings
    for field in ("new_password", "restrict_ip", "full_name"):
        assert f'<span class="pre">{field}</span>' in text
    assert '<span class="pre">fieldname</span>' in methods


def test_every_command_is_in_its_reference(site: Path) -> None:
    """With its options."""
    text = html.unescape((site / "cli.html").read_text())
    group = typer.main.get_command(app)

    names = list(_names(group))
    assert len(names) > 50
    assert [name for name in names if f"<h3>latchgate {name}<" not in text] == []


def _names(group: object, path: tuple[str, ...] = ()) -> list[str]:
    commands = getattr(group, "commands", None)
    if commands is None:
        return [" ".join(path)]
    return [name for word, command in commands.items() for name in _names(command, (*path, word))]


def test_it_can_be_searched(site: Path) -> None:
    """Its index knows words of documents and of the reference."""
    index = (site / "searchindex.js").read_text()

    for word in ("rotat", "prometheus", "generate_key", "tour"):
        assert word in index


def test_flaws_end_it(clone: Path, site: Path) -> None:
    """A link that leads nowhere, a heading and a picture that are not there, an unlisted page: all are told."""
    tour, unlisted = clone / "docs" / "tour.md", clone / "docs" / "unlisted.md"
    before = tour.read_text()
    tour.write_text(f"{before}\n[a](howto/gone.md) [b](howto/desk.md#no-heading) ![c](pictures/gone.webp)\n")
    unlisted.write_text("# Unlisted\n")

    done = _build(clone, clone / "flawed")

    tour.write_text(before)
    unlisted.unlink()
    assert done.returncode == 1
    for told in (
        "howto/gone.md",
        "no-heading",
        "gone.webp",
        "unlisted.md: WARNING: document isn't included in any toctree",
    ):
        assert told in done.stderr


def test_a_package_brings_the_documents_along(tmp_path: Path) -> None:
    """Whoever installs it has its Help: every document, and every picture in one."""
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "src", clone / "src", symlinks=True, ignore=shutil.ignore_patterns("*.egg-info"))
    shutil.copytree(ROOT / "docs", clone / "docs")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)

    subprocess.run([sys.executable, *build, str(clone)], check=True, capture_output=True, timeout=240)

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        brought = {name.partition("/manual/")[2] for name in files.namelist()}
    documents = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*") if path.is_file()}
    assert {"README.md", "howto/desk.md", "pictures/users.png"} <= documents
    assert documents <= brought
