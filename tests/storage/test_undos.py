"""Changes that can still be undone, on each engine: whose they are, how long, and how often."""

import pytest

from latchgate.core.undos import Undo
from latchgate.errors import NotFound
from latchgate.services.port_values import NewSession
from latchgate.services.ports import Store
from latchgate.services.undo_ports import NewUndo
from support.new_rows import new_user

UNDO = Undo("User", "ann@example.com", {"first_name": "Ann \ud800", "roles": [{"role": "Reader"}]}, "then")


@pytest.fixture
def sessions(store: Store) -> list[int]:
    """Two sessions of one user, `a` and `b`."""
    with store.write() as tx:
        user_id = tx.users.add(new_user(), 1)
        return [
            tx.sessions.add(NewSession(name.encode(), name, user_id, "192.0.2.1", "browser", second_factor=False), 1)
            for name in ("a", "b")
        ]


def _add(store: Store, session_id: int, name: str, expires_at: int = 100, now: int = 1) -> None:
    with store.write() as tx:
        tx.undos.add(NewUndo(name, session_id, UNDO, "/app/user/ann", expires_at), now)


class TestUndos:
    def test_found_by_its_own_session_until_its_end(self, store: Store, sessions: list[int]) -> None:
        """By nobody else's, by no other id, and from its end on not at all."""
        _add(store, sessions[0], "one")

        with store.read() as tx:
            found = tx.undos.find("one", "a", 99)
            assert found is not None
            assert (found.undo, found.back) == (UNDO, "/app/user/ann")
            for asked in (("one", "b", 99), ("other", "a", 99), ("one", "", 99), ("one", "a", 100)):
                assert tx.undos.find(*asked) is None

    def test_used_once(self, store: Store, sessions: list[int]) -> None:
        """What was used is gone, and the session's others stay."""
        _add(store, sessions[0], "one")
        _add(store, sessions[0], "two")

        with store.write() as tx:
            found = tx.undos.find("one", "a", 50)
            assert found is not None
            tx.undos.end(found.id)

        with store.read() as tx:
            assert tx.undos.find("one", "a", 50) is None
            assert tx.undos.find("two", "a", 50) is not None

    def test_a_use_that_came_to_nothing(self, store: Store, sessions: list[int]) -> None:
        """Leaves it as it was."""
        _add(store, sessions[0], "one")

        def use_and_fail() -> None:
            with store.write() as tx:
                found = tx.undos.find("one", "a", 50)
                assert found is not None
                tx.undos.end(found.id)
                tx.roles.delete("no such role")
                raise NotFound("no such role")

        with pytest.raises(NotFound):
            use_and_fail()

        with store.read() as tx:
            assert tx.undos.find("one", "a", 50) is not None

    def test_ended_ones_are_forgotten(self, store: Store, sessions: list[int]) -> None:
        """The next one drops them, and so does the end of their user."""
        _add(store, sessions[0], "one", expires_at=10)
        _add(store, sessions[1], "two", expires_at=100, now=10)

        with store.read() as tx:
            # As of a time at which it had not ended.
            assert tx.undos.find("one", "a", 5) is None
            assert tx.undos.find("two", "b", 50) is not None
        with store.write() as tx:
            user = tx.users.find(new_user().name)
            assert user is not None
            tx.users.delete(user.id)
        with store.read() as tx:
            assert tx.undos.find("two", "b", 50) is None
