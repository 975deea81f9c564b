"""The first start, and every state of the data folder that keeps one from opening."""

import base64
import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.bootstrap import open_latchgate
from latchgate.errors import SettingsError
from latchgate.settings import Settings, load_settings
from support.command_line import CommandLine, run_process

_NEXT_PASSWORD = "correct horse battery"


def _refusal(settings: Settings | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        open_latchgate(settings or load_settings())
    assert len(caught.value.problems) == 1
    return caught.value.public


def _add_pepper(path: Path, number: int) -> None:
    document = json.loads(path.read_text())
    document["peppers"].append({"number": number, "secret": base64.b64encode(bytes([number]) * 32).decode()})
    path.write_text(json.dumps(document))


def _keep_pepper(path: Path, number: int) -> None:
    document = json.loads(path.read_text())
    document["peppers"] = [pepper for pepper in document["peppers"] if pepper["number"] == number]
    path.write_text(json.dumps(document))


def _execute(path: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_an_empty_folder_becomes_an_instance_that_only_its_owner_may_read(empty: CommandLine) -> None:
    """Folder 0700, four files 0600, and nothing else once it is closed."""
    open_latchgate(load_settings()).close()

    assert stat.S_IMODE(empty.home.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in empty.home.iterdir()}
    files = ("latchgate.db", "latchgate.db-generation", "latchgate.key", "log.db")
    assert modes == dict.fromkeys(files, 0o600)


def test_a_second_start_keeps_key_file_and_data(empty: CommandLine) -> None:
    """What the first start made, the second uses."""
    open_latchgate(load_settings()).close()
    key_file = (empty.home / "latchgate.key").read_bytes()
    key = empty.json("key", "generate", "Administrator")

    assert (empty.home / "latchgate.key").read_bytes() == key_file
    assert empty.whoami(f"token {key['api_key']}:{key['api_secret']}") == "Administrator"


def test_starts_at_the_same_moment_make_one_instance(empty: CommandLine) -> None:
    """Of processes that find the folder empty, one makes it and the others use it."""
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda number: run_process("role", "create", f"Role {number}"), range(4)))

    assert [code for code, _, _ in outcomes] == [0, 0, 0, 0], outcomes
    assert len(empty.json("user", "list")) == 2
    assert len(empty.json("role", "list")) == 8


def test_a_command_in_the_wrong_folder_makes_no_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody named the data folder, only `serve` and `database upgrade` make one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LATCHGATE_HOME", raising=False)
    cli = CommandLine(tmp_path / "data")

    assert "There is no instance of Latchgate in" in cli.refusal("user", "list", code=3)
    assert list(tmp_path.iterdir()) == []
    cli.home.mkdir()
    assert "There is no instance of Latchgate in" in cli.refusal("user", "list", code=3)
    assert list(cli.home.iterdir()) == []
    assert cli.lines("database", "upgrade") == ["Made a database of revision 0007."]
    assert cli.run("user", "list").exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("user", "list"), ("user", "show", "Administrator"), ("user", "disable", "ann@example.com"), ("role", "list"),
        ("source", "list"), ("key", "list"), ("key", "revoke", "lgk_1"), ("log", "search"), ("log", "activity"),
        ("log", "tail"), ("log", "export"), ("database", "check"), ("database", "backup", "copy"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("there", [False, True], ids=["no folder", "empty folder"])
def test_a_command_that_reads_makes_no_instance(empty: CommandLine, command: tuple[str, ...], there: bool) -> None:
    """Also in a folder that was named: one line says how to start one, exit code 3."""
    if there:
        empty.home.mkdir()

    told = empty.refusal(*command, code=3)

    assert told.startswith(f"error: There is no instance of Latchgate in {empty.home}; start one with latchgate serve")
    assert len(told.splitlines()) == 1
    assert list(empty.home.parent.iterdir()) == ([empty.home] if there else [])
    assert not there or list(empty.home.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "stdin"),
    [
        (("user", "create", "ann@example.com"), None),
        (("user", "set-password", "Administrator", "--password-stdin"), _NEXT_PASSWORD),
        (("user", "setup-link"), None),
        (("role", "create", "Auditor"), None),
        (("source", "create", "API Device"), None),
        (("source", "record", "create", "Event Consumer", "c-1"), None),
        (("key", "generate", "Administrator"), None),
        (("key", "import", "Administrator", "some-key"), "some-secret"),
        (("token", "import", "Administrator"), "some-token-made-elsewhere"),
        (("import", "-"), "{}"),
        (("database", "upgrade"), None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_that_makes_something_makes_the_instance(
    empty: CommandLine, command: tuple[str, ...], stdin: str | None
) -> None:
    """In a folder that was named, so that a new instance can be furnished before it is first served."""
    empty.run(*command, stdin=stdin)

    files = sorted(path.name for path in empty.home.iterdir())
    assert files == ["latchgate.db", "latchgate.db-generation", "latchgate.key", "log.db"]


def test_the_settings_password_counts_while_administrator_has_none(
    empty: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run sets it, and no later one replaces it."""
    monkeypatch.setenv("LATCHGATE_ADMIN_PASSWORD", _NEXT_PASSWORD)
    with empty.opened() as latchgate:
        first = latchgate.users.get("Administrator").password_hash
    monkeypatch.setenv("LATCHGATE_ADMIN_PASSWORD", "another one entirely")

    with empty.opened() as latchgate:
        assert first is not None
        assert latchgate.users.get("Administrator").password_hash == first


def test_a_settings_password_that_is_too_short_is_refused(empty: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the variable; a better one then works."""
    monkeypatch.setenv("LATCHGATE_ADMIN_PASSWORD", "short")

    assert _refusal() == "LATCHGATE_ADMIN_PASSWORD: must have at least 8 characters"
    monkeypatch.setenv("LATCHGATE_ADMIN_PASSWORD", _NEXT_PASSWORD)
    assert empty.json("user", "show", "Administrator")["can_sign_in"] is True


def test_without_its_key_file_a_database_does_not_open_and_gets_no_new_one(cli: CommandLine) -> None:
    """The line says to restore it; the folder stays as it is."""
    (cli.home / "latchgate.key").unlink()

    assert "latchgate.key is missing; restore it" in _refusal()
    assert not (cli.home / "latchgate.key").exists()


def test_with_anothers_key_file_a_database_does_not_open(cli: CommandLine, tmp_path: Path) -> None:
    """A stolen database opens with no key file but its own."""
    open_latchgate(Settings(home=tmp_path / "other")).close()
    shutil.copy(tmp_path / "other" / "latchgate.key", cli.home / "latchgate.key")

    assert "is not the one that the database was made with" in _refusal()


def test_a_key_file_of_which_the_pepper_was_replaced_does_not_open(cli: CommandLine) -> None:
    """The same number with another secret is another key file."""
    path = cli.home / "latchgate.key"
    _keep_pepper(path, 2)
    path.write_text(path.read_text().replace("[]", ""))

    assert "cannot be understood" in _refusal()
    path.write_text('{"version": 1, "peppers": []}')
    _add_pepper(path, 1)
    assert "is not the one" in _refusal()


def test_a_new_pepper_is_taken_into_use_and_the_old_keys_still_open(cli: CommandLine) -> None:
    """After a rotation of the key file, keys from before and after it work."""
    old = cli.json("key", "generate", "Administrator")
    _add_pepper(cli.home / "latchgate.key", 2)

    new = cli.json("key", "generate", "Administrator")

    for key in (old, new):
        assert cli.whoami(f"token {key['api_key']}:{key['api_secret']}") == "Administrator"


def test_the_key_file_from_before_a_rotation_does_not_open_any_more(cli: CommandLine) -> None:
    """What was hashed since would match nothing."""
    path = cli.home / "latchgate.key"
    _add_pepper(path, 2)
    cli.run("user", "list")
    _keep_pepper(path, 1)

    assert "is not the one" in _refusal()


def test_a_dropped_pepper_ends_what_was_hashed_under_it(cli: CommandLine) -> None:
    """Once the new pepper is in use, the old one may go, and its keys with it."""
    old = cli.json("key", "generate", "Administrator")
    path = cli.home / "latchgate.key"
    _add_pepper(path, 2)
    new = cli.json("key", "generate", "Administrator")
    _keep_pepper(path, 2)

    assert cli.whoami(f"token {old['api_key']}:{old['api_secret']}") == "wrong_secret"
    assert cli.whoami(f"token {new['api_key']}:{new['api_secret']}") == "Administrator"


@pytest.mark.parametrize("stated", ["nonsense", "1:00", "9999999999:" + "0" * 64])
def test_a_key_check_that_was_tampered_with_does_not_open(cli: CommandLine, stated: str) -> None:
    """What cannot be read fits no key file."""
    _execute(cli.home / "latchgate.db", "UPDATE fact SET value = ? WHERE name = 'key_check'", stated)

    assert "is not the one" in _refusal()


def test_a_first_start_that_was_interrupted_before_the_check_goes_on(cli: CommandLine) -> None:
    """A database in which nothing was hashed yet is bound to the key file beside it."""
    _execute(cli.home / "latchgate.db", "DELETE FROM fact WHERE name = 'key_check'")

    cli.run("user", "list")

    with cli.opened() as latchgate, latchgate.store.read() as tx:
        assert (tx.instance.find_fact("key_check") or "").startswith("1:")


def test_a_database_with_keys_but_no_check_does_not_open(cli: CommandLine) -> None:
    """Nobody can know which key file they were hashed under."""
    cli.run("key", "generate", "Administrator")
    _execute(cli.home / "latchgate.db", "DELETE FROM fact WHERE name = 'key_check'")

    assert "is not the one" in _refusal()


def test_a_key_file_alone_gets_no_database_by_mistake(cli: CommandLine) -> None:
    """As it lies there where the database is on PostgreSQL: whoever forgets its address is told, and makes no other."""
    for name in ("latchgate.db", "latchgate.db-generation", "log.db"):
        (cli.home / name).unlink()

    for command in (("user", "list"), ("user", "create", "ann@example.com"), ("database", "upgrade"), ("serve",)):
        told = cli.refusal(*command, code=3)
        assert "holds a key file but no database; name its database with LATCHGATE_DATABASE_URL" in told
        assert len(told.splitlines()) == 1

    assert [path.name for path in cli.home.iterdir()] == ["latchgate.key"]


def test_a_key_file_alone_is_adopted_by_a_database_that_is_named(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the line above says: whoever deploys may put a key file there beforehand."""
    key_file = (cli.home / "latchgate.key").read_bytes()
    for name in ("latchgate.db", "latchgate.db-generation", "log.db"):
        (cli.home / name).unlink()
    named = cli.refusal("serve", code=3).rpartition("LATCHGATE_DATABASE_URL=")[2].strip()
    monkeypatch.setenv("LATCHGATE_DATABASE_URL", named)

    cli.run("database", "upgrade")

    monkeypatch.delenv("LATCHGATE_DATABASE_URL")
    assert len(cli.json("user", "list")) == 2
    assert (cli.home / "latchgate.key").read_bytes() == key_file


@pytest.mark.parametrize("with_key_file", [False, True])
def test_a_first_start_that_was_interrupted_before_the_tables_goes_on(cli: CommandLine, with_key_file: bool) -> None:
    """An empty database is what it leaves, with or without a key file yet."""
    (cli.home / "log.db").unlink()
    (cli.home / "latchgate.db").write_bytes(b"")
    if not with_key_file:
        (cli.home / "latchgate.key").unlink()

    cli.run("user", "create", "ann@example.com")

    assert len(cli.json("user", "list")) == 3


def test_a_lost_database_is_not_replaced_by_an_empty_one(cli: CommandLine) -> None:
    """A key file beside a request log has had a database."""
    (cli.home / "latchgate.db").unlink()

    assert "but no database; restore it" in _refusal()
    assert not (cli.home / "latchgate.db").exists()


def _newer(cli: CommandLine) -> None:
    _execute(cli.home / "latchgate.db", "UPDATE alembic_version SET version_num = '9999'")


def _newer_log(cli: CommandLine) -> None:
    _execute(cli.home / "log.db", "UPDATE request_log_revision SET version_num = '9999'")


def _no_database(cli: CommandLine) -> None:
    (cli.home / "latchgate.db").write_bytes(b"anything but a database" * 100)


def _no_folder(cli: CommandLine) -> None:
    shutil.rmtree(cli.home)
    cli.home.write_text("")


def _loose_key_file(cli: CommandLine) -> None:
    (cli.home / "latchgate.key").chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_newer, "newer than this release"),
        (_newer_log, "newer than this release"),
        (_no_database, "is not a database"),
        (_no_folder, "is not a folder"),
        (_loose_key_file, "chmod 600"),
    ],
)
def test_what_keeps_an_instance_from_opening_is_one_clear_line(
    cli: CommandLine, spoil: Callable[[CommandLine], None], told: str
) -> None:
    """Exit code 3, for the server and for every command."""
    spoil(cli)

    assert told in cli.refusal("user", "list", code=3)
    assert told in cli.refusal("serve", "--port", "0", code=3)


def test_a_database_that_cannot_be_reached_is_exit_code_4(empty: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the driver says of it."""
    monkeypatch.setenv("LATCHGATE_DATABASE_URL", "postgresql://nobody:geheim@127.0.0.1:1/none")

    told = empty.refusal("user", "create", "ann@example.com", code=4)

    assert "cannot be reached" in told
    assert "geheim" not in told
