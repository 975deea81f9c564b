"""The command line on PostgreSQL: an instance is made, used, checked and refused as on SQLite."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command_line import CommandLine
from support.postgres import PostgresServer

_FIXTURES = Path(__file__).parents[1] / "vectors" / "frappe" / "fixtures.json"


@pytest.fixture
def on_postgresql(
    empty: CommandLine, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandLine]:
    """The command line on a data folder whose database, request log included, is on PostgreSQL."""
    with postgres_server.fresh_database() as name:
        monkeypatch.setenv("LATCHGATE_DATABASE_URL", postgres_server.url(name))
        yield empty


def test_an_instance_is_made_and_used(on_postgresql: CommandLine) -> None:
    """Only the key file lies in the data folder; imported keys work."""
    on_postgresql.run("import", str(_FIXTURES))

    assert [path.name for path in on_postgresql.home.iterdir()] == ["latchgate.key"]
    assert on_postgresql.whoami("token ap1key000000001:ap1secret000001") == "api@example.com"
    assert on_postgresql.whoami("token ap1key000000001:wrong") == "wrong_secret"
    assert on_postgresql.lines("database", "upgrade") == ["The database has revision 0007 already."]
    assert on_postgresql.json("log", "search") == []


def test_a_data_folder_without_the_key_file_is_refused(on_postgresql: CommandLine) -> None:
    """As a second machine's, to which it was not copied."""
    on_postgresql.run("database", "upgrade")
    shutil.rmtree(on_postgresql.home)

    assert "There is no instance" in on_postgresql.refusal("user", "list", code=3)
    assert "latchgate.key is missing" in on_postgresql.refusal("user", "create", "ann@example.com", code=3)
    assert "latchgate.key is missing" in on_postgresql.refusal("user", "list", code=3)


def test_a_forgotten_address_makes_no_second_database(
    on_postgresql: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside its key file no SQLite database comes to be; one line says what was forgotten."""
    on_postgresql.run("user", "create", "ann@example.com")
    monkeypatch.delenv("LATCHGATE_DATABASE_URL")

    told = on_postgresql.refusal("user", "create", "bob@example.com", code=3)

    assert "name its database with LATCHGATE_DATABASE_URL" in told
    assert [path.name for path in on_postgresql.home.iterdir()] == ["latchgate.key"]


def test_the_doctor_leaves_integrity_to_postgresql(on_postgresql: CommandLine) -> None:
    """And finds nothing that fails."""
    on_postgresql.run("database", "upgrade")

    assert "ok    integrity: left to PostgreSQL (pg_amcheck)" in on_postgresql.lines("doctor")


@pytest.mark.parametrize("command", [("backup", "copy"), ("restore", "copy"), ("check",)])
def test_what_postgresql_does_itself_is_left_to_it(on_postgresql: CommandLine, command: tuple[str, ...]) -> None:
    """One line names its tools and the key file, which they do not know of."""
    on_postgresql.run("database", "upgrade")

    told = on_postgresql.refusal("database", *command, code=3)

    assert "use pg_dump and pg_restore" in told
    assert str(on_postgresql.home / "latchgate.key") in told
