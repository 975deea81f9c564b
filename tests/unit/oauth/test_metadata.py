from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.rpinitiated import OpenIDProviderMetadata as LogoutMetadata

from latchgate.core.scopes import parse_scopes
from latchgate.oauth.assertions import ASSERTION_ALGORITHMS
from latchgate.oauth.metadata import ServerAddresses, openid_configuration, protected_resource, server_metadata

_ISSUER = "https://latchgate.example"
_ADDRESSES = ServerAddresses(_ISSUER)
_METHOD = f"{_ISSUER}/api/method/frappe.integrations.oauth2"


def test_frappes_addresses_are_ours() -> None:
    """Whoever knows Frappe's addresses finds everything; what Frappe lacks stands beside."""
    configuration = openid_configuration(_ADDRESSES, registration=True)

    assert {name: value for name, value in configuration.items() if name.endswith(("_endpoint", "_uri"))} == {
        "authorization_endpoint": f"{_METHOD}.authorize",
        "token_endpoint": f"{_METHOD}.get_token",
        "revocation_endpoint": f"{_METHOD}.revoke_token",
        "introspection_endpoint": f"{_METHOD}.introspect_token",
        "userinfo_endpoint": f"{_METHOD}.openid_profile",
        "registration_endpoint": f"{_METHOD}.register_client",
        "device_authorization_endpoint": f"{_METHOD}.device_authorization",
        "end_session_endpoint": f"{_METHOD}.end_session",
        "jwks_uri": f"{_ISSUER}/.well-known/jwks.json",
    }
    assert _ADDRESSES.device_page == f"{_ISSUER}/device"


def test_an_issuer_may_end_in_a_slash() -> None:
    """The issuer stays as it is, and no address gets two slashes."""
    metadata = server_metadata(ServerAddresses(_ISSUER + "/"), registration=False)

    assert metadata["issuer"] == _ISSUER + "/"
    assert metadata["token_endpoint"] == f"{_METHOD}.get_token"


def test_strict_readers_accept_it() -> None:
    """Authlib, which checks what RFC 8414, Discovery and RP-Initiated Logout ask for, finds nothing wrong."""
    for registration in (True, False):
        configuration = openid_configuration(_ADDRESSES, registration=registration)
        AuthorizationServerMetadata(server_metadata(_ADDRESSES, registration=registration)).validate()
        AuthorizationServerMetadata(configuration).validate()
        OpenIDProviderMetadata(configuration).validate(metadata_classes=[LogoutMetadata])


def test_only_what_is_done_is_told() -> None:
    """Neither implicit grants nor passwords, nor plain challenges, nor unsigned assertions, nor request objects."""
    configuration = openid_configuration(_ADDRESSES, registration=False)

    assert "registration_endpoint" not in configuration
    assert configuration["response_types_supported"] == ["code"]
    assert configuration["response_modes_supported"] == ["query"]
    assert configuration["code_challenge_methods_supported"] == ["S256"]
    assert configuration["authorization_response_iss_parameter_supported"] is True
    assert set(configuration["grant_types_supported"]) == {
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
    }
    assert configuration["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert [name for name, value in configuration.items() if value is False] == [
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
    ]


def test_each_endpoint_says_how_clients_prove_themselves() -> None:
    """Public clients may revoke but not introspect; assertions are signed by what is verified."""
    metadata = server_metadata(_ADDRESSES, registration=False)
    proving = {"client_secret_basic", "client_secret_post", "private_key_jwt"}

    assert set(metadata["token_endpoint_auth_methods_supported"]) == proving | {"none"}
    assert set(metadata["revocation_endpoint_auth_methods_supported"]) == proving | {"none"}
    assert set(metadata["introspection_endpoint_auth_methods_supported"]) == proving
    for endpoint in ("token", "revocation", "introspection"):
        algorithms = metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == list(ASSERTION_ALGORITHMS)
        assert "RS256" in algorithms
        assert {"none", "HS256"}.isdisjoint(algorithms)


def test_every_scope_that_is_told_is_one() -> None:
    """What is told can be asked for."""
    scopes = server_metadata(_ADDRESSES, registration=False)["scopes_supported"]

    assert parse_scopes(scopes) == frozenset({"all", "read", "openid", "profile", "email", "roles"})


def test_the_resource_names_its_server() -> None:
    """A client that was refused by our own interface finds whom to ask for a token, and sends it in the header."""
    assert protected_resource(_ISSUER) == {
        "resource": _ISSUER,
        "authorization_servers": [_ISSUER],
        "bearer_methods_supported": ["header"],
        "resource_name": "Latchgate",
        "scopes_supported": ["all", "read", "openid", "profile", "email", "roles"],
    }
