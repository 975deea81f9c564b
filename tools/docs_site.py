"""The documents as a site: searchable, without any other host at run time, and strict about every link.

    make docs

It lies in build/docs and works from there, also opened as files. The navigation is what docs/README.md lists, in its
order; a page that it does not list, a link that leads nowhere and a heading that is not there end the run with 1.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from os.path import relpath
from pathlib import Path, PurePosixPath

from api_reference import read_document, write_pages
from sphinx.cmd.build import main as sphinx_build

_ROOT = Path(__file__).parents[1]
_BUILD = _ROOT / "build"
# The documents beside docs/ that people read, by where they stand in the site.
_BESIDE = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_API_CAPTION = "Reference"
_CONF = {
    "project": "Latchgate",
    "extensions": ["myst_parser"],
    "source_suffix": {".md": "markdown"},
    "root_doc": "index",
    "myst_heading_anchors": 4,
    "html_theme": "furo",
    "html_title": "Latchgate",
    "html_favicon": str(_ROOT / "src/latchgate/server/desk/static/mark.svg"),
    "html_show_copyright": False,
    "html_copy_source": False,
    "html_use_index": False,
    "html_show_sourcelink": False,
    "html_permalinks_icon": "#",
    "smartquotes": False,
    # It is about colours: a header by itself is no whole request.
    "suppress_warnings": ["misc.highlighting_failure"],
}
_FENCE = re.compile(r"^( *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<mark>!?)\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def main(output: Path = _BUILD / "docs") -> int:
    """Build the site; give the exit code."""
    source = _BUILD / "docs-source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(output, ignore_errors=True)
    stage(source)
    arguments = ["-b", "html", "-d", str(_BUILD / "docs-doctrees"), "-E", "-q", "-W", "--keep-going"]
    return sphinx_build([*arguments, str(source), str(output)])


def stage(folder: Path) -> None:
    """Write all that the site is made of: the documents, the API's reference, and the order of both."""
    staged = {path: _staged_at(path) for path in _documents()}
    for path, place in staged.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (_ROOT / path).read_text("utf-8")
        if path == PurePosixPath("docs/README.md"):
            text += "\n" + "\n".join(_toctrees(text, staged))
        target.write_text(_relinked(text, path, staged), "utf-8")
    shutil.copytree(_ROOT / "docs" / "pictures", folder / "pictures")
    write_pages(read_document(), folder)
    conf = "\n".join(f"{name} = {value!r}" for name, value in _CONF.items())
    (folder / "conf.py").write_text(f"{conf}\n", "utf-8")


def _documents() -> Iterator[PurePosixPath]:
    yield from (PurePosixPath(name) for name in _BESIDE)
    yield from (PurePosixPath(path.relative_to(_ROOT)) for path in sorted((_ROOT / "docs").rglob("*.md")))


def _staged_at(path: PurePosixPath) -> PurePosixPath:
    if path.name in _BESIDE and path.parent == PurePosixPath():
        return PurePosixPath(_BESIDE[path.name])
    return PurePosixPath("index.md") if path == PurePosixPath("docs/README.md") else path.relative_to("docs")


def _toctrees(index: str, staged: Mapping[PurePosixPath, PurePosixPath]) -> Iterator[str]:
    """Turn each section of the index into a part of the navigation, a link each."""
    _, *sections = _SECTION.split(index)
    for caption, text in zip(sections[::2], sections[1::2], strict=True):
        targets = [found["target"] for found in _LINK.finditer(text) if not found["mark"]]
        places = [staged[path] for path in (_resolve(PurePosixPath("docs/README.md"), one)[0] for one in targets)]
        entries = [str(place.with_suffix("")) for place in dict.fromkeys(places)]
        if caption == _API_CAPTION:
            entries.append("api/index")
        yield "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""])


def _relinked(text: str, path: PurePosixPath, staged: Mapping[PurePosixPath, PurePosixPath]) -> str:
    """Let links lead to where documents stand in the site; of a link to code its words are left."""

    def relink(found: re.Match[str]) -> str:
        target = found["target"]
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        named, anchor = _resolve(path, target)
        if named in staged:
            place = relpath(staged[named], staged[path].parent)
        elif named.is_relative_to("docs/pictures"):
            place = relpath(named.relative_to("docs"), staged[path].parent)
        elif (_ROOT / named).exists():
            return found["words"]
        else:
            # As it stands: the builder says where it is.
            place = target.partition("#")[0]
        return f"{found['mark']}[{found['words']}]({place}{anchor})"

    pieces = _FENCE.split(text)
    return "".join(piece if number % 2 else _LINK.sub(relink, piece) for number, piece in enumerate(pieces))


def _resolve(path: PurePosixPath, target: str) -> tuple[PurePosixPath, str]:
    file, mark, anchor = target.partition("#")
    named = relpath((_ROOT / path.parent / file).resolve(), _ROOT)
    return PurePosixPath(named), mark + anchor


if __name__ == "__main__":
    sys.exit(main())
