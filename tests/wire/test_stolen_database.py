"""A stolen copy of the databases: without the key file it does not start, and by no means does it let anybody in."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from latchgate.bootstrap import open_latchgate
from latchgate.settings import Settings
from support.asgi import LOGGED_USER, PASSWORD, Pair, Service, opened_service
from support.running import RunningLatchgate

API = "api@example.com"
BEARER = "made-elsewhere-and-stolen-0001"


@dataclass(frozen=True)
class _Victim:
    """What its owner holds: who stole the database has only the folder's databases."""

    home: Path
    key: Pair
    sid: str
    link: str


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> _Victim:
    """An instance with a credential of every kind, each of which opens something."""
    home = tmp_path_factory.mktemp("victim") / "home"
    with opened_service(home) as service:
        service.make_user(API)
        link = service.latchgate.sign_in.make_setup_link()
        assert link
        victim = _Victim(home, service.make_key(API), service.sign_in(API).sid, link.text)
        service.make_bearer(API, BEARER)
        assert _opened(service, victim) == [200, 200, 200, 200, 200]
    return victim


@pytest.fixture
def stolen(victim: _Victim, tmp_path: Path) -> Path:
    """A copy of its databases alone."""
    home = tmp_path / "stolen"
    home.mkdir(mode=0o700)
    for path in victim.home.glob("*.db*"):
        shutil.copy(path, home)
    return home


def _opened(service: Service, victim: _Victim) -> list[int]:
    cookie = [("cookie", f"sid={victim.sid}")]
    return [
        service.ask(LOGGED_USER, victim.key.token).status,
        service.ask(LOGGED_USER, victim.key.basic).status,
        service.ask(LOGGED_USER, f"Bearer {BEARER}").status,
        service.ask(LOGGED_USER, headers=cookie).status,
        service.ask(f"/setup/{victim.link}").status,
    ]


def _start(home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "latchgate", "serve"],
        env=RunningLatchgate(home).environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _assert_refused(done: "subprocess.CompletedProcess[str]", told: str) -> None:
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: The key file ")
    assert told in line


def test_without_the_key_file_it_does_not_start(stolen: Path) -> None:
    """One line, exit status 3, and no key file is made beside it."""
    _assert_refused(_start(stolen), "missing")

    assert not (stolen / "latchgate.key").exists()


def test_with_another_key_file_it_does_not_start(stolen: Path, tmp_path: Path) -> None:
    """The key file of the thief's own installation does not fit, and the database is not changed by the attempt."""
    open_latchgate(Settings(home=tmp_path / "own")).close()
    shutil.copy(tmp_path / "own" / "latchgate.key", stolen)
    before = (stolen / "latchgate.db").read_bytes()

    _assert_refused(_start(stolen), "is not the one that the database was made with")

    assert (stolen / "latchgate.db").read_bytes() == before


def test_with_the_check_forged_it_starts_and_opens_nothing(victim: _Victim, stolen: Path, tmp_path: Path) -> None:
    """Whoever has the file can make it fit another key file; what was hashed under the first then matches nothing."""
    open_latchgate(Settings(home=tmp_path / "own")).close()
    shutil.copy(tmp_path / "own" / "latchgate.key", stolen)
    with closing(sqlite3.connect(tmp_path / "own" / "latchgate.db")) as own:
        (check,) = own.execute("SELECT value FROM fact WHERE name = 'key_check'").fetchone()
    with closing(sqlite3.connect(stolen / "latchgate.db")) as database:
        database.execute("UPDATE fact SET value = ? WHERE name = 'key_check'", [check])
        database.commit()

    with opened_service(stolen) as service:
        opened = _opened(service, victim)

    assert opened == [401, 401, 401, 403, 404]


def test_what_the_databases_hold_opens_nothing_at_their_owner_s(victim: _Victim, stolen: Path) -> None:
    """Every text and every hash of the copy, sent as a secret, a token, a session or a password, is refused."""
    with closing(sqlite3.connect(stolen / "latchgate.db")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [database.execute(f'SELECT * FROM "{name}"') for name in names]  # noqa: S608  # the database's own
        values = {value for table in tables for row in table for value in row}
    texts = {value.hex() if isinstance(value, bytes) else str(value) for value in values}

    with opened_service(victim.home) as service:
        for text in texts:
            peer = service.new_peer()
            presented = text.encode("ascii", "ignore").decode()
            assert service.ask(authorization=f"token {victim.key.key_id}:{presented}", peer=peer).status == 401
            assert service.ask(authorization=f"Bearer {presented}", peer=peer).status == 401
            assert service.ask(headers=[("cookie", f"sid={presented}")]).status == 403
            assert service.ask(f"/setup/{presented}").status in {400, 403, 404}
            assert service.post("/api/method/login", {"usr": API, "pwd": text}, peer=peer).status == 401
    assert PASSWORD not in texts
