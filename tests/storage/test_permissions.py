import pytest

from latchgate.core.permissions import DEFAULT_GRANTS, Action, Grant
from latchgate.errors import Conflict, NotFound
from latchgate.services.ports import Store
from support.new_rows import new_user

_READ = frozenset({Action.READ})
_GRANT = Grant("System Manager", "Robot", if_owner=False, actions=_READ)


def test_a_new_database_has_the_default_matrix(store: Store) -> None:
    """What the migration writes is what the rules and the documents say."""
    with store.read() as tx:
        assert set(tx.permissions.list_all()) == set(DEFAULT_GRANTS)


def test_a_permission_is_added_changed_and_deleted(store: Store) -> None:
    """It is known by its role, its type and whether it is for one's own."""
    wider = Grant("System Manager", "Robot", if_owner=False, actions=frozenset(Action))
    with store.write() as tx:
        tx.permissions.add(_GRANT, "Administrator", 1)
        assert tx.permissions.find("System Manager", "Robot", if_owner=False) == _GRANT
        assert tx.permissions.find("System Manager", "Robot", if_owner=True) is None
        tx.permissions.change(wider, "Administrator", 2)
        assert tx.permissions.find("System Manager", "Robot", if_owner=False) == wider
        assert tx.permissions.delete("System Manager", "Robot", if_owner=False)
        assert not tx.permissions.delete("System Manager", "Robot", if_owner=False)


def test_what_cannot_be_stored(store: Store) -> None:
    """A second one of the same kind, one of no role, one that is gone, and names that no table can hold."""
    with store.write() as tx:
        tx.permissions.add(_GRANT, "Administrator", 1)
        with pytest.raises(Conflict, match="already"):
            tx.permissions.add(_GRANT, "Administrator", 1)
        for role in ("Nobody", "\x00"):
            with pytest.raises(NotFound, match="no role"):
                tx.permissions.add(Grant(role, "Robot", if_owner=False, actions=_READ), "Administrator", 1)
        with pytest.raises(NotFound):
            tx.permissions.change(Grant("All", "Robot", if_owner=False, actions=_READ), "Administrator", 1)
        assert tx.permissions.find("\x00", "Robot", if_owner=False) is None
        assert not tx.permissions.delete("All", "\x00", if_owner=False)


def test_a_deleted_role_takes_its_permissions_and_grants_along(store: Store) -> None:
    """Whoever had it has it no more, and what it could do is gone."""
    with store.write() as tx:
        user_id = tx.users.add(new_user(), 1)
        tx.roles.add("Clerk", "Administrator", 1)
        tx.roles.grant(user_id, "Clerk")
        tx.permissions.add(Grant("Clerk", "User", if_owner=False, actions=_READ), "Administrator", 1)
        tx.roles.delete("Clerk")
        with pytest.raises(NotFound):
            tx.roles.delete("Clerk")

    with store.read() as tx:
        found = tx.users.find("ann@example.com")
        assert found is not None
        assert found.roles == frozenset()
        assert set(tx.permissions.list_all()) == set(DEFAULT_GRANTS)
