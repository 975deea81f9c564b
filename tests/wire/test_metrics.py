"""/metrics: who may read it, and what each kind of request adds to it."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import StorageError
from latchgate.server.exposition import write_page
from latchgate.server.metrics import MEDIA_TYPE
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, PEER, Pair, Service, opened_service
from support.envelopes import assert_refused
from support.scraped import Scraped, changes

METRICS = "/metrics"
MANAGER = "manager@example.com"
API = "api@example.com"


@pytest.fixture(scope="module")
def reader(service: Service) -> Pair:
    """A key that can read this page and nothing else."""
    return service.make_key(MANAGER, scopes=frozenset({"Metrics:read"}))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """An instance of one's own, with few refusals a minute."""
    with opened_service(tmp_path / "home", credential_failures_per_minute=3, metrics_from=f"{PEER}/32") as alone:
        alone.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        alone.make_user(API)
        yield alone


def _scrape(service: Service, authorization: str | None = None) -> Scraped:
    answer = service.ask(METRICS, authorization)
    assert answer.status == 200, answer.text
    return Scraped(answer.text)


# 200


def test_a_key_of_its_own_scope_reads_it_by_every_scheme(service: Service, reader: Pair) -> None:
    """As Prometheus sends it: `token`, Basic or a Bearer token; and the answer is in the format that it asks for."""
    bearer = service.make_bearer(MANAGER, "made-elsewhere-for-metrics-0001", "Metrics:read")

    answers = [service.ask(METRICS, value) for value in (reader.token, reader.basic, bearer)]

    assert [(answer.status, answer.header("content-type")) for answer in answers] == [(200, MEDIA_TYPE)] * 3
    assert all(answer.row.user == MANAGER for answer in answers)
    assert "latchgate_requests" in Scraped(answers[0].text).families


def test_a_manager_reads_it_in_a_browser(service: Service) -> None:
    """A session is a credential like any other."""
    sid = service.sign_in(MANAGER).sid

    assert service.ask(METRICS, headers=[("cookie", f"sid={sid}")]).status == 200


def test_a_key_for_this_page_opens_nothing_else(service: Service, reader: Pair) -> None:
    """Not even to its manager's own records."""
    for target in ("/api/resource/User", "/api/resource/API%20Key", "/api/resource/API%20Request%20Log"):
        assert service.ask(target, reader.token).status == 403


def test_from_listed_addresses_anybody_reads_it(alone: Service) -> None:
    """By the caller's own address; what it says of itself in a header changes nothing."""
    assert alone.ask(METRICS).status == 200
    assert alone.ask(METRICS, alone.make_key(API).token).status == 200
    assert alone.ask(METRICS, peer="198.51.100.1").status == 403
    assert alone.ask(METRICS, peer="198.51.100.1", headers=[("x-forwarded-for", PEER)]).status == 403
    # A bad credential fails loudly wherever it comes from.
    assert alone.ask(METRICS, "token nobodys:guess").status == 401


# 401, 403


def test_nobody_else_reads_it(service: Service, api_key: Pair) -> None:
    """Neither Guest nor a user without the role, nor a manager's key for something else."""
    other = service.make_key(MANAGER, scopes=frozenset({"User:read"}))
    refused = [service.ask(METRICS), service.ask(METRICS, api_key.token), service.ask(METRICS, other.token)]

    assert [answer.status for answer in refused] == [403] * 3
    assert [answer.row.reason for answer in refused[1:]] == ["role_missing", "scope_missing"]
    assert_refused(service.ask(METRICS, "token nobodys:guess"), 401, "AuthenticationError")
    assert not any("latchgate_" in answer.text for answer in refused)


# What is counted


def test_each_outcome_is_counted_once(alone: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the scheme that carried the credential and what became of the request, and by nothing that a caller chose."""
    key, limited = alone.make_key(API), alone.make_key(API, per_minute=1)
    alone.ask(LOGGED_USER, key.token)
    before = _scrape(alone).requests

    statuses = [
        alone.ask(LOGGED_USER, key.token).status,
        alone.ask(LOGGED_USER, key.basic).status,
        alone.ask(LOGGED_USER, limited.token).status,
        alone.ask(LOGGED_USER, limited.token).status,
        alone.ask(METRICS, key.token, peer="198.51.100.1").status,
        alone.ask("/api/resource/User/nobody@example.com", alone.make_key(MANAGER).token).status,
        alone.ask("/api/method/ping").status,
        alone.ask(LOGGED_USER).status,
        *(alone.ask(LOGGED_USER, "Bearer nobodys").status for _ in range(4)),
        alone.ask(LOGGED_USER, "Digest whatever").status,
        alone.ask(LOGGED_USER, headers=[("cookie", "sid=nobodys")]).status,
    ]

    def fail(*_: object) -> None:
        raise StorageError("The database cannot be reached")

    monkeypatch.setattr(type(alone.latchgate.request_log), "reserve", fail)
    statuses.append(alone.ask("/api/method/ping", alone.make_key(API).token).status)
    monkeypatch.undo()

    assert statuses == [200, 200, 200, 429, 403, 404, 200, 403, 401, 401, 401, 429, 401, 403, 503]
    assert changes(before, _scrape(alone).requests) == {
        ("token", "allowed", "fast"): 1,
        ("Basic", "allowed", "fast"): 1,
        ("token", "allowed", "ordinary"): 1,
        ("token", "limited", "ordinary"): 1,
        ("token", "forbidden", "ordinary"): 1,
        ("token", "client_error", "ordinary"): 1,
        # The page that was scraped before is one of them.
        ("none", "allowed", "ordinary"): 2,
        ("none", "forbidden", "ordinary"): 1,
        ("Bearer", "unauthenticated", "ordinary"): 3,
        ("Bearer", "limited", "ordinary"): 1,
        ("unknown", "unauthenticated", "ordinary"): 1,
        ("session", "forbidden", "ordinary"): 1,
        ("unknown", "failed", "ordinary"): 1,
    }


def test_a_row_that_cannot_be_written_is_a_failure(alone: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the request itself came to, what was answered is 503."""
    key = alone.make_key(API)
    before = _scrape(alone).requests

    def fail(*_: object) -> None:
        raise StorageError("The request log cannot be written")

    monkeypatch.setattr(type(alone.latchgate.request_log), "append_prepared", fail)
    assert alone.ask("/api/method/ping", key.token).status == 503
    monkeypatch.undo()

    assert changes(before, _scrape(alone).requests) == {
        ("token", "failed", "ordinary"): 1,
        ("none", "allowed", "ordinary"): 1,
    }


def test_durations_hold_every_request_once(alone: Service) -> None:
    """Buckets rise to the number of requests of their outcome, fast ones included; the sum is theirs."""
    key = alone.make_key(API)
    for _ in range(3):
        alone.ask(LOGGED_USER, key.token)
    alone.ask(LOGGED_USER, "token nobodys:guess")

    page = _scrape(alone)
    name = "latchgate_request_duration_seconds"
    for outcome in ("allowed", "unauthenticated", "forbidden"):
        requests = page.total("latchgate_requests_total", outcome=outcome)
        buckets = [
            (float(dict(labels)["le"]), value)
            for (other, labels), value in page.samples.items()
            if other == f"{name}_bucket" and ("outcome", outcome) in labels
        ]
        counts = [value for _, value in sorted(buckets)]
        assert counts == sorted(counts)
        assert counts[-1] == page.value(f"{name}_count", outcome=outcome) == requests
    assert page.total("latchgate_requests_total", way="fast") == 3
    assert 0 < page.value(f"{name}_sum", outcome="allowed") < 60


def test_the_cache_is_told_of(alone: Service) -> None:
    """Look-ups, what was answered without one, what a change ended, and what there is now."""
    key = alone.make_key(API)
    before = _scrape(alone)

    for _ in range(4):
        alone.ask(LOGGED_USER, key.token)
    alone.ask("/api/method/ping", key.token)
    assert alone.latchgate.cache is not None
    alone.latchgate.cache.beat()
    filled = _scrape(alone)
    alone.latchgate.api_keys.revoke(COMMAND_LINE, key.key_id)
    alone.latchgate.cache.beat()
    emptied = _scrape(alone)

    def grown(name: str, since: Scraped, now: Scraped) -> float:
        return now.value(name) - since.value(name)

    assert grown("latchgate_cache_misses_total", before, filled) == 1
    assert grown("latchgate_cache_hits_total", before, filled) == 4
    assert filled.value("latchgate_cache_entries") == 1
    assert filled.value("latchgate_cache_bytes") > 500
    assert grown("latchgate_cache_drops_total", filled, emptied) == 1
    assert (emptied.value("latchgate_cache_entries"), emptied.value("latchgate_cache_bytes")) == (0, 0)


def test_the_log_is_told_of(alone: Service) -> None:
    """Each row is behind until it is in the database, whoever moves it."""
    key = alone.make_key(API)
    before = _scrape(alone)
    alone.ask(LOGGED_USER, key.token)
    # What asks for its row moves it too.
    moved = _scrape(alone)
    for _ in range(3):
        alone.send_noting(LOGGED_USER, key.token, [])
    waiting = _scrape_unmoved(alone)

    assert moved.value("latchgate_log_rows_appended_total") - before.value("latchgate_log_rows_appended_total") == 1
    assert moved.value("latchgate_log_rows_ingested_total") == moved.value("latchgate_log_rows_appended_total")
    assert moved.value("latchgate_log_rows_behind") == 0
    assert waiting.value("latchgate_log_rows_behind") == 3
    appended = waiting.value("latchgate_log_rows_appended_total")
    assert appended - waiting.value("latchgate_log_rows_ingested_total") == 3
    assert waiting.value("latchgate_log_readable") == 1
    assert waiting.value("latchgate_log_segments") >= 1


def test_a_log_that_cannot_be_read_keeps_nothing_else_from_being_told(
    alone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is when somebody looks at the page."""

    def fail(*_: object) -> None:
        raise StorageError("The request log cannot be read")

    monkeypatch.setattr(type(alone.latchgate.request_log), "standing", fail)
    alone.ask(LOGGED_USER)
    page = _scrape(alone)

    assert page.value("latchgate_log_readable") == 0
    assert "latchgate_log_rows_behind" not in page.families
    assert page.total("latchgate_requests_total") > 0


def test_nothing_of_a_caller_s_stands_in_it(alone: Service) -> None:
    """No user, key, secret, address, path or agent, and no more series after odd requests than before."""
    key = alone.make_key(API, networks=(ip_network(f"{PEER}/32"),))
    alone.ask(LOGGED_USER, key.token)
    before = _scrape(alone)
    for number in range(5):
        alone.ask(f"/api/method/odd-{number}", f"token odd-{number}:secret", headers=[("user-agent", f"odd-{number}")])
        alone.ask(f"/odd-{number}", f"Odd{number} secret", method="PUT")
        alone.ask(LOGGED_USER, key.token, peer=f"203.0.113.{number}")

    text = alone.ask(METRICS).text

    assert Scraped(text).samples.keys() == before.samples.keys()
    for told in (API, key.key_id, key.secret, PEER, "203.0.113", "odd", "Odd", "secret", "/api/"):
        assert told not in text


def _scrape_unmoved(service: Service) -> Scraped:
    """Read the page without asking for the rows that this would move."""
    measures, log = service.latchgate.measures, service.latchgate.request_log
    return Scraped(write_page(measures.read_totals(), log.standing()).decode())
