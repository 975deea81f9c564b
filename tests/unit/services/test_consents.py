"""What users allowed clients is kept, so that they are not asked again, and taken back."""

import pytest

from latchgate.errors import NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE
from support.house import USER
from support.oauth_house import API, OAuthHouse


def test_a_user_sees_what_was_allowed(oauth: OAuthHouse) -> None:
    """One line for each client, by the clients' names, with all that it may do."""
    oauth.house.add_user()
    oauth.house.add_user("other@example.com")
    actor, other = oauth.sign_in(), oauth.sign_in("other@example.com")
    notes, calendar = oauth.add_client(app_name="Notes"), oauth.add_client()
    for client, scope in ((notes, "User:read"), (notes, "openid"), (calendar, "all")):
        oauth.allow(client, actor, scope=scope)
    oauth.allow(notes, other)

    told = [(consent.app_name, consent.scopes, consent.user) for consent in oauth.consents.list_own(actor)]

    assert told == [
        ("Calendar", frozenset({"all"}), USER),
        ("Notes", frozenset({"User:read", "openid"}), USER),
    ]


def test_the_command_line_allowed_nothing(oauth: OAuthHouse) -> None:
    """Administrator has a list like everybody's."""
    assert oauth.consents.list_own(COMMAND_LINE) == []


def test_scopes_and_resources_are_not_joined_across(oauth: OAuthHouse) -> None:
    """Who allowed one thing for one resource and another for this service has allowed neither for the other."""
    oauth.house.add_user()
    oauth.add_client(resources=(API,))
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor, scope="User:read")
    oauth.allow(client, actor, scope="openid", resource=API)

    [consent] = oauth.consents.list_own(actor)

    assert (consent.scopes, consent.audience) == (frozenset({"openid"}), frozenset({API}))


def test_a_consent_that_is_taken_back_is_gone(oauth: OAuthHouse) -> None:
    """Once; its user and client are in the activity log."""
    oauth.house.add_user()
    client, actor = oauth.add_client(), oauth.sign_in()
    oauth.allow(client, actor)
    [consent] = oauth.consents.list_own(actor)

    oauth.consents.end(COMMAND_LINE, consent.public_id)

    assert oauth.consents.list_own(actor) == []
    entry = oauth.house.activity()[-1]
    assert (entry.operation, entry.subject, entry.detail) == ("consent.ended", client.client_id, USER)
    with pytest.raises(NotFound):
        oauth.consents.end(COMMAND_LINE, consent.public_id)


def test_who_may_read_no_consents_sees_none(oauth: OAuthHouse) -> None:
    """A credential for other things does not tell which applications its user has."""
    oauth.house.add_user()
    oauth.house.execute("DELETE FROM permission WHERE doctype = 'OAuth Consent'")

    with pytest.raises(NotPermitted):
        oauth.consents.list_own(oauth.sign_in())
