"""Clients, tokens and consents as documents: listed, counted and found alike on both engines."""

from typing import Any

import pytest

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.core.permissions import Own
from latchgate.core.queries import Column, Condition, DocumentQuery, Operator, Order
from latchgate.core.token_families import Approval
from latchgate.services.port_values import UserChanges
from latchgate.services.ports import Store
from support.new_rows import APPROVAL, digest, new_client, new_token, new_user

_TYPES = ("OAuth Client", "OAuth Bearer Token", "OAuth Consent")
_SPACED = frozenset({"User:read", "API Request Log:read"})
_SECOND = 1_000_000


@pytest.fixture
def approved(store: Store) -> Store:
    """Two users, two clients, four tokens (one of them imported) and two consents."""
    with store.write() as tx:
        ann, bob = tx.users.add(new_user(), 1), tx.users.add(new_user("bob@example.com"), 1)
        calendar = tx.clients.add(
            new_client(
                "calendar",
                auth_method=AuthMethod.NONE,
                scopes=_SPACED,
                grant_types=frozenset({GrantType.REFRESH_TOKEN, GrantType.AUTHORIZATION_CODE}),
                allowed_roles=frozenset({"Editor", "Auditor"}),
                resources=("https://z.example.com", "https://a.example.com"),
                user_id=ann,
            ),
            10,
        )
        mail = tx.clients.add(new_client("mail", app_name="Mail", redirect_uris=()), 20)
        approval = Approval(_SPACED, frozenset({"https://z.example.com", "https://a.example.com"}), 900)
        for number, (user_id, client) in enumerate(((ann, calendar), (bob, calendar), (ann, mail)), start=1):
            family = tx.token_families.add_family(f"f-{number}", client, user_id, approval, 900)
            issued = {"client_row_id": client, "family_id": family, "issued_at": 1_000 + number}
            new = new_token(user_id, b"%d" % number, public_id=f"t-{number}", scopes=_SPACED, **issued)
            tx.access_tokens.add(new)
        tx.access_tokens.add(new_token(bob, public_id="t-imported", revoked_at=1_500, audience=approval.audience))
        tx.consents.put("c-1", ann, calendar, approval, 30)
        tx.consents.put("c-2", bob, mail, APPROVAL, 40)
    return store


def _names(store: Store, doctype: str, *conditions: Condition, own: Own | None = None) -> list[Any]:
    query = DocumentQuery(all_of=conditions, order=(Order("name"),), limit=None)
    with store.read() as tx:
        names = [name for (name,) in tx.documents.list_some(doctype, query, own)]
        assert tx.documents.count(doctype, query, own) == len(names)
    return names


def _find(store: Store, doctype: str, name: str) -> Any:  # noqa: ANN401  # each test looks at other fields
    with store.read() as tx:
        found = tx.documents.find(doctype, name)
    assert found is not None
    return found


def _own(store: Store, name: str) -> Own:
    with store.read() as tx:
        found = tx.users.find(name)
    assert found is not None
    return Own(found.name, found.id)


class TestClients:
    def test_found(self, approved: Store) -> None:
        """A client has all its fields as they are answered, and of its secret nothing."""
        with approved.write() as tx:
            found = tx.clients.find("calendar")
            assert found is not None
            tx.clients.replace_secret(found.id, digest("one"), None, "Administrator", 11)
            tx.clients.replace_secret(found.id, digest("two"), 500, "ann@example.com", 12)

        found_document = _find(approved, "OAuth Client", "calendar")

        assert (found_document.id, found_document.owned_by, found_document.owned_by_id) == (
            found.id,
            "Administrator",
            None,
        )
        assert found_document.values == {
            "name": "calendar",
            "owner": "Administrator",
            "creation": 10,
            "modified": 12,
            "modified_by": "ann@example.com",
            "docstatus": 0,
            "idx": 0,
            "client_id": "calendar",
            "app_name": "Calendar",
            "user": "ann@example.com",
            "scopes": "API%20Request%20Log:read User:read",
            "redirect_uris": "https://b.example.com/back https://a.example.com/back",
            "default_redirect_uri": "https://b.example.com/back",
            "post_logout_redirect_uris": "",
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            "jwks": "",
            "allowed_roles": ["Auditor", "Editor"],
            "skip_authorization": 0,
            "require_pkce": 1,
            "id_token_signed_response_alg": "RS256",
            "client_uri": "",
            "resources": "https://z.example.com https://a.example.com",
            "registered": 0,
            "former_secret_until": 500 * _SECOND,
            "revoked": None,
            "status": "active",
        }

    def test_without_anything(self, approved: Store) -> None:
        """A client that has no redirect URI and runs as nobody has neither as a document."""
        with approved.write() as tx:
            found = tx.clients.find("mail")
            assert found is not None
            tx.clients.revoke(found.id, 700, "Administrator", 50)

        values = _find(approved, "OAuth Client", "mail").values
        assert (values["redirect_uris"], values["default_redirect_uri"], values["user"]) == ("", "", None)
        assert (values["revoked"], values["status"]) == (700 * _SECOND, "revoked")

    def test_listed(self, approved: Store) -> None:
        """Clients are asked for by their fields; one's own are those that one made."""
        assert _names(approved, "OAuth Client") == ["calendar", "mail"]
        for condition in (
            Condition("app_name", Operator.EQUAL, ("Mail",)),
            Condition("user", Operator.NOT_SET),
            Condition("token_endpoint_auth_method", Operator.EQUAL, ("client_secret_basic",)),
        ):
            assert _names(approved, "OAuth Client", condition) == ["mail"]
        assert _names(approved, "OAuth Client", own=_own(approved, "ann@example.com")) == []
        assert _names(approved, "OAuth Client", own=_own(approved, "Administrator")) == ["calendar", "mail"]


class TestTokens:
    def test_found(self, approved: Store) -> None:
        """A token has whose it is and what it is limited to, and nothing that it could be made from."""
        ann = _own(approved, "ann@example.com")

        found = _find(approved, "OAuth Bearer Token", "t-1")

        assert (found.owned_by, found.owned_by_id) == (ann.user, ann.user_id)
        assert found.is_own(ann)
        assert found.values == {
            "name": "t-1",
            "owner": "ann@example.com",
            "creation": 1_001 * _SECOND,
            "modified": 1_001 * _SECOND,
            "modified_by": "ann@example.com",
            "docstatus": 0,
            "idx": 0,
            "user": "ann@example.com",
            "client": "client",
            "scopes": "API%20Request%20Log:read User:read",
            "audience": [],
            "issued": 1_001 * _SECOND,
            "expires": 2_000 * _SECOND,
            "revoked": None,
            "status": "active",
        }
        imported = _find(approved, "OAuth Bearer Token", "t-imported").values
        assert imported["audience"] == ["https://a.example.com", "https://z.example.com"]
        assert (imported["revoked"], imported["modified"]) == (1_500 * _SECOND, 1_500 * _SECOND)

    @pytest.mark.parametrize(
        ("token", "family", "client", "end"),
        [
            (None, None, None, None),
            (1_100, None, None, 1_100),
            (None, 1_100, None, 1_100),
            (None, None, 1_100, 1_100),
            (1_100, 1_200, 1_300, 1_100),
            (1_300, 1_200, 1_100, 1_100),
            (1_300, 1_100, 1_200, 1_100),
            (1_100, 1_300, 1_200, 1_100),
        ],
    )
    def test_the_earliest_end(
        self, approved: Store, token: int | None, family: int | None, client: int | None, end: int | None
    ) -> None:
        """A token was revoked when it, its family or its client was, as requests with it are judged."""
        with approved.write() as tx:
            stored = tx.access_tokens.find([b"1"])
            assert stored is not None
            if token is not None:
                tx.access_tokens.revoke(stored.id, token)
            if family is not None and stored.family_id is not None:
                tx.token_families.revoke_family(stored.family_id, family)
            if client is not None and stored.client_row_id is not None:
                tx.clients.revoke(stored.client_row_id, client, "Administrator", 50)
            judged = tx.access_tokens.find([b"1"])

        values = _find(approved, "OAuth Bearer Token", "t-1").values
        assert judged is not None
        assert judged.revoked_at == end
        assert (values["revoked"], values["status"]) == (end and end * _SECOND, "revoked" if end else "active")
        by_end = _names(approved, "OAuth Bearer Token", Condition("revoked", Operator.SET))
        assert ("t-1" in by_end) == (end is not None)

    def test_a_disabled_user(self, approved: Store) -> None:
        """Its tokens say so, unless they are over for good."""
        with approved.write() as tx:
            tx.users.change(_own(approved, "bob@example.com").user_id, UserChanges(enabled=False), 50)
            columns = (Column("name", "name"), Column("status", "status"))
            states = tx.documents.list_some("OAuth Bearer Token", DocumentQuery(columns, limit=None), None)

        assert sorted(states) == [
            ("t-1", "active"),
            ("t-2", "user disabled"),
            ("t-3", "active"),
            ("t-imported", "revoked"),
        ]

    def test_listed(self, approved: Store) -> None:
        """Tokens are asked for by their fields; one's own are those that run as oneself, by id."""
        ann = _own(approved, "ann@example.com")

        assert _names(approved, "OAuth Bearer Token", own=ann) == ["t-1", "t-3"]
        assert _names(approved, "OAuth Bearer Token", own=Own(ann.user, ann.user_id + 100)) == []
        assert _names(approved, "OAuth Bearer Token", Condition("user", Operator.EQUAL, ("bob@example.com",))) == [
            "t-2",
            "t-imported",
        ]
        assert _names(
            approved, "OAuth Bearer Token", Condition("issued", Operator.BETWEEN, (1_002 * _SECOND, 1_003 * _SECOND))
        ) == ["t-2", "t-3"]


class TestConsents:
    def test_found(self, approved: Store) -> None:
        """A consent tells who allowed what to which client."""
        ann = _own(approved, "ann@example.com")

        found = _find(approved, "OAuth Consent", "c-1")

        assert (found.owned_by, found.owned_by_id) == (ann.user, ann.user_id)
        assert found.values == {
            "name": "c-1",
            "owner": "ann@example.com",
            "creation": 30,
            "modified": 30,
            "modified_by": "ann@example.com",
            "docstatus": 0,
            "idx": 0,
            "user": "ann@example.com",
            "client": "calendar",
            "app_name": "Calendar",
            "scopes": "API%20Request%20Log:read User:read",
            "audience": ["https://a.example.com", "https://z.example.com"],
        }

    def test_listed(self, approved: Store) -> None:
        """Consents are asked for by their fields; one's own are those that oneself gave, by id."""
        ann = _own(approved, "ann@example.com")

        assert _names(approved, "OAuth Consent") == ["c-1", "c-2"]
        assert _names(approved, "OAuth Consent", own=ann) == ["c-1"]
        assert _names(approved, "OAuth Consent", own=Own(ann.user, ann.user_id + 100)) == []
        assert _names(approved, "OAuth Consent", Condition("client", Operator.EQUAL, ("mail",))) == ["c-2"]
        assert _names(approved, "OAuth Consent", Condition("app_name", Operator.LIKE, ("Cal%",))) == ["c-1"]


@pytest.mark.parametrize("doctype", _TYPES)
@pytest.mark.parametrize("name", ["", "no\x00body", "\ud800", "T-1", "%"])
def test_unknown(approved: Store, doctype: str, name: str) -> None:
    """A name that no record has, or no table could hold, names none."""
    with approved.read() as tx:
        assert tx.documents.find(doctype, name) is None


@pytest.mark.parametrize(("doctype", "field"), [(_TYPES[0], "user"), (_TYPES[1], "revoked"), (_TYPES[2], "client")])
def test_groups(approved: Store, doctype: str, field: str) -> None:
    """Records are counted by what they have in common, also where that lies in another table."""
    query = DocumentQuery((Column(field, field), Column("n", None)), group_by=(field,), limit=None)
    with approved.read() as tx:
        rows = tx.documents.list_some(doctype, query, None)
        assert sum(int(count or 0) for _, count in rows) == tx.documents.count(doctype, DocumentQuery(), None)
