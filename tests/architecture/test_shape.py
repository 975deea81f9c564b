"""Files and functions stay short enough to be read at one go."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_FILE_LINES_ADVISED = 300
_FILE_LINES_MAX = 500
_FUNCTION_LINES_MAX = 50


def _is_free(path: Path) -> bool:
    """Migrations are long lists; the replayer and its recordings are kept as they came."""
    return path.name == "replay.py" or not {"migrations", "vectors"}.isdisjoint(path.parts)


def _modules() -> list[Path]:
    folders = [_ROOT / "src", _ROOT / "tests", _ROOT / "bench", _ROOT / "tools"]
    return sorted(path for folder in folders for path in folder.rglob("*.py") if not _is_free(path))


def _long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The signature is not counted: Typer and pytest turn it into an interface, an argument a line.
            lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
            if lines > _FUNCTION_LINES_MAX:
                yield f"{path.relative_to(_ROOT)}:{node.lineno} {node.name} has {lines} lines"


@pytest.mark.filterwarnings("default")
def test_no_file_is_too_long() -> None:
    """A file of more than 300 lines is warned of; one of more than 500 is to be split, by idea."""
    lengths = {str(path.relative_to(_ROOT)): len(path.read_text().splitlines()) for path in _modules()}

    for name, lines in lengths.items():
        if _FILE_LINES_ADVISED < lines <= _FILE_LINES_MAX:
            warnings.warn(f"{name} has {lines} lines: is it two ideas?", stacklevel=1)
    assert [f"{name} has {lines} lines" for name, lines in lengths.items() if lines > _FILE_LINES_MAX] == []


def test_no_function_is_too_long() -> None:
    """A function's body stays within 50 lines."""
    assert [found for path in _modules() for found in _long_functions(path)] == []
