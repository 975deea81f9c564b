"""A gate that remembers answers as one that looks everything up: at once after whatever change, and at every hour."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from latchgate.core.api_keys import Limits
from latchgate.core.clients import StoredClient
from latchgate.core.credentials import PresentedClient, Scheme
from latchgate.core.policy import SIGNED_IN, Decision
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected
from latchgate.errors import StorageError
from latchgate.oauth.backing import Issued
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.port_values import UserChanges
from support.cached_house import CachedHouse, cached, is_remembered, reason
from support.house import ADDRESS, USER, House, present_pair, present_token
from support.oauth_house import OAuthHouse, build_oauth_house, issued

ELSEWHERE = "198.51.100.7"
SCHEMES = (Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_second_request(remembering: CachedHouse, scheme: Scheme) -> None:
    """It is answered from memory, exactly as the first one was, and as a gate without memory answers."""
    presented = remembering.house.carry(scheme)
    assert remembering.recall(presented) is None

    first = remembering.verify(presented)

    assert isinstance(first, Principal)
    assert first == remembering.verify_anew(presented)
    assert remembering.recall(presented) is remembering.verify(presented) is first
    assert is_remembered(remembering, presented)
    assert first.proof == getattr(remembering.verify_anew(presented), "proof", None)


def _disable(house: House) -> None:
    house.users.set_enabled(COMMAND_LINE, USER, enabled=False)


def _take_role(house: House) -> None:
    house.roles.revoke(COMMAND_LINE, USER, "Editor")


def _delete_role(house: House) -> None:
    house.roles.delete(COMMAND_LINE, "Editor")


def _rename_role(house: House) -> None:
    with house.store.write() as tx:
        tx._connection.exec_driver_sql(  # no service renames a role
            "UPDATE role SET name = 'Author' WHERE name = 'Editor'"
        )


def _give_role(house: House) -> None:
    house.roles.create(COMMAND_LINE, "Owner")
    house.roles.grant(COMMAND_LINE, USER, "Owner")


def _rename(house: House) -> None:
    house.users.change(COMMAND_LINE, USER, UserChanges(first_name="Another"))


def _restrict(house: House) -> None:
    house.users.change(COMMAND_LINE, USER, UserChanges(restrict_ip=(ip_network("203.0.113.0/24"),)))


def _give_hours(house: House) -> None:
    # It is eight o'clock.
    house.users.change(COMMAND_LINE, USER, UserChanges(login_after=9))


def _delete(house: House) -> None:
    house.users.delete(COMMAND_LINE, USER)


def _replace(house: House) -> None:
    house.users.delete(COMMAND_LINE, USER)
    house.add_user()


Change = Callable[[House], None]
CHANGES: tuple[Change, ...] = (
    _disable,
    _take_role,
    _delete_role,
    _rename_role,
    _give_role,
    _rename,
    _restrict,
    _give_hours,
    _delete,
    _replace,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
@pytest.mark.parametrize("scheme", SCHEMES)
def test_change_of_the_user(remembering: CachedHouse, scheme: Scheme, change: Change) -> None:
    """Whatever changes of a user, its next request is answered by it; another user's verdict stays."""
    house = remembering.house
    house.add_user("other@example.com")
    presented, other = house.carry(scheme), house.carry(scheme, "other@example.com")
    before = remembering.verify(presented)
    remembering.verify(other)

    change(house)

    assert remembering.recall(presented) is None
    after = remembering.verify(presented)
    assert after == remembering.verify_anew(presented) != before
    assert is_remembered(remembering, other)


class TestKeys:
    def test_end(self, remembering: CachedHouse) -> None:
        """A revoked key is refused at its next request."""
        issued = remembering.house.add_key()
        presented = present_pair(issued.key.key_id, issued.secret.text)
        remembering.verify(presented)

        remembering.house.keys.revoke(COMMAND_LINE, issued.key.key_id)

        assert remembering.recall(presented) is None
        assert reason(remembering.verify(presented)) is Reason.REVOKED
        assert is_remembered(remembering, presented)

    def test_expiry(self, remembering: CachedHouse) -> None:
        """A key expires at its second, without any change."""
        house = remembering.house
        issued = house.add_key(limits=Limits(frozenset({"all"}), expires_at=house.clock.now() + 10))
        presented = present_pair(issued.key.key_id, issued.secret.text)
        remembering.verify(presented)

        house.clock.advance(9)
        assert isinstance(remembering.recall(presented), Principal)
        house.clock.advance(1)
        assert remembering.recall(presented) is None
        assert reason(remembering.verify(presented)) is Reason.EXPIRED

    def test_overlap(self, remembering: CachedHouse) -> None:
        """A former secret works until its overlap ends, and is then refused; the present one goes on."""
        house = remembering.house
        former = house.add_key()
        present = house.keys.rotate(COMMAND_LINE, former.key.key_id, overlap_seconds=60)
        old, new = (present_pair(one.key.key_id, one.secret.text) for one in (former, present))
        assert isinstance(remembering.verify(old), Principal)
        assert isinstance(remembering.verify(new), Principal)

        house.clock.advance(60)

        assert remembering.recall(old) is None
        assert reason(remembering.verify(old)) is Reason.WRONG_SECRET
        assert isinstance(remembering.recall(new), Principal)

    def test_same_id_of_another_source(self, remembering: CachedHouse) -> None:
        """A key of another source under the same id has a verdict of its own, which the end of this one leaves."""
        house = remembering.house
        house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer", USER, enabled=True)
        mine, other = house.add_key(), house.add_key("consumer", source="Event Consumer")
        with house.store.write() as tx:
            connection = tx._connection  # no service gives two keys one id
            connection.exec_driver_sql("UPDATE api_key SET key_id = 'same'")
        of_user = replace(present_pair("same", "x"), authorization=(b"token same:" + b"x" * 40,))
        of_consumer = replace(of_user, source=(b"Event Consumer",))
        for presented, key in ((of_user, mine.key), (of_consumer, other.key)):
            assert reason(remembering.verify(presented)) is Reason.WRONG_SECRET
            assert remembering.verify(presented) == remembering.verify_anew(presented), key

    def test_record_of_a_source(self, remembering: CachedHouse) -> None:
        """A disabled record's keys are refused at once, and work again when it is enabled."""
        house = remembering.house
        house.sources.create_record(COMMAND_LINE, "Event Consumer", "consumer", USER, enabled=True)
        issued = house.add_key("consumer", source="Event Consumer")
        presented = present_pair(issued.key.key_id, issued.secret.text, source="Event Consumer")
        assert isinstance(remembering.verify(presented), Principal)

        house.sources.enable_record(COMMAND_LINE, "Event Consumer", "consumer", enabled=False)
        assert remembering.recall(presented) is None
        assert reason(remembering.verify(presented)) is Reason.RECORD_DISABLED
        house.sources.enable_record(COMMAND_LINE, "Event Consumer", "consumer", enabled=True)
        assert isinstance(remembering.verify(presented), Principal)

    def test_addresses(self, remembering: CachedHouse) -> None:
        """Each request's own address is judged: the key's ranges and the user's, whatever was remembered."""
        house = remembering.house
        issued = house.add_key(limits=Limits(frozenset({"all"}), networks=(ip_network("192.0.2.0/24"),)))
        presented = present_pair(issued.key.key_id, issued.secret.text)
        elsewhere = replace(presented, peer_address=ELSEWHERE)
        assert isinstance(remembering.verify(presented), Principal)

        assert remembering.recall(elsewhere) is None
        assert reason(remembering.verify(elsewhere)) is Reason.ADDRESS_NOT_ALLOWED
        assert isinstance(remembering.recall(presented), Principal)
        house.users.change(COMMAND_LINE, USER, UserChanges(restrict_ip=(ip_network("198.51.100.0/24"),)))
        assert reason(remembering.verify(presented)) is Reason.USER_ADDRESS_NOT_ALLOWED
        assert reason(remembering.verify(elsewhere)) is Reason.ADDRESS_NOT_ALLOWED

    def test_user_of_some_addresses(self, remembering: CachedHouse) -> None:
        """So is the user's range, for a key without one."""
        house = remembering.house
        house.users.change(COMMAND_LINE, USER, UserChanges(restrict_ip=(ip_network("192.0.2.0/24"),)))
        presented = house.carry(Scheme.TOKEN)
        assert isinstance(remembering.verify(presented), Principal)

        elsewhere = replace(presented, peer_address=ELSEWHERE)
        assert remembering.recall(elsewhere) is None
        assert reason(remembering.verify(elsewhere)) is Reason.USER_ADDRESS_NOT_ALLOWED

    def test_hours(self, remembering: CachedHouse) -> None:
        """A user's hours begin on the hour for a remembered refusal, and end for a remembered verdict."""
        house = remembering.house
        house.users.change(COMMAND_LINE, USER, UserChanges(login_after=9, login_before=10))
        presented = house.carry(Scheme.TOKEN)
        seen = []
        for _ in range(3 * 4):
            assert remembering.verify(presented) == remembering.verify_anew(presented)
            assert is_remembered(remembering, presented)
            seen.append(reason(remembering.verify(presented)))
            house.clock.advance(900)

        assert seen == [Reason.OUTSIDE_HOURS] * 4 + [None] * 4 + [Reason.OUTSIDE_HOURS] * 4

    def test_hours_and_addresses(self, remembering: CachedHouse) -> None:
        """A refusal for the hour is not remembered where an address was looked at before: another gets another."""
        house = remembering.house
        networks = (ip_network("192.0.2.0/24"),)
        house.users.change(COMMAND_LINE, USER, UserChanges(login_after=9, restrict_ip=networks))
        presented = house.carry(Scheme.TOKEN)

        assert reason(remembering.verify(presented)) is Reason.OUTSIDE_HOURS
        elsewhere = replace(presented, peer_address=ELSEWHERE)
        assert reason(remembering.verify(elsewhere)) is Reason.USER_ADDRESS_NOT_ALLOWED

    def test_limit(self, remembering: CachedHouse) -> None:
        """Remembered or not, each request counts against the key's limit; what has one is left to the ordinary way."""
        limits = Limits(frozenset({"all"}), per_minute=2)
        issued = remembering.house.add_key(limits=limits)
        presented = present_pair(issued.key.key_id, issued.secret.text)
        decisions = [remembering.gate.admit(presented, SIGNED_IN).decision for _ in range(2)]

        assert decisions == [Decision.ALLOWED] * 2
        assert remembering.let_in(presented) is None
        assert remembering.gate.admit(presented, SIGNED_IN).reason is Reason.OVER_LIMIT


def test_sessions_and_clients(remembering: CachedHouse) -> None:
    """They are never remembered."""
    house = remembering.house
    session = house.carry(Scheme.SESSION)
    client = replace(session, session_cookie=None, client=PresentedClient(client_ids=("nobody",)))

    by_header = replace(client, authorization=(b"Basic bm9ib2R5OnNlY3JldA==",), client=PresentedClient())

    assert isinstance(remembering.verify(session), Principal)
    assert reason(remembering.verify(client)) is reason(remembering.verify(by_header)) is Reason.UNKNOWN_CLIENT
    assert remembering.cache.misses == 0


def test_no_database(remembering: CachedHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can look anything up, what is remembered still counts, and all else fails as without memory."""
    house = remembering.house
    known, unknown = house.carry(Scheme.TOKEN), house.carry(Scheme.BEARER)
    remembering.verify(known)
    feed = remembering.cache._feed
    assert feed is not None

    def fail(*_arguments: object) -> None:
        raise StorageError("The database cannot be reached")

    for name in ("find_key", "find_token"):
        monkeypatch.setattr(type(feed), name, fail)
    assert isinstance(remembering.verify(unknown), Principal), "the other way is taken"
    monkeypatch.setattr(type(house.store), "read", fail)

    assert isinstance(remembering.gate.admit(known, SIGNED_IN).principal, Principal)
    assert remembering.gate.admit(unknown, SIGNED_IN).reason is Reason.STORAGE


def test_fallback_while_nothing_is_trusted(remembering: CachedHouse) -> None:
    """Before the files are opened, and once they are closed, everything is looked up the other way."""
    presented = [remembering.house.carry(scheme) for scheme in SCHEMES]
    remembering.cache.close()

    for one in presented:
        assert remembering.verify(one) == remembering.verify_anew(one)
        assert remembering.recall(one) is remembering.let_in(one) is None


def test_gate_without_memory(house: House) -> None:
    """It recalls nobody."""
    house.add_user()

    assert house.gate.recall(house.carry(Scheme.TOKEN).authorization[0], None, ADDRESS, b"") is None


def test_judged_again_in_the_transaction(remembering: CachedHouse) -> None:
    """Whoever is let in from memory is judged again by the database where it writes."""
    house = remembering.house
    issued = house.add_key()
    presented = present_pair(issued.key.key_id, issued.secret.text)
    remembering.verify(presented)
    again = remembering.gate.admit(presented, SIGNED_IN).judge_again
    assert again is not None
    house.keys.revoke(COMMAND_LINE, issued.key.key_id)

    with house.store.read() as tx:
        judged = again(tx)

    assert reason(judged) is Reason.REVOKED


class TestIssuedTokens:
    @pytest.fixture
    def opened(self, house: House) -> Iterator[tuple[CachedHouse, OAuthHouse, StoredClient, Issued]]:
        """A user's token that was issued here, remembered."""
        house.add_user()
        oauth = build_oauth_house(house)
        client = oauth.add_client()
        tokens = oauth.begin(client, oauth.sign_in())
        with cached(house) as remembering:
            presented = present_token(tokens.access_token.text)
            assert isinstance(remembering.verify(presented), Principal)
            assert isinstance(remembering.recall(presented), Principal)
            yield remembering, oauth, client, tokens

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE oauth_client SET revoked_at = 1",
            "UPDATE oauth_client SET allowed_roles = '[\"Nobody\"]'",
            "UPDATE oauth_family SET revoked_at = 1",
            "UPDATE oauth_token SET revoked_at = 1",
            "UPDATE oauth_token SET audience = '[\"https://elsewhere.example\"]'",
            "DELETE FROM oauth_token",
            "DELETE FROM oauth_family",
            "DELETE FROM oauth_client",
        ],
    )
    def test_whatever_ends_it(
        self, opened: tuple[CachedHouse, OAuthHouse, StoredClient, Issued], statement: str
    ) -> None:
        """The end of token, family or client, and a client that is for others now, count at the next request."""
        remembering, _oauth, _client, tokens = opened
        presented = present_token(tokens.access_token.text)

        with remembering.house.database.write() as connection:
            connection.exec_driver_sql(statement)

        assert remembering.recall(presented) is None
        after = remembering.verify(presented)
        assert isinstance(after, Rejected)
        assert after == remembering.verify_anew(presented)

    def test_refresh(self, opened: tuple[CachedHouse, OAuthHouse, StoredClient, Issued]) -> None:
        """What a refresh ends is over at once, and what it gives works; a second use of the old one ends the family."""
        remembering, oauth, client, tokens = opened
        presented = present_token(tokens.access_token.text)
        fresh = issued(oauth.refresh(client, tokens.refresh_token))
        later = present_token(fresh.access_token.text)
        assert remembering.verify(presented) == remembering.verify_anew(presented)
        assert isinstance(remembering.verify(later), Principal)

        oauth.house.clock.advance(60)
        assert not isinstance(oauth.refresh(client, tokens.refresh_token), Issued)

        assert remembering.recall(presented) is remembering.recall(later) is None
        assert reason(remembering.verify(later)) is Reason.REVOKED


def test_nobody(remembering: CachedHouse) -> None:
    """A request without a credential is Guest's."""
    presented = replace(remembering.house.carry(Scheme.TOKEN), authorization=())

    assert isinstance(remembering.verify(presented), Anonymous)


def test_a_gate_without_memory_keeps_nothing(remembering: CachedHouse) -> None:
    """Whatever is made ready for the next request, that one is looked up anew."""
    presented, gate = remembering.house.carry(Scheme.TOKEN), remembering.house.gate
    authorization = presented.authorization[0]
    verdict = remembering.gate.recall(authorization, None, ADDRESS, remembering.gate.name(authorization, None))
    assert verdict is not None

    gate.keep_prepared(gate.name(authorization, None), verdict, ("ready",), 100)

    assert gate.recall(authorization, None, ADDRESS, gate.name(authorization, None)) is None
    assert verdict.prepared == ()
