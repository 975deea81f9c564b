import pytest

from latchgate.core.sessions import StoredSession
from latchgate.errors import Conflict
from latchgate.services.ports import Store
from support.new_rows import new_session, new_user


def find(store: Store, digest: bytes = b"session") -> StoredSession:
    """Get a session that is there."""
    with store.read() as tx:
        found = tx.sessions.find([digest])
    assert found is not None
    return found


class TestSessions:
    def test_found_as_stored(self, store: Store) -> None:
        """A session comes back whole, with its user, by any of the digests it may be stored under."""
        with store.write() as tx:
            session_id = tx.sessions.add(new_session(tx.users.add(new_user(), 1)), 1_000)

        with store.read() as tx:
            user = tx.users.find("ann@example.com")
            found = tx.sessions.find([b"newer", b"session"])

        assert user is not None
        assert found == StoredSession(
            session_id, "public-73657373696f6e", user, 1_000, 1_000, "192.0.2.1", "agent", None
        )

    @pytest.mark.parametrize("digests", [[], [b""], [b"Session"], [b"session\0"]])
    def test_unknown_session(self, store: Store, digests: list[bytes]) -> None:
        """No other digest finds a session, nor does none."""
        with store.write() as tx:
            tx.sessions.add(new_session(tx.users.add(new_user(), 1)), 1_000)

        with store.read() as tx:
            assert tx.sessions.find(digests) is None

    def test_touched(self, store: Store) -> None:
        """A use moves the time of the last use, and never backwards."""
        with store.write() as tx:
            session_id = tx.sessions.add(new_session(tx.users.add(new_user(), 1)), 1_000)
            tx.sessions.touch(session_id, 1_300)
            tx.sessions.touch(session_id, 1_200)

        found = find(store)
        assert (found.created_at, found.last_seen_at) == (1_000, 1_300)

    def test_the_first_end_stands(self, store: Store) -> None:
        """A session is revoked once; a later revocation does not move the time."""
        with store.write() as tx:
            session_id = tx.sessions.add(new_session(tx.users.add(new_user(), 1)), 1_000)
            tx.sessions.revoke(session_id, 1_100)
            tx.sessions.revoke(session_id, 1_200)

        assert find(store).revoked_at == 1_100

    def test_all_of_a_user(self, store: Store) -> None:
        """Every live session of a user is ended and counted, and nobody else's."""
        with store.write() as tx:
            ann, bob = tx.users.add(new_user(), 1), tx.users.add(new_user("bob@example.com"), 1)
            ended = tx.sessions.add(new_session(ann, b"ended"), 1_000)
            tx.sessions.revoke(ended, 1_050)
            for user_id, digest in ((ann, b"a1"), (ann, b"a2"), (bob, b"b1")):
                tx.sessions.add(new_session(user_id, digest), 1_000)
            count = tx.sessions.revoke_all(ann, 1_100)

        revoked = [find(store, digest).revoked_at for digest in (b"ended", b"a1", b"a2", b"b1")]
        assert count == 2
        assert revoked == [1_050, 1_100, 1_100, None]

    def test_digest_taken(self, store: Store) -> None:
        """The same session cannot be stored twice."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.sessions.add(new_session(user_id), 1_000)
            with pytest.raises(Conflict):
                tx.sessions.add(new_session(user_id), 1_000)
