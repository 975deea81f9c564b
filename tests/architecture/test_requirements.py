"""What is installed is exactly what was reviewed: pinned, hashed, and from nowhere in particular."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_FILES = sorted((_ROOT / "requirements").iterdir())
_PIN = re.compile(r"([a-z0-9][a-z0-9.-]*)(?:\[[a-z0-9,-]+\])?==([^ ;]+)(?: ; [^\\]+)? \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def _declared(extras: tuple[str, ...] | None, groups: tuple[str, ...]) -> list[Requirement]:
    """List what is declared: the package's own with these extras, none of it for None, and these groups."""
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    lines: list[str] = [] if extras is None else list(settings["project"]["dependencies"])
    for extra in extras or ():
        lines += settings["project"]["optional-dependencies"][extra]
    for group in groups:
        lines += settings["dependency-groups"][group]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_line_is_a_pin_a_hash_or_a_comment(path: Path) -> None:
    """No file names an address, an option or an unpinned package."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]

    assert [line for line in lines if not _PIN.fullmatch(line) and not _HASH.fullmatch(line)] == []
    assert "://" not in path.read_text()


_SERVICE = ("server", "postgres")


@pytest.mark.parametrize(
    ("name", "extras", "groups"),
    [
        ("server.txt", _SERVICE, ("build",)),
        ("dev.txt", _SERVICE, ("build", "test", "check")),
        ("docs.txt", None, ("docs",)),
    ],
)
def test_every_declared_dependency_is_pinned(
    name: str, extras: tuple[str, ...] | None, groups: tuple[str, ...]
) -> None:
    """A dependency added to pyproject.toml without `make lock` is noticed."""
    text = (_ROOT / "requirements" / name).read_text()
    pinned = {match[1]: match[2] for match in map(_PIN.match, text.splitlines()) if match}

    missing = [
        str(requirement)
        for requirement in _declared(extras, groups)
        if pinned.get(canonicalize_name(requirement.name), "0") not in requirement.specifier
    ]

    assert missing == []
