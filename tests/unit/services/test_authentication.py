"""Whatever ends a credential ends it at the very next request; nothing but the right secret opens anything."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import Decision, Requirement
from latchgate.core.principals import Anonymous
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.authentication import SESSION_TOUCH_SECONDS
from latchgate.services.ports import UserChanges
from support.house import (
    ADDRESS,
    EVERYTHING,
    LIFETIME,
    NOW,
    OLD_PEPPERS,
    OTHER_PEPPERS,
    TOKEN_TEXT,
    USER,
    House,
    present_pair,
    present_session,
    present_token,
)

_PAIRS = (Scheme.TOKEN, Scheme.BASIC)
_AUDITORS = Requirement(user=True, roles=frozenset({"Auditor"}))

End = Callable[[House, Presented], object]


def _revoke(house: House, presented: Presented) -> None:
    principal = house.principal(presented)
    match principal.scheme:
        case Scheme.TOKEN | Scheme.BASIC:
            house.keys.revoke(COMMAND_LINE, principal.credential)
        case Scheme.BEARER:
            token = presented.authorization[0].removeprefix(b"Bearer ").decode()
            house.tokens.revoke(COMMAND_LINE, Secret(token))
        case Scheme.SESSION:
            house.sign_in.sign_out(principal, Secret(presented.session_cookie or ""), ADDRESS)


def _change(changes: UserChanges) -> End:
    return lambda house, _presented: house.change_user(house.users.get(USER), changes)


_ENDS: dict[str, End] = {
    "revoke": _revoke,
    "disable the user": lambda house, _: house.users.set_enabled(COMMAND_LINE, USER, enabled=False),
    "delete the user": lambda house, _: house.users.delete(COMMAND_LINE, USER),
    "forbid the address": _change(UserChanges(restrict_ip=(ip_network("198.51.100.7"),))),
    "forbid the hour": _change(UserChanges(login_before=8)),
    "take the role": lambda house, _: house.roles.revoke(COMMAND_LINE, USER, "Auditor"),
}


@pytest.mark.parametrize("end", _ENDS.values(), ids=_ENDS)
@pytest.mark.parametrize("scheme", list(Scheme))
def test_an_end_holds_at_the_next_request(house: House, scheme: Scheme, end: End) -> None:
    """Whatever takes a user or a credential its rights, the very next request is refused, by every scheme."""
    house.add_user()
    house.roles.create(COMMAND_LINE, "Auditor")
    house.roles.grant(COMMAND_LINE, USER, "Auditor")
    presented = house.carry(scheme)
    assert house.admit(presented, _AUDITORS).decision is Decision.ALLOWED

    end(house, presented)

    assert house.admit(presented, _AUDITORS).decision is not Decision.ALLOWED


@pytest.mark.parametrize("scheme", _PAIRS)
def test_a_key_ends_in_the_second_that_it_names(house: House, scheme: Scheme) -> None:
    """A key works in the last second before its expiry, and not in that of the expiry."""
    house.add_user()
    issued = house.add_key(limits=replace(EVERYTHING, expires_at=NOW + 60))
    presented = present_pair(issued.key.key_id, issued.secret.text, scheme)

    house.clock.advance(59)
    before = house.admit(presented).decision
    house.clock.advance(1)

    assert before is Decision.ALLOWED
    assert house.admit(presented).decision is Decision.UNAUTHENTICATED


def test_a_token_ends_in_the_second_that_it_names(house: House) -> None:
    """A token works in the last second before its expiry, and not in that of the expiry."""
    house.add_user()
    house.add_token()

    house.clock.advance(3599)
    before = house.admit(present_token(TOKEN_TEXT)).decision
    house.clock.advance(1)

    assert before is Decision.ALLOWED
    assert house.admit(present_token(TOKEN_TEXT)).decision is Decision.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", _PAIRS)
@pytest.mark.parametrize("end", ["disable the record", "delete its user"])
def test_an_end_of_a_record_holds_at_the_next_request(house: House, scheme: Scheme, end: str) -> None:
    """A record's key is refused as soon as the record is disabled, or its user is gone."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    issued = house.add_key("consumer-1", source="Event Consumer")
    presented = present_pair(issued.key.key_id, issued.secret.text, scheme, "Event Consumer")
    assert house.admit(presented).decision is Decision.ALLOWED

    if end == "disable the record":
        house.sources.enable_record(COMMAND_LINE, "Event Consumer", "consumer-1", enabled=False)
    else:
        house.users.delete(COMMAND_LINE, USER)

    assert house.admit(presented).decision is Decision.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", list(Scheme))
def test_what_was_allowed_again_works_at_the_next_request(house: House, scheme: Scheme) -> None:
    """Enabling a user again gives every credential back that did not end otherwise."""
    house.add_user()
    presented = house.carry(scheme)
    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)
    assert house.admit(presented).decision is Decision.UNAUTHENTICATED

    house.users.set_enabled(COMMAND_LINE, USER, enabled=True)

    assert house.admit(presented).decision is Decision.ALLOWED


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_new_user_of_an_old_name_inherits_nothing(house: House, scheme: Scheme) -> None:
    """The credentials of a deleted user open nothing for, or as, a new one of the same name."""
    old = house.add_user()
    presented = house.carry(scheme)
    house.users.delete(COMMAND_LINE, USER)

    new = house.add_user()

    assert new.id != old.id
    assert house.admit(presented).principal is None


def test_a_session_lives_while_it_is_used(house: House) -> None:
    """Each use puts the idle end off, but never beyond the absolute one."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    step = LIFETIME.idle_seconds - 1

    alive = 0
    while house.admit(presented).principal:
        alive += step
        house.clock.advance(step)

    assert LIFETIME.absolute_seconds <= alive < LIFETIME.absolute_seconds + step


@pytest.mark.parametrize("unused_seconds", [LIFETIME.idle_seconds - 1, LIFETIME.idle_seconds])
def test_an_unused_session_ends(house: House, unused_seconds: int) -> None:
    """A session that nobody used for the idle time opens nothing, and can never be touched to life again."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    house.clock.advance(unused_seconds)

    alive = house.admit(presented).principal is not None

    assert alive is (unused_seconds < LIFETIME.idle_seconds)
    assert (house.admit(presented).principal is not None) is alive


def test_a_session_s_use_is_noted_once_a_minute(house: House) -> None:
    """A request by session writes at most once a minute, not each time."""
    house.add_user()
    presented = house.carry(Scheme.SESSION)
    seen = []

    for _ in range(4):
        house.clock.advance(SESSION_TOUCH_SECONDS // 2)
        house.admit(presented)
        seen.append(house.execute("SELECT last_seen_at - created_at FROM session")[0][0])

    assert seen == [0, SESSION_TOUCH_SECONDS, SESSION_TOUCH_SECONDS, 2 * SESSION_TOUCH_SECONDS]


def test_a_refused_session_is_not_kept_alive(house: House) -> None:
    """The requests of a session that its user may not use now do not put its end off."""
    user = house.add_user()
    presented = house.carry(Scheme.SESSION)
    house.change_user(user, UserChanges(enabled=False))
    house.clock.advance(LIFETIME.idle_seconds - 1)
    house.admit(presented)
    house.change_user(user, UserChanges(enabled=True))
    house.clock.advance(1)

    assert house.admit(presented).who == Anonymous(session_expired=True)


# --- Stolen databases -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_stolen_database_lets_nobody_in(house: House, scheme: Scheme) -> None:
    """Under another key file the same database, with every right secret, authenticates nobody."""
    house.add_user()
    presented = house.carry(scheme)
    assert house.principal(presented).user == USER

    elsewhere = house.with_peppers(OTHER_PEPPERS)

    assert elsewhere.admit(presented).principal is None


@pytest.mark.parametrize("scheme", list(Scheme))
def test_what_an_older_pepper_hashed_still_works(house: House, scheme: Scheme) -> None:
    """Rotating the key file ends no credential while it still holds the former pepper."""
    before = house.with_peppers(OLD_PEPPERS)
    before.add_user()

    presented = before.carry(scheme)

    assert house.principal(presented).user == USER


@pytest.mark.parametrize("scheme", list(Scheme))
def test_what_a_lost_pepper_hashed_is_refused(house: House, scheme: Scheme) -> None:
    """A digest under a pepper that the key file does not hold matches nothing."""
    house.add_user()
    presented = house.carry(scheme)

    before = house.with_peppers(OLD_PEPPERS)

    assert before.admit(presented).principal is None


def test_a_stored_hash_is_no_secret(house: House) -> None:
    """Whatever a thief reads in the database, sent as it is, opens nothing by any scheme."""
    house.add_user()
    for scheme in Scheme:
        house.carry(scheme)
    columns = {
        "api_key": ["key_id", "hash"],
        "oauth_token": ["public_id", "lookup", "hash"],
        "session": ["public_id", "digest"],
    }
    stolen = [
        value if isinstance(value, str) else value.hex()
        for table, names in columns.items()
        for row in house.execute(f"SELECT {', '.join(names)} FROM {table}")  # noqa: S608  # names of this test's own
        for value in row
    ]
    key_id = house.execute("SELECT key_id FROM api_key")[0][0]

    tried = [
        house.admit(presented)
        for text in stolen
        for presented in (present_pair(key_id, text), present_token(text), present_session(text))
    ]

    assert len(stolen) == 9
    assert [admission.principal for admission in tried] == [None] * 27


@pytest.mark.parametrize("scheme", _PAIRS)
def test_a_key_s_digest_opens_nothing_in_another_row(house: House, scheme: Scheme) -> None:
    """Whoever can write to the database cannot give a victim's key the digest of a secret that they know."""
    house.add_user()
    house.add_user("victim@example.com")
    own, victim = house.add_key(), house.add_key("victim@example.com")
    house.execute(
        "UPDATE api_key SET (pepper, hash) = (SELECT pepper, hash FROM api_key WHERE id = :own) WHERE id = :victim",
        {"own": own.key.id, "victim": victim.key.id},
    )

    assert house.admit(present_pair(victim.key.key_id, own.secret.text, scheme)).principal is None
    assert house.admit(present_pair(own.key.key_id, own.secret.text, scheme)).principal is not None


@pytest.mark.parametrize("column", ["key_id", "source"])
def test_a_key_under_another_name_opens_nothing(house: House, column: str) -> None:
    """A digest stands for its key id and its source too: neither can be changed beneath it."""
    house.add_user()
    house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer-1", USER)
    house.sources.create(COMMAND_LINE, "API Device")
    house.sources.create_record(COMMAND_LINE, "API Device", "device-1", USER)
    pair = PairText("shared-key", Secret("shared-secret"))
    house.keys.import_key(COMMAND_LINE, Owner("Event Consumer", "consumer-1"), pair, KeyOrder())
    changes = {
        "key_id": "UPDATE api_key SET key_id = 'other-key'",
        "source": "UPDATE api_key SET source = 'API Device', "
        "record_id = (SELECT id FROM source_record WHERE source = 'API Device')",
    }
    before = house.admit(present_pair("shared-key", "shared-secret", source="Event Consumer"))
    house.execute(changes[column])

    key_id = "other-key" if column == "key_id" else "shared-key"
    source = "Event Consumer" if column == "key_id" else "API Device"
    after = house.admit(present_pair(key_id, "shared-secret", source=source))

    assert before.principal is not None
    assert after.principal is None


def test_a_token_s_digests_open_nothing_in_another_row(house: House) -> None:
    """Whoever can write to the database cannot make a victim's token out of one that they know."""
    house.add_user()
    house.add_user("victim@example.com")
    house.add_token(USER, "own-token-of-the-thief")
    house.add_token("victim@example.com", "token-of-the-victim")
    own, victim = house.execute("SELECT id, lookup, pepper, hash FROM oauth_token ORDER BY id")
    house.execute("DELETE FROM oauth_token WHERE id = :id", {"id": own[0]})
    house.execute(
        "UPDATE oauth_token SET lookup = :lookup, pepper = :pepper, hash = :hash WHERE id = :id",
        {"id": victim[0], "lookup": own[1], "pepper": own[2], "hash": own[3]},
    )

    assert house.admit(present_token("own-token-of-the-thief")).principal is None


def test_a_key_without_a_digest_opens_nothing(house: House) -> None:
    """A row whose digest was taken away is not a row that any secret opens."""
    house.add_user()
    issued = house.add_key()
    house.execute("UPDATE api_key SET pepper = NULL, hash = NULL")

    assert house.admit(present_pair(issued.key.key_id, issued.secret.text)).principal is None


# --- Wrong secrets --------------------------------------------------------------------------------------------------

_SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=8, max_size=60)


@pytest.fixture(scope="module")
def actor(lasting_house: House) -> Actor:
    """Whoever imports; the module's house has one user."""
    lasting_house.add_user()
    return COMMAND_LINE


@given(right=_SECRETS, wrong=_SECRETS, scheme=st.sampled_from(_PAIRS))
def test_no_wrong_secret_passes(lasting_house: House, actor: Actor, right: str, wrong: str, scheme: Scheme) -> None:
    """Of any two different secrets the right one opens the key and the other does not."""
    assume(right != wrong and not right.startswith("lg"))  # what looks like ours is refused at import
    key_id = lasting_house.entropy.random_bytes(8).hex()
    lasting_house.keys.import_key(actor, Owner("User", USER), PairText(key_id, Secret(right)), KeyOrder())

    assert lasting_house.admit(present_pair(key_id, right, scheme)).principal is not None
    assert lasting_house.admit(present_pair(key_id, wrong, scheme)).principal is None


@given(data=st.data())
def test_no_altered_secret_passes(lasting_house: House, actor: Actor, data: st.DataObject) -> None:
    """A secret of ours with any one character changed, cut, added or in another case opens nothing."""
    issued = lasting_house.keys.generate(actor, Owner("User", USER), KeyOrder())
    text, place = issued.secret.text, data.draw(st.integers(0, len(issued.secret.text) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"))
    altered = data.draw(
        st.sampled_from(
            [
                text[:place] + letter + text[place + 1 :],
                text[:place] + letter + text[place:],
                text[:place] + text[place + 1 :],
                text[:place],
                text[:place] + text[place:].swapcase(),
            ]
        )
    )
    assume(altered != text)

    assert lasting_house.admit(present_pair(issued.key.key_id, altered)).principal is None
    assert lasting_house.admit(present_pair(issued.key.key_id, text)).principal is not None


@given(right=_SECRETS, wrong=_SECRETS)
def test_no_wrong_token_passes(lasting_house: House, actor: Actor, right: str, wrong: str) -> None:
    """Of any two different access tokens the one that was imported opens its user's account and the other does not."""
    assume(right != wrong)
    unique = lasting_house.entropy.random_bytes(8).hex()
    lasting_house.add_token(USER, unique + right.encode().hex())

    assert lasting_house.admit(present_token(unique + right.encode().hex())).principal is not None
    assert lasting_house.admit(present_token(unique + wrong.encode().hex())).principal is None
