"""Create, show, change, enable, disable and delete users, and set their passwords."""

from dataclasses import asdict, dataclass, field, replace
from threading import Semaphore

from argon2 import Parameters

from latchgate.core.addresses import Network
from latchgate.core.passwords import SALT_BYTES, hash_password, password_problem
from latchgate.core.permissions import Action
from latchgate.core.tokens import Secret
from latchgate.core.users import (
    ADMINISTRATOR,
    DESK_USER,
    GUEST,
    ROLES_OF_ALL,
    StoredUser,
    UserType,
    automatic_roles,
    parse_user_name,
)
from latchgate.errors import Invalid, RateLimited
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, require_within, write_as
from latchgate.services.port_values import LiveCredentials, NewUser, UserChanges
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.rights import (
    judge_early,
    require_act_for,
    require_covered,
    require_covered_account,
    require_right,
    require_roles,
)
from latchgate.services.user_rights import get_user, get_user_to, require_dispensable, require_not_own

__all__ = ["AUTOMATIC_ROLES", "UserOrder", "UserService", "add_user"]

AUTOMATIC_ROLES = ROLES_OF_ALL | {DESK_USER}
"""What comes with the user's type, and is never granted."""
_NAME_LENGTH_MAX = 140
_HOURS_MAX = 24
_SEEN_BY_ALL = frozenset({"first_name", "last_name", "user_type"})
"""What whoever may read a user sees of it, be it another's."""
_PERSONAL = frozenset({"first_name", "last_name"})
"""What everybody may change of their own account."""


@dataclass(frozen=True, slots=True)
class UserOrder:
    """What a new user should be like."""

    name: str
    first_name: str = ""
    last_name: str = ""
    user_type: UserType = UserType.SYSTEM
    enabled: bool = True
    roles: frozenset[str] = frozenset()
    password: Secret | None = None
    """None makes a user for API calls only: it cannot sign in."""
    restrict_ip: tuple[Network, ...] = ()
    login_after: int = 0
    login_before: int = 0


@dataclass(frozen=True, slots=True)
class UserService:
    """Every change of a user: what the matrix allows, and nobody's account but by those who may do as much.

    A method that ends in `_in` works on its caller's transaction.
    """

    store: Store
    clock: Clock
    entropy: Entropy
    profile: Parameters = field(repr=False)
    """How passwords are hashed."""
    turns: Semaphore = field(repr=False)
    """How many are hashed at once: each takes 64 MiB."""
    queue: Semaphore = field(repr=False)
    """How many wait for that or are at it: each holds a thread that others need."""

    def create(self, actor: Actor, order: UserOrder) -> StoredUser:
        """Make a user with its roles.

        Raises:
            Conflict: The name is taken.
            Invalid: A name that is no e-mail address, a weak password, an hour that is none, an automatic role.
            NotFound: A role that does not exist.
            NotPermitted: The actor may not, lacks a role that it gives, or gives a password by a limited credential.
        """
        judge_early(self.store, actor, lambda tx: _require_create(tx, actor, order))
        password_hash = self.hash_password(actor, order.password, order.name) if order.password else None
        with write_as(self.store, actor) as tx:
            return self.create_in(tx, actor, order, password_hash)

    def create_in(self, tx: Transaction, actor: Actor, order: UserOrder, password_hash: str | None) -> StoredUser:
        """Make a user, whose password was hashed by `hash_password`. Raises as `create`."""
        _require_create(tx, actor, order)
        if password_hash is not None:
            require_within(actor, UNLIMITED)
        return add_user(tx, self.clock, actor, order, password_hash)

    def list_users(self) -> list[StoredUser]:
        """List the users by name."""
        with self.store.read() as tx:
            return tx.users.list_all()

    def get(self, name: str) -> StoredUser:
        """Give a user. Raises NotFound."""
        with self.store.read() as tx:
            return get_user(tx, name)

    def set_enabled(self, actor: Actor, name: str, *, enabled: bool) -> StoredUser:
        """Let a user act, or refuse it on every scheme from the next request on.

        Raises NotFound, NotPermitted, Invalid (Administrator, Guest and the last System Manager stay enabled).
        """
        judge_early(self.store, actor, lambda tx: get_user_to(tx, actor, name, Action.WRITE))
        with write_as(self.store, actor) as tx:
            return self.set_enabled_in(tx, actor, name, enabled=enabled)

    def set_enabled_in(self, tx: Transaction, actor: Actor, name: str, *, enabled: bool) -> StoredUser:
        """Let a user act, or refuse it. Raises as `set_enabled`."""
        user = get_user_to(tx, actor, name, Action.WRITE)
        if user.enabled == enabled:
            return user
        require_not_own(actor, user)
        if enabled:
            # All its keys come back with it.
            require_covered_account(tx, actor, user)
        else:
            require_dispensable(tx, user, "disabled")
        tx.users.change(user.id, UserChanges(enabled=enabled, modified_by=actor.user), self.clock.now_us())
        note(tx, self.clock, actor, "user.enabled" if enabled else "user.disabled", user.name)
        return get_user(tx, name)

    def change(self, actor: Actor, name: str, changes: UserChanges) -> StoredUser:
        """Replace names, type, allowed addresses or hours of a user, from the next request on.

        Whether it is enabled and its password have methods of their own.

        Raises:
            NotFound: There is no such user.
            NotPermitted: The actor may not; of their own account all but System Managers change their names alone.
            Invalid: A name or hour that is none, anything of Guest's, or another type for Administrator.
        """
        judge_early(self.store, actor, lambda tx: get_user_to(tx, actor, name, Action.WRITE))
        with write_as(self.store, actor) as tx:
            return self.change_in(tx, actor, name, changes)

    def change_in(self, tx: Transaction, actor: Actor, name: str, changes: UserChanges) -> StoredUser:
        """Replace fields of a user. Raises as `change`."""
        if changes.enabled is not None or changes.password_hash is not None:
            raise AssertionError("set_enabled and set_password change these")
        user = get_user_to(tx, actor, name, Action.WRITE)
        changes = _trimmed(changes)
        problems = _problems(changes) | _fixed(user, changes)
        if problems:
            raise Invalid(problems)
        different = _differences(user, changes)
        if different.keys() - _PERSONAL:
            require_not_own(actor, user)
        if different:
            tx.users.change(user.id, replace(changes, modified_by=actor.user), self.clock.now_us())
            told = "; ".join(f"{field_name}: {shown}" for field_name, shown in different.items())
            note(tx, self.clock, actor, "user.changed", user.name, detail=told)
        changed = get_user(tx, name)
        # Another type brings another role.
        require_act_for(actor, changed)
        if different.keys() - _PERSONAL:
            require_covered_account(tx, actor, changed)
        return changed

    def delete(self, actor: Actor, name: str) -> LiveCredentials:
        """Delete a user with its keys, tokens and sessions, and tell how many; the log keeps its rows.

        Raises NotFound, NotPermitted, Invalid (Administrator, Guest and the last System Manager stay).
        """
        judge_early(self.store, actor, lambda tx: get_user_to(tx, actor, name, Action.DELETE))
        with write_as(self.store, actor) as tx:
            return self.delete_in(tx, actor, name)

    def delete_in(self, tx: Transaction, actor: Actor, name: str) -> LiveCredentials:
        """Delete a user. Raises as `delete`."""
        user = get_user_to(tx, actor, name, Action.DELETE)
        require_dispensable(tx, user, "deleted")
        ended = tx.users.count_credentials(user.id, self.clock.now())
        tx.users.delete(user.id)
        note(tx, self.clock, actor, "user.deleted", user.name, detail=f"id {user.id}")
        return ended

    def set_password(self, actor: Actor, name: str, password: Secret) -> None:
        """Give a user a new password and end its sessions.

        Raises:
            NotFound: There is no such user.
            NotPermitted: The actor may not, or uses a credential that is limited.
            Invalid: A weak password, or Guest's.
        """
        judge_early(self.store, actor, lambda tx: _get_for_password(tx, actor, name))
        password_hash = self.hash_password(actor, password, name)
        with write_as(self.store, actor) as tx:
            self.set_password_in(tx, actor, name, password_hash)

    def set_password_in(self, tx: Transaction, actor: Actor, name: str, password_hash: str) -> None:
        """Give a user a password that was hashed by `hash_password`. Raises as `set_password`."""
        user = _get_for_password(tx, actor, name)
        changes = UserChanges(password_hash=password_hash, modified_by=actor.user)
        tx.users.change(user.id, changes, self.clock.now_us())
        tx.links.end_all(user.id)
        ended = tx.sessions.revoke_all(user.id, self.clock.now())
        note(tx, self.clock, actor, "user.password_set", user.name, detail=f"{ended} sessions ended")

    def hash_password(self, actor: Actor, password: Secret, name: str) -> str:
        """Hash a new password of a user; it takes long, so never while a transaction is open.

        Raises NotPermitted if the credential used is limited, Invalid for a weak password, RateLimited where many are
        being set.
        """
        # A password opens all that its user may do, from anywhere and for ever.
        require_within(actor, UNLIMITED)
        problem = password_problem(password, parse_user_name(name) or name)
        if problem:
            raise Invalid({"password": problem})
        salt = self.entropy.random_bytes(SALT_BYTES)
        if not self.queue.acquire(blocking=False):
            raise RateLimited("Too many passwords are being set at once. Try again.", retry_after_seconds=1)
        try:
            with self.turns:
                return hash_password(password, salt, self.profile)
        finally:
            self.queue.release()


def add_user(tx: Transaction, clock: Clock, actor: Actor, order: UserOrder, password_hash: str | None) -> StoredUser:
    """Store a user with its roles, in a caller's transaction. Raises Conflict, Invalid, NotFound."""
    name = parse_user_name(order.name)
    problems = _problems(order) | _role_problems(order)
    if name is None:
        problems["name"] = f"'{order.name[:60]}' is not an e-mail address"
    if problems or name is None:
        raise Invalid(problems)
    user_id = tx.users.add(
        NewUser(
            name=name,
            first_name=order.first_name.strip(),
            last_name=order.last_name.strip(),
            user_type=order.user_type,
            enabled=order.enabled,
            password_hash=password_hash,
            restrict_ip=order.restrict_ip,
            login_after=order.login_after,
            login_before=order.login_before,
            owner=actor.user,
        ),
        clock.now_us(),
    )
    for role in sorted(order.roles):
        tx.roles.grant(user_id, role)
    note(tx, clock, actor, "user.created", name, detail=", ".join(sorted(order.roles)))
    return get_user(tx, name)


def _require_create(tx: Transaction, actor: Actor, order: UserOrder) -> None:
    require_right(tx, actor, "User", Action.CREATE)
    roles = order.roles | (automatic_roles("", order.user_type) - ROLES_OF_ALL)
    require_roles(actor, roles)
    require_covered(actor, roles, tx.permissions.list_all())


def _get_for_password(tx: Transaction, actor: Actor, name: str) -> StoredUser:
    user = get_user_to(tx, actor, name, Action.WRITE)
    require_not_own(actor, user)
    require_within(actor, UNLIMITED)
    if user.name == GUEST:
        raise Invalid({"user": "Guest cannot sign in"})
    return user


def _problems(wanted: UserOrder | UserChanges) -> dict[str, str]:
    problems = {}
    for field_name, text in (("first_name", wanted.first_name), ("last_name", wanted.last_name)):
        if text and (len(text) > _NAME_LENGTH_MAX or not text.isprintable()):
            problems[field_name] = f"must be at most {_NAME_LENGTH_MAX} printable characters"
    for field_name, hour in (("login_after", wanted.login_after), ("login_before", wanted.login_before)):
        if hour is not None and not 0 <= hour <= _HOURS_MAX:
            problems[field_name] = "must be an hour from 0 to 24"
    return problems


def _role_problems(order: UserOrder) -> dict[str, str]:
    taken = ", ".join(sorted(order.roles & AUTOMATIC_ROLES))
    return {"roles": f"{taken} comes with the user's type; it cannot be granted"} if taken else {}


def _fixed(user: StoredUser, changes: UserChanges) -> dict[str, str]:
    if user.name == GUEST:
        return {"user": "Guest is who carries no credential; there is nothing to change"}
    if user.name == ADMINISTRATOR and changes.user_type is UserType.WEBSITE:
        return {"user_type": "Administrator stays a System User"}
    if user.name == ADMINISTRATOR and changes.login_after == _HOURS_MAX:
        return {"login_after": "Administrator cannot be shut out at all hours"}
    return {}


def _trimmed(changes: UserChanges) -> UserChanges:
    names = {name: getattr(changes, name) for name in ("first_name", "last_name")}
    return replace(changes, **{name: text.strip() for name, text in names.items() if text is not None})


def _differences(user: StoredUser, changes: UserChanges) -> dict[str, str]:
    """Give the fields that will differ, each with what of it the log may tell, whose readers see all users' rows."""
    wanted = {name: value for name, value in asdict(changes).items() if value is not None and name != "modified_by"}
    differing = {name: value for name, value in wanted.items() if value != getattr(user, name)}
    return {name: str(value) if name in _SEEN_BY_ALL else "changed" for name, value in differing.items()}
