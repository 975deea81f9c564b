"""latchgate doctor: what it finds, and what it says to do."""

import fcntl
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from latchgate.request_log.ingester import LOCK_NAME
from latchgate.request_log.segment_reader import SegmentFile, list_segments
from latchgate.services.clock import SystemClock
from latchgate.settings import load_settings
from support.command_line import CommandLine
from support.log_rows import make_row


def _verdicts(cli: CommandLine, *, code: int = 0) -> dict[str, str]:
    lines = cli.run("doctor", code=code).stdout.splitlines()
    return {line[6:].partition(":")[0]: line for line in lines}


def test_an_instance_as_it_should_be_has_nothing_to_complain_of(
    ann: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line is ok, and the exit code 0."""
    monkeypatch.delenv("LATCHGATE_PASSWORD_PROFILE")
    monkeypatch.setattr("latchgate.cli.doctor._SPACE_WARNED_BYTES", 0)
    monkeypatch.setattr("latchgate.cli.doctor._SPACE_NEEDED_BYTES", 0)
    ann.run("user", "set-password", "Administrator", "--password-stdin", stdin="correct horse battery\n")
    ann.run("key", "generate", "ann@example.com")

    checks = ann.json("doctor")

    assert {check["verdict"] for check in checks} == {"ok"}
    assert [check["check"] for check in checks] == [
        "settings", "listening", "permissions", "disk space", "instance", "integrity", "request log", "clock", "cache",
        "users",
        "sources", "keys", "access rules",
    ]  # fmt: skip


def _expose(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHGATE_HOST", "192.0.2.7")


def _hide_behind_a_proxy(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHGATE_PUBLIC_URL", "https://auth.example.com")


def _open_to_others(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.home.chmod(0o755)


def _fill_the_disk(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchgate.cli.doctor._SPACE_WARNED_BYTES", 10**18)


def _leave_a_record_idle(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdefg":
        cli.run("source", "record", "create", "Event Consumer", name)


def _disable_a_records_user(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.run("source", "record", "create", "Event Consumer", "a", "--user", "ann@example.com")
    cli.run("user", "disable", "ann@example.com")


def _let_a_key_expire(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.run("key", "generate", "ann@example.com", "--expires", "1h")
    with closing(sqlite3.connect(cli.home / "latchgate.db")) as connection, connection:
        connection.execute("UPDATE api_key SET expires_at = 1")


def _let_a_key_end_soon(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.run("key", "generate", "ann@example.com", "--expires", "2d")


def _ask_by_no_proxy(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.run("rule", "create", "--path", "/a")


def _hide_rules(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHGATE_TRUSTED_PROXIES", "127.0.0.1")
    for path in ("/open/*", "/a", "/open/a", "/a"):
        cli.run("rule", "create", "--path", path)


def _do_nothing(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    pass


@pytest.mark.parametrize(
    ("do", "check", "told"),
    [
        (_expose, "listening", "without https"),
        (_hide_behind_a_proxy, "proxies", "LATCHGATE_TRUSTED_PROXIES"),
        (_open_to_others, "permissions", "chmod go="),
        (_fill_the_disk, "disk space", "are free at"),
        (_leave_a_record_idle, "sources", "Event Consumer e and 2 more"),
        (_disable_a_records_user, "sources", "Event Consumer a"),
        (_let_a_key_expire, "keys", "expired"),
        (_let_a_key_end_soon, "keys", "within 14 days"),
        (_ask_by_no_proxy, "access rules", "name yours in LATCHGATE_TRUSTED_PROXIES"),
        (_hide_rules, "access rules", "move or delete them: RULE-3 by RULE-1, RULE-4 by RULE-2"),
        (_do_nothing, "Administrator", "latchgate user setup-link"),
        (_do_nothing, "passwords", "for tests alone"),
    ],
)
def test_what_should_be_looked_at_is_a_warning(
    ann: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    do: Callable[[CommandLine, pytest.MonkeyPatch], None],
    check: str,
    told: str,
) -> None:
    """It names what is wrong and what to do; the exit code stays 0."""
    do(ann, monkeypatch)

    line = _verdicts(ann)[check]

    assert line.startswith("warn  ")
    assert told in line


def test_rules_that_can_decide_are_fine(ann: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proxy may ask and none hides another; how many there are is told."""
    monkeypatch.setenv("LATCHGATE_TRUSTED_PROXIES", "127.0.0.1")
    for arguments in (["--path", "/open/a"], ["--path", "/open/*", "--method", "GET"], ["--path", "/open/*"], []):
        ann.run("rule", "create", *arguments)

    assert _verdicts(ann)["access rules"] == "ok    access rules: 4, each of which can decide"
    ann.run("rule", "update", "RULE-2", "--scope", "*")
    assert _verdicts(ann)["access rules"].endswith("decide; these take credentials of any scopes: RULE-2")


def test_a_full_disk_fails(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be logged then, and so nothing answered."""
    monkeypatch.setattr("latchgate.cli.doctor._SPACE_NEEDED_BYTES", 10**18)

    assert _verdicts(cli, code=1)["disk space"].startswith("fail  ")


def test_a_clock_that_was_set_back_fails(cli: CommandLine) -> None:
    """The log knows a later time."""
    with cli.opened() as latchgate:
        latchgate.request_log.append(make_row(time=SystemClock().now_us() + 3_600_000_000))

    assert "set back" in _verdicts(cli, code=1)["clock"]


def _write_rows(cli: CommandLine, count: int) -> SegmentFile:
    """Leave rows in a segment, as a server does that was killed."""
    with cli.opened() as latchgate:
        for _ in range(count):
            latchgate.request_log.append(make_row(time=SystemClock().now_us()))
    return list_segments(cli.home / "log")[-1]


def test_rows_that_were_damaged_are_a_warning(cli: CommandLine) -> None:
    """How many, and since when it is known; all others came in."""
    segment = _write_rows(cli, 3)
    with segment.path.open("r+b") as file:
        file.seek(segment.scan().rows[1].offset + 20)
        file.write(b"spoilt")
    first = _verdicts(cli)["request log"]

    assert first.startswith("ok  ")
    assert "1 rows were damaged on disk and are lost" in _verdicts(cli)["request log"]
    assert len(cli.json("log", "search")) == 2


def test_segments_that_cannot_be_read_are_a_warning(cli: CommandLine) -> None:
    """They are named, and where they are."""
    segment = _write_rows(cli, 1)
    segment.path.write_bytes(b"spoilt" * 1000)
    cli.run("log", "search")

    line = _verdicts(cli)["request log"]

    assert line.startswith("warn  ")
    assert f"{segment.id}.segment, its header is damaged" in line


def test_rows_that_waited_too_long_are_a_warning(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever should move them is behind, or does not run."""
    monkeypatch.setattr("latchgate.cli.doctor._ROWS_BEHIND", 1)
    _write_rows(cli, 2)

    assert "2 rows waited in segments" in _verdicts(cli)["request log"]
    assert _verdicts(cli)["request log"].startswith("ok  ")


def test_rows_that_cannot_come_in_fail(cli: CommandLine) -> None:
    """Behind an ingester that stands still the log's database is not whole."""
    _write_rows(cli, 2)
    with (cli.home / "log" / LOCK_NAME).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line = _verdicts(cli, code=1)["request log"]

    assert line.startswith("fail  ")
    assert "2 rows cannot come into its database" in line


def test_without_an_instance_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made by looking."""
    monkeypatch.chdir(tmp_path)

    line = _verdicts(CommandLine(tmp_path / "data"), code=1)["instance"]

    assert "start one with latchgate serve" in line
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_reached_fails_with_the_drivers_words(
    empty: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that its operator can be told."""
    empty.home.mkdir()
    monkeypatch.setenv("LATCHGATE_DATABASE_URL", "postgresql://127.0.0.1:1/none")

    assert "refused" in _verdicts(empty, code=1)["instance"]
    assert load_settings().log_database_path is None


def test_wrong_settings_are_all_told(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each, and nothing further is looked at."""
    monkeypatch.setenv("LATCHGATE_PORT", "99999")
    monkeypatch.setenv("LATCHGATE_PRT", "1")

    lines = cli.run("doctor", code=1).stdout.splitlines()

    assert [line.split()[2] for line in lines] == ["LATCHGATE_PRT", "LATCHGATE_PORT:"]


def test_cache(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how much is remembered, that nothing is, and where the file system is why."""
    assert {"check": "cache", "verdict": "ok", "detail": _REMEMBERED} in cli.json("doctor")

    monkeypatch.setenv("LATCHGATE_CACHE_BYTES", "0")
    assert "ok    cache: switched off" in cli.run("doctor").stdout
    monkeypatch.setattr("latchgate.storage.file_systems.shares_mapped_files", lambda _folder: False)
    told = cli.run("doctor").stdout
    assert f"warn  cache: {cli.home} is on a file system" in told
    assert "put it on a local disk" in told


_REMEMBERED = "at most 32.0 MiB of verdicts are remembered by each serving process"
