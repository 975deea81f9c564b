"""The activity log tells of every change, in the change's own transaction, and never a secret."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchgate.core.credentials import Scheme
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR
from latchgate.errors import Conflict, StorageError
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.activity import note, search_activity
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.api_keys import KeyOrder, Owner, PairText
from latchgate.services.port_values import ActivityQuery, UserChanges
from latchgate.services.users import UserOrder, add_user
from support.house import ADDRESS, NOW, PASSWORD, TOKEN_TEXT, USER, House, present_session

_SECRETS = ("imported-secret-0001", "imported-token-0001", "another long password")
_OWN = Owner("User", USER)
_GRANT = Grant("Auditor", "User", if_owner=False, actions=frozenset({Action.READ}))

Change = Callable[[House], object]

_CHANGES: dict[str, Change] = {
    "user.created": lambda house: house.users.create(COMMAND_LINE, UserOrder("new@example.com", password=PASSWORD)),
    "user.changed": lambda house: house.users.change(COMMAND_LINE, USER, UserChanges(login_before=18)),
    "user.disabled": lambda house: house.users.set_enabled(COMMAND_LINE, USER, enabled=False),
    "user.deleted": lambda house: house.users.delete(COMMAND_LINE, USER),
    "user.password_set": lambda house: house.users.set_password(COMMAND_LINE, USER, Secret(_SECRETS[2])),
    "role.created": lambda house: house.roles.create(COMMAND_LINE, "Reader"),
    "role.granted": lambda house: house.roles.grant(COMMAND_LINE, USER, "Auditor"),
    "role.deleted": lambda house: house.roles.delete(COMMAND_LINE, "Spare"),
    "role.revoked": lambda house: house.roles.revoke(COMMAND_LINE, "held@example.com", "Auditor"),
    "source.created": lambda house: house.sources.create(COMMAND_LINE, "API Device"),
    "source_record.created": lambda house: house.sources.create_record(COMMAND_LINE, "Event Consumer", "c-2", USER),
    "source_record.disabled": lambda house: house.sources.enable_record(
        COMMAND_LINE, "Event Consumer", "c-1", enabled=False
    ),
    "source_record.deleted": lambda house: house.sources.delete_record(COMMAND_LINE, "Event Consumer", "c-3"),
    "source.deleted": lambda house: house.sources.delete(COMMAND_LINE, "Sensor"),
    "permission.granted": lambda house: house.permissions.grant(COMMAND_LINE, replace(_GRANT, if_owner=True)),
    "permission.changed": lambda house: house.permissions.grant(COMMAND_LINE, replace(_GRANT, actions=EVERY_ACTION)),
    "permission.revoked": lambda house: house.permissions.revoke(COMMAND_LINE, "Auditor", "User", if_owner=False),
    "settings.changed": lambda house: house.system_settings.change(COMMAND_LINE, allow_own_keys=False),
    "api_key.generated": lambda house: house.keys.generate(COMMAND_LINE, _OWN, KeyOrder("shop")),
    "api_key.rotated": lambda house: house.keys.rotate(COMMAND_LINE, "first-key", overlap_seconds=60),
    "api_key.revoked": lambda house: house.keys.revoke(COMMAND_LINE, "first-key"),
    "api_key.imported": lambda house: house.keys.import_key(
        COMMAND_LINE, _OWN, PairText("second-key", Secret(_SECRETS[0])), KeyOrder()
    ),
    "access_token.imported": lambda house: house.tokens.import_token(
        COMMAND_LINE, TokenOrder(Secret(_SECRETS[1]), USER, "client", frozenset({"all"}), NOW + 60)
    ),
    "access_token.revoked": lambda house: house.tokens.revoke(COMMAND_LINE, Secret(TOKEN_TEXT)),
    "session.started": lambda house: house.open_session(),
}


@pytest.fixture
def furnished(house: House) -> House:
    """A house with something of every kind to change."""
    house.add_user()
    for role in ("Auditor", "Spare"):
        house.roles.create(COMMAND_LINE, role)
    house.add_user(UserOrder("held@example.com", roles=frozenset({"Auditor"})))
    for record in ("c-1", "c-3"):
        house.sources.create_record(COMMAND_LINE, "Event Consumer", record, USER)
    house.keys.import_key(COMMAND_LINE, _OWN, PairText("first-key", Secret("first-secret")), KeyOrder())
    house.add_token()
    house.sources.create(COMMAND_LINE, "Sensor")
    house.permissions.grant(COMMAND_LINE, _GRANT)
    return house


@pytest.mark.parametrize(("operation", "change"), _CHANGES.items(), ids=_CHANGES)
def test_a_change_leaves_one_row(furnished: House, operation: str, change: Change) -> None:
    """Each change of an account or a credential is told of once, by whom and when."""
    before = len(furnished.activity())

    change(furnished)

    told = furnished.activity()[before:]
    by = (USER, ADDRESS) if operation == "session.started" else (ADMINISTRATOR, "")
    assert [(row.operation, row.user, row.ip_address) for row in told] == [(operation, *by)]
    assert told[0].time // 1_000_000 == NOW
    assert told[0].subject


@pytest.mark.parametrize(("operation", "change"), _CHANGES.items(), ids=_CHANGES)
def test_a_change_that_cannot_be_told_of_is_not_made(furnished: House, operation: str, change: Change) -> None:
    """Where the activity log cannot be written, the change does not stand either."""
    accounts = ("user", "role", "user_role", "permission", "fact", "authorization_source", "source_record")
    queries = [f"SELECT * FROM {table}" for table in (*accounts, "api_key", "oauth_token", "session")]  # noqa: S608  # names of this test's own
    before = [furnished.execute(query) for query in queries]
    furnished.execute("ALTER TABLE activity_log RENAME TO activity_log_gone")

    with pytest.raises(StorageError):
        change(furnished)

    assert [furnished.execute(query) for query in queries] == before


def test_a_change_that_is_undone_leaves_no_row(house: House) -> None:
    """A row stands or falls with the change that it tells of."""

    def add_two_of_one_name() -> None:
        with house.store.write() as tx:
            for _ in range(2):
                add_user(tx, house.clock, COMMAND_LINE, UserOrder(USER), None)

    with pytest.raises(Conflict):
        add_two_of_one_name()

    assert house.activity() == []
    assert [user.name for user in house.users.list_users()] == [ADMINISTRATOR, "Guest"]


def test_no_row_holds_a_secret(furnished: House) -> None:
    """Of all that was generated, imported, set or presented, no secret is in the activity log."""
    secrets = {TOKEN_TEXT, PASSWORD.text, "first-secret", *_SECRETS}
    for operation in sorted(_CHANGES):
        if operation not in {"user.deleted", "user.disabled", "user.password_set", "api_key.revoked"}:
            _CHANGES[operation](furnished)
    secrets.add(furnished.keys.generate_primary(COMMAND_LINE, _OWN).secret.text)
    secrets.add(furnished.add_key().secret.text)
    session = furnished.open_session()
    furnished.sign_in.sign_out(furnished.principal(present_session(session.sid.text)), session.sid, ADDRESS)
    link = furnished.sign_in.make_setup_link()
    assert link is not None
    furnished.sign_in.use_setup_link(link, Secret(_SECRETS[2]), ADDRESS)
    secrets |= {session.sid.text, link.text}

    text = repr(furnished.activity())

    assert [secret for secret in secrets if secret in text] == []
    assert len(furnished.activity()) > 20


def test_a_caller_s_own_change_names_the_caller(furnished: House) -> None:
    """A change over HTTP is told of with the user that asked and its address."""
    actor = Actor.of(furnished.principal(furnished.carry(Scheme.SESSION)), ADDRESS)

    issued = furnished.keys.generate(actor, _OWN, KeyOrder("shop"))

    row = furnished.activity()[-1]
    assert (row.user, row.ip_address, row.operation, row.subject) == (
        USER,
        ADDRESS,
        "api_key.generated",
        issued.key.key_id,
    )
    assert "'shop'" in row.detail


def test_a_rotation_tells_until_when_the_former_secret_works(furnished: House) -> None:
    """Whoever reads the log knows how long a leaked former secret was good."""
    furnished.keys.rotate(COMMAND_LINE, "first-key", overlap_seconds=60)

    assert f"former secret works until {NOW + 60}" in furnished.activity()[-1].detail


def test_no_text_forges_a_row(house: House) -> None:
    """What callers choose is escaped and cut before it is stored."""
    evil = "x\r\n\x1b[31m\u202e" + "y" * 500
    with house.store.write() as tx:
        note(tx, house.clock, Actor(evil, evil, None), "user.created", evil, detail=evil)

    row = house.activity()[0]

    assert (row.user, row.subject, row.detail) == (row.ip_address,) * 3
    assert (row.user.isprintable(), len(row.user)) == (True, 400)


def test_rows_stand_in_the_order_of_the_changes(house: House) -> None:
    """Two changes within one second are told apart by their times."""
    house.add_user("a@example.com")
    house.add_user("b@example.com")

    first, second = house.activity()

    assert first.time < second.time
    assert (first.subject, second.subject) == ("a@example.com", "b@example.com")


@pytest.mark.parametrize(("limit", "found"), [(0, 1203), (1, 1), (500, 500), (501, 501), (5000, 1203)])
def test_a_search_gives_as_many_rows_as_asked_for(house: House, limit: int, found: int) -> None:
    """Newest first and each once, however many pages they are read in."""
    with house.store.write() as tx:
        for number in range(1203):
            note(tx, house.clock, COMMAND_LINE, "test", f"row {number}")

    rows = list(search_activity(house.store, ActivityQuery(limit=limit)))

    assert [row.subject for row in rows] == [f"row {1202 - number}" for number in range(found)]


def test_a_long_search_holds_up_no_change(house: House) -> None:
    """What is written while its rows are read appears in a later one."""
    house.add_user()
    found = search_activity(house.store, ActivityQuery(user=USER, limit=0))
    first = next(found)

    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)

    assert (first.operation, list(found)) == ("user.created", [])
    assert next(search_activity(house.store, ActivityQuery())).operation == "user.disabled"
