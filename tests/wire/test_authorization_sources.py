"""Frappe-Authorization-Source: which records a key is looked up among, and as whom it then runs."""

import pytest

from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair, Service
from support.envelopes import UNAUTHENTICATED, assert_refused

API = "api@example.com"
SOURCE = "Frappe-Authorization-Source"


@pytest.fixture(scope="module")
def device(service: Service) -> Pair:
    """A key of a record of another source, which names the System User."""
    service.latchgate.sources.create(COMMAND_LINE, "API Device")
    service.latchgate.sources.create_record(COMMAND_LINE, "API Device", "gate-1", API)
    return service.make_key("gate-1", source="API Device")


# 200


@pytest.mark.parametrize("scheme", ["token", "basic"])
def test_a_source_s_key_is_its_record_s_user(service: Service, device: Pair, scheme: str) -> None:
    """With the header the key is looked up among the source's records, and runs as the user that the record names."""
    answer = service.ask(authorization=getattr(device, scheme), headers=[(SOURCE, " API Device\t")])

    assert answer.document == {"message": API}
    assert answer.row.source == "API Device"
    assert answer.row.api_key == device.key_id


def test_an_empty_source_is_none(service: Service, api_key: Pair) -> None:
    """An empty source header counts as absent."""
    assert service.ask(authorization=api_key.token, headers=[(SOURCE, " ")]).status == 200


def test_a_source_does_not_concern_a_bearer(service: Service) -> None:
    """An access token names its own user, whatever the source header says, as recorded."""
    bearer = service.make_bearer(API, "made-elsewhere-for-a-source-0001")

    assert service.ask(authorization=bearer, headers=[(SOURCE, "API Device")]).status == 200


# 400


def test_two_sources_are_refused(service: Service, device: Pair) -> None:
    """Nobody can tell which of two sources was meant."""
    answer = service.ask(authorization=device.token, headers=[(SOURCE, "API Device"), (SOURCE, "API Device")])

    assert SOURCE in assert_refused(answer, 400, "InvalidAuthorizationToken")
    assert answer.row.reason == "two_source_headers"


# 401


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("Nope", "unknown_source"),
        ("api device", "unknown_source"),
        ("API  Device", "unknown_source"),
        ("Role", "unknown_source"),
        ("User` --", "unknown_source"),
        ("user", "unknown_source"),
        ("Event Consumer", "unknown_key"),
        ("User", "unknown_key"),
        (b"\xff", "authorization_unreadable"),
        (b"API\x00Device", "authorization_unreadable"),
    ],
)
def test_a_key_counts_in_its_own_source_alone(service: Service, device: Pair, source: str | bytes, reason: str) -> None:
    """A source's key opens nothing by another source's name, known or not."""
    answer = service.ask(authorization=device.token, headers=[(SOURCE, source)])

    assert answer.document == UNAUTHENTICATED
    assert answer.row.reason == reason


def test_a_source_s_key_is_not_a_user_s(service: Service, device: Pair) -> None:
    """Without the header a source's key is unknown."""
    assert service.ask(authorization=device.token).row.reason == "unknown_key"


def test_a_record_that_leads_to_nobody_opens_nothing(service: Service) -> None:
    """A record without a user, one that is disabled, and one whose user is disabled: the one plain 401."""
    sources, users = service.latchgate.sources, service.latchgate.users
    user = service.make_user("behind@example.com")
    sources.create(COMMAND_LINE, "Sensor")
    for name, named in (("nobody's", None), ("switched off", API), ("whose user left", user)):
        sources.create_record(COMMAND_LINE, "Sensor", name, named)
    keys = [service.make_key(name, source="Sensor") for name in ("nobody's", "switched off", "whose user left")]

    sources.enable_record(COMMAND_LINE, "Sensor", "switched off", enabled=False)
    users.set_enabled(COMMAND_LINE, user, enabled=False)
    answers = [service.ask(authorization=key.token, headers=[(SOURCE, "Sensor")]) for key in keys]

    assert [answer.row.reason for answer in answers] == ["record_without_user", "record_disabled", "user_disabled"]
    for answer in answers:
        assert assert_refused(answer, 401, "AuthenticationError") == ""
