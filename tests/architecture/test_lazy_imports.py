"""What a serving process holds: not what hardly any request needs, and all that the first one needs then."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.measuring import skip_where_coverage_measures

# Each takes megabytes or tens of milliseconds. Who needs one loads it: a revision of the tables, a page, a request of
# OAuth 2, whoever asks for the OpenAPI document, another command.
_NOT_AT_START = frozenset(
    {
        *("alembic", "mako", "pygments", "rich", "markdown_it", "structlog"),
        *("authlib", "joserfc", "cryptography", "jinja2", "psycopg", "sqlalchemy.dialects.postgresql"),
        *("prometheus_client", "latchgate.server.exposition"),
        *("latchgate.server.openapi_document", "latchgate.server.openapi_texts", "latchgate.oauth.provider"),
        *("latchgate.cli.commands", "latchgate.cli.doctor", "latchgate.cli.log"),
    }
)
# It is some 900 on CPython 3.11, and was 1,170, with less of our own, when everything was loaded.
_MODULES_MAX = 950

_BEGIN = """
import sys
import latchgate.cli.app
from latchgate.bootstrap import open_latchgate
from latchgate.server.run import build_application
from latchgate.settings import load_settings
latchgate = open_latchgate(load_settings())
application = build_application(latchgate)
"""
_LIST = """
import json
print(json.dumps(sorted(sys.modules)))
"""
# As the first requests of a worker, from as many threads at once: of each kind several, and all begin together.
_FIRST_REQUESTS = """
import json, threading
from latchgate.core.clients import SigningAlgorithm
from latchgate.core.tokens import NONCE_BYTES, Purpose, Secret
from latchgate.oauth.assertions import unverified_client_id
from latchgate.oauth.client_keys import parse_client_keys
from latchgate.oauth.protocol import provider_on
from latchgate.oauth.signing_keys import generate_signing_key
from latchgate.server.desk.manual_text import render_text
from latchgate.server.desk.navigation import start_of

frame = application.site.render_fault_page.__self__
description = application.table.pages["/api/openapi.json"].handler

def seal():
    sealed = latchgate.peppers.seal(Purpose.SIGNING_KEY, b"plain", bytes(NONCE_BYTES), "of a test")
    assert latchgate.peppers.unseal(Purpose.SIGNING_KEY, sealed, "of a test") == b"plain"

def sign():
    made = generate_signing_key(SigningAlgorithm.ES256, "a")
    assert parse_client_keys(json.dumps({"keys": [json.loads(made.public_jwk)]})).keys[0].kid == "a"

def exchange():
    assert type(provider_on(None, latchgate.settings.public_url)).__name__ == "Provider"

def read():
    assert unverified_client_id(Secret("e30.eyJzdWIiOiJhcHAifQ.AAAA")) == "app"

def page():
    shown = {"title": "T", "message": "M", "start": start_of(None), "request_id": ""}
    assert "</html>" in frame.renderer.render("fault.html", shown)

def document():
    assert b'"openapi":"3.1.0"' in description._build().body

def count():
    assert b"latchgate_requests_total" in application.table.pages["/metrics"].handler.write()

def manual():
    assert render_text("# T", "", str).title == "T"

kinds = [seal, sign, exchange, read, page, document, count, manual]
together = threading.Barrier(3 * len(kinds))
done, failures = [], []

def run(kind):
    together.wait()
    try:
        kind()
        done.append(kind.__name__)
    except BaseException as error:
        failures.append(f"{kind.__name__}: {error!r}")

threads = [threading.Thread(target=run, args=[kind]) for kind in kinds * 3]
sys.setswitchinterval(1e-5)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([sorted(done), failures]))
"""


def _run(home: Path, *lines: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LATCHGATE_")}
    result = subprocess.run(
        [sys.executable, "-c", "".join(lines)],
        env={**kept, "LATCHGATE_HOME": str(home), "LATCHGATE_PASSWORD_PROFILE": "cheapest"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lazy") / "home"
    # Whoever makes an instance loads Alembic, once in its life.
    _run(home, _BEGIN)
    return home


@pytest.fixture(name="modules", scope="module")
def _modules(home: Path) -> list[str]:
    modules: list[str] = json.loads(_run(home, _BEGIN, _LIST))
    return modules


def test_a_start_loads_nothing_that_no_verdict_needs(modules: list[str]) -> None:
    """Of the libraries and modules that are for few requests, none is there when serving begins."""
    early = [name for name in modules if _NOT_AT_START & {name, name.partition(".")[0]}]

    assert early == []


def test_the_list_of_the_late_names_nothing_that_is_not_there() -> None:
    """Each name is that of a module that can be loaded, so that no misspelt one passes; psycopg may be absent."""
    names = sorted(_NOT_AT_START - {"psycopg", "structlog"})
    script = f"import importlib.util as u\nprint([n for n in {names!r} if u.find_spec(n) is None])"

    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_start_loads_no_more_modules_than_it_used_to(modules: list[str]) -> None:
    """A library that brings hundreds of modules along is noticed, whatever its name."""
    skip_where_coverage_measures()

    assert len(modules) < _MODULES_MAX


def test_the_first_requests_may_come_all_at_once(home: Path) -> None:
    """Whatever is loaded late is whole for each of many threads that need it first, in whatever order they come."""
    done, failures = json.loads(_run(home, _BEGIN, _FIRST_REQUESTS))

    assert failures == []
    assert done == sorted(["seal", "sign", "exchange", "read", "page", "document", "count", "manual"] * 3)
