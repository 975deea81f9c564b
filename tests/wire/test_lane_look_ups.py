"""What the fast lane looks up in vain is not looked up again, and counts as what it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.addresses import parse_networks
from latchgate.services.verified_cache import VerifiedCache
from support.asgi import LOGGED_USER, PEER, Service, opened_service
from support.running import RunningLatchgate
from support.scraped import Scraped
from support.wire_client import Client, ask_once

USER = "api@example.com"
_REQUESTS = 20
_TRIES = 20


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """An instance of one's own, whose page this caller may read."""
    with opened_service(tmp_path / "home", metrics_from=f"{PEER}/32") as alone:
        alone.make_user(USER)
        yield alone


def _scrape(service: Service) -> Scraped:
    return Scraped(service.ask("/metrics").text)


def _misses(page: Scraped) -> float:
    return page.value("latchgate_cache_misses_total")


def _hits(page: Scraped) -> float:
    return page.value("latchgate_cache_hits_total")


def _look_ups(service: Service, header: str) -> Iterator[float]:
    """Ask again and again, and tell each time how many look-ups it took."""
    for number in range(_TRIES):
        before = _misses(_scrape(service))
        service.ask(LOGGED_USER, header.replace("NUMBER", str(number)))
        yield _misses(_scrape(service)) - before


# What was left lasts for a second of the clock, and while the cache is trusted: on a busy machine that may be over.


def test_an_unknown_token_is_looked_up_once(alone: Service) -> None:
    """It is never remembered, and so both ways in the application would ask the database for it."""
    assert alone.ask(LOGGED_USER, "Bearer nobodys").row.reason == "unknown_token"

    assert 1 in _look_ups(alone, "Bearer nobodys-NUMBER")


def test_a_key_from_elsewhere_is_looked_up_once(alone: Service) -> None:
    """Nor is what an address alone refuses."""
    networks = parse_networks("198.51.100.0/24")
    assert isinstance(networks, tuple)
    key = alone.make_key(USER, networks=networks).token
    assert alone.ask(LOGGED_USER, key).row.reason == "address_not_allowed"

    assert 1 in _look_ups(alone, key)


def test_unknown_tokens_are_looked_up_once_by_a_server(tmp_path: Path) -> None:
    """By the parser, the application and its gate together."""
    running = RunningLatchgate(tmp_path / "home", LATCHGATE_METRICS_FROM="127.0.0.0/8").start()
    try:
        before = _misses(Scraped(ask_once(running.port, path="/metrics").body.decode()))
        client = Client(running.port)
        statuses = {client.ask(f"Bearer nobodys-{number}").status for number in range(_REQUESTS)}
        client.close()
        after = _misses(Scraped(ask_once(running.port, path="/metrics").body.decode()))
    finally:
        running.kill()

    assert statuses <= {401, 429}
    # As above: three for each, were nothing left.
    assert after - before < 2 * _REQUESTS


@pytest.mark.parametrize("kind", ["limited", "wrong secret"])
def test_hits_never_fall(alone: Service, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Prometheus takes a number that falls for a start from nothing: what is not trusted takes no hit away."""
    hit = alone.make_key(USER).token
    for _ in range(3):
        assert alone.ask(LOGGED_USER, hit).status == 200
    limited = alone.make_key(USER, per_minute=100)
    header = limited.token if kind == "limited" else f"token {limited.key_id}:guess"
    before = _hits(_scrape(alone))

    def know_nothing(*_: object) -> None:
        """As when the watcher has not come round for a quarter of a second."""

    monkeypatch.setattr(VerifiedCache, "find", know_nothing)
    monkeypatch.setattr(VerifiedCache, "recall", know_nothing)
    alone.ask(LOGGED_USER, header)
    monkeypatch.undo()

    assert _hits(_scrape(alone)) >= before


def test_hits_never_fall_between_two_words(alone: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the page while a first request is answered sees no fewer hits than before."""
    assert [alone.ask(LOGGED_USER, alone.make_key(USER).token).status] == [200]
    hit = alone.make_key(USER).token
    for _ in range(3):
        alone.ask(LOGGED_USER, hit)
    first = alone.make_key(USER).token
    before = _hits(_scrape(alone))
    seen = []
    append = type(alone.latchgate.request_log).append_prepared

    def look_and_append(*arguments: object) -> None:
        totals = alone.latchgate.measures.read_totals()
        recalled = sum(count for name, count in totals.items() if name.startswith("recalled "))
        seen.append(totals["cache_hits"] + recalled)
        append(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(type(alone.latchgate.request_log), "append_prepared", look_and_append)
    assert alone.ask(LOGGED_USER, first).status == 200
    monkeypatch.undo()

    assert seen[0] >= before
