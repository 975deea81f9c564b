"""OAuth clients are made, changed, given new secrets, ended and deleted, and each leaves its trace."""

from dataclasses import replace

import pytest

from latchgate.core.clients import AuthMethod, GrantType, client_secret_matches
from latchgate.core.tokens import Secret
from latchgate.errors import Conflict, Flaw, Invalid, NotFound, NotPermitted
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder, order_of
from latchgate.services.clients import OVERLAP_SECONDS_MAX
from support.house import ADDRESS, PEPPERS, USER
from support.oauth_house import APP, BACK, OAuthHouse

_PUBLIC = replace(APP, auth_method=AuthMethod.NONE)


def _fits(oauth: OAuthHouse, client_id: str, secret: Secret | None) -> bool:
    client = oauth.clients.get(COMMAND_LINE, client_id)
    return secret is not None and client_secret_matches(PEPPERS, client, secret, oauth.house.clock.now())


def test_a_life_of_a_client(oauth: OAuthHouse) -> None:
    """Each step is in the activity log, with the client's id and name."""
    client_id = oauth.add_client().client_id
    oauth.change_client(oauth.clients.get(COMMAND_LINE, client_id), app_name="Clock")
    oauth.clients.rotate(COMMAND_LINE, client_id)
    oauth.clients.revoke(COMMAND_LINE, client_id)
    oauth.clients.revoke(COMMAND_LINE, client_id)
    oauth.clients.delete(COMMAND_LINE, client_id)

    steps = [(entry.operation, entry.subject, entry.detail) for entry in oauth.house.activity()]

    assert steps == [
        ("client.created", client_id, "Calendar"),
        ("client.changed", client_id, "Clock"),
        ("client.secret_rotated", client_id, ""),
        ("client.revoked", client_id, "Clock"),
        ("client.deleted", client_id, "Clock"),
    ]
    with pytest.raises(NotFound):
        oauth.clients.get(COMMAND_LINE, client_id)


def test_clients_are_listed_by_name(oauth: OAuthHouse) -> None:
    """Revoked ones too."""
    names = ["Notes", "Calendar", "Mail"]
    made = [oauth.add_client(app_name=name) for name in names]
    oauth.clients.revoke(COMMAND_LINE, made[1].client_id)

    assert [client.app_name for client in oauth.clients.list_all(COMMAND_LINE)] == sorted(names)


@pytest.mark.parametrize("what", ["change", "rotate", "revoke", "delete"])
def test_a_client_that_is_not_there(oauth: OAuthHouse, what: str) -> None:
    """Whatever is done to it, it is not found."""
    with pytest.raises(NotFound):
        getattr(oauth.clients, what)(COMMAND_LINE, "nothing", *([APP] if what == "change" else []))


def test_a_revoked_client_stays_so(oauth: OAuthHouse) -> None:
    """It is neither changed nor given another secret: its tokens would be thought to come back."""
    client = oauth.add_client()
    oauth.clients.revoke(COMMAND_LINE, client.client_id)

    with pytest.raises(Invalid):
        oauth.change_client(client)
    with pytest.raises(Invalid):
        oauth.clients.rotate(COMMAND_LINE, client.client_id)


def test_a_change_since_it_was_read_is_told(oauth: OAuthHouse) -> None:
    """Of two that read the same client, the second does not undo what the first did."""
    client = oauth.add_client()
    first = oauth.clients.change(COMMAND_LINE, client.client_id, APP, seen=client.modified).client

    with pytest.raises(Invalid) as changed:
        oauth.clients.change(COMMAND_LINE, client.client_id, APP, seen=client.modified)
    with pytest.raises(Invalid) as rotated:
        oauth.clients.rotate(COMMAND_LINE, client.client_id, seen=client.modified)

    assert changed.value.flaw is rotated.value.flaw is Flaw.STALE
    assert oauth.clients.rotate(COMMAND_LINE, client.client_id, seen=first.modified).secret


@pytest.mark.parametrize(("overlap", "until"), [(0, 0), (60, 60), (OVERLAP_SECONDS_MAX, OVERLAP_SECONDS_MAX)])
def test_the_former_secret_works_for_the_overlap(oauth: OAuthHouse, overlap: int, until: int) -> None:
    """To the second; the new one at once, and for good."""
    made = oauth.make_client()
    rotated = oauth.clients.rotate(COMMAND_LINE, made.client.client_id, overlap_seconds=overlap)

    def works() -> tuple[bool, bool]:
        return _fits(oauth, made.client.client_id, made.secret), _fits(oauth, made.client.client_id, rotated.secret)

    before = works()
    oauth.house.clock.advance(until - 1 if until else 0)
    assert before == works() == (overlap > 0, True)
    oauth.house.clock.advance(1)
    assert works() == (False, True)


@pytest.mark.parametrize("overlap", [-1, OVERLAP_SECONDS_MAX + 1])
def test_an_overlap_has_bounds(oauth: OAuthHouse, overlap: int) -> None:
    """A leaked secret is not kept alive for months."""
    with pytest.raises(Invalid):
        oauth.clients.rotate(COMMAND_LINE, oauth.add_client().client_id, overlap_seconds=overlap)


def test_a_client_without_a_secret_has_none_to_rotate(oauth: OAuthHouse) -> None:
    """It would not know what to do with it."""
    with pytest.raises(Invalid):
        oauth.clients.rotate(COMMAND_LINE, oauth.add_client(_PUBLIC).client_id)


def test_a_client_that_comes_to_need_a_secret_gets_one(oauth: OAuthHouse) -> None:
    """And one that goes on needing it keeps the one it has."""
    client = oauth.add_client(_PUBLIC)
    first = oauth.clients.change(COMMAND_LINE, client.client_id, APP)
    second = oauth.clients.change(COMMAND_LINE, client.client_id, replace(APP, auth_method=AuthMethod.POST))

    assert (first.secret is not None, second.secret) == (True, None)
    assert _fits(oauth, client.client_id, first.secret)


def test_a_client_that_registered_itself(oauth: OAuthHouse) -> None:
    """It is marked as such, belongs to Guest, and its address is in the activity log."""
    made = oauth.clients.register(APP, None, ADDRESS)

    assert (made.client.registered, made.client.owner) == (True, "Guest")
    [entry] = oauth.house.activity()
    assert (entry.operation, entry.user, entry.ip_address) == ("client.registered", "Guest", ADDRESS)


def test_a_client_that_somebody_registered(oauth: OAuthHouse) -> None:
    """It is theirs, if they may make clients; else there is none."""
    oauth.house.add_user()
    oauth.house.roles.grant(COMMAND_LINE, USER, "System Manager")
    actor = oauth.house.actor()
    oauth.house.add_user("plain@example.com")

    assert oauth.clients.register(APP, actor, ADDRESS).client.owner == USER
    with pytest.raises(NotPermitted):
        oauth.clients.register(APP, oauth.house.actor("plain@example.com"), ADDRESS)
    assert len(oauth.clients.list_all(COMMAND_LINE)) == 1


@pytest.mark.parametrize(
    "order",
    [
        replace(APP, user=USER),
        replace(APP, skip_authorization=True),
        replace(APP, resources=("https://api.example.com",)),
        replace(APP, allowed_roles=frozenset({"All"})),
    ],
)
def test_nobody_registers_with_powers(oauth: OAuthHouse, order: ClientOrder) -> None:
    """What reads registrations cannot give such an order; if it did, it would be a fault of ours."""
    with pytest.raises(AssertionError):
        oauth.clients.register(order, None, ADDRESS)


def test_an_imported_client_keeps_id_and_secret(oauth: OAuthHouse) -> None:
    """Its users notice nothing; only a digest of the secret is kept."""
    secret = Secret("secret-made-elsewhere")
    with oauth.house.store.write() as tx:
        oauth.clients.import_in(tx, COMMAND_LINE, "0123abcd", APP, secret)

    assert _fits(oauth, "0123abcd", secret)
    assert oauth.operations() == ["client.imported"]
    dump = [str(row) for row in oauth.house.execute("SELECT * FROM oauth_client")]
    assert "made-elsewhere" not in "".join(dump)


@pytest.mark.parametrize(
    ("client_id", "secret", "field"),
    [("", "s", "client_id"), ("ü", "s", "client_id"), ("a\n", "s", "client_id"), ("a", "", "client_secret")],
)
def test_an_import_that_cannot_be(oauth: OAuthHouse, client_id: str, secret: str, field: str) -> None:
    """Id and secret have to be such as a client can present."""
    with oauth.house.store.write() as tx, pytest.raises(Invalid) as refused:
        oauth.clients.import_in(tx, COMMAND_LINE, client_id, APP, Secret(secret))

    assert set(refused.value.fields) == {field}


def test_an_id_is_imported_once(oauth: OAuthHouse) -> None:
    """The second would be the first's."""
    client = oauth.add_client()

    with pytest.raises(Conflict), oauth.house.store.write() as tx:
        oauth.clients.import_in(tx, COMMAND_LINE, client.client_id, APP, Secret("s"))


def test_a_secret_copied_into_another_row_proves_nothing(oauth: OAuthHouse) -> None:
    """Who can write the database cannot give one client's secret to another."""
    one, other = oauth.make_client(), oauth.make_client()
    oauth.house.execute("UPDATE oauth_client SET hash = (SELECT hash FROM oauth_client WHERE id = 1)")

    assert _fits(oauth, one.client.client_id, one.secret)
    assert not _fits(oauth, other.client.client_id, one.secret)


def test_ordering_a_client_as_it_is_changes_its_grants_too(oauth: OAuthHouse) -> None:
    """Nothing of the client before stays where the order says else."""
    client = oauth.add_client(client_uri="https://app.example.com")

    changed = oauth.change_client(
        client, replace(order_of(client), client_uri="", grant_types=frozenset({GrantType.AUTHORIZATION_CODE}))
    )

    assert (changed.client_uri, changed.grant_types) == ("", frozenset({GrantType.AUTHORIZATION_CODE}))
    assert changed.redirect_uris == (BACK,)
