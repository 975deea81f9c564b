"""Charts of requests on the pages of users and clients: for whom they are, and that their numbers are there as text."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from latchgate.core.clients import GrantType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import Pair
from support.logged import API, AUDITOR, MANAGER, OTHER, LoggedService


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedService]:
    """An instance whose log has something in it."""
    logged = LoggedService(tmp_path_factory.mktemp("logged") / "home")
    yield logged
    logged.service.close()


def _drawn(text: str) -> dict[str, Any]:
    (data,) = re.findall(r'data-chart="([^"]*)"', text)
    drawn: dict[str, Any] = json.loads(unescape(data))
    return drawn


def _tab(user: str, more: str = "") -> str:
    return f"/app/user/{user}?tab=activity{more}"


@pytest.mark.parametrize("reader", [MANAGER, API])
def test_a_user_s_requests_are_drawn(logged: LoggedService, reader: str) -> None:
    """For who may read all rows, and for oneself: of the user alone, in words, and in a table."""
    text = logged.show(_tab(API), reader)

    succeeded, refused, failed = (sum(series) for series in _drawn(text)["series"])
    assert succeeded >= 4
    assert refused >= 1
    assert failed == 0
    assert f"{succeeded:,} succeeded, {refused:,} refused or client error, 0 failed." in text
    assert f'<td class="number">{succeeded}</td>' in text
    assert "/assets/chart.js" in text


@pytest.mark.parametrize("period", ["24h", "7d", "30d", "rubbish", "%3Cscript%3E"])
def test_a_period_is_a_link(logged: LoggedService, period: str) -> None:
    """What is no period is as good as none."""
    text = logged.show(_tab(API, f"&period={period}"))

    chosen = period if period in {"7d", "30d"} else ""
    query = f"&amp;period={chosen}" if chosen else ""
    assert f'href="/app/user/{API}?tab=activity{query}" aria-current="true"' in text
    assert sum(map(sum, _drawn(text)["series"])) > 0


def test_no_request_is_said(logged: LoggedService) -> None:
    """In a sentence, where there is nothing to draw."""
    text = logged.show(_tab(AUDITOR.replace("auditor", "web")), MANAGER)

    assert "No request was counted in this time." in text
    assert "data-chart" not in text


def test_a_client_s_requests_are_drawn(logged: LoggedService) -> None:
    """Those that it makes as a client; for who may read everybody's rows."""
    order = ClientOrder("Reporter", grant_types=frozenset({GrantType.CLIENT_CREDENTIALS}), user=OTHER)
    made = logged.service.latchgate.clients.create(COMMAND_LINE, order)
    address = f"/app/oauth-client/{made.client.client_id}?tab=activity"
    assert "No request was counted" in logged.show(address)
    pair = Pair(made.client.client_id, made.secret.text if made.secret else "")
    path = "/api/method/frappe.integrations.oauth2.get_token"
    for authorization in (pair.basic, Pair(pair.key_id, "wrong").basic):
        logged.service.post(path, {"grant_type": "client_credentials"}, authorization, form=True)

    text = logged.show(address)

    assert "Requests as a client" in text
    assert [sum(series) for series in _drawn(text)["series"]] == [1, 1, 0]
