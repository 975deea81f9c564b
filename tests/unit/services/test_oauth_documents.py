"""Clients, tokens and consents as documents: who sees which, what changes by itself, and what is refused."""

from typing import Any

import pytest

from latchgate.core.clients import client_secret_matches
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.principals import Reason
from latchgate.core.questions import Asked
from latchgate.core.tokens import Secret, verify_checksum
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import Flaw, Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.oauth_documents import ClientWriter, ConsentWriter, TokenWriter
from latchgate.services.oauth_state import find_refresh_token
from latchgate.services.port_values import FoundDocument
from latchgate.services.users import UserOrder
from support.house import TOKEN_TEXT, USER, House, present_token
from support.issued import approve
from support.oauth_rows import add_oauth_rows

_BOSS, _OTHER = "boss@example.com", "other@example.com"
_CLIENT, _TOKEN, _CONSENT = ("OAuth Client", "OAuth Bearer Token", "OAuth Consent")
_MAIL = {"app_name": "Mail", "scopes": "openid", "redirect_uris": "https://mail.example.com/back"}
_KEYS = (
    '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",'
    ' "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}'
)
_NOTHING = FoundDocument(0, {"name": "nothing"}, "Administrator")


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


@pytest.mark.parametrize("doctype", [_TOKEN, _CONSENT])
def test_what_comes_of_oauth_alone(approved: House, doctype: str) -> None:
    """Whoever may do everything is told that such records are neither made nor changed; nothing of it happens."""
    ((name,),) = _rows(approved, COMMAND_LINE, doctype, "name")
    before = approved.documents.get(COMMAND_LINE, doctype, name)

    with pytest.raises(Invalid) as refused:
        approved.documents.create(COMMAND_LINE, doctype, {})
    with pytest.raises(Invalid, match="cannot be changed"):
        approved.documents.update(COMMAND_LINE, doctype, name, {"user": "Administrator"})

    assert set(refused.value.fields) == {"doctype"}
    assert approved.documents.get(COMMAND_LINE, doctype, name) == before
    assert _rows(approved, COMMAND_LINE, doctype, "name") == [(name,)]


@pytest.mark.parametrize("writer", [TokenWriter, ConsentWriter])
def test_no_field_of_them_is_ever_changed(approved: House, writer: type[TokenWriter] | type[ConsentWriter]) -> None:
    """Where one could be, that would be a fault of ours."""
    service: Any = approved.tokens if writer is TokenWriter else approved.documents.consents
    with approved.store.write() as tx, pytest.raises(AssertionError):
        writer(service).change(tx, COMMAND_LINE, _NOTHING, {"user": USER})


def test_a_client_goes_with_its_record(approved: House) -> None:
    """A record that was found is there until the transaction ends; else it is a fault of ours."""
    with approved.store.write() as tx, pytest.raises(AssertionError):
        ClientWriter(approved.documents.clients).change(tx, COMMAND_LINE, _NOTHING, {"app_name": "Mail"})


def test_a_client_is_made_with_a_secret(approved: House) -> None:
    """Told with the record this once, and noted in the activity log without it; a public client has none."""
    boss = approved.actor(_BOSS)

    made = approved.documents.create(boss, _CLIENT, _MAIL)
    public = approved.documents.create(boss, _CLIENT, {**_MAIL, "token_endpoint_auth_method": "none"})

    secret = made.pop("client_secret")
    assert verify_checksum(secret)
    assert made == approved.documents.get(boss, _CLIENT, made["name"])
    assert "client_secret" not in public
    assert [(entry.operation, entry.user, entry.subject) for entry in approved.activity()[-2:]] == [
        ("client.created", _BOSS, made["name"]),
        ("client.created", _BOSS, public["name"]),
    ]
    assert secret not in repr(approved.activity())


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("token_endpoint_auth_method", "none", "none"),
        ("id_token_signed_response_alg", "ES256", "ES256"),
        ("scopes", "User:read\r\n  all", "User:read all"),
        ("redirect_uris", "\nhttps://a.example/ \thttps://b.example/", "https://a.example/ https://b.example/"),
        ("post_logout_redirect_uris", "https://a.example/out", "https://a.example/out"),
        ("grant_types", ["authorization_code"], ["authorization_code"]),
        ("allowed_roles", [SYSTEM_MANAGER, "All"], ["All", SYSTEM_MANAGER]),
        ("skip_authorization", True, 1),
        ("require_pkce", "0", 0),
        ("client_uri", "https://a.example/", "https://a.example/"),
        ("resources", "https://a.example/api", "https://a.example/api"),
        ("user", "API@example.com", USER),
    ],
)
def test_each_field_is_replaced(approved: House, field: str, value: object, told: object) -> None:
    """By what was sent, in one form, and nothing else of the client is."""
    made = approved.documents.create(COMMAND_LINE, _CLIENT, _MAIL)
    before = approved.documents.get(COMMAND_LINE, _CLIENT, made["name"])

    after = approved.documents.update(COMMAND_LINE, _CLIENT, made["name"], {field: value})

    assert after[field] == told
    assert {name for name in before if before[name] != after[name]} - {"default_redirect_uri"} == {field, "modified"}
    emptied = approved.documents.update(COMMAND_LINE, _CLIENT, made["name"], {"user": None, "client_uri": None})
    assert (emptied["user"], emptied["client_uri"]) == (None, "")


@pytest.mark.parametrize(
    ("wrong", "field", "flaw"),
    [
        ({"scopes": 'a"b'}, "scopes", Flaw.VALUE),
        ({"scopes": "User:fly"}, "scopes", Flaw.VALUE),
        ({"grant_types": ["password"]}, "grant_types", Flaw.VALUE),
        ({"redirect_uris": "http://a.example/"}, "redirect_uris", Flaw.VALUE),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "jwks", Flaw.VALUE),
        ({"user": "nobody@example.com"}, "user", Flaw.LINK),
        ({"allowed_roles": ["Nobody"]}, "allowed_roles", Flaw.LINK),
    ],
)
def test_what_cannot_be_accepted(approved: House, wrong: dict[str, object], field: str, flaw: Flaw) -> None:
    """Is told by the document's name of it, whether a client is made or changed."""
    made = approved.documents.create(COMMAND_LINE, _CLIENT, _MAIL)

    with pytest.raises(Invalid) as making:
        approved.documents.create(COMMAND_LINE, _CLIENT, {**_MAIL, **wrong})
    with pytest.raises(Invalid) as changing:
        approved.documents.update(COMMAND_LINE, _CLIENT, made["name"], wrong)

    for refused in (making.value, changing.value):
        assert (set(refused.fields), refused.flaw) == ({field}, flaw)


@pytest.mark.parametrize("wanted", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("present", ["none", "private_key_jwt"])
def test_no_change_gives_the_first_secret(approved: House, present: str, wanted: str) -> None:
    """Nobody would be shown it; one that has a secret may send it the other way, and keeps it."""
    keys = {"jwks": _KEYS} if present == "private_key_jwt" else {}
    made = approved.documents.create(COMMAND_LINE, _CLIENT, {**_MAIL, "token_endpoint_auth_method": present, **keys})
    other = approved.documents.create(COMMAND_LINE, _CLIENT, _MAIL)

    with pytest.raises(Invalid) as refused:
        approved.documents.update(
            COMMAND_LINE, _CLIENT, made["name"], {"token_endpoint_auth_method": wanted, "jwks": ""}
        )
    approved.documents.update(COMMAND_LINE, _CLIENT, other["name"], {"token_endpoint_auth_method": wanted})

    assert set(refused.value.fields) == {"token_endpoint_auth_method"}
    assert approved.documents.get(COMMAND_LINE, _CLIENT, made["name"])["token_endpoint_auth_method"] == present
    with approved.store.read() as tx:
        stored = tx.clients.find(other["name"])
    assert stored is not None
    assert client_secret_matches(approved.peppers, stored, Secret(other["client_secret"]), approved.clock.now())


def test_a_stale_change(approved: House) -> None:
    """Who looked at a client before another change is told so."""
    made = approved.documents.create(COMMAND_LINE, _CLIENT, _MAIL)
    stale = {"app_name": "Second", "modified": made["modified"]}
    approved.documents.update(COMMAND_LINE, _CLIENT, made["name"], {"app_name": "First"})

    with pytest.raises(Invalid) as refused:
        approved.documents.update(COMMAND_LINE, _CLIENT, made["name"], stale)

    assert refused.value.flaw is Flaw.STALE
    assert approved.documents.get(COMMAND_LINE, _CLIENT, made["name"])["app_name"] == "First"


def test_users_that_one_may_not_know_of_are_absent(approved: House) -> None:
    """A role with every right on clients and none on users has them run as its own user, and learns of no other."""
    role = approved.roles.create(COMMAND_LINE, "Keeper")
    approved.permissions.grant(COMMAND_LINE, Grant(role, _CLIENT, False, EVERY_ACTION))
    approved.roles.grant(COMMAND_LINE, USER, role)
    actor = approved.actor()

    made = approved.documents.create(actor, _CLIENT, {**_MAIL, "user": USER})
    told = set()
    for name in (_OTHER, "nobody@example.com"):
        with pytest.raises(Invalid) as making:
            approved.documents.create(actor, _CLIENT, {**_MAIL, "user": name})
        with pytest.raises(Invalid) as changing:
            approved.documents.update(actor, _CLIENT, made["name"], {"user": name})
        told |= {error.value.fields["user"].replace(name, "whom") for error in (making, changing)}

    assert made["user"] == USER
    assert told == {"Could not find User: whom"}


def test_a_deleted_client_is_gone(approved: House) -> None:
    """With its tokens and consents."""
    ((name,),) = _rows(approved, COMMAND_LINE, _CLIENT, "name")

    approved.documents.delete(approved.actor(_BOSS), _CLIENT, name)

    assert [_rows(approved, COMMAND_LINE, doctype, "name") for doctype in (_CLIENT, _TOKEN, _CONSENT)] == [[], [], []]
    assert (approved.activity()[-1].operation, approved.activity()[-1].subject) == ("client.deleted", name)


@pytest.mark.parametrize("ends", [USER, _BOSS, None])
@pytest.mark.parametrize("doctype", [_TOKEN, _CONSENT])
def test_all_that_came_of_an_approval_ends(approved: House, doctype: str, ends: str | None) -> None:
    """With a token or the consent: the access token at the next request, and the refresh token with it."""
    actor = approved.actor(ends) if ends else COMMAND_LINE
    client_id = approved.documents.create(COMMAND_LINE, _CLIENT, _MAIL)["name"]
    issued = approve(approved, client_id, USER)
    assert issued.refresh_token is not None
    presented = present_token(issued.access_token.text)
    assert approved.admit(presented).principal is not None
    asked = Asked(fields=["name"], filters=[["client", "=", client_id]])
    ((name,),) = approved.documents.list_rows(actor, doctype, asked).rows

    approved.documents.delete(actor, doctype, name)

    admission = approved.admit(presented)
    assert (admission.principal, admission.reason) == (None, Reason.REVOKED)
    with approved.store.read() as tx:
        refresh = find_refresh_token(tx, approved.peppers, issued.refresh_token)
    assert refresh is not None
    assert refresh.family.revoked_at == approved.clock.now()


def test_a_token_ends_by_its_name(approved: House) -> None:
    """Once, and noted once; one that was imported has no family, and ends alone."""
    approved.add_token()
    name = approved.add_token(text="a-token-of-this-user-0001")
    actor = approved.actor()

    approved.tokens.end(actor, name)
    approved.clock.advance(10)
    approved.tokens.end(actor, name)

    assert approved.admit(present_token("a-token-of-this-user-0001")).reason is Reason.REVOKED
    assert approved.admit(present_token(TOKEN_TEXT)).principal is not None
    ended = [entry for entry in approved.activity() if entry.operation == "access_token.revoked"]
    assert [(entry.user, entry.subject, entry.detail) for entry in ended] == [(USER, name, f"{USER}, client")]


def test_nobody_ends_another_s_token(approved: House) -> None:
    """Nor learns whether there is one; only who may end all is told that there is none."""
    ((name,),) = _rows(approved, COMMAND_LINE, _TOKEN, "name")

    for wanted in (name, "token-of-nobody"):
        with pytest.raises(NotPermitted):
            approved.tokens.end(approved.actor(_OTHER), wanted)
    with pytest.raises(NotFound):
        approved.tokens.end(approved.actor(_BOSS), "token-of-nobody")
    assert _rows(approved, COMMAND_LINE, _TOKEN, "status") == [("active",)]
