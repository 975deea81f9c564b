"""Keys by the permissions on API Key: whoever reaches everybody's is still bound by their own roles."""

from collections.abc import Callable

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, GUEST, SYSTEM_MANAGER
from latchgate.errors import Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.users import UserOrder
from support.house import USER, House

_CLERK, _PLAIN, _MANAGER = "clerk@example.com", "plain@example.com", "manager@example.com"
_CONSUMER = Owner("Event Consumer", "consumer-1")
_REFUSED = "Not permitted to manage these keys"

Attempt = Callable[[House, Actor, Owner, str], object]

_ATTEMPTS: dict[str, Attempt] = {
    "generate": lambda house, actor, owner, key_id: house.keys.generate(actor, owner, KeyOrder()),
    "generate primary": lambda house, actor, owner, key_id: house.keys.generate_primary(actor, owner),
    "import": lambda house, actor, owner, key_id: house.keys.import_key(
        actor, owner, PairText("key-0001", Secret("secret-0001")), KeyOrder()
    ),
    "rotate": lambda house, actor, owner, key_id: house.keys.rotate(actor, key_id, overlap_seconds=0),
    "relabel": lambda house, actor, owner, key_id: _relabel(house, actor, owner, key_id, "another"),
    "revoke": lambda house, actor, owner, key_id: house.keys.revoke(actor, key_id),
}


def _relabel(house: House, actor: Actor, owner: Owner, key_id: str, label: str) -> str:
    with house.store.write() as tx:
        return house.keys.relabel_in(tx, actor, key_id, label, source=owner.source).label


@pytest.fixture
def furnished(house: House) -> House:
    """A house with somebody who may do everything to everybody's keys, but nothing else."""
    house.roles.create(COMMAND_LINE, "Clerk")
    house.permissions.grant(COMMAND_LINE, Grant("Clerk", "API Key", if_owner=False, actions=EVERY_ACTION))
    house.add_user(UserOrder(_CLERK, roles=frozenset({"Clerk"})))
    house.add_user(UserOrder(_PLAIN))
    house.add_user(UserOrder(_MANAGER, roles=frozenset({SYSTEM_MANAGER})))
    house.sources.create_record(COMMAND_LINE, _CONSUMER.source, _CONSUMER.record, None)
    return house


@pytest.mark.parametrize("attempt", _ATTEMPTS.values(), ids=_ATTEMPTS)
@pytest.mark.parametrize("owner", [Owner("User", _PLAIN), _CONSUMER], ids=["plain", "record"])
def test_keys_that_may_do_no_more_are_managed(furnished: House, attempt: Attempt, owner: Owner) -> None:
    """A right on all keys reaches those of accounts all of whose roles one holds, and those that run as nobody."""
    key = furnished.add_key(owner.record, source=owner.source).key
    actor, rows = furnished.actor(_CLERK), len(furnished.activity())

    attempt(furnished, actor, owner, key.key_id)

    assert len(furnished.activity()) == rows + 1


@pytest.mark.parametrize("attempt", _ATTEMPTS.values(), ids=_ATTEMPTS)
@pytest.mark.parametrize("owner", [_MANAGER, ADMINISTRATOR, _CONSUMER.record])
def test_keys_that_may_do_more_are_left_alone(furnished: House, attempt: Attempt, owner: str) -> None:
    """Such a key, or its new secret, would do what its maker may not; a record's runs as its user."""
    wanted = Owner("User", owner) if "@" in owner or owner == ADMINISTRATOR else _CONSUMER
    if wanted is _CONSUMER:
        furnished.execute("UPDATE source_record SET user_id = (SELECT id FROM user WHERE name = 'manager@example.com')")
    key = furnished.add_key(wanted.record, source=wanted.source).key
    actor, rows = furnished.actor(_CLERK), len(furnished.activity())

    with pytest.raises(NotPermitted) as refused:
        attempt(furnished, actor, wanted, key.key_id)

    assert refused.value.reason == "role_missing"
    assert len(furnished.activity()) == rows


@pytest.mark.parametrize("reads_users", [False, True])
def test_whose_account_may_do_more_is_told_to_whoever_may_know(furnished: House, reads_users: bool) -> None:
    """To others an administrator's address and one that is nobody's are answered alike."""
    if reads_users:
        grant = Grant("Clerk", "User", if_owner=False, actions=frozenset({Action.READ}))
        furnished.permissions.grant(COMMAND_LINE, grant)
    actor, told = furnished.actor(_CLERK), {}
    for name in (_MANAGER, "nobody@example.com"):
        with pytest.raises((NotPermitted, NotFound)) as refused:
            furnished.keys.generate(actor, Owner("User", name), KeyOrder())
        told[name] = refused.value.public

    if reads_users:
        assert told[_MANAGER] == f"{_MANAGER} has roles that you lack"
    else:
        assert set(told.values()) == {_REFUSED}


@pytest.mark.parametrize("owner", [Owner("User", "nobody@example.com"), Owner("No Source", "x")])
def test_a_missing_owner_is_told_to_whoever_may_know(furnished: House, owner: Owner) -> None:
    """A right on keys is none on users or records: who may not read those is not told which there are."""
    with pytest.raises(NotPermitted) as refused:
        furnished.keys.generate(furnished.actor(_CLERK), owner, KeyOrder())
    with pytest.raises(NotFound):
        furnished.keys.generate(furnished.actor(_MANAGER), owner, KeyOrder())

    assert refused.value.public == _REFUSED


def test_whoever_reads_a_type_is_told_what_is_missing(furnished: House) -> None:
    """They could look it up as well."""
    furnished.permissions.grant(COMMAND_LINE, Grant("Clerk", "User", if_owner=False, actions=frozenset({Action.READ})))
    actor = furnished.actor(_CLERK)

    with pytest.raises(NotFound):
        furnished.keys.generate(actor, Owner("User", "nobody@example.com"), KeyOrder())
    with pytest.raises(Invalid):
        furnished.keys.generate(actor, Owner("User", GUEST), KeyOrder())


@pytest.mark.parametrize(
    ("action", "attempts"),
    [
        (Action.CREATE, {"generate", "import"}),
        (Action.WRITE, {"rotate", "relabel"}),
        (Action.DELETE, {"revoke"}),
        (Action.READ, set()),
    ],
)
def test_each_action_is_a_right_of_its_own(furnished: House, action: Action, attempts: set[str]) -> None:
    """Neither a role nor a scope for one action is good for another."""
    furnished.permissions.revoke(COMMAND_LINE, "Clerk", "API Key", if_owner=False)
    furnished.permissions.revoke(COMMAND_LINE, "All", "API Key", if_owner=True)
    furnished.permissions.grant(COMMAND_LINE, Grant("Clerk", "API Key", if_owner=False, actions=frozenset({action})))
    by_role = furnished.actor(_CLERK)
    by_scope = furnished.actor(_MANAGER, Limits(frozenset({f"API Key:{action}"})))

    for actor in (by_role, by_scope):
        outcomes = {}
        for name, attempt in _ATTEMPTS.items():
            key = furnished.add_key(_PLAIN, Limits(frozenset({f"API Key:{action}"}))).key
            outcomes[name] = _outcome(attempt, furnished, actor, key.key_id)
        furnished.execute("DELETE FROM api_key WHERE key_id = 'key-0001'")
        refused = "role_missing" if actor is by_role else "scope_missing"
        del outcomes["generate primary"]
        # By the scope alone it is judged further, and then it would reach beyond.
        assert {name for name, outcome in outcomes.items() if outcome in {"done", "beyond"}} == attempts
        assert {outcome for name, outcome in outcomes.items() if name not in attempts} <= {refused}


def _outcome(attempt: Attempt, house: House, actor: Actor, key_id: str) -> str:
    try:
        attempt(house, actor, Owner("User", _PLAIN), key_id)
    except NotPermitted as refused:
        return refused.reason
    return "done"


def test_a_new_secret_for_a_first_key_needs_two_rights(furnished: House) -> None:
    """Making one is not yet replacing what somebody uses."""
    create = Grant("Clerk", "API Key", if_owner=False, actions=frozenset({Action.CREATE}))
    furnished.permissions.revoke(COMMAND_LINE, "Clerk", "API Key", if_owner=False)
    furnished.permissions.grant(COMMAND_LINE, create)
    actor = furnished.actor(_CLERK)

    made = furnished.keys.generate_primary(actor, Owner("User", _PLAIN))
    with pytest.raises(NotPermitted):
        furnished.keys.generate_primary(actor, Owner("User", _PLAIN))

    assert made.user == _PLAIN


def test_all_keys_are_listed_by_whoever_may_read_them(furnished: House) -> None:
    """Reading is no acting: the list holds those of accounts that may do more."""
    managers = furnished.add_key(_MANAGER).key.key_id
    actor = furnished.actor(_CLERK)

    assert len(furnished.key_ids(actor)) == 2
    assert furnished.key_ids(actor, record=_MANAGER) == [managers]


def test_a_label_is_replaced(house: House) -> None:
    """It is told of if it is another, and refused if no list could show it."""
    house.add_user()
    key, actor = house.add_key().key, house.actor()
    rows = len(house.activity())

    labels = [_relabel(house, actor, Owner("User", USER), key.key_id, label) for label in ("shop", "shop")]
    with pytest.raises(Invalid) as refused:
        _relabel(house, actor, Owner("User", USER), key.key_id, "two\nlines")

    assert (labels, list(refused.value.fields)) == (["shop", "shop"], ["label"])
    assert [(row.operation, row.detail) for row in house.activity()[rows:]] == [("api_key.relabelled", "'shop'")]
