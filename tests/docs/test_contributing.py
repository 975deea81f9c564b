"""What the pages for contributors list is what there is: folders of tests, paths, packages."""

import re
import tomllib

from packaging.requirements import Requirement

from support.documents import ROOT

_PAGE = (ROOT / "CONTRIBUTING.md").read_text()
_DEPENDENCIES = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text()
_SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _names(requirements: list[str]) -> set[str]:
    return {Requirement(requirement).name for requirement in requirements}


def test_every_folder_of_tests_is_explained() -> None:
    """The table of tests has a line for each folder, and for no other."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("*.py")) or any(path.rglob("*.json"))}

    assert set(re.findall(r"^\| `tests/(\w+)` \|", _PAGE, re.MULTILINE)) == folders


def test_every_path_exists() -> None:
    """Each path that begins at the top of the repository leads to a file or folder."""
    paths = re.findall(r"(?<![\w/.])((?:src|tests|docs|requirements)/[\w./-]*\w)", _PAGE)

    assert len(paths) > 10, "no paths are found: are they written in another way now?"
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_decision_lists_every_package() -> None:
    """Each dependency has its line, under its extra or group, and no other line is there."""
    declared = dict.fromkeys(_names(_SETTINGS["project"]["dependencies"]), "base")
    for extra, requirements in _SETTINGS["project"]["optional-dependencies"].items():
        declared |= dict.fromkeys(_names(requirements), f"`{extra}`")
    for group, requirements in _SETTINGS["dependency-groups"].items():
        declared |= dict.fromkeys(_names([line for line in requirements if isinstance(line, str)]), group)

    told = dict(re.findall(r"^\| ([a-z0-9-]+) \| (\S+) \|", _DEPENDENCIES, re.MULTILINE))

    assert told.pop("package") == "where"
    assert told == declared
