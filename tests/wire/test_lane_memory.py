"""What the fast lane keeps with verdicts is counted for what it takes, so that the cache holds to its bytes."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from latchgate.core.forwarded import Proxy
from latchgate.core.rule_fields import rule_from
from latchgate.request_log.records import _encode_what_once, _encode_who_once
from latchgate.server.fast_lane import FastLane
from latchgate.server.forward_lane import ForwardLane
from latchgate.server.lane_frames import Sent
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Service, opened_service
from support.measuring import skip_where_coverage_measures
from support.protected import APP, PROXY, question

_KEYS = 150
_ANN = "ann@example.com"
_VERIFY = b"/auth/verify?proxy=nginx"

Ask = Callable[[bytes, bytes, bytes], object]
"""Asks with a credential, for a path, by a user agent; None if the lane leaves it."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An instance with Ann, and one rule."""
    with opened_service(tmp_path / "home", trusted_proxies=[PROXY]) as service:
        service.make_user(_ANN)
        service.latchgate.access_rules.load(COMMAND_LINE, [rule_from({"path": "/*"})], origin="the test")
        yield service


def _lane(service: Service) -> FastLane:
    assert service.application.lane is not None
    return service.application.lane


def _plain(service: Service) -> Ask:
    lane, target = _lane(service), LOGGED_USER.encode()

    def ask(authorization: bytes, path: bytes, agent: bytes) -> object:
        # Each from an address of its own, so that no two have their row's words in common.
        address = f"2001:db8::{int.from_bytes(authorization[-2:]):x}"
        sent = lane.read(target, [(b"authorization", authorization), (b"user-agent", agent)], address)
        assert isinstance(sent, Sent)
        return lane._find(target, sent)

    return ask


def _forward(service: Service) -> Ask:
    [lane] = [part for part in vars(_lane(service)).values() if isinstance(part, ForwardLane)]

    def ask(authorization: bytes, path: bytes, agent: bytes) -> object:
        told = [(b"x-original-method", b"GET"), (b"host", APP.encode()), (b"x-original-uri", path)]
        sent = [(b"x-forwarded-for", b"192.0.2.7"), (b"authorization", authorization), (b"user-agent", agent)]
        question = lane.read(_VERIFY, [*told, *sent], PROXY)
        assert question is not None
        found = lane.find(_VERIFY, question)
        # The answers of a minute have bounds of their own.
        lane._frames.clear()
        return found

    return ask


@pytest.mark.parametrize(
    ("lane", "path", "agent", "least"),
    [
        # What tells of the caller is one object for both, and counted for each.
        (_plain, b"", b"curl/8", 0.4),
        # An agent that many have is one object, and counted for each.
        (_plain, b"", b"m" * 450, 0.2),
        (_forward, b"/reports/", b"curl/8", 0.7),
        (_forward, b"/reports/" + b"x" * 200, b"m" * 450, 0.5),
    ],
)
def test_answers_kept_ready_take_what_they_are_counted_for(
    service: Service, lane: Callable[[Service], Ask], path: bytes, agent: bytes, least: float
) -> None:
    """No more, and not much less: each credential asks twice, each time by another agent, or for another path."""
    skip_where_coverage_measures()
    ask, cached = lane(service), service.latchgate.gate.cached
    assert cached is not None
    keys = [service.make_key(_ANN).token.encode() for _ in range(_KEYS)]
    _, address, headers = question(Proxy.NGINX)
    # The verdicts themselves, and what only the first request of all makes.
    for authorization in keys:
        assert service.ask(LOGGED_USER, authorization).status == 200
        assert service.ask(address, authorization, headers=headers, peer=PROXY).status == 204
        ask(authorization, b"/first", b"first")

    gc.collect()
    tracemalloc.start()
    try:
        for number, (place, key) in product(range(2), enumerate(keys)):
            # On a busy machine nobody may have looked after the cache for a while: then it knows nothing.
            while ask(key, b"%b%d.%d" % (path, place, number), b"%b%d" % (agent, number)) is None:
                time.sleep(0.01)
        # They have bounds of their own, as whatever else one row has in common with others.
        _encode_what_once.cache_clear()
        _encode_who_once.cache_clear()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    counted = sum(verdict.prepared_bytes for verdict in cached.cache.store._verdicts.values())
    assert least * counted < taken < counted, (taken / _KEYS, counted / _KEYS)
