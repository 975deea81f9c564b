"""Processes that fork with the instance open: both sides go on, and both are told of what is revoked."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from latchgate.core.heads import Head
from latchgate.core.log_entries import LogEntry
from latchgate.core.policy import SIGNED_IN
from latchgate.errors import SettingsError, StorageError
from latchgate.middleware import instances
from latchgate.middleware.instances import Instance
from latchgate.middleware.local import LocalKeeper
from latchgate.request_log.segment_writer import SegmentLog
from latchgate.settings import load_settings
from support.asgi import Pair, Service, opened_service
from support.families import kill_family
from support.forking_application import ask
from support.forks import run_in_forks
from support.running import RunningLatchgate

_ROOT = Path(__file__).parents[2]
_USER = "api@example.com"


@pytest.fixture(name="own")
def _own(service: Service) -> Iterator[LocalKeeper]:
    """A keeper upon the instance."""
    keeper = LocalKeeper(load_settings({"home": service.latchgate.settings.home}))
    yield keeper
    keeper.close()


@pytest.fixture(name="alone", scope="module")
def _alone(tmp_path_factory: pytest.TempPathFactory) -> RunningLatchgate:
    """An instance that no server runs beside: whoever closes it last removes its write-ahead log."""
    alone = RunningLatchgate(tmp_path_factory.mktemp("forks") / "home")
    assert alone.run("database", "upgrade").returncode == 0
    alone.ask("user", "create", _USER)
    return alone


def _make_key(alone: RunningLatchgate) -> tuple[str, str]:
    made = alone.ask("key", "generate", _USER)
    return made["api_key"], f"token {made['api_key']}:{made['api_secret']}"


def _start(alone: RunningLatchgate, authorization: str, then: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "support.forking_application", authorization, then],
        env={**alone.environment, "PYTHONPATH": str(_ROOT / "tests")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("then", ["ends", "closes", "goes on"])
def test_a_child_is_told_of_what_is_revoked(alone: RunningLatchgate, then: str) -> None:
    """Whatever becomes of the parent that had the instance open, the child refuses a revoked key, and all is logged."""
    key, authorization = _make_key(alone)
    process = _start(alone, authorization, then)
    assert process.stdin is not None
    assert process.stdout is not None
    lines = process.stdout

    def ask_child() -> Any:  # noqa: ANN401  # whatever is told
        print(file=process.stdin, flush=True)
        return json.loads(lines.readline())

    try:
        before = ask_child()
        if then == "ends":
            process.wait(30)
        # Ends as the last one that SQLite knows of, if nobody holds the database any more.
        alone.ask("user", "list")
        alone.ask("key", "revoke", key)
        after = [ask_child() for _ in range(3)]
        process.stdin.close()
        parents = [json.loads(line) for line in lines]
    finally:
        lines.close()
        kill_family(process)

    rows = alone.ask("log", "search", "--key", key, "--limit", "0")
    assert (before, after) == (200, [401] * 3)
    assert parents == ([] if then == "ends" else [401])
    due = Counter({"/parent/0": 200, **{f"/child/{number}": 401 if number else 200 for number in range(4)}})
    due.update({"ends": {}, "closes": {"/parent/2": 401}, "goes on": {"/parent/1": 200, "/parent/2": 401}}[then])
    assert Counter({row["path"]: row["status"] for row in rows}) == due
    assert len(rows) == len(due)


def test_requests_of_other_threads_go_on(alone: RunningLatchgate) -> None:
    """While threads serve, others fork: no request fails, none waits for ever, each of both sides has one row."""
    key, authorization = _make_key(alone)
    process = _start(alone, authorization, "threads")
    try:
        asked = json.loads(process.communicate(timeout=300)[0])
    finally:
        kill_family(process)

    assert {status for _, status in asked} == {200}
    rows = alone.ask("log", "search", "--key", key, "--limit", "0")
    assert Counter(row["path"] for row in rows) == Counter(path for path, _ in asked)


def _carrying(key: Pair) -> Head:
    return Head("GET", b"/", "192.0.2.7", ((b"authorization", key.token.encode()),))


def test_an_application_may_fork_in_the_middle_of_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is written once, and put on the disk, though the instance is another by then."""
    with opened_service(tmp_path / "home", log_sync="always") as service:
        service.make_user(_USER)
        keeper = LocalKeeper(load_settings({"home": tmp_path / "home", "log_sync": "always"}))
        _, position = service.latchgate.request_log.follow(None)
        passage = keeper.admit(_carrying(service.make_key(_USER)), SIGNED_IN)

        run_in_forks([lambda: None])

        synced: list[object] = []
        monkeypatch.setattr(
            "latchgate.request_log.segment_writer.SegmentLog.sync", lambda log: synced.append(log.written()[0])
        )
        assert passage.try_record(200)
        keeper.close()
        rows, _ = service.latchgate.request_log.follow(position)
        assert [row.status for row in rows] == [200]
        assert synced == [1]


def test_what_cannot_be_logged_after_a_fork_does_not_leave(
    own: LocalKeeper, key: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the instance cannot be opened anew for the row of a request under way, there is no reply but a 503."""

    def fail(*_: object, **__: object) -> None:
        raise StorageError("The database cannot be reached")

    passage = own.admit(_carrying(key), SIGNED_IN)
    run_in_forks([lambda: None])
    with monkeypatch.context() as patched:
        patched.setattr(instances, "open_latchgate", fail)
        assert not passage.try_record(200)

    monkeypatch.setattr(instances, "_AGAIN_SECONDS", 0.0)
    assert ask(own, key.token, "/") == 200


def test_nothing_of_the_parents_is_open_in_a_child(tmp_path: Path) -> None:
    """Databases are closed before, the rest at once after: a child could neither use nor close what it had of them."""
    home = tmp_path / "home"
    with opened_service(home) as service:
        service.make_user(_USER)
        token = service.make_key(_USER).token
    keeper = LocalKeeper(load_settings({"home": home}))

    def opened() -> list[str]:
        links = list(Path("/proc/self/fd").iterdir())
        # The folder's own is gone by now.
        targets = [str(link.readlink()) for link in links if link.is_symlink()]
        # The numbers of changes are mapped, and let go of when they are collected.
        return [one for one in targets if one.startswith(str(home)) and not one.endswith("-generation")]

    def look() -> None:
        assert opened() == []

    assert ask(keeper, token, "/") == 200
    had = opened()
    assert len(had) > 3
    run_in_forks([look])
    # The log's segments, and the folder, so that nobody takes them away.
    assert {Path(one).suffix for one in opened()} == {".segment", ""}
    assert ask(keeper, token, "/") == 200
    assert {Path(one).name for one in had} & {"latchgate.db", "latchgate.db-wal"} <= {
        Path(one).name for one in opened()
    }
    keeper.close()
    assert opened() == []


def test_who_keeps_it_too_long_is_left_alone(
    own: LocalKeeper,
    key: Pair,
    rows: Callable[[], list[LogEntry]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then the parent goes on as it was; the child, which might miss a revocation, lets nobody in, and says why."""
    monkeypatch.setattr(instances, "_PATIENCE_SECONDS", 0.05)
    token = key.token
    assert ask(own, token, "/before") == 200
    instance = own._instance()
    taken, done = threading.Event(), threading.Event()

    def keep() -> None:
        assert instance.borrow() is not None
        taken.set()
        done.wait(30)
        instance.give_back()

    thread = threading.Thread(target=keep)
    thread.start()
    taken.wait(30)

    def refuse() -> None:
        assert ask(own, token, "/child") == 503
        assert "was forked while the instance was open" in capsys.readouterr().err
        # Another keeper upon it knows too.
        with pytest.raises(SettingsError, match="fork first"):
            LocalKeeper(own._settings).open()

    run_in_forks([refuse])
    assert ask(own, token, "/after") == 200
    done.set()
    thread.join()
    assert own._instance() is instance
    assert [row.path for row in rows()] == ["/before", "/after"]


def test_the_thread_that_forks_does_not_wait_for_itself(own: LocalKeeper) -> None:
    """If it has borrowed the instance, by a signal in the middle of a request, it stays open in the parent."""
    instance = own._instance()
    latchgate = instance.borrow()

    run_in_forks([lambda: None])

    assert instance.borrow() is latchgate
    instance.give_back()
    instance.give_back()


def test_a_fork_that_python_is_not_told_of(own: LocalKeeper, key: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose id is another takes nothing of what its parent had open, and lets nobody in."""
    assert ask(own, key.token, "/") == 200

    with monkeypatch.context() as patched:
        patched.setattr("os.getpid", lambda: -1)
        refusal = own.admit(_carrying(key), SIGNED_IN).refusal

    assert refusal is not None
    assert refusal.status == 503
    assert ask(own, key.token, "/") == 200


def test_across_a_network_nobody_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database there knows no locks of processes: what is in use stays open, and what is not is closed at once."""
    closed: list[bool] = []
    fake: Any = SimpleNamespace(
        gate_may_wait=True, close=lambda: closed.append(True), settings=SimpleNamespace(database_path=None)
    )
    monkeypatch.setattr(instances, "open_latchgate", lambda *_, **__: fake)
    instance = Instance(load_settings({"home": tmp_path}))
    assert instance.borrow() is fake
    thread = threading.Thread(target=instance.shut)
    thread.start()
    thread.join(30)
    # In use, and no fork is under way for who has it.
    assert (instance.borrow(), closed) == (fake, [])
    instance.reopen()
    instance.give_back()
    instance.give_back()

    instance.shut()

    assert (instance.borrow_at_once(), closed) == (None, [True])


def test_a_program_that_is_run_closes_nothing(own: LocalKeeper, key: Pair) -> None:
    """`subprocess` tells Python of a fork only if it runs a function of ours in the child; then all is opened anew."""
    for more, stays in (({}, True), ({"preexec_fn": lambda: None}, False)):
        assert ask(own, key.token, "/") == 200
        subprocess.run([sys.executable, "-c", ""], check=True, timeout=30, **more)  # type: ignore[call-overload]
        found = own._instance().borrow_at_once()
        assert (found is not None) == stays
        if found is not None:
            own._instance().give_back()


def test_a_fork_in_the_middle_of_a_fork(own: LocalKeeper, key: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal may fork in the thread that is about to: afterwards every process lets requests in."""
    before, forked = SegmentLog.before_fork, list[None]()

    def serve() -> None:
        assert ask(own, key.token, "/") == 200

    def interrupted(log: SegmentLog) -> None:
        before(log)
        if not forked:
            forked.append(None)
            run_in_forks([lambda: None])

    def fork() -> None:
        serve()
        run_in_forks([serve])
        serve()

    def work() -> None:
        monkeypatch.setattr(SegmentLog, "before_fork", interrupted)
        fork()
        assert forked

    _require_end(work)


def _require_end(work: Callable[[], object]) -> None:
    """Do it in a process of its own, which must not wait for ever."""
    child = os.fork()
    if not child:
        signal.alarm(20)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def _keep_fake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, close: Callable[[], object], *, waits: bool = False
) -> LocalKeeper:
    """Give a keeper that has something open which closes so."""
    fake: Any = SimpleNamespace(gate_may_wait=waits, close=close, settings=SimpleNamespace(database_path=None))
    monkeypatch.setattr(instances, "open_latchgate", lambda *_, **__: fake)
    keeper = LocalKeeper(load_settings({"home": tmp_path}))
    keeper.open()
    return keeper


def test_a_fork_in_the_middle_of_closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal may fork in the thread that closes: it goes on, and later requests are let in."""
    keeper = _keep_fake(tmp_path, monkeypatch, lambda: run_in_forks([lambda: None]))

    def work() -> None:
        keeper.close()
        keeper.open()

    _require_end(work)


def test_what_cannot_be_closed_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever interrupts closing, later requests are let in."""

    def fail() -> None:
        raise KeyboardInterrupt

    keeper = _keep_fake(tmp_path, monkeypatch, fail)
    with pytest.raises(KeyboardInterrupt):
        keeper.close()

    monkeypatch.setattr(instances, "open_latchgate", lambda *_, **__: SimpleNamespace(close=lambda: None))
    assert keeper._instance()._may_enter()
    keeper.open()


def test_a_fork_between_a_look_and_its_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a signal's fork has closed in the middle of borrowing is not given."""
    closed: list[bool] = []
    instance = _keep_fake(tmp_path, monkeypatch, lambda: closed.append(True))._instance()
    may_enter = instance._may_enter

    def interrupted() -> bool:
        instance.shut()
        instance.reopen()
        return may_enter()

    monkeypatch.setattr(instance, "_may_enter", interrupted)

    assert (instance.borrow_at_once(), closed, instance._inside) == (None, [True], {})


def test_closing_waits_for_who_is_inside_wherever_the_database_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork may leave a database across a network as it is; the end of the application closes it."""
    closed: list[bool] = []
    keeper = _keep_fake(tmp_path, monkeypatch, lambda: closed.append(True), waits=True)
    instance = keeper._instance()
    assert instance.borrow_at_once() is not None
    thread = threading.Thread(target=keeper.close)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    instance.give_back()
    thread.join(30)

    assert closed == [True]
