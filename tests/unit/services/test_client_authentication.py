"""Clients prove themselves by a secret, by what they signed, or are public. Source: RFC 6749, section 2.3; RFC 7523."""

import json
from dataclasses import replace

import pytest

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.core.credentials import ClientCredential, PresentedClient, Scheme
from latchgate.core.policy import CLIENT, SIGNED_IN, Decision
from latchgate.core.principals import Client, Reason, Rejected
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from support.house import ISSUER, NOTHING_PRESENTED, NOW
from support.oauth_house import APP, OAuthHouse
from unit.oauth.jwts import forge
from unit.oauth.signing_client import P256

_JWKS = json.dumps({"keys": [P256.as_dict(private=False)]})
_SIGNING = replace(APP, auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks=_JWKS)
_PUBLIC = replace(APP, auth_method=AuthMethod.NONE)
_BY = {"basic": AuthMethod.BASIC, "form": AuthMethod.POST}


def _verify(oauth: OAuthHouse, credential: ClientCredential) -> Client | Rejected:
    who = oauth.house.gate.authenticator.verify(credential, "192.0.2.1")
    assert isinstance(who, Client | Rejected)
    return who


def _reason(oauth: OAuthHouse, client_id: str, method: AuthMethod, secret: str | None = None) -> Reason | None:
    who = _verify(oauth, ClientCredential(client_id, method, Secret(secret) if secret is not None else None))
    return who.reason if isinstance(who, Rejected) else None


def _assertion(client_id: str, **claims: object) -> str:
    said = {"iss": client_id, "sub": client_id, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j-1", **claims}
    return forge({"alg": "ES256"}, said, P256, "ES256")


@pytest.mark.parametrize("method", _BY.values(), ids=_BY)
@pytest.mark.parametrize("registered", _BY.values(), ids=_BY)
def test_a_secret_is_taken_either_way(oauth: OAuthHouse, method: AuthMethod, registered: AuthMethod) -> None:
    """By header or form, whichever the client was registered for; the log sees its id and how it came."""
    made = oauth.make_client(auth_method=registered)

    who = _verify(oauth, ClientCredential(made.client.client_id, method, made.secret))

    assert who == Client(made.client, method)
    assert isinstance(who, Client)
    assert who.credential == made.client.client_id


@pytest.mark.parametrize("method", _BY.values(), ids=_BY)
def test_what_is_no_secret_of_the_client_s(oauth: OAuthHouse, method: AuthMethod) -> None:
    """Wrong, another client's, empty or none."""
    client, other = oauth.add_client(), oauth.make_client()
    stolen = other.secret.text if other.secret else ""

    reasons = {_reason(oauth, client.client_id, method, secret) for secret in ("wrong", stolen, "", None)}

    assert reasons == {Reason.WRONG_SECRET}


@pytest.mark.parametrize("method", list(AuthMethod))
def test_an_unknown_client(oauth: OAuthHouse, method: AuthMethod) -> None:
    """Whatever it presents; nothing that it typed stands in the log as somebody's."""
    who = _verify(oauth, ClientCredential("nothing", method, Secret(_assertion("nothing"))))

    assert who == Rejected(Reason.UNKNOWN_CLIENT, Scheme.CLIENT)


@pytest.mark.parametrize(
    ("registered", "presented", "reason"),
    [
        (AuthMethod.BASIC, AuthMethod.NONE, Reason.WRONG_SECRET),
        (AuthMethod.BASIC, AuthMethod.PRIVATE_KEY_JWT, Reason.WRONG_ASSERTION),
        (AuthMethod.PRIVATE_KEY_JWT, AuthMethod.NONE, Reason.WRONG_SECRET),
        (AuthMethod.PRIVATE_KEY_JWT, AuthMethod.BASIC, Reason.WRONG_SECRET),
        (AuthMethod.NONE, AuthMethod.POST, Reason.WRONG_SECRET),
        (AuthMethod.NONE, AuthMethod.PRIVATE_KEY_JWT, Reason.WRONG_ASSERTION),
        (AuthMethod.NONE, AuthMethod.NONE, None),
    ],
)
def test_a_client_proves_itself_as_it_registered(
    oauth: OAuthHouse, registered: AuthMethod, presented: AuthMethod, reason: Reason | None
) -> None:
    """No other way counts: a key is not replaced by a secret, nor a secret by silence."""
    client = oauth.add_client(auth_method=registered, jwks=_JWKS if registered is AuthMethod.PRIVATE_KEY_JWT else "")
    secret = _assertion(client.client_id) if presented is AuthMethod.PRIVATE_KEY_JWT else "secret"

    assert _reason(oauth, client.client_id, presented, secret) is reason


def test_a_public_client_with_a_digest_in_its_row_has_no_secret(oauth: OAuthHouse) -> None:
    """One that had a secret once does not prove itself by it any more."""
    made = oauth.make_client()
    oauth.change_client(made.client, _PUBLIC)

    assert _reason(oauth, made.client.client_id, AuthMethod.BASIC, made.secret.text if made.secret else "") is (
        Reason.WRONG_SECRET
    )


@pytest.mark.parametrize("named", [True, False])
def test_an_assertion_proves_its_client_once(oauth: OAuthHouse, *, named: bool) -> None:
    """Whether the form names the client or the assertion alone does."""
    client = oauth.add_client(_SIGNING)
    client_id, text = client.client_id if named else "", _assertion(client.client_id)

    first = _reason(oauth, client_id, AuthMethod.PRIVATE_KEY_JWT, text)
    again = _reason(oauth, client_id, AuthMethod.PRIVATE_KEY_JWT, text)
    other = _reason(oauth, client_id, AuthMethod.PRIVATE_KEY_JWT, _assertion(client.client_id, jti="j-2"))

    assert (first, again, other) == (None, Reason.ASSERTION_REPLAYED, None)


def test_two_clients_may_use_the_same_number(oauth: OAuthHouse) -> None:
    """What one signed says nothing of what another did."""
    clients = [oauth.add_client(_SIGNING) for _ in range(2)]

    reasons = [
        _reason(oauth, client.client_id, AuthMethod.PRIVATE_KEY_JWT, _assertion(client.client_id)) for client in clients
    ]

    assert reasons == [None, None]


@pytest.mark.parametrize(
    "claims", [{"aud": "https://other.example.com"}, {"exp": NOW}, {"iss": "other"}, {"sub": "other"}, {"jti": ""}]
)
def test_an_assertion_that_proves_nothing(oauth: OAuthHouse, claims: dict[str, object]) -> None:
    """Meant for another, too old, about somebody else, or without a number of its own."""
    client = oauth.add_client(_SIGNING)

    reason = _reason(oauth, client.client_id, AuthMethod.PRIVATE_KEY_JWT, _assertion(client.client_id, **claims))

    assert reason is Reason.WRONG_ASSERTION


def test_an_assertion_that_is_none(oauth: OAuthHouse) -> None:
    """It names nobody, so that nobody is meant; a client that was named is that client with a wrong one."""
    client = oauth.add_client(_SIGNING)

    assert _reason(oauth, "", AuthMethod.PRIVATE_KEY_JWT, "nothing") is Reason.UNKNOWN_CLIENT
    assert _reason(oauth, client.client_id, AuthMethod.PRIVATE_KEY_JWT, "nothing") is Reason.WRONG_ASSERTION
    assert _reason(oauth, client.client_id, AuthMethod.PRIVATE_KEY_JWT) is Reason.WRONG_ASSERTION


def test_keys_that_cannot_be_read_prove_nothing(oauth: OAuthHouse) -> None:
    """As a later release may find, which is stricter about them."""
    client = oauth.add_client(_SIGNING)
    oauth.house.execute("UPDATE oauth_client SET jwks = '{}'")

    reason = _reason(oauth, client.client_id, AuthMethod.PRIVATE_KEY_JWT, _assertion(client.client_id))

    assert reason is Reason.WRONG_ASSERTION


@pytest.mark.parametrize("order", [APP, _SIGNING, _PUBLIC], ids=["secret", "key", "public"])
def test_a_revoked_client_is_told_from_a_wrong_one_by_who_knows_the_secret(oauth: OAuthHouse, order: object) -> None:
    """In the log alone."""
    assert order is APP or order is _SIGNING or order is _PUBLIC
    made = oauth.make_client(order)
    client_id = made.client.client_id
    secret = _assertion(client_id) if order is _SIGNING else made.secret.text if made.secret else None
    oauth.clients.revoke(COMMAND_LINE, client_id)

    who = _verify(oauth, ClientCredential(client_id, made.client.auth_method, Secret(secret) if secret else None))

    assert who == Rejected(Reason.REVOKED, Scheme.CLIENT, credential=client_id)
    if made.client.auth_method is not AuthMethod.NONE:
        wrong = _verify(oauth, ClientCredential(client_id, made.client.auth_method, Secret("wrong")))
        assert isinstance(wrong, Rejected)
        assert wrong.reason in {Reason.WRONG_SECRET, Reason.WRONG_ASSERTION}


def test_the_gate_lets_a_client_in_where_clients_are_asked_for(oauth: OAuthHouse) -> None:
    """And nowhere else; who presents nothing there is not let in."""
    made = oauth.make_client(grant_types=frozenset({GrantType.AUTHORIZATION_CODE}))
    form = PresentedClient((made.client.client_id,), (made.secret.text if made.secret else "",))
    presented = replace(NOTHING_PRESENTED, client=form)

    assert oauth.house.admit(presented, CLIENT).decision is Decision.ALLOWED
    assert oauth.house.admit(presented, SIGNED_IN).decision is not Decision.ALLOWED
    assert oauth.house.admit(replace(presented, client=PresentedClient()), CLIENT).decision is not Decision.ALLOWED
