"""Clients, tokens and consents as documents: who sees which, what changes by itself, and what is refused."""

from typing import Any

import pytest

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.questions import Asked
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.users import UserOrder
from support.house import USER, House
from support.oauth_rows import add_oauth_rows

_BOSS, _OTHER = "boss@example.com", "other@example.com"
_CLIENT, _TOKEN, _CONSENT = ("OAuth Client", "OAuth Bearer Token", "OAuth Consent")


@pytest.fixture
def approved(house: House) -> House:
    """A house with a client that a user allowed to act for them, beside another user and a System Manager."""
    for name in (USER, _OTHER):
        house.add_user(name)
    house.add_user(UserOrder(_BOSS, roles=frozenset({SYSTEM_MANAGER})))
    add_oauth_rows(house.store, USER)
    return house


def _rows(house: House, actor: Actor, doctype: str, *fields: str) -> list[tuple[Any, ...]]:
    return house.documents.list_rows(actor, doctype, Asked(fields=[*fields])).rows


@pytest.mark.parametrize("doctype", [_TOKEN, _CONSENT])
def test_ones_own(approved: House, doctype: str) -> None:
    """Everybody sees their own tokens and consents, a System Manager all, and nobody else's name any."""
    name = approved.documents.list_rows(COMMAND_LINE, doctype, Asked()).rows[0][0]

    for actor in (approved.actor(), approved.actor(_BOSS), COMMAND_LINE):
        assert approved.documents.get(actor, doctype, name)["user"] == USER
        assert _rows(approved, actor, doctype, "name", "user") == [(name, USER)]
    other = approved.actor(_OTHER)
    assert _rows(approved, other, doctype, "name") == []
    with pytest.raises(NotFound):
        approved.documents.get(other, doctype, name)


def test_clients_are_for_system_managers(approved: House) -> None:
    """Nobody else lists them or looks at one."""
    ((name,),) = _rows(approved, approved.actor(_BOSS), _CLIENT, "name")

    assert approved.documents.get(approved.actor(_BOSS), _CLIENT, name)["app_name"] == "Calendar"
    with pytest.raises(NotPermitted):
        _rows(approved, approved.actor(), _CLIENT, "name")
    with pytest.raises(NotPermitted):
        approved.documents.get(approved.actor(), _CLIENT, name)


@pytest.mark.parametrize("doctype", [_CLIENT, _TOKEN, _CONSENT])
def test_no_secret_is_a_field(doctype: str) -> None:
    """Neither what is stored of a secret or token, nor anything that it is found by."""
    fields = set(DOCUMENT_TYPES[doctype].fields)

    assert not {name for name in fields if any(word in name for word in ("hash", "digest", "lookup", "pepper"))}
    assert not fields & {"client_secret", "access_token", "refresh_token"}


def test_a_token_expires_by_itself(house: House) -> None:
    """Its record and its row of a list say so, whatever else was asked for; one that was revoked stays revoked."""
    house.add_user()
    name = house.add_token(text="a-token-of-this-user-0001")
    over = house.add_token(text="a-token-of-this-user-0002")
    with house.store.write() as tx:
        stored = tx.access_tokens.find_public(over)
        assert stored is not None
        tx.access_tokens.revoke(stored.id, house.clock.now())
    actor = house.actor()

    before = sorted(_rows(house, actor, _TOKEN, "status"))
    house.clock.advance(3_600)
    after = sorted(_rows(house, actor, _TOKEN, "status"))

    assert (before, after) == ([("active",), ("revoked",)], [("expired",), ("revoked",)])
    assert house.documents.get(actor, _TOKEN, name)["status"] == "expired"
    assert _rows(house, actor, _TOKEN, "client") == [("client",)] * 2


@pytest.mark.parametrize(("doctype", "values"), [(_CLIENT, {"app_name": "Mail"}), (_TOKEN, {}), (_CONSENT, {})])
def test_what_documents_only_show(approved: House, doctype: str, values: dict[str, object]) -> None:
    """Whoever may make, change and delete all is told that it is not done here; nothing of it happens."""
    ((name,),) = _rows(approved, COMMAND_LINE, doctype, "name")

    with pytest.raises(Invalid, match="cannot be made here"):
        approved.documents.create(COMMAND_LINE, doctype, values)
    with pytest.raises(Invalid, match="cannot be deleted here"):
        approved.documents.delete(COMMAND_LINE, doctype, name)
    with pytest.raises(Invalid, match="cannot be changed"):
        approved.documents.update(COMMAND_LINE, doctype, name, {"app_name": "Mail", "user": "Administrator"})
    assert _rows(approved, COMMAND_LINE, doctype, "name") == [(name,)]
