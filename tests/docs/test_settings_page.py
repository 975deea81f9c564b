"""docs/settings.md lists every setting, with its default, in the words of the settings themselves."""

import ast
import re

from latchgate.settings import Settings
from support.documents import ROOT

_ROW = re.compile(
    r"^\| `LATCHGATE_(?P<name>[A-Z_]+)` \| (?:`(?P<default>[^`]*)`)? *\| (?P<meaning>.+) \|$", re.MULTILINE
)


def _described_in_code() -> dict[str, str]:
    """Read the text beneath each field, which Python itself does not keep."""
    module = ast.parse((ROOT / "src" / "latchgate" / "settings.py").read_text())
    (settings,) = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    described = {}
    for field, below in zip(settings.body, settings.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                described[name] = " ".join(text.split())
            case _:
                continue
    return described


def _described_on_the_page() -> dict[str, tuple[str | None, str]]:
    page = (ROOT / "docs" / "settings.md").read_text()
    return {row["name"].lower(): (row["default"], row["meaning"]) for row in _ROW.finditer(page)}


def test_every_setting_is_described_in_the_code() -> None:
    """Meaning, unit and extreme values stand beneath the field."""
    assert list(_described_in_code()) == list(Settings.model_fields)


def test_the_page_says_of_every_setting_what_the_code_says() -> None:
    """All of them, in their order, and no other."""
    page = {name: meaning for name, (_, meaning) in _described_on_the_page().items()}

    assert page == _described_in_code()
    assert list(page) == list(Settings.model_fields)


def test_the_page_tells_the_defaults() -> None:
    """Those that do not depend on other settings; the others are told in words."""
    for name, (default, meaning) in _described_on_the_page().items():
        field = Settings.model_fields[name]
        if field.default_factory is not None:
            assert "Default: " in meaning, name
        elif field.default not in (None, ()):
            expected = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert default == expected, name
        else:
            assert default is None, name
