"""The tables are made once, brought up, and never touched by a release that does not know them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, column, insert, table, text, update

from latchgate import request_log
from latchgate.errors import SettingsError
from latchgate.request_log.database import LogDatabase, connect
from latchgate.request_log.log_entries import SqlRequestLog, open_request_log
from latchgate.request_log.revisions import HEAD, VERSION_TABLE, current_revision, upgrade
from latchgate.request_log.schema import complete_metadata
from latchgate.services.port_values import LogQuery


@contextmanager
def _connected(location: str | Path) -> Iterator[LogDatabase]:
    with closing(connect(location, 5.0)) as database:
        yield database


def _open_upgraded(location: str | Path) -> SqlRequestLog:
    """Open a log of an earlier release, after its upgrade."""
    with _connected(location) as database:
        upgrade(database)
    return open_request_log(location)


def _place_of(connection: Connection) -> object:
    """Tell where the rows lie: what writes them all anew puts them elsewhere."""
    if connection.dialect.name == "postgresql":
        return connection.execute(text("SELECT pg_relation_filenode('request_log')")).scalar_one()
    return connection.execute(text("SELECT rootpage FROM sqlite_schema WHERE name = 'request_log'")).scalar_one()


def _set_revision(location: str | Path, revision: str) -> None:
    with _connected(location) as database, database.writing.begin() as connection:
        connection.execute(update(table(VERSION_TABLE, column("version_num"))).values(version_num=revision))


def test_the_chain_ends_in_the_schema(location: str | Path) -> None:
    """The migrations, run from nothing, leave exactly the tables that the code works with."""
    with _connected(location) as database:
        assert current_revision(database) is None
        upgrade(database)

        assert current_revision(database) == HEAD
        with database.reading.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            assert compare_metadata(context, complete_metadata()) == []


def test_the_chain_is_one_line_to_its_end() -> None:
    """The revision that the code asks for is the last of the chain."""
    script = ScriptDirectory(str(Path(request_log.__file__).parent / "migrations"))

    assert script.get_heads() == [HEAD]


def test_an_upgrade_is_made_once(location: str | Path) -> None:
    """Two that open an empty database at once both find it made, and a second upgrade changes nothing."""
    with ThreadPoolExecutor(2) as threads:
        for log in threads.map(open_request_log, [location, location]):
            log.close()

    with _connected(location) as database:
        upgrade(database)
        assert current_revision(database) == HEAD


def test_hosts_come_without_a_look_at_the_rows(location: str | Path) -> None:
    """However many rows a log of the release before has: none is written anew, and each is read as it was."""
    folder = Path(request_log.__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    row = dict.fromkeys(("user", "api_key", "scheme", "source")) | {"id": 1, "time": 5, "request_id": "r"}
    row |= {"method": "GET", "path": "/", "status": 401, "seconds": 0.5, "ip_address": "::1", "user_agent": ""}
    with _connected(location) as database:
        with database.writing.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
            connection.execute(insert(table("request_log", *(column(name) for name in row))).values(row))
            before = _place_of(connection)
        with closing(_open_upgraded(location)) as log:
            (found,) = log.search(LogQuery())
        with database.reading.connect() as connection:
            after = _place_of(connection)

    assert (found.time, found.request_id, found.requests, found.host) == (5, "r", 1, None)
    assert after == before


def test_older_tables_are_not_worked_with(location: str | Path) -> None:
    """A log of an earlier release is refused with the command that brings it up."""
    open_request_log(location).close()
    _set_revision(location, "0001")

    with pytest.raises(SettingsError, match="latchgate database upgrade"):
        open_request_log(location)


def test_newer_tables_are_not_touched(location: str | Path) -> None:
    """A log of a later release is neither opened nor upgraded."""
    open_request_log(location).close()
    _set_revision(location, "9999")

    with pytest.raises(SettingsError, match="newer than this release"):
        open_request_log(location)
    with _connected(location) as database:
        with pytest.raises(SettingsError, match="newer than this release"):
            upgrade(database)
        assert current_revision(database) == "9999"
