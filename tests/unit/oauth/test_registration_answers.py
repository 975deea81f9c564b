import json
from collections.abc import Mapping

from joserfc.jwk import ECKey

from latchgate.core.clients import GrantType, StoredClient
from latchgate.core.tokens import Digest, Secret
from latchgate.oauth.client_keys import ClientKeys, parse_client_keys
from latchgate.oauth.registrations import ClientMetadata, parse_client_metadata, registration_answer

NOW = 1_800_000_000
_MINIMAL = {"client_name": "M", "redirect_uris": ["https://a.example/cb"]}
_PUBLIC = ECKey.generate_key("P-256").as_dict(private=False)
_JWKS = {"keys": [{member: _PUBLIC[member] for member in ("kty", "crv", "x", "y")}]}
_CLIENT = {
    "id": 1,
    "client_id": "dc00000001",
    "app_name": "Dyn",
    "digest": Digest(1, b"x"),
    "previous_digest": None,
    "previous_until": None,
    "resources": (),
    "user": None,
    "allowed_roles": frozenset(),
    "skip_authorization": False,
    "require_pkce": True,
    "registered": True,
    "creation": NOW * 1_000_000,
    "owner": "Guest",
    "modified": NOW * 1_000_000,
    "modified_by": "Guest",
    "revoked_at": None,
}


def _parse(said: Mapping[str, object]) -> ClientMetadata:
    """Read what a client says beside the least that it must."""
    return parse_client_metadata({**_MINIMAL, **said}, frozenset({"all"}))


def _stored(read: ClientMetadata) -> StoredClient:
    """Store what a client said, as the service will."""
    chosen = {
        "auth_method": read.auth_method,
        "jwks": read.jwks,
        "redirect_uris": read.redirect_uris,
        "post_logout_redirect_uris": read.post_logout_redirect_uris,
        "grant_types": read.grant_types,
        "scopes": read.scopes,
        "id_token_alg": read.id_token_alg,
        "client_uri": read.client_uri,
    }
    return StoredClient(**{**_CLIENT, **chosen})  # type: ignore[arg-type]  # the two are all fields


def test_the_answer_is_that_of_the_recording() -> None:
    """A client is told its id, its secret once, and all that it is."""
    read = _parse({"client_name": "Dyn", "client_uri": "https://app.example", "scope": "all"})

    assert registration_answer(_stored(read), Secret("lgc_secret"), NOW) == {
        "client_id": "dc00000001",
        "client_id_issued_at": NOW,
        "client_name": "Dyn",
        "client_secret": "lgc_secret",
        "client_secret_expires_at": 0,
        "client_uri": "https://app.example/",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["https://a.example/cb"],
        "response_types": ["code"],
        "scope": "all",
        "token_endpoint_auth_method": "client_secret_basic",
        "id_token_signed_response_alg": "RS256",
    }


def test_a_public_client_is_told_of_no_secret() -> None:
    """Without a secret there is no such field, nor one for an address that was not given."""
    answer = registration_answer(_stored(_parse({"token_endpoint_auth_method": "none"})), None, NOW)

    assert {"client_secret", "client_uri", "jwks", "post_logout_redirect_uris"}.isdisjoint(answer)
    assert answer["token_endpoint_auth_method"] == "none"


def test_a_client_with_keys_is_told_them() -> None:
    """All that was registered is answered (RFC 7591, section 3.2.1)."""
    said = {"grant_types": [GrantType.DEVICE_CODE.value], "post_logout_redirect_uris": ["https://a.example/bye"]}
    read = _parse({**said, "token_endpoint_auth_method": "private_key_jwt", "jwks": _JWKS})

    answer = registration_answer(_stored(read), None, NOW)

    assert isinstance(parse_client_keys(json.dumps(answer["jwks"])), ClientKeys)
    assert answer["jwks"] == _JWKS
    assert answer["post_logout_redirect_uris"] == ["https://a.example/bye"]
    assert answer["response_types"] == []
