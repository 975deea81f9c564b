"""Nothing but the right secret opens anything: no stolen, copied, altered or guessed one."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latchgate.core.credentials import Scheme
from latchgate.core.policy import ANY_SCHEME
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from support.house import OLD_PEPPERS, OTHER_PEPPERS, USER, House, present_pair, present_session, present_token

_PAIRS = (Scheme.TOKEN, Scheme.BASIC)


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_a_stolen_database_lets_nobody_in(house: House, scheme: Scheme) -> None:
    """Under another key file the same database, with every right secret, authenticates nobody."""
    house.add_user()
    presented = house.carry(scheme)
    assert house.principal(presented).user == USER

    elsewhere = house.with_peppers(OTHER_PEPPERS)

    assert elsewhere.admit(presented).principal is None


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_what_an_older_pepper_hashed_still_works(house: House, scheme: Scheme) -> None:
    """Rotating the key file ends no credential while it still holds the former pepper."""
    before = house.with_peppers(OLD_PEPPERS)
    before.add_user()

    presented = before.carry(scheme)

    assert house.principal(presented).user == USER


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_what_a_lost_pepper_hashed_is_refused(house: House, scheme: Scheme) -> None:
    """A digest under a pepper that the key file does not hold matches nothing."""
    house.add_user()
    presented = house.carry(scheme)

    before = house.with_peppers(OLD_PEPPERS)

    assert before.admit(presented).principal is None


def test_a_stored_hash_is_no_secret(house: House) -> None:
    """Whatever a thief reads in the database, sent as it is, opens nothing by any scheme."""
    house.add_user()
    for scheme in sorted(ANY_SCHEME):
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
