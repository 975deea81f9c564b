"""The lives of API keys, told by a plain model and by each engine: they must agree at every moment."""

from dataclasses import dataclass, replace
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from latchgate.core.api_keys import Limits, StoredKey
from latchgate.core.tokens import Digest
from latchgate.core.users import UserType
from latchgate.errors import Conflict
from latchgate.services.port_values import KeyFilter, UserChanges
from latchgate.storage.store import SqlStore
from support.databases import Databases
from support.new_rows import new_user, user_key


@dataclass(frozen=True)
class ModelKey:
    """What a key should be."""

    row_id: int
    key_id: str
    user: str
    primary: bool
    limits: Limits
    digest: Digest
    previous_digest: Digest | None = None
    previous_until: int | None = None
    revoked_at: int | None = None

    def has_ended(self, now: int) -> bool:
        """Whether it is revoked or has expired."""
        expires_at = self.limits.expires_at
        return self.revoked_at is not None or (expires_at is not None and expires_at <= now)


def told(key: StoredKey) -> ModelKey:
    """Say what a stored key is in the model's words."""
    return ModelKey(
        key.id,
        key.key_id,
        key.owner.record,
        key.primary,
        key.limits,
        key.digest,
        key.previous_digest,
        key.previous_until,
        key.revoked_at,
    )


USERS = ("ann@example.com", "bob@example.com")


class KeyLives(RuleBasedStateMachine):
    """Issues, rotates, revokes and lets expire, deletes users and makes them anew."""

    keys = Bundle("keys")
    store: ClassVar[SqlStore]

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000
        self.made = 0
        self.model: dict[str, ModelKey] = {}
        self.users: dict[str, tuple[int, bool]] = {}
        with self.store.write() as tx:
            for user in tx.users.list_all():
                if user.name in USERS:
                    tx.users.delete(user.id)
            for name in USERS:
                self.users[name] = (tx.users.add(new_user(name), self.now), True)

    @rule(target=keys, user=st.sampled_from(USERS), primary=st.booleans(), lifetime=st.none() | st.integers(1, 50))
    def issue(self, user: str, primary: bool, lifetime: int | None) -> str:
        """A new key; a second unrevoked primary one is refused and leaves nothing."""
        self.made += 1
        key_id = f"key-{self.made}"
        limits = Limits(frozenset({"all"}), expires_at=lifetime and self.now + lifetime)
        taken = primary and any(key.user == user and key.primary and not key.revoked_at for key in self.model.values())
        try:
            with self.store.write() as tx:
                key = user_key(self.users[user][0], key_id, primary=primary, limits=limits)
                row_id = tx.api_keys.add(key, self.now)
                tx.api_keys.replace_secret(row_id, self._secret(), None)
        except Conflict:
            assert taken
        else:
            assert not taken
            assert row_id not in {other.row_id for other in self.model.values()}
            self.model[key_id] = ModelKey(row_id, key_id, user, primary, limits, self._secret())
        return key_id

    @rule(key_id=keys, overlap=st.none() | st.integers(0, 50))
    def rotate(self, key_id: str, overlap: int | None) -> None:
        """A new secret, beside or instead of the one before."""
        self.made += 1
        key = self.model.get(key_id)
        if key is None:
            return
        until = None if overlap is None else self.now + overlap
        with self.store.write() as tx:
            tx.api_keys.replace_secret(key.row_id, self._secret(), until)
        before = None if until is None else key.digest
        self.model[key_id] = replace(key, digest=self._secret(), previous_digest=before, previous_until=until)

    @rule(key_id=keys)
    def revoke(self, key_id: str) -> None:
        """The end of a key, once."""
        key = self.model.get(key_id)
        if key is None:
            return
        with self.store.write() as tx:
            tx.api_keys.revoke(key.row_id, self.now)
        if key.revoked_at is None:
            self.model[key_id] = replace(key, revoked_at=self.now)

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        """Time goes by, and keys expire."""
        self.now += seconds

    @rule(user=st.sampled_from(USERS), enabled=st.booleans())
    def enable(self, user: str, enabled: bool) -> None:
        """A user is disabled, or enabled again."""
        user_id, _ = self.users[user]
        with self.store.write() as tx:
            tx.users.change(user_id, UserChanges(enabled=enabled), self.now)
        self.users[user] = (user_id, enabled)

    @rule(user=st.sampled_from(USERS))
    def replace_user(self, user: str) -> None:
        """A user goes with all its keys, and another of the same name comes."""
        with self.store.write() as tx:
            tx.users.delete(self.users[user][0])
            user_id = tx.users.add(new_user(user, user_type=UserType.SYSTEM), self.now)
        assert user_id not in {known for known, _ in self.users.values()}
        self.users[user] = (user_id, True)
        self.model = {key_id: key for key_id, key in self.model.items() if key.user != user}

    @invariant()
    def store_and_model_agree(self) -> None:
        """Every look-up and every list tells what the model says."""
        with self.store.read() as tx:
            for number in range(1, self.made + 1):
                found = tx.api_keys.find("User", f"key-{number}")
                assert (found and told(found)) == self.model.get(f"key-{number}")
                if found is not None:
                    assert found.owner.user is not None
                    assert (found.owner.user.id, found.owner.user.enabled) == self.users[found.owner.record]
            for name in USERS:
                mine = [key for key in self.model.values() if key.user == name]
                listed = {told(key) for key in tx.api_keys.list_some(KeyFilter(record=name), self.now)}
                every = {told(key) for key in tx.api_keys.list_some(KeyFilter(record=name, include_ended=True), 0)}
                primary = tx.api_keys.find_primary("User", name)
                assert every == set(mine)
                assert listed == {key for key in mine if not key.has_ended(self.now)}
                unrevoked = [key for key in mine if key.primary and key.revoked_at is None]
                assert ([told(primary)] if primary else []) == unrevoked

    def _secret(self) -> Digest:
        return Digest(1 + self.made % 2, f"secret {self.made}".encode())


def test_keys_live_as_the_model_says(databases: Databases) -> None:
    """Whatever is done to keys and their users, in whatever order, each engine tells the same story as the model."""
    with databases.fresh() as database:

        class KeyLivesHere(KeyLives):
            store = SqlStore(database)

        fewer = settings(max_examples=settings().max_examples // 5, stateful_step_count=20)
        run_state_machine_as_test(KeyLivesHere, settings=fewer)
