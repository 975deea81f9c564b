"""A PostgreSQL of the tests' own, from the programs of the system, in a temporary folder, reached by a socket."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_DEADLINE_SECONDS = 60.0
# Nothing here need outlive the machine.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `socket_folder` is its address."""

    socket_folder: Path
    pid: int

    def url(self, database: str) -> str:
        """Write the address of a database."""
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside any transaction, as another program would."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def fresh_database(self, template: str = "template0") -> Iterator[str]:
        """Give the name of a new database, dropped at the end whoever is still connected."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Start a server and stop it at the end. Without its programs the test fails and says what to install."""
    initdb = _find_program("initdb")
    account = _account()
    # The path of a socket may have 107 characters: directly under the system's folder, whatever TMPDIR says.
    folder = Path(tempfile.mkdtemp(prefix="lg-pg-", dir="/tmp"))
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        command = [
            str(initdb),
            "-D",
            str(folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(command, check=True, capture_output=True, **_as_account(account))
        yield from _serve(initdb.with_name("postgres"), folder, account)
    finally:
        shutil.rmtree(folder)


def _serve(program: Path, folder: Path, account: pwd.struct_passwd | None) -> Iterator[PostgresServer]:
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            [str(program), "-D", str(folder / "data"), "-k", str(folder), *settings],
            stdout=log,
            stderr=log,
            **_as_account(account),
        ) as process,
    ):
        try:
            server = PostgresServer(folder, process.pid)
            _wait_until_ready(server, process, folder / "server.log")
            yield server
        finally:
            # "Fast shutdown": it ends its sessions, then itself.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(server: PostgresServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL does not start:\n{log.read_text(errors='replace')}")
        else:
            return


def _find_program(name: str) -> Path:
    on_path = shutil.which(name)
    # initdb looks for the server beside itself, not beside a link to it.
    found = [Path(on_path).resolve()] if on_path else []
    for pattern in _FOLDERS:
        found += sorted(Path("/").glob(f"{pattern.removeprefix('/')}/{name}"), reverse=True)
    for program in found:
        if program.with_name("postgres").is_file():
            return program
    pytest.fail(f"PostgreSQL's programs ({name}, postgres) are not here; on Debian: apt-get install postgresql")


def _account() -> pwd.struct_passwd | None:
    """Tell as whom to run the server, which refuses to run as root; None: as whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.fail("PostgreSQL does not run as root, and there is no account postgres or nobody to run it as")


def _as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    # No supplementary groups of root's, and a folder that the account may enter.
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}
