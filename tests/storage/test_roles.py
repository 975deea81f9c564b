import pytest

from latchgate.errors import Conflict, NotFound, StorageError
from latchgate.services.ports import Store
from support.new_rows import new_user


class TestRoles:
    def test_built_in_roles(self, store: Store) -> None:
        """A new database holds the automatic roles and System Manager, granted to nobody."""
        with store.read() as tx:
            assert tx.roles.list_all() == [("All", 0), ("Desk User", 0), ("Guest", 0), ("System Manager", 0)]

    def test_grants_reach_the_user(self, store: Store) -> None:
        """What was granted is read with the user and counted with the role; a second grant changes nothing."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.roles.add("Editor", "Administrator", 1)
            answers = [tx.roles.grant(user_id, name) for name in ("Editor", "System Manager", "Editor")]

        with store.read() as tx:
            found = tx.users.find("ann@example.com")
            assert answers == [True, True, False]
            assert found is not None
            assert found.roles == {"Editor", "System Manager"}
            assert ("Editor", 1) in tx.roles.list_all()
            assert tx.roles.list_users("Editor") == ["ann@example.com"]

    def test_revocation(self, store: Store) -> None:
        """A role is taken away once; it is no error to take what is not there."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.roles.grant(user_id, "System Manager")
            answers = [tx.roles.revoke(user_id, name) for name in ("System Manager", "System Manager", "none")]

        with store.read() as tx:
            found = tx.users.find("ann@example.com")
        assert answers == [True, False, False]
        assert found is not None
        assert found.roles == frozenset()

    def test_unknown_role(self, store: Store) -> None:
        """A role that is not there cannot be granted and has no users."""
        with pytest.raises(NotFound, match="Editor"), store.write() as tx:
            tx.roles.grant(1, "Editor")

        with store.read() as tx:
            assert not tx.roles.exists("Editor")
            assert tx.roles.list_users("Editor") == []

    def test_name_taken(self, store: Store) -> None:
        """A second role of one name is refused."""
        with pytest.raises(Conflict), store.write() as tx:
            tx.roles.add("All", "Administrator", 1)

    @pytest.mark.parametrize("name", ["a\0b", "\ud800"])
    def test_what_cannot_be_a_name(self, store: Store, name: str) -> None:
        """A text that the database cannot hold names no role."""
        with store.read() as tx:
            assert not tx.roles.exists(name)
            assert tx.roles.list_users(name) == []

    def test_a_name_is_one_line(self, store: Store) -> None:
        """No role can smuggle in another: roles are read as lines, and the database refuses a name of two."""
        with pytest.raises(StorageError), store.write() as tx:
            tx.roles.add("Editor\nSystem Manager", "Administrator", 1)

    def test_users_in_order(self, store: Store) -> None:
        """The users of a role are listed by name."""
        with store.write() as tx:
            for name in ("b@x.org", "a@x.org"):
                tx.roles.grant(tx.users.add(new_user(name), 1), "System Manager")

        with store.read() as tx:
            assert tx.roles.list_users("System Manager") == ["a@x.org", "b@x.org"]
