from collections.abc import Callable
from dataclasses import replace

import pytest

from latchgate.core.second_factors import StoredSecondFactor
from latchgate.core.sessions import StoredSession
from latchgate.core.tokens import Sealed
from latchgate.core.users import ADMINISTRATOR, SYSTEM_MANAGER
from latchgate.errors import NotFound
from latchgate.services.port_values import UserChanges
from latchgate.services.ports import Store
from latchgate.services.second_factor_ports import NewSignInStep
from support.new_rows import new_session, new_user

SEALED = Sealed(2, b"\x00sealed\xff")
BOB = "bob@example.com"


def _enrol(store: Store, name: str = "ann@example.com") -> int:
    with store.write() as tx:
        found = tx.users.find(name)
        user_id = found.id if found else tx.users.add(new_user(name), 1)
        tx.second_factors.put(user_id, SEALED, 40, 1_000)
        tx.second_factors.set_recovery_codes(user_id, [f"{name} {number}".encode() for number in range(3)])
    return user_id


def _session(store: Store) -> StoredSession:
    with store.read() as tx:
        found = tx.sessions.find([b"session"])
    assert found is not None
    return found


class TestSecondFactors:
    def test_found_as_stored(self, store: Store) -> None:
        """Whole, of its user alone; another takes its place, and its recovery codes end."""
        user_id = _enrol(store)
        with store.write() as tx:
            found = tx.second_factors.find(user_id)
            assert tx.second_factors.find(user_id + 1) is None
            tx.second_factors.put(user_id, replace(SEALED, pepper=3), 50, 2_000)
            assert tx.second_factors.count_recovery_codes(user_id) == 0
            other = tx.second_factors.find(user_id)

        assert found == StoredSecondFactor(user_id, SEALED, 40, 0, 0, 1_000)
        assert other == StoredSecondFactor(user_id, replace(SEALED, pepper=3), 50, 0, 0, 2_000)

    def test_a_step_is_taken_once(self, store: Store) -> None:
        """Neither it nor one before it is taken again."""
        user_id = _enrol(store)
        for step, taken in ((40, False), (39, False), (41, True), (41, False), (40, False), (43, True)):
            with store.write() as tx:
                assert tx.second_factors.take_step(user_id, step) is taken

    def test_two_that_take_the_same_step(self, store: Store) -> None:
        """The second one finds that it is taken, though it looked before."""
        user_id = _enrol(store)
        with store.read() as early:
            before = early.second_factors.find(user_id)
        with store.write() as tx:
            assert tx.second_factors.take_step(user_id, 41)
        with store.write() as tx:
            assert before is not None
            assert before.last_step == 40
            assert not tx.second_factors.take_step(user_id, 41)

    def test_wrong_codes_are_noted(self, store: Store) -> None:
        """How many, and since when."""
        user_id = _enrol(store)
        with store.write() as tx:
            tx.second_factors.set_wrong(user_id, 3, 1_234)
        with store.read() as tx:
            found = tx.second_factors.find(user_id)

        assert found is not None
        assert (found.wrong_codes, found.wrong_since) == (3, 1_234)

    def test_a_recovery_code_is_used_once(self, store: Store) -> None:
        """By any of the digests that it may have, and by its own user alone."""
        ann, bob = _enrol(store), _enrol(store, BOB)
        with store.write() as tx:
            codes = tx.second_factors
            assert not codes.use_recovery_code(bob, [b"ann@example.com 0"])
            assert codes.use_recovery_code(ann, [b"newer", b"ann@example.com 0"])
            assert not codes.use_recovery_code(ann, [b"newer", b"ann@example.com 0"])
            assert not codes.use_recovery_code(ann, [])
            assert (codes.count_recovery_codes(ann), codes.count_recovery_codes(bob)) == (2, 3)
            codes.set_recovery_codes(ann, [b"new"])
            assert not codes.use_recovery_code(ann, [b"ann@example.com 1"])
            assert codes.count_recovery_codes(ann) == 1

    @pytest.mark.parametrize("of_user", [True, False])
    def test_it_ends_with_its_recovery_codes(self, store: Store, of_user: bool) -> None:
        """By itself, or with its user."""
        user_id = _enrol(store)
        with store.write() as tx:
            if of_user:
                tx.users.delete(user_id)
            else:
                assert tx.second_factors.delete(user_id)
            assert not tx.second_factors.delete(user_id)
            assert tx.second_factors.find(user_id) is None
            assert tx.second_factors.count_recovery_codes(user_id) == 0

    def test_roles_require_one(self, store: Store) -> None:
        """By their exact name; it is noted who said so."""
        with store.write() as tx:
            tx.roles.add("Careful", ADMINISTRATOR, 1)
            assert tx.second_factors.list_requiring() == frozenset()
            assert tx.second_factors.require("Careful", BOB, 7, required=True)
            assert not tx.second_factors.require("Careful", BOB, 8, required=True)
            assert tx.second_factors.require("All", BOB, 7, required=True)
            assert tx.second_factors.list_requiring() == {"Careful", "All"}
            assert tx.second_factors.require("All", BOB, 9, required=False)
            assert tx.second_factors.list_requiring() == {"Careful"}
            for name in ("careful", "", "a\0b"):
                with pytest.raises(NotFound):
                    tx.second_factors.require(name, BOB, 9, required=True)
            found = tx.documents.find("Role", "Careful")

        assert found is not None
        assert (found.values["modified"], found.values["modified_by"], found.values["two_factor_auth"]) == (7, BOB, 1)

    def test_who_signs_in_without_one(self, store: Store) -> None:
        """Who is enabled, has a password and was granted the role; Administrator has it anyway."""
        with store.write() as tx:
            for name, enabled in (("ann@example.com", True), (BOB, True), ("cat@example.com", False)):
                user_id = tx.users.add(replace(new_user(name), enabled=enabled, password_hash="hash"), 1)
                tx.roles.grant(user_id, SYSTEM_MANAGER)
            keys = tx.users.add(replace(new_user("keys@example.com"), password_hash=None), 1)
            tx.roles.grant(keys, SYSTEM_MANAGER)
            assert tx.second_factors.list_without(SYSTEM_MANAGER) == ["ann@example.com", BOB]
            administrator = tx.users.find(ADMINISTRATOR)
            assert administrator is not None
            tx.users.change(administrator.id, UserChanges(password_hash="hash"), 2)
            assert tx.second_factors.list_without(SYSTEM_MANAGER) == [ADMINISTRATOR, "ann@example.com", BOB]
            assert tx.second_factors.list_without("All") == []
        _enrol(store)
        with store.read() as tx:
            assert tx.second_factors.list_without(SYSTEM_MANAGER) == [ADMINISTRATOR, BOB]


class TestSessionsBySecondFactor:
    @pytest.mark.parametrize(
        ("happens", "due"),
        [
            (lambda tx, user_id: None, False),
            (lambda tx, user_id: tx.second_factors.put(user_id, SEALED, 1, 1), True),
            (lambda tx, user_id: tx.second_factors.require("All", BOB, 1, required=True), True),
            (lambda tx, user_id: tx.second_factors.require(SYSTEM_MANAGER, BOB, 1, required=True), False),
        ],
    )
    def test_a_session_knows_whether_one_is_due(self, store: Store, happens: Callable[..., object], due: bool) -> None:
        """As its user is now; and whether one was given for it."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.sessions.add(new_session(user_id), 1_000)
            happens(tx, user_id)

        assert (_session(store).second_factor, _session(store).second_factor_due) == (False, due)
        with store.write() as tx:
            tx.sessions.set_second_factor(_session(store).public_id)
        assert (_session(store).second_factor, _session(store).second_factor_due) == (True, due)

    def test_one_that_was_given_at_sign_in(self, store: Store) -> None:
        """Is stored with the session."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
            tx.sessions.add(replace(new_session(user_id), second_factor=True), 1_000)

        assert _session(store).second_factor


class TestSignInSteps:
    def _add(self, store: Store, name: str = "ann@example.com", digest: bytes = b"step") -> int:
        with store.write() as tx:
            user_id = tx.users.add(new_user(name), 1)
            tx.sign_in_steps.add(NewSignInStep(digest, user_id, b"mark", 100), 50)
        return user_id

    def test_found_until_its_end(self, store: Store) -> None:
        """By any of the digests it may be stored under."""
        user_id = self._add(store)
        with store.read() as tx:
            found = tx.sign_in_steps.find([b"newer", b"step"], 99)
            assert tx.sign_in_steps.find([b"step"], 100) is None
            for digests in ([], [b"other"]):
                assert tx.sign_in_steps.find(digests, 99) is None

        assert found is not None
        assert (found.user.id, found.password_mark, found.expires_at, found.attempts) == (user_id, b"mark", 100, 0)

    def test_attempts_are_counted(self, store: Store) -> None:
        """Each of them."""
        self._add(store)
        with store.write() as tx:
            found = tx.sign_in_steps.find([b"step"], 60)
            assert found is not None
            assert [tx.sign_in_steps.count_attempt(found.id) for _ in range(2)] == [1, 2]
            again = tx.sign_in_steps.find([b"step"], 60)

        assert again is not None
        assert again.attempts == 2

    def test_they_end(self, store: Store) -> None:
        """One, all of a user, or with the user; nobody else's do."""
        ann, bob = self._add(store), self._add(store, BOB, b"bob")
        with store.write() as tx:
            tx.sign_in_steps.add(NewSignInStep(b"second", ann, b"mark", 100), 50)
            found = tx.sign_in_steps.find([b"second"], 60)
            assert found is not None
            tx.sign_in_steps.end(found.id)
            assert tx.sign_in_steps.find([b"second"], 60) is None
            assert tx.sign_in_steps.find([b"step"], 60) is not None
            tx.sign_in_steps.add(NewSignInStep(b"ended", ann, b"mark", 55), 50)
            assert tx.sign_in_steps.end_all(ann, 60) == 1
            assert tx.sign_in_steps.end_all(ann, 60) == 0
            assert tx.sign_in_steps.find([b"step"], 60) is None
            assert tx.sign_in_steps.find([b"bob"], 60) is not None
            tx.users.delete(bob)
            assert tx.sign_in_steps.find([b"bob"], 60) is None
