"""The long run: many ask, others change what is true, some die; no answer is wrong, and each is in the log, once."""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

from latchgate.core.permissions import Action, Grant
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import LogQuery
from support.asgi import opened_service
from support.history import Asked, Change, History, boot_ns, find_unlogged
from support.rule_books import rule_of
from support.running import RunningLatchgate
from support.truth_changers import KINDS, MANAGER, Orders, read_changes, run_changer, users_of
from support.truth_clients import Pool, read_asked, run_clients
from support.truth_hands import NOBODYS_ROLE, ROLE, RULES


@dataclass(frozen=True)
class _Force:
    """What the server is up against."""

    workers: int
    kills_a_minute: float
    """How many of the server's children die by kill -9; 0: none."""
    restarts_a_minute: float
    """How often everything of the server dies by kill -9 at once, and is started again."""
    clients: int = 4
    """Processes that ask."""


FORCE = _Force(workers=4, kills_a_minute=10, restarts_a_minute=1)
"""The one place where it is said how many workers serve, and how many of them are killed."""

_SECONDS, _SECONDS_LONG = 120, 3_600
_SECONDS_VARIABLE = "TRUTH_SECONDS"
"""An environment variable: another length of both runs."""
_SHOWN = 10


def _seconds(default: int) -> int:
    return int(os.environ.get(_SECONDS_VARIABLE) or default)


@dataclass(frozen=True)
class _Run:
    """A server under load, and the files that its load leaves."""

    running: RunningLatchgate
    folder: Path
    changers: tuple[Orders, ...]

    @property
    def clients(self) -> list[Path]:
        """What each process that asks has written down."""
        return [self.folder / f"client-{number}.asked" for number in range(FORCE.clients)]

    def asked(self) -> Iterator[Asked]:
        """Read what was asked by the credentials that are changed."""
        return chain.from_iterable(map(read_asked, self.clients))

    def answered(self) -> Iterator[Asked]:
        """Read all that was answered, to those who change too."""
        return chain(self.asked(), *(read_asked(orders.answered) for orders in self.changers))

    def changes(self) -> list[tuple[str, Change]]:
        """Read all changes, each with its kind."""
        return [change for orders in self.changers for change in read_changes(orders.changes)]


def _prepare(home: Path) -> str:
    """Make the users that will be changed; give a System Manager's Authorization value."""
    with opened_service(home) as service:
        for role in (ROLE, NOBODYS_ROLE):
            service.latchgate.roles.create(COMMAND_LINE, role)
        rules = [replace(rule_of(f"/{name}/*", *([ROLE] if name == "role" else [])), id=0) for name in RULES]
        service.latchgate.access_rules.load(COMMAND_LINE, rules, origin="the test")
        grant = Grant(ROLE, "Role", if_owner=False, actions=frozenset({Action.READ}))
        service.latchgate.permissions.grant(COMMAND_LINE, grant)
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        for user in chain(users_of("http"), users_of("services")):
            service.make_user(user, roles=frozenset({ROLE}))
        return service.make_key(MANAGER).token


def _begin(tmp_path: Path, seconds: int) -> _Run:
    home = tmp_path / "home"
    manager = _prepare(home)
    settings = {"LATCHGATE_CREDENTIAL_FAILURES_PER_MINUTE": "1000000", "LATCHGATE_WORKERS": str(FORCE.workers)}
    settings["LATCHGATE_TRUSTED_PROXIES"] = "127.0.0.1"
    running = RunningLatchgate(home, **settings).start()
    stop_at = boot_ns() + seconds * 10**9
    changers = tuple(
        Orders(home, running.port, tmp_path, name, value, stop_at)
        for name, value in (("http", manager), ("services", ""))
    )
    for orders in changers:
        for file in (orders.pool, orders.changes, orders.answered):
            file.touch()
    return _Run(running, tmp_path, changers)


def _load(run: _Run) -> None:
    """Let all processes do their work, and some of the server's die."""
    context = get_context("spawn")
    over, nobody_dies = context.Event(), threading.Event()
    pools = [orders.pool for orders in run.changers]
    clients = [
        context.Process(target=run_clients, args=(run.running.port, pools, output, over, number))
        for number, output in enumerate(run.clients)
    ]
    changers = [context.Process(target=run_changer, args=(orders,)) for orders in run.changers]
    killers = [threading.Thread(target=kill, args=(run.running, nobody_dies)) for kill in (_kill_some, _kill_all)]
    for killer in killers:
        killer.start()
    try:
        for process in (*clients, *changers):
            process.start()
        _join(changers)
        nobody_dies.set()
        for killer in killers:
            killer.join()
        over.set()
        _join(clients)
    finally:
        nobody_dies.set()
        for process in (*clients, *changers):
            process.kill()


def _join(processes: list[SpawnProcess]) -> None:
    # The test's own timeout is patience enough.
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)


def _kill_some(running: RunningLatchgate, over: threading.Event) -> None:
    """Kill one of the server's children, whichever, again and again."""
    chance = random.Random(1)  # noqa: S311  # whom it meets
    while FORCE.kills_a_minute and not over.wait(chance.random() * 2 * 60 / FORCE.kills_a_minute):
        # None are left while everything is being started again.
        for child in chance.sample(children := _children(running.pid), min(1, len(children))):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _kill_all(running: RunningLatchgate, over: threading.Event) -> None:
    """Kill everything of the server, and start it again, again and again."""
    chance = random.Random(2)  # noqa: S311  # when it meets them
    while FORCE.restarts_a_minute and not over.wait(chance.random() * 2 * 60 / FORCE.restarts_a_minute):
        children = _children(running.pid)
        running.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        running.start()


def _children(master: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{master}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _told(violations: Iterable[str]) -> str:
    """Write the first of them, and how many there are of each sort."""
    found = list(violations)
    sorts = Counter(line.partition(":")[0] for line in found)
    return "\n".join([*(f"{sort}: {count}" for sort, count in sorts.items()), *islice(found, _SHOWN)])


def _lasting(default: int, *marks: pytest.MarkDecorator) -> Any:  # noqa: ANN401  # pytest keeps the type to itself
    """Give the run's length, with a time after which it hangs rather than being slow."""
    seconds = _seconds(default)
    return pytest.param(seconds, marks=[pytest.mark.timeout(3 * seconds + 900), *marks], id=f"{default} s")


@pytest.mark.parametrize("seconds", [_lasting(_SECONDS), _lasting(_SECONDS_LONG, pytest.mark.soak)])
def test_no_answer_is_wrong_and_none_is_lost(tmp_path: Path, seconds: int) -> None:
    """No request is answered against an acknowledged change, none refused without one; each is in the log once."""
    run = _begin(tmp_path, seconds)
    try:
        _load(run)
        assert run.running.stop() == 0
        # What a kill left to be done, the start does.
        run.running.start()
        assert run.running.stop() == 0
    finally:
        run.running.kill()

    pool = Pool([orders.pool for orders in run.changers])
    pool.close()
    changes = run.changes()
    history = History(pool.credentials, [change for _, change in changes])
    assert _told(history.find_violations(run.asked())) == ""

    with opened_service(run.running.home) as service:
        rows = service.latchgate.request_log.search(LogQuery(limit=0))
        assert _told(find_unlogged(run.answered(), ((row.request_id, row.status) for row in rows))) == ""

    # That all this was put to the test: every kind of change, every kind of answer, every process.
    assert set(KINDS) <= {kind for kind, change in changes if change.acknowledged}
    assert {one.status for one in run.asked()} == {200, 204, 401, 403}
    assert all(next(read_asked(file), None) for file in run.clients)
