"""latchgate database: what was backed up can be restored, and nothing is lost on the way."""

import fcntl
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.core.credentials import Presented
from latchgate.core.policy import SIGNED_IN
from latchgate.request_log.ingester import LOCK_NAME
from latchgate.request_log.segment_reader import list_segments
from latchgate.settings import load_settings
from latchgate.storage.data_folder import DataFolder
from latchgate.storage.whole_backups import staging_folder
from support.command_line import CommandLine
from support.host_log import open_segments
from support.old_records import OLD_RECORDS, make_old, make_old_log

_FILES = ["latchgate.db", "latchgate.db-generation", "latchgate.key", "log.db"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backup"


def _header(key: dict[str, str]) -> str:
    return f"token {key['api_key']}:{key['api_secret']}"


def _epoch(home: Path) -> str:
    with closing(sqlite3.connect(home / "latchgate.db")) as connection:
        return str(connection.execute("SELECT epoch FROM change_head").fetchone()[0])


def _ask(cli: CommandLine, key: dict[str, str]) -> None:
    presented = Presented("GET", "/", "192.0.2.1", (_header(key).encode(),))
    with cli.opened() as latchgate:
        latchgate.gate.record(latchgate.gate.admit(presented, SIGNED_IN), 200, 0.1)


def _ask_for(cli: CommandLine, key: dict[str, str], host: str) -> None:
    presented = Presented("GET", "/", "192.0.2.1", (_header(key).encode(),), host=host)
    with cli.opened() as latchgate:
        latchgate.gate.record(latchgate.gate.admit_protected(presented), 403, 0.1)


def _rows_of_log(cli: CommandLine) -> int:
    return len(cli.json("log", "search", "--limit", "0"))


def test_a_backup_is_three_files_that_only_the_owner_may_read(cli: CommandLine, folder: Path) -> None:
    """Database, request log and key file, each by itself."""
    files = cli.json("database", "backup", str(folder))["files"]

    assert sorted(path.name for path in folder.iterdir()) == ["latchgate.db", "latchgate.key", "log.db"]
    assert files == [str(folder / name) for name in ("latchgate.db", "log.db", "latchgate.key")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_keys_work_after_a_restore_to_another_folder(
    cli: CommandLine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored instance answers as the one that was backed up, with a new epoch for whoever follows its changes."""
    key = cli.json("key", "generate", "Administrator")
    cli.run("database", "backup", str(folder))
    monkeypatch.setenv("LATCHGATE_HOME", str(tmp_path / "other"))

    answer = cli.json("database", "restore", str(folder))

    assert answer["replaced"] is None
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == _FILES
    assert cli.whoami(_header(key)) == "Administrator"
    assert _epoch(tmp_path / "other") != _epoch(cli.home)


def test_access_rules_are_part_of_it(cli: CommandLine, folder: Path) -> None:
    """In their order and with their names, whatever was changed since; none of them is given a name again."""
    cli.run("role", "create", "Reader")
    cli.run("rule", "create", "--path", "/reports/*", "--role", "Reader", "--scope", "reports.read")
    cli.run("rule", "create", "--path", "/health", "--allow-guest", "--position", "1")
    kept = cli.json("rule", "list")
    cli.run("database", "backup", str(folder))
    cli.run("rule", "move", "RULE-1", "1")
    cli.run("rule", "update", "RULE-1", "--clear", "roles")
    cli.run("rule", "delete", "RULE-2")

    cli.run("database", "restore", str(folder), "--force")

    assert cli.json("rule", "list") == kept
    tried = cli.json("rule", "test", "GET", "https://a/reports/7", "--as", "Administrator")
    assert (tried["decision"], tried["rule"], tried["reason"]) == ("forbidden", "RULE-1", "role_missing")
    assert cli.json("rule", "create", "--path", "/later")["name"] == "RULE-3"


def test_an_instance_is_replaced_on_demand_only_and_its_files_are_kept(cli: CommandLine, folder: Path) -> None:
    """Without --force nothing happens; with it the backup counts, and what was there lies in a folder of its own."""
    kept = cli.json("key", "generate", "Administrator")
    cli.run("database", "backup", str(folder))
    lost = cli.json("key", "generate", "Administrator")

    told = cli.refusal("database", "restore", str(folder), code=3)
    assert "holds an instance already" in told
    assert "--force" in told
    assert cli.whoami(_header(lost)) == "Administrator"

    aside = Path(cli.json("database", "restore", str(folder), "--force")["replaced"])
    assert cli.whoami(_header(kept)) == "Administrator"
    assert cli.whoami(_header(lost)) == "unknown_key"
    assert {"latchgate.db", "latchgate.key", "log.db"} <= {path.name for path in aside.iterdir()}


def test_the_request_log_is_part_of_it(cli: CommandLine, folder: Path) -> None:
    """Rows written before the backup are there after the restore, later ones are not."""
    key = cli.json("key", "generate", "Administrator")
    _ask(cli, key)
    cli.run("database", "backup", str(folder))
    _ask(cli, key)

    before = _rows_of_log(cli)
    cli.run("database", "restore", str(folder), "--force")

    assert (before, _rows_of_log(cli)) == (2, 1)


def _rows_of_backup(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "log.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM request_log").fetchone()[0]
        return count


def test_a_backup_holds_what_was_on_its_way(cli: CommandLine, folder: Path) -> None:
    """Rows that wait in segments are moved into the database before it is copied."""
    key = cli.json("key", "generate", "Administrator")
    _ask(cli, key)

    assert cli.json("database", "backup", str(folder))["missing_log_rows"] == 0
    assert _rows_of_backup(folder) == 1


def test_a_backup_says_what_it_could_not_have(cli: CommandLine, folder: Path) -> None:
    """While an ingester stands still with its lock in hand, rows stay outside: that is told, and they are not lost."""
    key = cli.json("key", "generate", "Administrator")
    _ask(cli, key)
    with (cli.home / "log" / LOCK_NAME).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = cli.run("database", "backup", str(folder)).stderr

    assert "1 rows of the request log are still in segments" in told
    assert _rows_of_backup(folder) == 0
    assert _rows_of_log(cli) == 1


def test_what_was_on_its_way_is_kept_with_the_replaced_log(cli: CommandLine, folder: Path) -> None:
    """The restored log is the backup's; the last rows of the other are in the one that is kept aside."""
    key = cli.json("key", "generate", "Administrator")
    cli.run("database", "backup", str(folder))
    _ask(cli, key)

    aside = Path(cli.json("database", "restore", str(folder), "--force")["replaced"])

    assert _rows_of_log(cli) == 0
    assert _rows_of_backup(aside) == 1


def test_what_no_other_log_can_take_comes_into_the_restored_one_once(cli: CommandLine, folder: Path) -> None:
    """With the log's database spoilt, segments are read from where the backup was: each row once."""
    key = cli.json("key", "generate", "Administrator")
    presented = Presented("GET", "/", "192.0.2.1", (_header(key).encode(),))
    with cli.opened() as latchgate:
        # One process, so one segment: half of it is in the backup.
        for _ in range(2):
            latchgate.gate.record(latchgate.gate.admit(presented, SIGNED_IN), 200, 0.1)
        cli.run("database", "backup", str(folder))
        for _ in range(3):
            latchgate.gate.record(latchgate.gate.admit(presented, SIGNED_IN), 200, 0.1)
    for path in cli.home.glob("log.db*"):
        path.write_bytes(b"no database" * 1000)

    told = cli.run("database", "restore", str(folder), "--force").stderr

    assert "they come into the restored one" in told
    assert _rows_of_backup(folder) == 2
    assert (_rows_of_log(cli), _rows_of_log(cli)) == (5, 5)


def test_an_upgrade_loses_nothing_that_was_on_its_way(cli: CommandLine) -> None:
    """Segments stay, and are read by the release that comes."""
    key = cli.json("key", "generate", "Administrator")
    _ask(cli, key)

    cli.run("database", "upgrade")

    assert _rows_of_log(cli) == 1


def test_an_upgrade_from_the_release_before(cli: CommandLine) -> None:
    """What waited in its segments and what was in its log is there after, and new rows tell their host."""
    key = cli.json("key", "generate", "Administrator")
    _ask(cli, key)
    assert _rows_of_log(cli) == 1
    with closing(open_segments(cli.home / "log")) as log:
        for payload in OLD_RECORDS:
            log.append(payload)
    for segment in list_segments(cli.home / "log"):
        make_old(segment.path)
    make_old_log(cli.home / "log.db")
    assert "latchgate database upgrade" in cli.refusal("log", "search", code=3)

    cli.run("database", "upgrade")
    _ask_for(cli, key, "app.example.com")

    assert _rows_of_log(cli) == 1 + len(OLD_RECORDS) + 1
    assert [row["status"] for row in cli.json("log", "search", "--host", "app.example.com")] == [403]
    assert cli.json("log", "stats", "--since", "2026-01-01")["log"]["lost"] == 0


def test_a_backup_of_the_release_before_is_brought_up(cli: CommandLine, folder: Path) -> None:
    """Its rows are there without a host, and those of a backup of today come back with theirs."""
    key = cli.json("key", "generate", "Administrator")
    _ask_for(cli, key, "app.example.com")
    cli.run("database", "backup", str(folder))
    cli.run("database", "restore", str(folder), "--force")
    assert [row["host"] for row in cli.json("log", "search")] == ["app.example.com"]

    make_old_log(folder / "log.db")
    cli.run("database", "restore", str(folder), "--force")

    assert ["host" in row for row in cli.json("log", "search")] == [False]


def test_a_backup_without_its_log_can_be_restored(cli: CommandLine, folder: Path) -> None:
    """The log is then empty."""
    cli.run("database", "backup", str(folder))
    (folder / "log.db").unlink()

    cli.run("database", "restore", str(folder), "--force")

    assert _rows_of_log(cli) == 0


@pytest.mark.parametrize("missing", ["latchgate.db", "latchgate.key"])
def test_half_a_backup_is_refused_and_nothing_is_replaced(cli: CommandLine, folder: Path, missing: str) -> None:
    """Neither half opens anything."""
    key = cli.json("key", "generate", "Administrator")
    cli.run("database", "backup", str(folder))
    (folder / missing).unlink()

    assert f"{missing} is missing" in cli.refusal("database", "restore", str(folder), "--force", code=3)
    assert cli.whoami(_header(key)) == "Administrator"


def test_a_backup_with_anothers_key_file_is_refused_and_nothing_is_replaced(
    cli: CommandLine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the two fit is found out before anything is replaced."""
    cli.run("database", "backup", str(folder))
    monkeypatch.setenv("LATCHGATE_HOME", str(tmp_path / "other"))
    cli.run("database", "upgrade")
    shutil.copy(tmp_path / "other" / "latchgate.key", folder / "latchgate.key")

    assert "is not the one" in cli.refusal("database", "restore", str(folder), "--force", code=3)
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == _FILES


def test_a_damaged_backup_is_refused(cli: CommandLine, folder: Path) -> None:
    """What is no database is not restored."""
    cli.run("database", "backup", str(folder))
    (folder / "latchgate.db").write_bytes(b"no database" * 1000)

    assert "is no backup" in cli.refusal("database", "restore", str(folder), "--force", code=3)
    cli.run("user", "list")


def test_after_an_interrupted_restore_no_empty_instance_is_made(
    cli: CommandLine, folder: Path, empty: CommandLine
) -> None:
    """Until the restore was run again, nothing starts on an empty folder."""
    cli.run("database", "backup", str(folder))
    for path in list(cli.home.iterdir()):
        path.unlink()
    staging_folder(cli.home).mkdir()

    assert "was interrupted; run it again" in cli.refusal("user", "list", code=3)
    cli.run("database", "restore", str(folder))
    cli.run("user", "list")


def test_nothing_is_restored_under_a_running_server(cli: CommandLine, folder: Path) -> None:
    """Whoever uses the data folder keeps it from being replaced."""
    cli.run("database", "backup", str(folder))

    with closing(DataFolder(cli.home)):
        assert "in use by another process" in cli.refusal("database", "restore", str(folder), "--force", code=3)


def test_a_backup_replaces_no_other(cli: CommandLine, folder: Path) -> None:
    """A folder with a backup in it is refused."""
    cli.run("database", "backup", str(folder))

    assert "holds a backup already" in cli.refusal("database", "backup", str(folder), code=3)


def test_a_sound_database_is_told_as_such(cli: CommandLine) -> None:
    """Exit code 0 and no problem."""
    assert cli.lines("database", "check") == ["Database and request log are sound."]
    assert cli.json("database", "check") == {"problems": []}


def test_damage_is_found(cli: CommandLine) -> None:
    """A row that refers to nothing is a problem, and exit code 1."""
    with closing(sqlite3.connect(cli.home / "latchgate.db")) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO user_role (user_id, role_id) VALUES (4711, 1)")

    result = cli.run("database", "check", code=1)

    assert result.stdout.startswith("database: row ")
    assert cli.run("doctor", code=1).stdout.count("fail  integrity: database: row ") == 1


def test_an_upgrade_of_what_is_up_to_date_does_nothing(cli: CommandLine) -> None:
    """It says which revision there is."""
    assert cli.lines("database", "upgrade") == ["The database has revision 0007 already."]
    assert cli.json("database", "upgrade") == {"before": "0007", "after": "0007"}


def test_an_older_database_is_refused_until_it_is_upgraded(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command names the one that mends it."""
    monkeypatch.setattr("latchgate.storage.revisions.head_revision", lambda: "9001")

    assert "latchgate database upgrade" in cli.refusal("user", "list", code=3)


def test_postgresql_has_tools_of_its_own(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Restoring refuses before anything is touched, and names them."""
    monkeypatch.setenv("LATCHGATE_LOG_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert "The request log is on PostgreSQL: use pg_dump" in cli.refusal("database", "restore", str(folder), code=3)
    monkeypatch.setenv("LATCHGATE_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert "The database is on PostgreSQL: use pg_dump" in cli.refusal("database", "restore", str(folder), code=3)
    assert load_settings().database_path is None
