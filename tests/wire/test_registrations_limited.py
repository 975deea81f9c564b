"""Registration that is open to anybody does not fill the database."""

from pathlib import Path

from latchgate.core.users import SYSTEM_MANAGER
from support.asgi import PEER, Service, opened_service

_REGISTER = "/api/method/frappe.integrations.oauth2.register_client"
_METADATA = {"client_name": "App", "redirect_uris": ["https://app.example/cb"]}


def _count(service: Service) -> int:
    with service.latchgate.store.read() as tx:
        return len(tx.clients.list_all())


def test_an_address_registers_twenty_an_hour(tmp_path: Path) -> None:
    """The next is told in OAuth's words when to come back; another address is not held up."""
    with opened_service(tmp_path / "home", oauth_registration="open") as service:
        statuses = {service.post(_REGISTER, _METADATA).status for _ in range(20)}
        refused = service.post(_REGISTER, _METADATA)
        count = _count(service)
        elsewhere = service.post(_REGISTER, _METADATA, peer=service.new_peer())

    assert (statuses, count) == ({201}, 20)
    assert refused.status == 429
    assert refused.document["error"] == "temporarily_unavailable"
    assert 3_500 < int(refused.header("retry-after") or 0) <= 3_600
    assert elsewhere.status == 201


def test_many_at_once_get_no_further(tmp_path: Path) -> None:
    """Of thirty at the same moment twenty are registered."""
    with opened_service(tmp_path / "home", oauth_registration="open") as service:
        statuses = service.post_together(_REGISTER, _METADATA, 30, peer=PEER)

        assert sorted(statuses) == [201] * 20 + [429] * 10
        assert _count(service) == 20


def test_who_shows_a_token_is_not_counted(tmp_path: Path) -> None:
    """Where a credential is asked for, whose it is is known, and what it may do."""
    with opened_service(tmp_path / "home", oauth_registration="token") as service:
        service.make_user("boss@example.com", roles=frozenset({SYSTEM_MANAGER}))
        key = service.make_key("boss@example.com", scopes=frozenset({"OAuth Client:create"})).token

        statuses = {service.post(_REGISTER, _METADATA, key).status for _ in range(21)}

    assert statuses == {201}


def test_who_shows_no_token_is_asked_for_one(tmp_path: Path) -> None:
    """401 with a challenge that names no error, since nothing was sent that could be wrong (RFC 6750, section 3.1)."""
    with opened_service(tmp_path / "home", oauth_registration="token") as service:
        refused = service.post(_REGISTER, _METADATA)

    assert (refused.status, refused.document["error"]) == (401, "invalid_token")
    assert (refused.header("www-authenticate") or "").startswith("Bearer ")
    assert "error=" not in (refused.header("www-authenticate") or "")


def test_where_anybody_may_a_credential_does_not_hinder(tmp_path: Path) -> None:
    """Who could register without a key can with one that may do nothing about clients."""
    with opened_service(tmp_path / "home", oauth_registration="open") as service:
        service.make_user("plain@example.com")

        assert service.post(_REGISTER, _METADATA, service.make_key("plain@example.com").token).status == 201
