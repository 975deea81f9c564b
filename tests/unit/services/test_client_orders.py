"""What may be ordered of a client, and what comes of the order. Source: RFC 6749, section 2; RFC 7591, section 2."""

import json
from dataclasses import fields, replace

import pytest

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm
from latchgate.errors import Flaw, Invalid
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder, order_of
from support.house import ISSUER, USER
from support.oauth_house import APP, BACK, DEVICES, OAuthHouse
from unit.oauth.signing_client import P256

_JWKS = json.dumps({"keys": [P256.as_dict(private=False)]})
_CREDENTIALS = frozenset({GrantType.CLIENT_CREDENTIALS})


def _refused(oauth: OAuthHouse, order: ClientOrder) -> tuple[dict[str, str], Flaw]:
    with pytest.raises(Invalid) as refused:
        oauth.clients.create(COMMAND_LINE, order)
    return dict(refused.value.fields), refused.value.flaw


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"app_name": "  "}, "app_name", "1 to 140"),
        ({"app_name": "a\nb"}, "app_name", "visible"),
        ({"app_name": "x" * 141}, "app_name", "1 to 140"),
        ({"redirect_uris": ()}, "redirect_uris", "at least one"),
        ({"redirect_uris": ("http://app.example.com/",)}, "redirect_uris", "is not https"),
        ({"redirect_uris": tuple(f"{BACK}/{n}" for n in range(51))}, "redirect_uris", "at most 50"),
        ({"post_logout_redirect_uris": ("javascript:0",)}, "post_logout_redirect_uris", "no redirect URI"),
        ({"grant_types": frozenset()}, "grant_types", "at least one of authorization_code"),
        ({"grant_types": frozenset({GrantType.REFRESH_TOKEN})}, "grant_types", "goes with"),
        ({"grant_types": _CREDENTIALS, "auth_method": AuthMethod.NONE, "user": USER}, "grant_types", "keep a secret"),
        ({"scopes": frozenset()}, "scopes", "at least one"),
        ({"scopes": frozenset({"a,b"})}, "scopes", "is not a scope"),
        ({"jwks": _JWKS}, "jwks", "private_key_jwt alone"),
        ({"auth_method": AuthMethod.PRIVATE_KEY_JWT}, "jwks", ""),
        ({"resources": ("nothing",)}, "resources", "no absolute URI"),
        ({"resources": ("https://api.example.com/#a",)}, "resources", "without fragment"),
        ({"resources": (ISSUER,)}, "resources", "this service itself"),
        ({"resources": tuple(f"https://{n}.example.com" for n in range(51))}, "resources", "at most 50"),
        (
            {"auth_method": AuthMethod.NONE, "skip_authorization": True, "redirect_uris": ("http://127.0.0.1/",)},
            "skip_authorization",
            "https redirect URIs",
        ),
        ({"auth_method": AuthMethod.NONE, "require_pkce": False}, "require_pkce", "must send one"),
        ({"client_uri": "app.example.com"}, "client_uri", "web address"),
        ({"client_uri": "http://[a"}, "client_uri", "web address"),
        ({"client_uri": "https:///path"}, "client_uri", "web address"),
        ({"client_uri": "https://app.example.com/ü"}, "client_uri", "web address"),
        ({"client_uri": "https://app.example.com/" + "x" * 560}, "client_uri", "web address"),
        ({"grant_types": _CREDENTIALS}, "user", "needs the user"),
        ({"user": "Guest"}, "user", "carries no credential"),
        ({"user": "nobody@example.com"}, "user", "Could not find User"),
        ({"user": "no name"}, "user", "Could not find User"),
        ({"allowed_roles": frozenset({"All", "Nobody"})}, "allowed_roles", "Could not find Role: Nobody"),
    ],
)
def test_a_field_that_cannot_be(oauth: OAuthHouse, changes: dict[str, object], field: str, problem: str) -> None:
    """Each is named, with what would be right, and nothing is made."""
    oauth.house.add_user()

    told, flaw = _refused(oauth, replace(APP, **changes))  # type: ignore[arg-type]

    assert set(told) == {field}
    assert problem in told[field]
    assert flaw is (Flaw.LINK if field in {"user", "allowed_roles"} else Flaw.VALUE)
    assert oauth.clients.list_all(COMMAND_LINE) == []


def test_all_that_is_wrong_is_told_at_once(oauth: OAuthHouse) -> None:
    """Whoever fills in a form mends it once."""
    told, flaw = _refused(oauth, replace(APP, app_name="", user="nobody@example.com", scopes=frozenset()))

    assert (set(told), flaw) == ({"app_name", "user", "scopes"}, Flaw.VALUE)


def test_a_client_is_what_was_ordered(oauth: OAuthHouse) -> None:
    """Every field comes back as it was said, so that ordering it again changes nothing."""
    oauth.house.add_user()
    order = ClientOrder(
        app_name="Calendar",
        redirect_uris=(BACK, "com.example.app:/back"),
        auth_method=AuthMethod.PRIVATE_KEY_JWT,
        grant_types=frozenset(GrantType),
        scopes=frozenset({"openid", "API Key:read"}),
        user=USER,
        allowed_roles=frozenset({"System Manager"}),
        skip_authorization=True,
        require_pkce=False,
        id_token_alg=SigningAlgorithm.ES256,
        client_uri="https://app.example.com",
        post_logout_redirect_uris=("https://app.example.com/out",),
        resources=("https://api.example.com",),
        jwks=_JWKS,
    )
    client = oauth.clients.create(COMMAND_LINE, order).client

    again = order_of(client)

    told = {field.name for field in fields(order) if getattr(again, field.name) != getattr(order, field.name)}
    assert told <= {"jwks"}
    assert json.loads(again.jwks)["keys"][0]["x"] == json.loads(_JWKS)["keys"][0]["x"]
    changed = oauth.clients.change(COMMAND_LINE, client.client_id, again).client
    assert replace(changed, modified=client.modified, changed=client.changed) == client


def test_a_client_runs_as_the_user_however_it_was_spelt(oauth: OAuthHouse) -> None:
    """Capital letters of an e-mail address make no other user."""
    oauth.house.add_user()

    client = oauth.add_client(DEVICES, user=USER.upper())

    assert client.user is not None
    assert client.user.name == USER


@pytest.mark.parametrize("method", list(AuthMethod))
def test_who_gets_a_secret(oauth: OAuthHouse, method: AuthMethod) -> None:
    """Those alone that prove themselves by one; a public client is one that does not prove itself."""
    jwks = _JWKS if method is AuthMethod.PRIVATE_KEY_JWT else ""

    made = oauth.make_client(auth_method=method, jwks=jwks)

    assert (made.secret is not None) is method.by_secret
    assert (made.client.digest is not None) is method.by_secret
    assert made.client.public is (method is AuthMethod.NONE)
    assert made.secret is None or made.secret.text.startswith("lgc_")
