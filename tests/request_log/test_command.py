"""latchgate log, as it is called."""

import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from latchgate.bootstrap import open_latchgate
from latchgate.cli.commands import app
from latchgate.request_log.log_entries import PAGE_ROWS_MAX
from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.clock import SystemClock
from latchgate.services.port_values import LogQuery
from latchgate.settings import Settings
from support.host_log import open_host_log
from support.log_rows import NOON, make_row

_HOUR = 3_600_000_000
_DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the first start leaves it."""
    home = tmp_path_factory.mktemp("home")
    open_latchgate(Settings(home=home)).close()
    return home


@pytest.fixture
def rows(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostRequestLog]:
    """The empty request log that the command reads."""
    # Each test's own: rows lie there until somebody reads.
    shutil.copytree(home, tmp_path / "home")
    (tmp_path / "home").chmod(0o700)
    monkeypatch.setenv("LATCHGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LATCHGATE_LOG_DATABASE_URL", f"sqlite:///{tmp_path}/log.db")
    with closing(open_host_log(tmp_path / "log.db", tmp_path / "home" / "log")) as opened:
        yield opened


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["log", *arguments])


def _find(*arguments: str) -> list[dict[str, object]]:
    result = _run("search", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


# --- search ---


def test_search_prints_a_table(rows: HostRequestLog) -> None:
    """People get aligned columns, UTC, and the reason of a refusal beside its status."""
    rows.append(make_row(time=NOON + 1_234_567, path="/api/one"))
    rows.append(make_row(time=NOON + 2_000_000, user=None, status=401, reason="wrong_secret", path="/api/two"))

    result = _run("search")

    assert result.stdout.splitlines() == [
        "TIME                      STATUS            SECONDS  USER             KEY      ADDRESS    REQUEST",
        "2026-05-01T12:00:02.000Z  401 wrong_secret  0.004    -                lgk_ann  192.0.2.7  GET /api/two",
        "2026-05-01T12:00:01.234Z  200               0.004    ann@example.com  lgk_ann  192.0.2.7  GET /api/one",
    ]


def test_the_host_stands_before_the_path(rows: HostRequestLog) -> None:
    """As one reads an address; what no gate has written is harmless too."""
    rows.append(make_row(path="/one"))
    rows.append(make_row(path="/two", host="app.example.com"))
    rows.append(make_row(path="/three", host="\x1b[2J\u202e"))

    requests = [line.split("192.0.2.7  ")[1] for line in _run("search").stdout.splitlines()[1:]]

    assert requests == ["GET \\x1b[2J\\u202e/three", "GET app.example.com/two", "GET /one"]


def test_a_long_table_keeps_its_columns(rows: HostRequestLog) -> None:
    """A wide text far below widens its column from there on; the heading stands once."""
    for number in range(250):
        rows.append(make_row(user="x" * 60 if number == 10 else "ann@example.com"))

    lines = _run("search", "--limit", "0").stdout.splitlines()

    assert len(lines) == 251
    assert lines[1].index("lgk_ann") == lines[100].index("lgk_ann") < lines[-1].index("lgk_ann")


def test_nothing_found_is_said(rows: HostRequestLog) -> None:
    """No row is an answer, not an error; programs get an empty list."""
    result = _run("search", "--user", "nobody@example.com")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No row matches.\n")
    assert _find("--user", "nobody@example.com") == []


def test_search_json_is_one_document(rows: HostRequestLog) -> None:
    """Programs get the rows under the names that do not change, newest first."""
    written = [make_row(), make_row(status=403, reason="role_missing")]
    for row in written:
        rows.append(row)

    assert _find() == [row.document() for row in written[::-1]]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--user", "bob@example.com"], ["bob"]),
        (["--key", "lgk_bob"], ["bob"]),
        (["--path", "/b"], ["bob"]),
        (["--host", "app.example.com"], ["bob"]),
        (["--host", "APP.example.com.:8443"], ["bob"]),
        (["--host", "example.com"], []),
        (["--status", "401"], ["bob"]),
        (["--since", "2026-05-01T13:00"], ["bob"]),
        (["--since", "2026-05-01T15:00+02:00"], ["bob"]),
        (["--since", "2026-05-02"], []),
        (["--until", "2026-05-01T13:00Z"], ["ann"]),
        (["--since", "2026-05-01", "--until", "2026-05-02"], ["bob", "ann"]),
        (["--limit", "1"], ["bob"]),
        (["--limit", "0"], ["bob", "ann"]),
    ],
    ids=" ".join,
)
def test_search_gives_what_its_options_name(rows: HostRequestLog, arguments: list[str], found: list[str]) -> None:
    """Every option narrows the search to what it names."""
    rows.append(make_row(request_id="ann"))
    rows.append(
        make_row(
            time=NOON + _HOUR,
            request_id="bob",
            user="bob@example.com",
            api_key="lgk_bob",
            path="/bob",
            status=401,
            host="app.example.com",
        )
    )

    assert [row["request_id"] for row in _find(*arguments)] == found


@pytest.mark.parametrize("age", ["90m", "24h", "7d", "1w"])
def test_since_takes_an_age(rows: HostRequestLog, age: str) -> None:
    """What is younger than the age is found, what is older is not."""
    seconds = {"90m": 5_400, "24h": 86_400, "7d": 604_800, "1w": 604_800}[age]
    start = SystemClock().now_us() - seconds * 1_000_000
    rows.append(make_row(request_id="older", time=start - 60_000_000))
    rows.append(make_row(request_id="younger", time=start + 60_000_000))

    assert [row["request_id"] for row in _find("--since", age)] == ["younger"]


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("text", ["yesterday", "", "24", "h", "2026-13-01", "-1h", "9999999999d"])
def test_a_time_that_is_none_is_refused(rows: HostRequestLog, option: str, text: str) -> None:
    """A time that cannot be read is a wrong call, with an example of a right one."""
    result = _run("search", option, text)

    assert result.exit_code == 2
    assert option in result.stderr
    assert "2026-05-01T12:30Z" in result.stderr


def test_the_table_steers_no_terminal(rows: HostRequestLog) -> None:
    """What stands in the log without having been escaped is escaped when it is shown; what was is not escaped twice."""
    rows.append(make_row(user="a\x1b[2Jb\r\nc", path="/already\\x1b"))

    output = _run("search").stdout

    assert "a\\x1b[2Jb\\x0d\\x0ac" in output
    assert "GET /already\\x1b\n" in output


# --- export ---


def test_export_writes_json_lines(rows: HostRequestLog) -> None:
    """Without options every row is a line of JSON, newest first."""
    written = [make_row() for _ in range(30)]
    for row in written:
        rows.append(row)

    lines = _run("export").stdout.splitlines()

    assert [json.loads(line) for line in lines] == [row.document() for row in written[::-1]]


def test_export_writes_csv(rows: HostRequestLog) -> None:
    """CSV has a heading, UTF-8 whatever the terminal speaks, and the rows of the time asked for."""
    rows.append(make_row(request_id="too old", time=NOON - 1))
    rows.append(make_row(request_id="in time", time=NOON, user="zoë@example.com"))
    rows.append(make_row(request_id="too new", time=NOON + _HOUR))

    arguments = ("--format", "csv", "--since", "2026-05-01T12:00", "--until", "2026-05-01T13:00")
    text = _run("export", *arguments).stdout_bytes.decode("utf-8")

    (record,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (record["request_id"], record["user"]) == ("in time", "zoë@example.com")


def test_export_to_a_file_replaces_it_whole(rows: HostRequestLog, tmp_path: Path) -> None:
    """The file has all rows, is readable by its owner alone, and stands where another stood."""
    row = make_row()
    rows.append(row)
    target = tmp_path / "out" / "log.jsonl"
    target.parent.mkdir()
    target.write_text("what was there before")

    result = _run("export", "--output", str(target))

    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(target.read_text()) == row.document()
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_an_export_that_fails_leaves_nothing(rows: HostRequestLog, tmp_path: Path) -> None:
    """A database that cannot be read to its end leaves no half file, and the old one as it was."""
    for _ in range(PAGE_ROWS_MAX + 1):
        rows.append(make_row())
    list(rows.search(LogQuery(limit=1)))
    with rows.reader._database.writing.begin() as connection:
        connection.exec_driver_sql("UPDATE request_log SET path = CAST(x'ff' AS TEXT) WHERE id = 1")
    target = tmp_path / "out" / "log.jsonl"
    target.parent.mkdir()
    target.write_text("what was there before")

    result = _run("export", "--output", str(target))

    assert result.exit_code == 4
    assert "cannot be read" in result.stderr
    assert target.read_text() == "what was there before"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("target", ["/dev/null", "/", "/no/such/folder/log.csv"])
def test_export_writes_files_only(rows: HostRequestLog, target: str) -> None:
    """What is not a file is not replaced by one."""
    result = _run("export", "--output", target)

    assert result.exit_code == 2
    assert "--output" in result.stderr


@pytest.mark.parametrize("command", [["search"], ["tail"], ["export"]], ids=" ".join)
def test_help_shows_an_example(command: list[str]) -> None:
    """Each command's help ends with a line that can be copied."""
    assert f"Example: latchgate log {command[0]}" in _run(*command, "--help").stdout


# --- in a process of its own ---


def _start(*arguments: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "latchgate", "log", *arguments], stdout=stdout, stderr=stderr, text=True
    )


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_tail_shows_what_is_written_next(rows: HostRequestLog) -> None:
    """The last ten rows that match come first, then each new one that does, once; Ctrl-C ends it without a word."""
    for number in range(15):
        rows.append(make_row(request_id=f"old-{number}"))
        rows.append(make_row(request_id="other", user="bob@example.com"))

    with _start("tail", "--user", "ann@example.com", "--json") as process:
        shown = [json.loads(_line(process))["request_id"] for _ in range(10)]
        for request_id, user in (("new-1", "ann@example.com"), ("other", None), ("new-2", "ann@example.com")):
            rows.append(make_row(request_id=request_id, user=user))
        followed = [json.loads(_line(process))["request_id"] for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest, complaints = process.communicate(timeout=_DEADLINE_SECONDS)

    assert shown == [f"old-{number}" for number in range(5, 15)]
    assert followed == ["new-1", "new-2"]
    assert (process.returncode, rest, complaints) == (0, "", "")


def test_tail_prints_a_table(rows: HostRequestLog) -> None:
    """People get the same table as from a search, oldest first."""
    rows.append(make_row(path="/first"))
    rows.append(make_row(path="/second"))

    with _start("tail") as process:
        lines = [_line(process) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_DEADLINE_SECONDS)

    assert lines[0].startswith("TIME ")
    assert [line.split()[-1] for line in lines[1:]] == ["/first", "/second"]


def test_tail_ends_when_nobody_reads(rows: HostRequestLog) -> None:
    """A closed pipe ends it at once and in silence, though no row comes."""
    rows.append(make_row())

    with _start("tail", "--json") as process:
        _line(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        complaints = process.stderr.read()
        process.wait(_DEADLINE_SECONDS)

    assert (process.returncode, complaints) == (141, "")


def test_search_ends_when_nobody_reads(rows: HostRequestLog) -> None:
    """A reader that has enough, such as head, ends a search in silence."""
    for _ in range(PAGE_ROWS_MAX):
        rows.append(make_row(path="/" + "x" * 1000))

    with _start("search", "--limit", "0", "--json") as process:
        _line(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        complaints = process.stderr.read()
        process.wait(_DEADLINE_SECONDS)

    assert (process.returncode, complaints) == (141, "")


def test_a_terminal_gets_colour_and_progress(rows: HostRequestLog, tmp_path: Path) -> None:
    """On a terminal a refusal is coloured and a long export counts; elsewhere there is neither."""
    for _ in range(PAGE_ROWS_MAX):
        rows.append(make_row(status=401, reason="expired"))
    rows.append(make_row(status=500))

    search = _on_terminal(lambda terminal: _start("search", stdout=terminal))
    export = _on_terminal(lambda terminal: _start("export", "--output", str(tmp_path / "x"), stderr=terminal))

    assert "\x1b[31m2026" in search
    assert "\x1b[33m2026" in search
    assert "1,000 rows" in export
    assert "\x1b[" not in _run("search").stdout
    assert _run("export", "--output", str(tmp_path / "x")).stderr == f"Wrote 1,001 rows to {tmp_path / 'x'}.\n"


def _on_terminal(start: "Callable[[int], subprocess.Popen[str]]") -> str:
    """Run a command on a terminal of its own and give what it wrote there."""
    ours, theirs = pty.openpty()
    try:
        with start(theirs) as process:
            os.close(theirs)
            written = b""
            deadline = time.monotonic() + _DEADLINE_SECONDS
            # Reading from a terminal that nobody holds any more is an error on Linux, and the end elsewhere.
            with suppress(OSError):
                while time.monotonic() < deadline and (chunk := os.read(ours, 65536)):
                    written += chunk
            process.communicate(timeout=_DEADLINE_SECONDS)
    finally:
        os.close(ours)
    return written.decode()
