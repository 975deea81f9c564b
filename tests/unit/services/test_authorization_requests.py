"""Which authorization requests are put before a user, and how others are refused. RFC 6749, 4.1; RFC 9700."""

from dataclasses import replace

import pytest

from latchgate.core.clients import AuthMethod, GrantType
from latchgate.oauth.authorization_requests import AuthorizationRequest, Prompt, RefusedRequest
from latchgate.oauth.parameters import Parameters
from latchgate.services.actors import COMMAND_LINE
from support.house import ISSUER
from support.oauth_house import API, APP, BACK, CHALLENGE, OAuthHouse, query_of

_OTHER_BACK = "https://app.example.com/second?x=1"


def _check(oauth: OAuthHouse, parameters: Parameters) -> AuthorizationRequest | RefusedRequest:
    return oauth.authorizations.check(parameters)


def test_a_request_that_is_in_order(oauth: OAuthHouse) -> None:
    """All that it says is understood, also what people wrote in their own letters."""
    oauth.add_client(resources=(API,))
    client = oauth.add_client()
    asked = oauth.ask_for(
        client,
        scope="openid User:read",
        prompt="login consent",
        max_age="60",
        login_hint="Zoë",
        nonce="n",
        id_token_hint="h",
        response_mode="query",
        unknown="ignored",
    )

    wanted = _check(oauth, [*asked, ("resource", API), ("resource", ISSUER), ("empty", "")])

    assert wanted == AuthorizationRequest(
        client=client,
        redirect_uri=BACK,
        redirect_uri_given=True,
        scopes=frozenset({"openid", "User:read"}),
        audience=frozenset({API, ISSUER}),
        code_challenge=CHALLENGE,
        prompts=frozenset({Prompt.LOGIN, Prompt.CONSENT}),
        max_age=60,
        login_hint="Zoë",
        state="st",
        nonce="n",
        id_token_hint="h",
    )


def test_what_is_left_out(oauth: OAuthHouse) -> None:
    """No scope is all of the client's, no prompt is none, and the one redirect URI need not be named."""
    client = oauth.add_client(require_pkce=False)

    wanted = _check(oauth, [("client_id", client.client_id), ("response_type", "code"), ("scope", "")])

    assert isinstance(wanted, AuthorizationRequest)
    assert (wanted.scopes, wanted.redirect_uri, wanted.redirect_uri_given) == (client.scopes, BACK, False)
    assert (wanted.code_challenge, wanted.prompts, wanted.max_age) == ("", frozenset(), None)
    assert wanted.audience == frozenset()


@pytest.mark.parametrize(
    ("fields", "more", "description"),
    [
        ({"client_id": ""}, [], "Missing client_id"),
        ({"client_id": "nothing"}, [], "Invalid client_id"),
        ({}, [("client_id", "other")], "Invalid client_id"),
        ({"redirect_uri": "https://evil.example.com/"}, [], "Mismatching redirect URI"),
        ({"redirect_uri": BACK + "/"}, [], "Mismatching redirect URI"),
        ({"redirect_uri": _OTHER_BACK}, [("redirect_uri", BACK)], "Mismatching redirect URI"),
        ({"redirect_uri": ""}, [], "Missing redirect URI"),
    ],
)
def test_what_is_told_to_nobody_but_the_user(
    oauth: OAuthHouse, fields: dict[str, str], more: Parameters, description: str
) -> None:
    """Where client or address are not proved, nothing is sent to the address. Source: RFC 6749, section 4.1.2.1."""
    client = oauth.add_client(redirect_uris=(BACK, _OTHER_BACK))

    refused = _check(oauth, [*oauth.ask_for(client, **fields), *more])

    assert isinstance(refused, RefusedRequest)
    assert (refused.error, refused.location) == ("invalid_request", None)
    assert description in refused.description


def test_a_revoked_client_is_as_unknown_as_none(oauth: OAuthHouse) -> None:
    """Nothing is sent to its address any more."""
    client = oauth.add_client()
    oauth.clients.revoke(COMMAND_LINE, client.client_id)

    refused = _check(oauth, oauth.ask_for(client))

    assert isinstance(refused, RefusedRequest)
    assert refused.location is None


@pytest.mark.parametrize(
    ("fields", "more", "error"),
    [
        ({}, [("Á", "ü")], "invalid_request"),
        ({"response_type": ""}, [], "invalid_request"),
        ({"response_type": "token"}, [], "unsupported_response_type"),
        ({"response_type": "code id_token"}, [], "unsupported_response_type"),
        ({"response_mode": "fragment"}, [], "invalid_request"),
        ({}, [("scope", "openid")], "invalid_request"),
        ({"scope": '"'}, [], "invalid_scope"),
        ({"scope": "x" * 4_001}, [], "invalid_scope"),
        ({"request": "x"}, [], "request_not_supported"),
        ({"request_uri": "x"}, [], "request_uri_not_supported"),
        ({"registration": "x"}, [], "registration_not_supported"),
        ({"nonce": "ü"}, [], "invalid_request"),
        ({"nonce": "n" * 501}, [], "invalid_request"),
        ({"state": "s" * 2_001}, [], "invalid_request"),
        ({"prompt": "none login"}, [], "invalid_request"),
        ({"prompt": "shout"}, [], "invalid_request"),
        ({"max_age": "-1"}, [], "invalid_request"),
        ({"max_age": "1.5"}, [], "invalid_request"),
        ({"code_challenge": "", "code_challenge_method": ""}, [], "invalid_request"),
        ({"code_challenge": ""}, [], "invalid_request"),
        ({"code_challenge_method": ""}, [], "invalid_request"),
        ({"code_challenge_method": "plain"}, [], "invalid_request"),
        ({"code_challenge": "short"}, [], "invalid_request"),
        ({}, [("resource", "https://nowhere.example.com")], "invalid_target"),
        ({}, [("resource", "nothing at all")], "invalid_target"),
        ({}, [("resource", "https://api.example.com/" + "x" * 2_000)], "invalid_target"),
        ({}, [("resource", "https://[api")], "invalid_target"),
    ],
)
def test_what_the_client_is_told(oauth: OAuthHouse, fields: dict[str, str], more: Parameters, error: str) -> None:
    """By the RFC's code, with its state and who tells it. Source: RFC 6749, section 4.1.2.1; RFC 9207, section 2."""
    oauth.add_client(resources=("https://api.example.com",))
    client = oauth.add_client()

    refused = _check(oauth, [*oauth.ask_for(client, **fields), *more])

    assert isinstance(refused, RefusedRequest)
    assert refused.location is not None
    assert refused.location.startswith(f"{BACK}?")
    told = query_of(refused.location)
    assert (told["error"], refused.error, told["iss"]) == (error, error, ISSUER)
    assert told.get("state", "") == ("st" if len(fields.get("state", "")) < 2_000 else "")


@pytest.mark.parametrize("states", [["a", "b"], ["ü"], ["a\nb"]])
def test_a_state_that_is_not_the_client_s_goes_nowhere(oauth: OAuthHouse, states: list[str]) -> None:
    """Of two, neither is it; and what is no state is not sent on."""
    client = oauth.add_client()

    refused = _check(oauth, [*oauth.ask_for(client, state=""), *(("state", state) for state in states)])

    assert isinstance(refused, RefusedRequest)
    assert "state" not in query_of(refused.location or "")


def test_names_that_cannot_be_shown_are_not(oauth: OAuthHouse) -> None:
    """A description is of characters that may stand there, whatever was sent twice."""
    client = oauth.add_client()

    refused = _check(oauth, [*oauth.ask_for(client), ('"', "a"), ('"', "b")])

    assert isinstance(refused, RefusedRequest)
    assert refused.description == "Parameters may come once: one with a name that cannot be shown"


def test_a_client_without_the_grant_asks_nobody(oauth: OAuthHouse) -> None:
    """It is told so at its address, if it has one."""
    client = oauth.add_client(replace(APP, grant_types=frozenset({GrantType.DEVICE_CODE})))

    refused = _check(oauth, oauth.ask_for(client))

    assert isinstance(refused, RefusedRequest)
    assert (refused.error, refused.location is not None) == ("unauthorized_client", True)


def test_scopes_beyond_the_client_s_are_refused(oauth: OAuthHouse) -> None:
    """A user is not even asked for them."""
    client = oauth.add_client(scopes=frozenset({"read", "openid"}))

    within = _check(oauth, oauth.ask_for(client, scope="User:read openid"))
    beyond = _check(oauth, oauth.ask_for(client, scope="User:write"))

    assert isinstance(within, AuthorizationRequest)
    assert isinstance(beyond, RefusedRequest)
    assert beyond.error == "invalid_scope"


def test_openid_connect_names_the_redirect_uri(oauth: OAuthHouse) -> None:
    """Source: OpenID Connect Core, section 3.1.2.1."""
    client = oauth.add_client()

    refused = _check(oauth, oauth.ask_for(client, scope="openid", redirect_uri=""))

    assert isinstance(refused, RefusedRequest)
    assert "redirect_uri" in refused.description


@pytest.mark.parametrize(
    ("method", "redirect_uri", "assured"),
    [
        (AuthMethod.BASIC, "http://127.0.0.1/back", True),
        (AuthMethod.NONE, BACK, True),
        (AuthMethod.NONE, "http://127.0.0.1/back", False),
        (AuthMethod.NONE, "com.example.app:/back", False),
    ],
)
def test_whether_it_is_certain_who_gets_the_answer(
    oauth: OAuthHouse, method: AuthMethod, redirect_uri: str, *, assured: bool
) -> None:
    """Any program of a device can take a loopback port or a scheme. Source: RFC 8252, section 8.6."""
    client = oauth.add_client(auth_method=method, redirect_uris=(redirect_uri,))

    wanted = _check(oauth, oauth.ask_for(client, redirect_uri=redirect_uri))

    assert isinstance(wanted, AuthorizationRequest)
    assert wanted.assured is assured
