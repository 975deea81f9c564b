import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from latchgate.core.clients import AuthMethod, GrantType, SigningAlgorithm
from latchgate.errors import ErrorCode, OAuthError
from latchgate.oauth.registrations import ClientMetadata, parse_client_metadata

NOW = 1_800_000_000
_ALLOWED = frozenset({"openid", "profile", "email"})
_MINIMAL = {"client_name": "M", "redirect_uris": ["https://a.example/cb"]}
_KEY = ECKey.generate_key("P-256")
_PUBLIC = _KEY.as_dict(private=False)
_JWKS = {"keys": [{member: _PUBLIC[member] for member in ("kty", "crv", "x", "y")}]}


def _parse(said: Mapping[str, object], allowed: frozenset[str] = _ALLOWED) -> ClientMetadata:
    return parse_client_metadata({**_MINIMAL, **said}, allowed)


def _refusal(said: Mapping[str, object], allowed: frozenset[str] = _ALLOWED) -> tuple[str, str]:
    with pytest.raises(OAuthError) as caught:
        _parse(said, allowed)
    assert caught.value.code is ErrorCode.OAUTH
    return caught.value.error, caught.value.public


def test_a_name_and_an_address_are_enough() -> None:
    """All else has the defaults of RFC 7591, and the least that a client can be."""
    assert parse_client_metadata(_MINIMAL, frozenset({"all"})) == ClientMetadata(
        client_name="M",
        auth_method=AuthMethod.BASIC,
        redirect_uris=("https://a.example/cb",),
        post_logout_redirect_uris=(),
        grant_types=frozenset({GrantType.AUTHORIZATION_CODE}),
        scopes=frozenset({"openid"}),
        client_uri="",
        contacts=(),
        jwks="",
        id_token_alg=SigningAlgorithm.RS256,
    )


def test_all_that_a_client_may_say() -> None:
    """Every field that is known is kept."""
    assert parse_client_metadata(
        {
            "client_name": " Dyn ",
            "redirect_uris": ["https://app.example/cb", "http://127.0.0.1/cb", "https://app.example/cb"],
            "post_logout_redirect_uris": ["https://app.example/bye"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": _JWKS,
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types": ["code"],
            "scope": "openid email",
            "client_uri": "https://app.example",
            "contacts": ["a@b.c"],
            "id_token_signed_response_alg": "ES256",
        },
        _ALLOWED,
    ) == ClientMetadata(
        client_name="Dyn",
        auth_method=AuthMethod.PRIVATE_KEY_JWT,
        redirect_uris=("https://app.example/cb", "http://127.0.0.1/cb"),
        post_logout_redirect_uris=("https://app.example/bye",),
        grant_types=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.DEVICE_CODE}),
        scopes=frozenset({"openid", "email"}),
        client_uri="https://app.example/",
        contacts=("a@b.c",),
        jwks=json.dumps(_JWKS),
        id_token_alg=SigningAlgorithm.ES256,
    )


def test_what_is_unknown_or_null_is_ignored() -> None:
    """Addresses that would have to be fetched, software and whatever comes later change nothing; null is nothing."""
    ignored = dict.fromkeys(["logo_uri", "tos_uri", "policy_uri", "software_statement"], "http://169.254.169.254/")
    nulls = dict.fromkeys(["jwks_uri", "scope", "grant_types", "client_uri", "contacts", "token_endpoint_auth_method"])

    further = {"software_id": 7, "software_version": "1", "application_type": "web", "x": []}

    assert _parse({**ignored, **nulls, **further}) == _parse({})
    assert _parse({"jwks": {"keys": "not looked at where no key proves anything"}}) == _parse({})


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("", ""),
        ("https://app.example", "https://app.example/"),
        ("https://app.example/", "https://app.example/"),
        ("https://app.example/about?x=1", "https://app.example/about?x=1"),
        ("https://app.example?x=1", "https://app.example?x=1"),
    ],
)
def test_the_address_of_a_client(uri: str, kept: str) -> None:
    """It is kept as Frappe writes it."""
    assert _parse({"client_uri": uri}).client_uri == kept


def test_a_device_needs_no_redirect() -> None:
    """Who gets tokens by a device code has no address to return to, and no response type."""
    device = {"client_name": "TV", "grant_types": [GrantType.DEVICE_CODE.value], "response_types": []}

    assert parse_client_metadata(device, _ALLOWED).redirect_uris == ()


@pytest.mark.parametrize(
    ("allowed", "said", "scopes"),
    [
        ({"openid"}, None, {"openid"}),
        ({"read"}, None, set()),
        (set(), "", set()),
        ({"all"}, " ", {"openid"}),
        ({"all"}, "all", {"all"}),
        ({"all"}, "API%20Key:read", {"API Key:read"}),
        ({"read"}, "User:read", {"User:read"}),
    ],
)
def test_scopes_are_those_that_were_asked_for(allowed: set[str], said: str | None, scopes: set[str]) -> None:
    """A client gets what it asks for within what is allowed; without asking, `openid` at most and never `all`."""
    assert _parse({"scope": said}, frozenset(allowed)).scopes == scopes


_METADATA, _REDIRECT = "invalid_client_metadata", "invalid_redirect_uri"


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ({"client_name": None}, _METADATA, "client_name: is required"),
        ({"client_name": ""}, _METADATA, "client_name: is required"),
        ({"client_name": "  "}, _METADATA, "client_name: is required"),
        ({"client_name": 1}, _METADATA, "client_name: is required"),
        ({"client_name": "x" * 141}, _METADATA, "client_name: is required"),
        ({"client_name": "a\nb"}, _METADATA, "client_name: is required"),
        ({"client_name": "a\u202eb"}, _METADATA, "client_name: is required"),
        ({"client_name": "\ud800"}, _METADATA, "client_name: is required"),
        ({"redirect_uris": None}, _REDIRECT, "redirect_uris: is required"),
        ({"redirect_uris": []}, _REDIRECT, "redirect_uris: is required"),
        ({"redirect_uris": "https://a.example/cb"}, _METADATA, "redirect_uris: must be a list"),
        ({"redirect_uris": [1]}, _METADATA, "redirect_uris: must be a list"),
        ({"redirect_uris": ["https://a.example/"] * 21}, _METADATA, "redirect_uris: must be a list"),
        ({"redirect_uris": ["notaurl"]}, _REDIRECT, "redirect_uris: 'notaurl' is no redirect URI"),
        ({"redirect_uris": ["https://a.example/", "http://evil.example/cb"]}, _REDIRECT, "is not https"),
        ({"redirect_uris": ["javascript:alert(1)"]}, _REDIRECT, "is no redirect URI"),
        (
            {"post_logout_redirect_uris": ["data:x"]},
            _METADATA,
            "post_logout_redirect_uris: 'data:x' is no",
        ),
        (
            {"token_endpoint_auth_method": "client_secret_jwt"},
            _METADATA,
            "token_endpoint_auth_method: use one of",
        ),
        ({"token_endpoint_auth_method": ["none"]}, _METADATA, "token_endpoint_auth_method: use one of"),
        ({"grant_types": ["implicit"]}, _METADATA, "grant_types: a client that registers itself may use"),
        ({"grant_types": ["password"]}, _METADATA, "grant_types: a client that registers itself may use"),
        ({"grant_types": ["client_credentials"]}, _METADATA, "grant_types: a client that registers itself may use"),
        (
            {"grant_types": ["authorization_code", "client_credentials"]},
            _METADATA,
            "grant_types: a client that registers",
        ),
        ({"grant_types": ["refresh_token"]}, _METADATA, "grant_types: refresh_token goes with another"),
        ({"grant_types": "authorization_code"}, _METADATA, "grant_types: must be a list"),
        ({"grant_types": [["authorization_code"]]}, _METADATA, "grant_types: must be a list"),
        ({"response_types": ["token"]}, _METADATA, "response_types: only code"),
        ({"response_types": ["code", "code id_token"]}, _METADATA, "response_types: only code"),
        ({"client_uri": "http://app.example"}, _METADATA, "client_uri: must be the https address"),
        ({"client_uri": "javascript:alert(1)"}, _METADATA, "client_uri: must be the https address"),
        ({"client_uri": ["https://app.example"]}, _METADATA, "client_uri: must be the https address"),
        ({"scope": ["openid"]}, _METADATA, "scope: must be one text"),
        ({"scope": "open\nid"}, _METADATA, "scope: scope holds"),
        ({"scope": "%20"}, _METADATA, "scope: ' ' begins or ends"),
        ({"scope": "all"}, _METADATA, "scope: a client that registers itself may have email openid profile"),
        ({"scope": "openid User:read"}, _METADATA, "scope: a client that registers itself may have"),
        ({"contacts": "a@b.c"}, _METADATA, "contacts: must be a list"),
        ({"jwks_uri": "https://app.example/jwks"}, _METADATA, "jwks_uri: keys are never fetched"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, _METADATA, "jwks: is required"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks": "{}"}, _METADATA, "jwks: is required"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks": {}}, _METADATA, "jwks: not a JSON Web Key Set"),
        (
            {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [_KEY.as_dict(private=True)]}},
            _METADATA,
            "jwks: key 1 has private members",
        ),
        ({"id_token_signed_response_alg": "none"}, _METADATA, "id_token_signed_response_alg: use one of RS256, ES256"),
        ({"id_token_signed_response_alg": "HS256"}, _METADATA, "id_token_signed_response_alg: use one of RS256, ES256"),
    ],
)
def test_what_a_client_may_not_say(said: dict[str, object], error: str, told: str) -> None:
    """A refusal names the field and what would be right, by the code of RFC 7591."""
    code, described = _refusal(said)

    assert code == error
    assert told in described


def test_keys_without_end_are_refused() -> None:
    """A document as deep as the parser goes is no key set."""
    deep: object = []
    for _ in range(100_000):
        deep = [deep]

    assert _refusal({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": deep}}) == (
        _METADATA,
        "jwks: too deep",
    )


def test_without_any_scope_none_is_had() -> None:
    """Where strangers may have nothing, that is said."""
    assert _refusal({"scope": "openid"}, frozenset())[1] == "scope: a client that registers itself may have none"


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    [
        *("client_name", "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "client_uri"),
        *("scope", "contacts", "jwks", "jwks_uri", "post_logout_redirect_uris", "id_token_signed_response_alg"),
    ]
)


@given(st.dictionaries(_FIELDS, _JSON), st.booleans())
def test_any_document_is_read_or_refused(said: dict[str, object], with_keys: bool) -> None:
    """Whatever a stranger says, what comes of it can be stored, or is refused as the RFC says."""
    proof = {"token_endpoint_auth_method": "private_key_jwt"} if with_keys else {}
    outcome = _outcome({**_MINIMAL, **proof, **said})

    if isinstance(outcome, OAuthError):
        assert outcome.error in {_METADATA, _REDIRECT}
    else:
        assert outcome.scopes <= _ALLOWED
        assert outcome.client_name.encode()
        assert GrantType.CLIENT_CREDENTIALS not in outcome.grant_types


def _outcome(document: Mapping[str, object]) -> ClientMetadata | OAuthError:
    try:
        return parse_client_metadata(document, _ALLOWED)
    except OAuthError as error:
        return error
