"""The rooms import downwards only; the contracts themselves stand in pyproject.toml."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def _lint_imports(source: Path) -> subprocess.CompletedProcess[str]:
    """Judge the package that lies in a folder by the contracts of this checkout."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache", "--no-logo", "--config", str(_ROOT / "pyproject.toml")]
    environment = os.environ | {"PYTHONPATH": str(source)}
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)


def test_every_contract_holds() -> None:
    """No import goes up, SQL stays in its rooms, the rules stay pure."""
    result = _lint_imports(_ROOT / "src")

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("room", "statement", "contract"),
    [
        pytest.param("core", "import latchgate.services", "Imports go down only", id="up"),
        pytest.param("services", "import latchgate.storage", "Imports go down only", id="to an implementation"),
        pytest.param("storage", "import latchgate.request_log", "Imports go down only", id="sideways"),
        pytest.param("core", "import os.path", "The rules do no I/O", id="a rule that does I/O"),
        pytest.param("core", "from time import time", "The rules do no I/O", id="a rule that reads the clock"),
        pytest.param("services", "import starlette.requests", "The uses know neither", id="a use that knows the web"),
        pytest.param("oauth", "import secrets", "The protocol does no I/O", id="a protocol with randomness of its own"),
        pytest.param("oauth", "import latchgate.services", "Imports go down only", id="up from the protocol"),
        pytest.param("core", "import joserfc.jwk", "Authlib and joserfc stay", id="signatures in the rules"),
        pytest.param(
            "services", "from authlib.oauth2 import rfc6749", "Authlib and joserfc stay", id="Authlib in a use"
        ),
        pytest.param("server", "import sqlalchemy", "SQL lives in storage", id="SQL in the server"),
    ],
)
def test_a_wrong_import_is_found(room: str, statement: str, contract: str, tmp_path: Path) -> None:
    """The contracts would notice a module that breaks them."""
    package = shutil.copytree(
        _ROOT / "src" / "latchgate", tmp_path / "latchgate", ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / room / "planted.py").write_text(statement)

    result = _lint_imports(tmp_path)

    assert result.returncode == 1
    assert [line for line in result.stdout.splitlines() if line.startswith(contract) and " BROKEN" in line]
