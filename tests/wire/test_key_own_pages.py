"""A key's own page: what it may do and did, its secrets, and its end; to whoever may see it, and change it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.permissions import Action, Grant
from latchgate.core.principals import Principal
from latchgate.core.users import SYSTEM_MANAGER, effective_roles
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.port_values import CountedBy, CountQuery
from support.aged_keys import age_key, note_uses
from support.asgi import Pair, Service, opened_service
from support.envelopes import assert_page, assert_shown
from support.pages import HTML, key_seen_in, secret_in, send_form, visit

MANAGER, ANN, BOB, CLERK = (f"{name}@example.com" for name in ("manager", "ann", "bob", "clerk"))
SOURCE = "API Device"
_EARLY = "End it before its time"
_END = "End the former secret"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An instance whose clerk may see all keys and requests, and change none but their own."""
    with opened_service(tmp_path / "home") as service:
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(ANN)
        service.make_user(BOB)
        service.latchgate.roles.create(COMMAND_LINE, "Reader")
        for doctype in ("API Key", "API Request Log"):
            grant = Grant("Reader", doctype, if_owner=False, actions=frozenset({Action.READ}))
            service.latchgate.permissions.grant(COMMAND_LINE, grant)
        service.make_user(CLERK, roles=frozenset({"Reader"}))
        yield service


def _page(pair: Pair, source: str = "User") -> str:
    return f"/app/api-key/{source.replace(' ', '%20')}/{pair.key_id}"


def test_a_key_s_traffic_is_drawn_for_its_user_too(service: Service) -> None:
    """Who sees their own keys alone sees how often each was used, and tried.

    Of a record's, which may have acted as somebody else before, and of others' keys, nothing.
    """
    pair, theirs = service.make_key(ANN), service.make_key(BOB)
    service.latchgate.sources.create(COMMAND_LINE, SOURCE)
    service.latchgate.sources.create_record(COMMAND_LINE, SOURCE, "Door", ANN)
    of_record = service.make_key("Door", source=SOURCE)
    for secret in (pair.secret, pair.secret, "guess"):
        service.ask(authorization=Pair(pair.key_id, secret).token)
    service.ask(authorization=of_record.token, headers=[("frappe-authorization-source", SOURCE)])

    text = assert_page(visit(service, _page(pair), ANN))
    unused = assert_page(visit(service, _page(theirs), BOB))

    assert re.search(r'<h2[^>]*>Requests <span class="hint">3</span>', text)
    assert "Counted with what others tried it with" in text
    assert "Counted with what others" not in visit(service, _page(pair), MANAGER).text
    assert "No request was counted in this time." in unused
    assert "Requests <span" not in assert_page(visit(service, _page(of_record, SOURCE), ANN))
    now = service.latchgate.clock.now()
    for key, source in ((theirs, "User"), (of_record, SOURCE), (Pair("lgk_unknown", ""), "User")):
        asked = CountQuery(now - 60, now, CountedBy.KEY, key.key_id, source)
        assert service.latchgate.request_counts.within(_acting(service, ANN), asked) is None
    limited = _acting(service, ANN, "API Request Log:read")
    own = CountQuery(0, now, CountedBy.KEY, pair.key_id, "User")
    assert service.latchgate.request_counts.within(limited, own) is None
    # Not what a key of that id did before it was made.
    found = service.latchgate.request_counts.within(_acting(service, ANN), own)
    assert found is not None
    assert found.since > now - 3600


def _acting(service: Service, user: str, *scopes: str) -> Actor:
    stored = service.latchgate.users.get(user)
    principal = Principal(
        user=user,
        user_id=stored.id,
        user_type=stored.user_type,
        full_name=user,
        roles=effective_roles(stored),
        scheme=Scheme.TOKEN,
        source="User",
        credential="k",
        scopes=frozenset(scopes or {"all"}),
    )
    return Actor.of(principal, "192.0.2.1")


def test_a_key_tells_what_it_may_do_and_did(service: Service) -> None:
    """Its sentence, its traffic by outcome for each length of time, its last requests, and the way to all of them."""
    pair = service.make_key(ANN, scopes=frozenset({"User:read"}))
    for _ in range(12):
        assert service.ask(authorization=pair.token).status == 200
    service.ask(authorization=Pair(pair.key_id, "guess").token)

    text = assert_page(visit(service, _page(pair), MANAGER))

    assert f"This key can read User records as {ANN}, from any address, without an end." in text
    assert "Succeeded" in text
    assert re.search(r'<h2[^>]*>Requests <span class="hint">13</span>', text)
    assert text.count('id="row-') == 10
    assert f"/app/request-log?key={pair.key_id}&amp;since=any" in text
    for period in ("7d", "30d"):
        longer = assert_page(visit(service, f"{_page(pair)}?period={period}", MANAGER))
        assert '<span class="hint">13</span>' in longer


def test_whoever_may_not_see_a_key_finds_none(service: Service) -> None:
    """Others, a key that there is not, and one of another source; all alike."""
    pair = service.make_key(ANN)
    unknown = Pair("lgk_unknown", "x")

    assert_page(visit(service, _page(pair), ANN))
    for page, user in (
        (_page(pair), BOB),
        (_page(unknown), BOB),
        (_page(unknown), MANAGER),
        (_page(pair, "X"), MANAGER),
    ):
        assert "There is no such key that you may see." in assert_shown(visit(service, page, user), 404)
        for what in ("rotate", "revoke", "end-former-secret"):
            assert send_form(service, f"{page}/{what}", user, {"overlap": "0", "seen": ""}).status == 404


def test_whoever_may_only_see_a_key_changes_nothing(service: Service) -> None:
    """There is no button, and no form that they could send."""
    pair = service.make_key(ANN)
    service.latchgate.api_keys.rotate(COMMAND_LINE, pair.key_id, overlap_seconds=3600)
    age_key(service, pair.key_id, 3)

    text = assert_page(visit(service, _page(pair), CLERK))

    assert not re.search("Rotate key|Revoke key|End the former", text)
    for what in ("rotate", "revoke", "end-former-secret"):
        answer = send_form(service, f"{_page(pair)}/{what}", CLERK, {"overlap": "0", "seen": ""})
        assert answer.status in {403, 404}
    assert service.ask(authorization=pair.token).status == 200


@pytest.mark.parametrize("source", ["User", SOURCE])
def test_a_key_is_rotated_and_revoked_on_its_page(service: Service, source: str) -> None:
    """Whoever it belongs to: the secret is shown once, on that page, and the end leads back to it."""
    owner = ANN
    if source == SOURCE:
        service.latchgate.sources.create(COMMAND_LINE, SOURCE)
        service.latchgate.sources.create_record(COMMAND_LINE, SOURCE, "Front / door", ANN)
        owner = "Front / door"
    pair = service.make_key(owner, source=source)
    page = _page(pair, source)
    headers = [] if source == "User" else [("frappe-authorization-source", source)]
    seen = key_seen_in(assert_page(visit(service, f"{page}/rotate", MANAGER)))

    shown = assert_page(send_form(service, f"{page}/rotate", MANAGER, {"overlap": "86400", **seen}))
    new = Pair(pair.key_id, secret_in(shown))
    both = assert_page(visit(service, page, MANAGER))
    assert re.search(r"Two secrets work until <time [^>]*>[^<]+ UTC</time> \(for another \d+ hours\)", both)
    assert [service.ask(authorization=one.token, headers=headers).status for one in (pair, new)] == [200, 200]
    assert "ends for good" in assert_page(visit(service, f"{page}/revoke", MANAGER))
    ended = send_form(service, f"{page}/revoke", MANAGER, {})

    assert (ended.status, ended.header("location")) == (303, f"{page}?done=revoked")
    after = assert_page(visit(service, f"{page}?done=revoked", MANAGER))
    assert "The key was revoked." in after
    assert "Rotate key" not in after
    assert [service.ask(authorization=one.token, headers=headers).status for one in (pair, new)] == [401, 401]


def test_a_former_secret_can_be_ended(service: Service) -> None:
    """The page tells whether it is still used, and from where; for a day after, its end is behind a fold."""
    old = service.make_key(ANN)
    issued = service.latchgate.api_keys.rotate(COMMAND_LINE, old.key_id, overlap_seconds=604_800)
    fresh = assert_page(visit(service, _page(old), ANN))
    age_key(service, old.key_id, 3)
    rested = assert_page(visit(service, _page(old), ANN))
    with service.latchgate.store.read() as tx:
        (stored,) = tx.api_keys.find_any(old.key_id)
    note_uses(service, ANN, old.key_id, days=2, former_until=stored.previous_until, ip_address="192.0.2.1")
    quiet = assert_page(visit(service, _page(old), ANN))
    assert service.ask(authorization=old.token).status == 200
    busy = assert_page(visit(service, _page(old), ANN))

    assert "The former was not used since it was replaced." in fresh
    assert (_END in fresh, _EARLY in fresh) == (True, True)
    assert (_END in rested, _EARLY in rested) == (True, False)
    assert "from 192.0.2.1." in quiet
    assert (_END in quiet, _EARLY in quiet) == (True, False)
    assert "The former was last used" in busy
    assert (_END in busy, _EARLY in busy) == (True, True)
    ended = send_form(service, f"{_page(old)}/end-former-secret", ANN, {})
    assert (ended.status, ended.header("location")) == (303, f"{_page(old)}?done=former-ended")
    assert "One secret works." in assert_page(visit(service, f"{_page(old)}?done=former-ended", ANN))
    new = Pair(old.key_id, issued.secret.text)
    assert [service.ask(authorization=one.token).status for one in (old, new)] == [401, 200]
    with service.latchgate.store.read() as tx:
        operations = [row.operation for row in tx.activity.list_latest(10)]
    assert operations.count("api_key.former_secret_ended") == 1


def test_a_former_secret_is_ended_by_nobody_elses_form(service: Service) -> None:
    """Without the session's token it works on."""
    old = service.make_key(ANN)
    service.latchgate.api_keys.rotate(COMMAND_LINE, old.key_id, overlap_seconds=604_800)
    cookie = ("cookie", f"sid={service.sign_in(ANN).sid}")

    refused = service.post(f"{_page(old)}/end-former-secret", {}, form=True, headers=[cookie, HTML])

    assert refused.status in {400, 401, 403}
    assert service.ask(authorization=old.token).status == 200
    assert visit(service, f"{_page(old)}/end-former-secret", ANN).status == 403
