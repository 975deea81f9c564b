"""Read the documents of the repository as a reader would: their blocks of code, their links, their headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "find_blocks", "find_documents", "find_headings", "find_links", "without_blocks"]

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^()\s]+)\)|<(?P<bare>https?://[^>\s]+)>")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, empty if it names none, and its text without indentation."""

    language: str
    text: str
    line: int


def find_documents() -> list[Path]:
    """List the documents: those at the root, and all under docs."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def find_blocks(document: str) -> list[Block]:
    """List the fenced blocks in order."""
    blocks = []
    for found in _FENCE.finditer(document):
        lines = [line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True)]
        blocks.append(Block(found["language"], "".join(lines), document.count("\n", 0, found.start()) + 1))
    return blocks


def find_links(document: str) -> Iterator[str]:
    """Give the target of every link outside of blocks."""
    for found in _LINK.finditer(without_blocks(document)):
        yield found["target"] or found["bare"]


def find_headings(document: str) -> list[str]:
    """List the headings in order, outside of blocks."""
    return _HEADING.findall(without_blocks(document))


def without_blocks(document: str) -> str:
    """Leave the fenced blocks out."""
    return _FENCE.sub("", document)
