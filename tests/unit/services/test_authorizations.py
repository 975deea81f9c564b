"""What becomes of an authorization request at its user's browser. RFC 6749, 4.1; OpenID Connect Core, 3.1.2."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from latchgate.core.clients import AuthMethod, StoredClient
from latchgate.errors import NotPermitted
from latchgate.oauth.authorization_requests import RefusedRequest
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.authorizations import SIGNED_IN_AFTER, ConsentNeeded, Granted, SignInFirst
from support.house import ISSUER, USER, House
from support.oauth_house import API, BACK, OAuthHouse, build_oauth_house, code_of, issued, query_of

_OTHER = "other@example.com"


@pytest.fixture
def oauth(house: House) -> OAuthHouse:
    """The OAuth services over a house with two users, and a resource that tokens can be for."""
    oauth = build_oauth_house(house)
    for name in (USER, _OTHER):
        oauth.house.add_user(name)
    oauth.add_client(resources=(API,))
    return oauth


def _ask(oauth: OAuthHouse, client: StoredClient, actor: Actor | None, **fields: str) -> object:
    return oauth.authorizations.ask(oauth.ask_for(client, **fields), actor)


def _told(answer: object) -> str:
    assert isinstance(answer, RefusedRequest), answer
    return query_of(answer.location or "")["error"]


def test_a_user_is_asked_once(oauth: OAuthHouse) -> None:
    """What was allowed, and less of it, is granted without a question; more of it is asked for."""
    client, actor = oauth.add_client(), oauth.sign_in()

    first = _ask(oauth, client, actor, scope="User:read openid")
    oauth.allow(client, actor, scope="User:read openid")

    assert isinstance(first, ConsentNeeded)
    assert (first.session.user.name, first.request.client) == (USER, client)
    assert isinstance(_ask(oauth, client, actor, scope="User:read openid"), Granted)
    assert isinstance(_ask(oauth, client, actor, scope="openid"), Granted)
    assert isinstance(_ask(oauth, client, actor, scope="User:write"), ConsentNeeded)
    assert isinstance(_ask(oauth, client, oauth.sign_in(_OTHER), scope="openid"), ConsentNeeded)


def test_what_is_granted_without_a_question_is_what_was_asked_for(oauth: OAuthHouse) -> None:
    """Less than what was allowed before stays less."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)

    code = code_of(_ask(oauth, client, actor, scope="User:read"))

    assert issued(oauth.redeem(client, code)).scopes == {"User:read"}


def test_the_address_that_a_code_goes_to(oauth: OAuthHouse) -> None:
    """With the state and the issuer, behind whatever query the client has there itself."""
    client = oauth.add_client(redirect_uris=(f"{BACK}?tenant=a%20b",))
    asked = oauth.ask_for(client, redirect_uri=f"{BACK}?tenant=a%20b")

    answer = oauth.authorizations.answer(asked, oauth.sign_in(), allow=True)

    assert isinstance(answer, Granted)
    assert urlsplit(answer.location).query.startswith("tenant=a%20b&code=lgo_")
    assert query_of(answer.location).items() >= {"state": "st", "iss": ISSUER}.items()


def test_a_user_who_says_no(oauth: OAuthHouse) -> None:
    """The client is told, nothing is kept, and the user is asked again next time."""
    client, actor = oauth.add_client(), oauth.sign_in()

    assert _told(oauth.authorizations.answer(oauth.ask_for(client), actor, allow=False)) == "access_denied"

    assert oauth.operations()[-1] == "consent.denied"
    assert isinstance(_ask(oauth, client, actor), ConsentNeeded)


@pytest.mark.parametrize("audiences", [((API,), ()), ((), (API,)), ((API,), (API, ISSUER))])
def test_what_was_allowed_for_one_resource_is_asked_again_for_another(
    oauth: OAuthHouse, audiences: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    """This service is none of the others, though a request that names no resource means it."""
    client, actor = oauth.add_client(), oauth.sign_in()
    before, now = ([*oauth.ask_for(client), *(("resource", name) for name in names)] for names in audiences)
    oauth.authorizations.answer(before, actor, allow=True)

    assert isinstance(oauth.authorizations.ask(before, actor), Granted)
    assert isinstance(oauth.authorizations.ask(now, actor), ConsentNeeded)


def test_a_client_that_was_changed_is_asked_about_again(oauth: OAuthHouse) -> None:
    """Whoever gave it another address cannot have the codes of all who allowed the one before."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)
    changed = oauth.change_client(client, redirect_uris=("https://new.example.com/",))

    answer = _ask(oauth, changed, actor, redirect_uri="https://new.example.com/")

    assert isinstance(answer, ConsentNeeded)
    oauth.allow(changed, actor, redirect_uri="https://new.example.com/")
    assert isinstance(_ask(oauth, changed, actor, redirect_uri="https://new.example.com/"), Granted)


def test_a_new_secret_asks_nobody_again(oauth: OAuthHouse) -> None:
    """It is still the same client at the same address: rotating a secret must not cost a question to every user."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)

    oauth.clients.rotate(COMMAND_LINE, client.client_id)

    assert isinstance(_ask(oauth, client, actor), Granted)


def test_a_trusted_client_asks_nobody(oauth: OAuthHouse) -> None:
    """Its users are not asked, and no consent is kept."""
    client, actor = oauth.add_client(skip_authorization=True), oauth.sign_in()

    assert isinstance(_ask(oauth, client, actor), Granted)
    assert isinstance(_ask(oauth, client, actor, prompt="none"), Granted)
    assert oauth.consents.list_own(actor) == []


def test_a_public_client_at_an_address_of_anybody_s_is_asked_about_each_time(oauth: OAuthHouse) -> None:
    """Source: RFC 8252, section 8.6."""
    back = "http://127.0.0.1/back"
    client, actor = oauth.add_client(auth_method=AuthMethod.NONE, redirect_uris=(back,)), oauth.sign_in()
    oauth.allow(client, actor, redirect_uri=back)

    assert isinstance(_ask(oauth, client, actor, redirect_uri=back), ConsentNeeded)


def test_a_client_that_wants_the_user_asked(oauth: OAuthHouse) -> None:
    """Is obliged, whatever was allowed before."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)

    assert isinstance(_ask(oauth, client, actor, prompt="consent"), ConsentNeeded)


def test_a_client_that_wants_nothing_shown(oauth: OAuthHouse) -> None:
    """Is told what would have to be: a sign-in, a question. Source: OpenID Connect Core, section 3.1.2.6."""
    client, actor = oauth.add_client(), oauth.sign_in()

    assert _told(_ask(oauth, client, None, prompt="none")) == "login_required"
    assert _told(_ask(oauth, client, actor, prompt="none")) == "consent_required"
    oauth.allow(client, actor)
    assert isinstance(_ask(oauth, client, actor, prompt="none"), Granted)


def test_a_request_that_is_not_in_order_asks_nobody(oauth: OAuthHouse) -> None:
    """Neither who comes nor who answers."""
    client, actor = oauth.add_client(), oauth.sign_in()
    asked = oauth.ask_for(client, scope='"')

    assert _told(oauth.authorizations.ask(asked, actor)) == "invalid_scope"
    assert _told(oauth.authorizations.answer(asked, actor, allow=True)) == "invalid_scope"


def test_nobody_signs_in_first(oauth: OAuthHouse) -> None:
    """And comes back with the same request, by the name that the client suggests."""
    client = oauth.add_client()

    answer = _ask(oauth, client, None, login_hint=USER)

    assert isinstance(answer, SignInFirst)
    assert answer.login_hint == USER
    assert list(answer.parameters)[:-1] == list(oauth.ask_for(client, login_hint=USER))


def test_whoever_has_no_session_signs_in_first(oauth: OAuthHouse) -> None:
    """A key of the user's is no proof that the user sits at the browser."""
    assert isinstance(_ask(oauth, oauth.add_client(), oauth.house.actor(USER)), SignInFirst)
    assert isinstance(_ask(oauth, oauth.add_client(), COMMAND_LINE), SignInFirst)


def test_a_session_that_ended_meanwhile_answers_nothing(oauth: OAuthHouse) -> None:
    """Neither by itself nor by what was allowed before."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)
    oauth.house.users.set_enabled(COMMAND_LINE, USER, enabled=False)

    with pytest.raises(NotPermitted):
        oauth.authorizations.answer(oauth.ask_for(client), actor, allow=True)
    assert _told(_ask(oauth, client, actor)) == "access_denied"


def test_a_client_for_some_roles_turns_others_away(oauth: OAuthHouse) -> None:
    """Before anything is asked."""
    client = oauth.add_client(allowed_roles=frozenset({"System Manager"}))
    oauth.house.roles.grant(COMMAND_LINE, USER, "System Manager")

    assert isinstance(_ask(oauth, client, oauth.sign_in()), ConsentNeeded)
    assert _told(_ask(oauth, client, oauth.sign_in(_OTHER))) == "access_denied"


def test_a_consent_that_was_taken_back_meanwhile_is_asked_for(oauth: OAuthHouse) -> None:
    """What was seen in a read is looked at once more where the code is made."""
    client, actor = oauth.add_client(), oauth.sign_in()

    answer = oauth.authorizations.answer(oauth.ask_for(client), actor, allow=True, asked=False)

    assert isinstance(answer, ConsentNeeded)


@pytest.mark.parametrize("fields", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "59"}])
def test_a_client_that_wants_a_fresh_sign_in(oauth: OAuthHouse, fields: dict[str, str]) -> None:
    """Sends the user there once, and takes the one that came after."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)
    oauth.house.clock.advance(60)

    answer = _ask(oauth, client, actor, **fields)

    assert isinstance(answer, SignInFirst)
    assert isinstance(oauth.authorizations.ask(answer.parameters, actor), SignInFirst)
    assert isinstance(oauth.authorizations.ask(answer.parameters, oauth.sign_in()), Granted)


def test_a_sign_in_that_is_young_enough(oauth: OAuthHouse) -> None:
    """To the second."""
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)
    oauth.house.clock.advance(60)

    assert isinstance(_ask(oauth, client, actor, max_age="60"), Granted)


@pytest.mark.parametrize(
    "forge",
    [
        lambda value: [value, value],
        lambda value: [value.replace("-", "-0")],
        lambda value: ["1" + value],
        lambda value: ["-".join(["1", value.partition("-")[2]])],
        lambda value: [value + "ü"],
        lambda value: ["1" * 13 + "-x"],
        lambda value: [""],
    ],
)
def test_a_proof_of_the_sign_in_that_is_not_ours(oauth: OAuthHouse, forge: Callable[[str], list[str]]) -> None:
    """A client cannot tell us that its user has just signed in."""
    client, actor = oauth.add_client(), oauth.sign_in()
    answer = _ask(oauth, client, actor, prompt="login")
    assert isinstance(answer, SignInFirst)
    *asked, (name, value) = answer.parameters
    assert name == SIGNED_IN_AFTER

    forged = oauth.authorizations.ask([*asked, *((name, text) for text in forge(value))], oauth.sign_in())

    assert isinstance(forged, SignInFirst)


def test_a_proof_of_the_sign_in_is_for_its_client_and_a_quarter_of_an_hour(oauth: OAuthHouse) -> None:
    """Neither for another nor for later."""
    one, other = oauth.add_client(), oauth.add_client()
    answer = _ask(oauth, one, None, prompt="login")
    assert isinstance(answer, SignInFirst)
    proof = list(answer.parameters)[-1]
    actor = oauth.sign_in()

    assert isinstance(oauth.authorizations.ask([*oauth.ask_for(other, prompt="login"), proof], actor), SignInFirst)
    assert isinstance(oauth.authorizations.ask(answer.parameters, actor), ConsentNeeded)
    oauth.house.clock.advance(901)
    assert isinstance(oauth.authorizations.ask(answer.parameters, actor), SignInFirst)


def test_a_hint_of_the_user_must_fit(oauth: OAuthHouse) -> None:
    """A client that expects one user gets no code of another. Source: OpenID Connect Core, section 3.1.2.1."""
    client, actor, other = oauth.add_client(), oauth.sign_in(), oauth.sign_in(_OTHER)
    tokens = oauth.begin(client, actor, scope="openid")
    oauth.allow(client, other, scope="openid")
    hint = tokens.id_token.text if tokens.id_token else ""

    assert isinstance(_ask(oauth, client, actor, scope="openid", id_token_hint=hint), Granted)
    assert isinstance(_ask(oauth, client, other, scope="openid", id_token_hint=hint), SignInFirst)
    assert _told(_ask(oauth, client, other, scope="openid", id_token_hint=hint, prompt="none")) == "login_required"
    assert isinstance(_ask(oauth, client, actor, scope="openid", id_token_hint="x"), SignInFirst)


def test_another_user_than_the_hint_s_is_not_asked_to_sign_in_for_ever(oauth: OAuthHouse) -> None:
    """Once somebody else has signed in, the client is told so, rather than the page shown again and again."""
    client, actor = oauth.add_client(), oauth.sign_in()
    tokens = oauth.begin(client, actor, scope="openid")
    answer = _ask(oauth, client, None, scope="openid", id_token_hint=tokens.id_token.text if tokens.id_token else "")
    assert isinstance(answer, SignInFirst)

    assert isinstance(oauth.authorizations.ask(answer.parameters, oauth.sign_in()), Granted)
    assert _told(oauth.authorizations.ask(answer.parameters, oauth.sign_in(_OTHER))) == "login_required"


def test_a_code_says_when_its_user_signed_in(oauth: OAuthHouse) -> None:
    """Which is when the session began, not when the user allowed it."""
    client, actor = oauth.add_client(), oauth.sign_in()
    signed_in_at = oauth.house.clock.now()
    oauth.house.clock.advance(100)

    oauth.allow(client, actor)

    assert oauth.house.execute("SELECT auth_time FROM oauth_code") == [(signed_in_at,)]


def test_a_code_is_not_in_the_database(oauth: OAuthHouse) -> None:
    """Its digest is, from which nobody makes it."""
    client = oauth.add_client()
    code = oauth.allow(client, oauth.sign_in())

    rows = str(oauth.house.execute("SELECT * FROM oauth_code"))

    assert code not in rows
