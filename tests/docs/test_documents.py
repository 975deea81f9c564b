"""Documents say what is there: links lead somewhere, numbers exist, files and functions bear the names given."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.principals import Reason
from latchgate.errors import ErrorCode
from latchgate.server import refusals, replies, wire
from support.documents import ROOT, find_documents, find_headings, find_links

_DOCS = ROOT / "docs"
_REQUEST_PATH_LINES_MAX = 200
_REFERENCE = re.compile(r"docs/differences\.md, (?:paragraph )?([0-9]+)")
_ROW = re.compile(r"^\|[^|]*\| \[[^\]]+\]\((?P<file>[^)]+)\) \| (?P<names>[^|]+) \|$", re.MULTILINE)


def _slug(heading: str) -> str:
    """Write a heading as the anchor that renderers make of it."""
    plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def _dead_links(document: Path) -> Iterator[str]:
    for target in find_links(document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or ROOT not in (file, *file.parents):
            yield f"{target}: no such file"
        elif anchor and anchor not in map(_slug, find_headings(file.read_text())):
            yield f"{target}: no such heading"


def _difference_numbers() -> list[int]:
    headings = find_headings((_DOCS / "differences.md").read_text())
    return [int(heading.partition(".")[0]) for heading in headings[1:]]


def _defined_names(module: Path) -> set[str]:
    """List what a module defines, methods and class attributes as `Class.name`."""
    names = set()
    for node in ast.parse(module.read_text()).body:
        names |= set(_names_of(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for inner in node.body for name in _names_of(inner)}
    return names


def _names_of(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case _:
            return


@pytest.mark.parametrize("document", find_documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    """A link within the repository names a file, and a heading, that exist."""
    assert list(_dead_links(document)) == []


def test_the_index_lists_every_document() -> None:
    """Whoever opens docs/README.md finds every document below it."""
    index = _DOCS / "README.md"

    listed = {(_DOCS / target.partition("#")[0]).resolve() for target in find_links(index.read_text())}

    assert [str(path.relative_to(ROOT)) for path in sorted(_DOCS.rglob("*.md")) if path not in {*listed, index}] == []


def test_the_differences_are_numbered_without_a_double() -> None:
    """A number leads to one paragraph, and the first twelve are all there."""
    numbers = _difference_numbers()

    assert numbers == sorted(set(numbers))
    assert set(range(1, 13)) <= set(numbers)


def test_every_difference_that_a_test_names_is_written_down() -> None:
    """What the replay expects otherwise than recorded has its paragraph in docs/differences.md."""
    files = [path for path in (ROOT / "tests").rglob("*") if path.suffix in {".py", ".json"}]

    named = {int(number) for path in files for number in _REFERENCE.findall(path.read_text())}

    assert named, "no test names a difference: is the way to name them another one now?"
    assert named <= set(_difference_numbers())


def test_the_request_path_is_short() -> None:
    """The way of a request can be read in one sitting."""
    assert len((_DOCS / "request-path.md").read_text().splitlines()) < _REQUEST_PATH_LINES_MAX


def test_the_request_path_names_what_there_is() -> None:
    """Each file and function of docs/request-path.md exists under that name."""
    rows = list(_ROW.finditer((_DOCS / "request-path.md").read_text()))

    missing = []
    for row in rows:
        module = (_DOCS / row["file"]).resolve()
        defined = _defined_names(module) if module.exists() else set()
        missing += [f"{row['file']}: {name}" for name in re.findall(r"`([^`]+)`", row["names"]) if name not in defined]
    assert len(rows) > 20, "the table is not found: is it another one now?"
    assert missing == []


def _told_errors() -> set[tuple[int, str]]:
    """List the pairs of status and exc_type that the tables of docs/errors.md tell of."""
    row = re.compile(r"^\| ([0-9]{3}) \| `(\w+)`", re.MULTILINE)
    return {(int(status), exc_type) for status, exc_type in row.findall((_DOCS / "errors.md").read_text())}


def test_every_status_is_explained() -> None:
    """Each status and exc_type that the server can answer with stands in a table of docs/errors.md, and no other."""
    limits = wire.WireLimits()
    of_the_wire = [wire.bad_request(""), wire.body_too_large(limits), wire.header_too_large(limits)]

    answered = set(replies._FAULTS.values()) | {(417, exc_type) for exc_type in replies._FLAWS.values()}
    answered |= {(400, exc_type) for exc_type, _ in refusals._BAD_REQUESTS.values()}
    answered |= {(int(refusal.status), refusal.exc_type) for refusal in of_the_wire}
    assert _told_errors() == answered


def test_every_reason_is_explained() -> None:
    """Each reason that the log may name stands in docs/errors.md."""
    told = set(re.findall(r"`([a-z0-9_]+)`", (_DOCS / "errors.md").read_text()))

    # Settings stop the start; of OAuth the log has the RFC's own code.
    unlogged = {ErrorCode.SETTINGS, ErrorCode.OAUTH}
    named = {reason.value for reason in Reason} | {code.value for code in ErrorCode if code not in unlogged}
    assert named - told == set()
