"""Who may do what to whose keys, and that nobody learns of keys which are none of theirs."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.policy import Decision
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, GUEST
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.standing_settings import StandingSettings
from support.house import ADDRESS, USER, House, present_pair

_OWN = Owner("User", USER)
_OTHER = "other@example.com"
_CONSUMER = Owner("Event Consumer", "consumer-1")


def _opens(house: House, key_id: str, secret: Secret, source: str | None = None) -> bool:
    return house.admit(present_pair(key_id, secret.text, source=source)).decision is Decision.ALLOWED


def _add_consumer(house: House, user: str | None = USER) -> None:
    house.sources.create_record(COMMAND_LINE, _CONSUMER.source, _CONSUMER.record, user)


def _attempts(house: House, actor: Actor, owner: Owner, key_id: str) -> dict[str, object]:
    """Try everything that a user might do to an owner's keys; tell what came of each."""
    pair = PairText("key-0001", Secret("secret-0001"))
    keys = house.keys
    attempts: dict[str, Callable[[], object]] = {
        "generate": lambda: keys.generate(actor, owner, KeyOrder()),
        "generate_primary": lambda: keys.generate_primary(actor, owner),
        "import": lambda: keys.import_key(actor, owner, pair, KeyOrder()),
        "rotate": lambda: keys.rotate(actor, key_id, overlap_seconds=0),
        "revoke": lambda: keys.revoke(actor, key_id),
    }
    outcomes: dict[str, object] = {}
    for name, attempt in attempts.items():
        try:
            attempt()
            outcomes[name] = "done"
        except (NotPermitted, NotFound, Invalid, Conflict) as error:
            outcomes[name] = type(error), error.public.replace(key_id, "…")
    return outcomes


def test_a_user_manages_its_own_keys(house: House) -> None:
    """Without any role, a user makes, lists, rotates and ends keys of its own."""
    house.add_user()
    key_id = house.add_key().key.key_id

    assert set(_attempts(house, house.actor(), _OWN, key_id).values()) == {"done"}


def test_a_user_manages_the_keys_of_a_record_that_runs_as_it(house: House) -> None:
    """The keys of another source's record belong to whom their requests run as."""
    house.add_user()
    _add_consumer(house)
    key_id = house.add_key(_CONSUMER.record, source=_CONSUMER.source).key.key_id

    assert set(_attempts(house, house.actor(), _CONSUMER, key_id).values()) == {"done"}


def test_an_administrator_may_keep_keys_to_managers(house: House) -> None:
    """Where own keys are forbidden, a user manages none, and a System Manager all."""
    house.add_user()
    house.add_user("manager@example.com")
    house.roles.grant(COMMAND_LINE, "manager@example.com", "System Manager")
    key_id = house.add_key().key.key_id
    user, manager = house.actor(), house.actor("manager@example.com")
    strict = replace(house, keys=replace(house.keys, standing=StandingSettings.undecided(allow_own_keys=0)))

    by_user = _attempts(strict, user, _OWN, key_id)
    by_manager = _attempts(strict, manager, _OWN, key_id)

    assert set(by_user.values()) == {(NotPermitted, "Not permitted to manage these keys")}
    assert set(by_manager.values()) == {"done"}


@pytest.mark.parametrize("own_keys", [True, False])
@pytest.mark.parametrize(
    ("existing", "missing"),
    [
        (Owner("User", _OTHER), Owner("User", "nobody@example.com")),
        (Owner("User", GUEST), Owner("User", "nobody@example.com")),
        (_CONSUMER, Owner("Event Consumer", "no-record")),
        (_CONSUMER, Owner("No Source", "consumer-1")),
    ],
    ids=["user", "Guest", "record", "source"],
)
def test_a_user_learns_nothing_of_others(house: House, existing: Owner, missing: Owner, own_keys: bool) -> None:
    """Whatever a user tries on somebody else's keys fails, in the same words whether that one exists or not."""
    house.add_user()
    house.add_user(_OTHER)
    _add_consumer(house, _OTHER)
    others_key = house.add_key(_OTHER)
    user = house.actor()
    asked = replace(house, keys=replace(house.keys, standing=StandingSettings.undecided(allow_own_keys=int(own_keys))))

    of_existing = _attempts(asked, user, existing, others_key.key.key_id)
    of_missing = _attempts(asked, user, missing, "no-such-key")

    assert of_existing == of_missing
    assert "done" not in of_existing.values()
    assert of_existing["generate"] == (NotPermitted, "Not permitted to manage these keys")
    assert _opens(house, others_key.key.key_id, others_key.secret)


def test_another_source_s_key_of_the_same_id_is_none_of_a_user_s_business(house: House) -> None:
    """A user whose key id exists in another source too ends its own without hearing of the other."""
    house.add_user()
    house.add_user(_OTHER)
    _add_consumer(house, _OTHER)
    pair = PairText("one-id", Secret("secret-0001"))
    for owner in (_OWN, _CONSUMER):
        house.keys.import_key(COMMAND_LINE, owner, pair, KeyOrder())

    ended = house.keys.revoke(house.actor(), "one-id")

    assert ended.source == "User"
    assert _opens(house, "one-id", pair.secret, _CONSUMER.source)


def test_a_user_lists_no_more_than_its_own(house: House) -> None:
    """Nobody but a System Manager lists all keys."""
    house.add_user()
    house.add_key(ADMINISTRATOR)
    actor = house.actor()

    assert actor.principal is not None
    assert house.key_ids(actor) == [actor.principal.credential]


def test_a_record_of_nobody_is_a_manager_s(house: House) -> None:
    """The keys of a record that names no user are managed by System Managers alone."""
    house.add_user()
    _add_consumer(house, None)
    key_id = house.add_key(_CONSUMER.record, source=_CONSUMER.source).key.key_id

    assert "done" not in _attempts(house, house.actor(), _CONSUMER, key_id).values()


def test_a_refusal_is_logged_with_its_reason(house: House) -> None:
    """The request log can tell a missing role from a credential that is too narrow."""
    house.add_user()
    house.add_user(_OTHER)
    narrow = house.actor(limits=Limits(frozenset({"all"}), (ip_network(ADDRESS),)))

    with pytest.raises(NotPermitted) as others:
        house.keys.generate(house.actor(), Owner("User", _OTHER), KeyOrder())
    with pytest.raises(NotPermitted) as wider:
        house.keys.generate(narrow, _OWN, KeyOrder())

    assert (others.value.reason, wider.value.reason) == ("role_missing", "beyond")
