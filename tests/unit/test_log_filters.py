"""What the address of a log narrows it to, in conditions and in words."""

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import latchgate
from latchgate.core.document_types import Viewer
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Reach
from latchgate.core.principals import Reason
from latchgate.core.questions import Asked, parse_question
from latchgate.errors import ErrorCode
from latchgate.server.desk.log_filters import (
    ACTIVITY_FILTERS,
    REQUEST_FILTERS,
    Asker,
    Filter,
    Narrowed,
    Span,
    narrow,
    typed_time,
    window_of,
)
from latchgate.server.desk.operations import OPERATIONS, operation_words
from latchgate.server.desk.reasons import REASONS, reason_words
from latchgate.server.desk.views import View
from latchgate.server.desk.wording import milliseconds, status_words

NOW = 1_771_491_164  # 19 February 2026, 08:52:44 UTC
ME = "me@example.com"
PATH = "/app/request-log"
_DAY_AGO = ["time", ">=", "2026-02-18 08:52:44.000000"]


def _narrow(chosen: Mapping[str, str], filters: Sequence[Filter] = REQUEST_FILTERS) -> Narrowed:
    return narrow(View(PATH, chosen), filters, Span("24h"), Asker(ME, NOW))


@pytest.mark.parametrize(
    ("name", "value", "conditions", "words"),
    [
        ("user", "Ann@Example.com", [["user", "=", "ann@example.com"]], "User: Ann@Example.com"),
        ("user", "nobody", [["user", "=", "nobody"]], "User: nobody"),
        ("key", "lgk_1", [["api_key", "=", "lgk_1"]], "API key: lgk_1"),
        ("host", "App.Example.com.:443", [["host", "=", "app.example.com"]], "Host: App.Example.com.:443"),
        ("host", "app_1%", [["host", "=", "app_1%"]], "Host: app_1%"),
        ("address", "::1", [["ip_address", "=", "::1"]], "Address: ::1"),
        ("path", "a%_\\b", [["path", "like", "%a\\%\\_\\\\b%"]], "Path contains: a%_\\b"),
        ("method", "get", [["method", "=", "GET"]], "Method: GET"),
        ("status", "succeeded", [["status", "<", 400]], "Status: succeeded"),
        ("status", "refused", [["status", "in", [401, 403]]], "Status: refused (401, 403)"),
        (
            "status",
            "client",
            [["status", "between", [400, 499]], ["status", "not in", [401, 403]]],
            "Status: other client errors",
        ),
        ("status", "failed", [["status", ">=", 500]], "Status: failed (500 and above)"),
        ("status", "429", [["status", "=", 429]], "Status: 429"),
        ("reason", "wrong_secret", [["reason", "=", "wrong_secret"]], "Reason: the secret was wrong"),
        ("reason", "of_old", [["reason", "=", "of_old"]], "Reason: of_old"),
        ("scheme", "Bearer", [["scheme", "=", "Bearer"]], "Scheme: Bearer"),
        ("request", "5f", [["request_id", "=", "5f"]], "Request ID: 5f"),
        ("whose", "mine", [["user", "=", ME]], "Requests: mine"),
    ],
)
def test_a_filter_of_the_request_log(name: str, value: str, conditions: list[list[object]], words: str) -> None:
    """Each says what it does; its chip takes it away and nothing else."""
    found = _narrow({"since": "any", name: value})

    assert (found.conditions, found.problems) == (conditions, [])
    assert [(chip.words, chip.without) for chip in found.chips] == [(words, f"{PATH}?since=any")]


@pytest.mark.parametrize(
    ("name", "value", "conditions", "words"),
    [
        ("subject", "Key", [["subject", "=", "Key"]], "Subject: Key"),
        ("operation", "role.granted", [["operation", "=", "role.granted"]], "Operation: Role granted"),
        ("operation", "of.old", [["operation", "=", "of.old"]], "Operation: of.old"),
        ("user", ME, [["user", "=", ME]], f"User: {ME}"),
        ("whose", "mine", [["user", "=", ME]], "Activity: mine"),
    ],
)
def test_a_filter_of_the_activity_log(name: str, value: str, conditions: list[list[object]], words: str) -> None:
    """As those of the request log."""
    found = _narrow({"since": "any", name: value}, ACTIVITY_FILTERS)

    assert (found.conditions, [chip.words for chip in found.chips]) == (conditions, [words])


@pytest.mark.parametrize(
    ("chosen", "conditions", "chips"),
    [
        ({}, [_DAY_AGO], [("Time: last 24 hours", "?since=any")]),
        (
            {"since": "1h"},
            [["time", ">=", "2026-02-19 07:52:44.000000"]],
            [("Time: last hour", "?since=any")],
        ),
        ({"since": "any"}, [], []),
        (
            {"from": "2026-02-01T09:30"},
            [["time", ">=", "2026-02-01T09:30"]],
            [("From: 1 February 2026, 09:30:00 UTC", "?since=any")],
        ),
        (
            {"from": "2026-02-01", "to": "2026-02-02T01:00+02:00"},
            [["time", ">=", "2026-02-01"], ["time", "<", "2026-02-02T01:00+02:00"]],
            [
                ("From: 1 February 2026, 00:00:00 UTC", "?to=2026-02-02T01%3A00%2B02%3A00"),
                ("Until: 1 February 2026, 23:00:00 UTC", "?from=2026-02-01"),
            ],
        ),
        (
            {"since": "24h", "to": "2026-02-19"},
            [_DAY_AGO, ["time", "<", "2026-02-19"]],
            [("Time: last 24 hours", "?to=2026-02-19"), ("Until: 19 February 2026, 00:00:00 UTC", "?since=24h")],
        ),
    ],
)
def test_the_times(chosen: dict[str, str], conditions: list[list[str]], chips: list[tuple[str, str]]) -> None:
    """A day where nothing is said; the last chip that goes leaves all times, and none is asked for in secret."""
    found = _narrow(chosen)

    assert (found.conditions, found.problems) == (conditions, [])
    assert [(chip.words, chip.without.removeprefix(PATH)) for chip in found.chips] == chips


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("status", "abc", "Status: choose succeeded, refused, client or failed, or give a number from 100 to 599."),
        ("status", "600", "Status: choose"),
        ("status", "٤٠١", "Status: choose"),
        ("status", "99999999999999999999", "Status: choose"),
        ("scheme", "bearer", "Scheme: choose token, Basic, Bearer, session or client."),
        ("since", "tomorrow", "Time: choose 1h, 24h, 7d, 30d or any."),
        ("from", "rubbish", "From: give a date and time such as 2026-11-24 09:30."),
        ("to", "9999-12-31T23:59-23:59", "Until: give a date and time"),
        ("whose", "hers", "Requests: choose mine or all."),
        *[
            (name, "x" * 401, "give at most 400 characters.")
            for name in ("user", "key", "host", "address", "path", "method")
        ],
    ],
)
def test_a_value_that_cannot_be_understood_is_named(name: str, value: str, problem: str) -> None:
    """With what would be right; its chip takes it away."""
    found = _narrow({name: value})

    (told,) = found.problems
    assert problem in told
    (chip,) = [chip for chip in found.chips if chip.words.startswith(told.partition(":")[0])]
    assert value not in chip.without


def test_a_free_search_is_in_one_of_many_fields() -> None:
    """As text, beside whatever else narrows the log."""
    found = _narrow({"search": "5%", "status": "failed", "since": "any"})

    assert found.conditions == [["status", ">=", 500]]
    assert found.any_of == [
        [field, "like", "%5\\%%"]
        for field in ("path", "host", "user", "api_key", "ip_address", "user_agent", "request_id")
    ]
    assert [chip.words for chip in found.chips] == ["Contains: 5%", "Status: failed (500 and above)"]
    assert _narrow({"search": "Key"}, ACTIVITY_FILTERS).any_of == [
        [field, "like", "%Key%"] for field in ("subject", "user", "ip_address")
    ]


@pytest.mark.parametrize(
    ("chosen", "window"),
    [
        ({}, (NOW - 86_400, NOW + 1)),
        ({"since": "1h"}, (NOW - 3600, NOW + 1)),
        ({"since": "any"}, (0, NOW + 1)),
        ({"from": "2026-02-01"}, (1_769_904_000, NOW + 1)),
        ({"to": "2026-02-01T00:00:00.5"}, (0, 1_769_904_001)),
        ({"since": "7d", "from": "2026-02-01", "to": "2999-01-01"}, (NOW - 7 * 86_400, NOW + 1)),
        ({"from": "1969-01-01"}, (0, NOW + 1)),
    ],
)
def test_the_time_that_an_address_looks_at(chosen: dict[str, str], window: tuple[int, int]) -> None:
    """As its conditions say, in whole seconds; not beyond now."""
    assert window_of(View(PATH, chosen), Span("24h"), NOW) == window


def test_an_end_before_its_beginning_is_named() -> None:
    """Rather than found empty."""
    assert _narrow({"from": "2026-02-02", "to": "2026-02-02"}).problems == ["Until: give a time after From."]


@given(
    st.dictionaries(
        st.sampled_from([one.name for one in (*REQUEST_FILTERS, *ACTIVITY_FILTERS)]),
        st.text(max_size=450) | st.sampled_from(["0001-01-01", "9999-12-31", "any", "500", "mine"]),
    )
)
def test_any_address_is_a_question_or_a_problem(chosen: dict[str, str]) -> None:
    """Whatever is sent: the service takes the conditions, or the page says what is wrong."""
    viewer = Viewer(None, manager=True, reach=Reach.ALL)
    for doctype, filters in (("API Request Log", REQUEST_FILTERS), ("Activity Log", ACTIVITY_FILTERS)):
        found = narrow(View(PATH, chosen), filters, Span("24h"), Asker(ME, NOW))
        if not found.problems:
            asked = Asked(filters=found.conditions, or_filters=found.any_of)
            parse_question(DOCUMENT_TYPES[doctype], viewer, asked)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("2026-02-01", "2026-02-01T00:00:00"),
        ("0002-02-01 09:30:01.5", "0002-02-01T09:30:01"),
        ("2026-02-01T01:00+02:00", "2026-01-31T23:00:00"),
        ("rubbish", ""),
        ("", ""),
    ],
)
def test_a_time_as_its_field_takes_it(text: str, typed: str) -> None:
    """UTC, in the one form that browsers read."""
    assert typed_time(text) == typed


# What the endpoints of OAuth answer. Source: RFC 6749, 5.2; RFC 8707, 2; RFC 8628, 3.5; RFC 7591, 3.2.2.
_OAUTH_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "invalid_redirect_uri",
    "invalid_client_metadata",
}


def test_every_reason_has_words() -> None:
    """Those of the gate and those of what was let in and then refused."""
    codes = {reason.value for reason in Reason} | {code.value for code in ErrorCode if code is not ErrorCode.SETTINGS}

    assert codes | {"beyond", "internal"} | _OAUTH_ERRORS == set(REASONS)
    assert (reason_words("csrf_token_missing_or_wrong"), reason_words("of_old")) == (
        "the CSRF token was missing or wrong",
        "of_old",
    )


def test_every_operation_has_words() -> None:
    """Every code that the services write, and no other."""
    used = set()
    for module in (Path(latchgate.__file__).parent / "services").glob("*.py"):
        texts = [node.value for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant)]
        used |= {text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", text)}

    assert used == set(OPERATIONS)
    assert operation_words("of.old") == "of.old"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (200, ("succeeded", "good")),
        (401, ("refused", "bad")),
        (404, ("client error", "warn")),
        (503, ("failed", "bad")),
    ],
)
def test_a_status_in_words(status: int, words: tuple[str, str]) -> None:
    """Its kind is never told by a colour alone."""
    assert status_words(status) == words


@pytest.mark.parametrize(("seconds", "shown"), [(0.00049, "0.5"), (0.0099, "9.9"), (0.0125, "12"), (1.5, "1,500")])
def test_milliseconds(seconds: float, shown: str) -> None:
    """A fraction only where it is worth reading."""
    assert milliseconds(seconds) == shown
