"""What is embedded, and what calls, needs no more than was installed for it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[2]
_MODULES_OF = {"prometheus-client": "prometheus_client", "markdown-it-py": "markdown_it"}
_SERVE = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
from latchgate.core.heads import Head
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.local import LocalKeeper
from latchgate.middleware.remote import RemoteKeeper
from latchgate.middleware.wsgi import WsgiMiddleware
from latchgate.bootstrap import open_latchgate
from latchgate.core.policy import SIGNED_IN
from latchgate.settings import load_settings
open_latchgate(load_settings()).close()
keeper = LocalKeeper()
keeper.open()
head = Head("GET", b"/", "192.0.2.1", ((b"authorization", b"token a:b"),))
print(keeper.admit(head, SIGNED_IN).refusal.status)
keeper.close()
"""
_CALL = """
import sys
import latchgate.client
print([name for name in ("requests", "httpx", "sqlalchemy", "pydantic", "latchgate.core") if name in sys.modules])
"""


def _run(script: str, home: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LATCHGATE_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**kept, "LATCHGATE_HOME": str(home), "LATCHGATE_PASSWORD_PROFILE": "cheapest"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_middleware_needs_nothing_of_the_servers_extra(tmp_path: Path) -> None:
    """With the base packages alone, an instance is opened and a request judged."""
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    names = [Requirement(line).name for line in settings["project"]["optional-dependencies"]["server"]]
    # rich, of the base, brings this one.
    blocked = [_MODULES_OF.get(name, name) for name in names if name != "markdown-it-py"]

    assert _run(_SERVE.format(blocked=blocked), tmp_path / "home") == "401"


def test_a_client_brings_neither_libraries_nor_the_rest(tmp_path: Path) -> None:
    """A program that calls loads the library that it uses, and nothing else of Latchgate."""
    assert _run(_CALL, tmp_path) == "[]"
