"""/metrics of processes that really run: any worker tells of all, and what was counted outlives who counted it."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest

from support.asgi import LOGGED_USER
from support.families import wait_until
from support.running import RunningLatchgate
from support.scraped import Scraped, changes
from support.wire_client import Client, ask_once

_ROUNDS = 60


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningLatchgate]:
    """A server of one's own with two workers, whose page this machine may read."""
    settings = {"LATCHGATE_WORKERS": "2", "LATCHGATE_METRICS_FROM": "127.0.0.0/8"}
    running = RunningLatchgate(tmp_path / "home", **settings).start()
    wait_until(lambda: _scrape(running).value("latchgate_processes", kind="ingester") == 1, "the rows are moved")
    yield running
    running.kill()


def _scrape(running: RunningLatchgate) -> Scraped:
    answer = ask_once(running.port, path="/metrics")
    assert answer.status == 200
    return Scraped(answer.body.decode())


def _make_key(running: RunningLatchgate) -> str:
    key = running.ask("key", "generate", "Administrator")
    return f"token {key['api_key']}:{key['api_secret']}"


def _of_keys(page: Scraped) -> dict[tuple[str, str, str], float]:
    """Leave out the requests that only looked at the page or whether the server is there."""
    return {by: count for by, count in page.requests.items() if by[0] != "none"}


def test_the_totals_of_all_processes_are_exact(running: RunningLatchgate) -> None:
    """Each request is counted once, whichever worker had it and whichever way it went; each row once."""
    token = _make_key(running)
    before = _scrape(running)
    connections = [Client(running.port) for _ in range(8)]
    statuses = []
    for number in range(_ROUNDS):
        client = connections[number % len(connections)]
        statuses.append(client.ask(token).status)
        statuses.append(client.ask(token, path="/api/method/ping").status)
        statuses.append(client.ask(f"Bearer nobodys-{number}").status)
        statuses.append(client.ask(token, path="/api/method/nothing").status)
    for client in connections:
        client.close()

    def is_caught_up() -> bool:
        page = _scrape(running)
        return page.value("latchgate_log_rows_behind") == 0

    wait_until(is_caught_up, "every row is in the database")
    after = _scrape(running)

    assert sorted(set(statuses)) == [200, 401, 417]
    grown = changes(_of_keys(before), _of_keys(after))
    fast = grown.pop(("token", "allowed", "fast"))
    assert grown.pop(("token", "allowed", "ordinary"), 0) + fast == 2 * _ROUNDS
    # A worker whose cache is not trusted just then leaves a request to the ordinary way.
    assert fast >= _ROUNDS - 2 * len(connections)
    assert grown == {("Bearer", "unauthenticated", "ordinary"): _ROUNDS, ("token", "client_error", "ordinary"): _ROUNDS}
    rows = {
        name: after.value(f"latchgate_log_{name}_total") - before.value(f"latchgate_log_{name}_total")
        for name in ("rows_appended", "rows_ingested", "refusals_tallied")
    }
    assert rows["rows_appended"] + rows["refusals_tallied"] == 4 * _ROUNDS
    assert rows["rows_ingested"] == rows["rows_appended"]
    hits = after.value("latchgate_cache_hits_total") - before.value("latchgate_cache_hits_total")
    misses = after.value("latchgate_cache_misses_total") - before.value("latchgate_cache_misses_total")
    assert hits >= fast
    assert misses >= 1
    assert after.value("latchgate_processes", kind="worker") == 2
    assert after.value("latchgate_process_starts_total", kind="worker") == 2
    assert after.value("latchgate_process_deaths_total", kind="worker") == 0


def test_what_a_killed_worker_has_counted_stays(running: RunningLatchgate) -> None:
    """Of the requests that it answered none is missing, and no number has fallen; its memory is no more."""
    token = _make_key(running)
    first = _scrape(running)
    answered = killed = 0
    for _ in range(3):
        before = _scrape(running)
        clients = [Client(running.port) for _ in range(4)]
        for client in clients:
            for _ in range(10):
                answered += client.ask(token).status == 200
        pids = running.workers
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        killed += len(pids)
        for client in clients:
            client.close()
        wait_until(partial(_are_gone, running, pids), "they are gone")
        after = _scrape(running)

        fallen = {key: value for key, value in before.counters.items() if after.counters[key] < value}
        assert fallen == {}
    last = _scrape(running)

    grown = changes(_of_keys(first), _of_keys(last))
    assert sum(grown.values()) == answered == 120
    assert last.value("latchgate_process_deaths_total", kind="worker") == killed >= 3
    wait_until(lambda: _scrape(running).value("latchgate_processes", kind="worker") == 2, "there are two again")
    assert _scrape(running).value("latchgate_process_starts_total", kind="worker") == 2 + killed
    # Verdicts died with those who remembered them.
    assert _scrape(running).value("latchgate_cache_entries") == 0


def test_requests_under_way_are_counted_at_most_once(running: RunningLatchgate) -> None:
    """A worker is killed in the middle of them: beyond those that were answered at most one a connection is counted."""
    token = _make_key(running)
    before = _scrape(running)
    answered = asked = 0
    for number in range(6):
        with closing(Client(running.port)) as client, suppress(OSError, HTTPException):
            for turn in range(40):
                if turn == 5 + number:
                    for pid in running.workers[:1]:
                        os.kill(pid, signal.SIGKILL)
                asked += 1
                answered += client.ask(token).status == 200

    after = _scrape(running)
    grown = sum(changes(_of_keys(before), _of_keys(after)).values())

    assert answered <= grown <= asked
    assert grown - answered <= 6


def test_an_ingester_that_dies_is_told_of(running: RunningLatchgate) -> None:
    """And the rows of before are moved by whoever comes."""
    token = _make_key(running)
    before = _scrape(running)
    (ingester,) = set(running.children) - set(running.workers)
    os.kill(ingester, signal.SIGKILL)
    wait_until(lambda: ingester not in running.children, "it is gone")
    assert ask_once(running.port, token, path=LOGGED_USER).status == 200

    wait_until(lambda: _scrape(running).value("latchgate_process_starts_total", kind="ingester") == 2, "another came")
    wait_until(lambda: _scrape(running).value("latchgate_log_rows_behind") == 0, "the row is moved")
    after = _scrape(running)

    assert after.value("latchgate_process_deaths_total", kind="ingester") == 1
    assert after.value("latchgate_log_rows_ingested_total") > before.value("latchgate_log_rows_ingested_total")


def _are_gone(running: RunningLatchgate, pids: list[int]) -> bool:
    return not set(pids) & set(running.children)
