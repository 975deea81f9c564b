"""Generate, list, rotate, revoke and import API keys, for users and for the records of other sources."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from latchgate.core.api_keys import StoredKey, digest_secret
from latchgate.core.document_types import format_time
from latchgate.core.permissions import Action
from latchgate.core.system_settings import KeyPolicy
from latchgate.core.tokens import Peppers, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.errors import Flaw, Invalid, NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, read_as, require_within, write_as
from latchgate.services.key_orders import (
    TIME_MAX,
    IssuedKey,
    KeyOrder,
    PairText,
    import_pair,
    label_problems,
    make_new_key,
    require_allowed,
    require_sound,
)
from latchgate.services.key_owners import Owner, OwnerIds
from latchgate.services.key_rights import KeyRights, only_key, user_of
from latchgate.services.port_values import Stamp
from latchgate.services.ports import Clock, Entropy, RequestLog, Store, Transaction
from latchgate.services.rights import judge_early
from latchgate.services.standing_settings import StandingSettings

__all__ = ["ApiKeyService", "IssuedKey", "KeyName", "KeyOrder", "Owner", "PairText"]

KeyName = tuple[str, str]
"""Which key: its source, and its id there."""


@dataclass(frozen=True, slots=True)
class ApiKeyService:
    """Every change of a key, by the command line, HTTP and the desk alike.

    A method that ends in `_in` works on its caller's transaction.
    """

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    request_log: RequestLog
    standing: StandingSettings
    """What keys may be like, and who manages their own."""

    def get_policy(self) -> KeyPolicy:
        """Tell what a key may be like that is made now: what forms offer. It is asked again where a key is made."""
        with self.store.read() as tx:
            return self.standing.key_policy(tx)

    def require(self, actor: Actor, owner: Owner, action: Action) -> None:
        """Let nobody pass who may not do this to an owner's keys. Raises NotPermitted, NotFound, Invalid for Guest.

        What is then done is judged again where it is done: this is for what is shown before.
        """
        with read_as(self.store, actor) as tx:
            self._rights(tx, actor).require_owner(owner, action)

    def list_allowed(self, actor: Actor, owner: Owner) -> frozenset[Action]:
        """List what the actor may do to the keys of an owner."""
        with read_as(self.store, actor) as tx:
            rights = self._rights(tx, actor)
            return frozenset(action for action in Action if rights.allow(owner, action))

    def generate(self, actor: Actor, owner: Owner, order: KeyOrder) -> IssuedKey:
        """Make a key and show its secret this once.

        Raises:
            NotFound: There is no such user, source or record; told only to whoever may manage any keys.
            NotPermitted: The actor may not, or the key would reach further than the actor's own credential.
            Invalid: A label, limit or expiry that cannot be, or that the settings do not allow.
        """
        require_sound(order, self.clock.now())
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).require_owner(owner, Action.CREATE))
        with write_as(self.store, actor) as tx:
            return self.generate_in(tx, actor, owner, order)

    def generate_in(self, tx: Transaction, actor: Actor, owner: Owner, order: KeyOrder) -> IssuedKey:
        """Make a key. Raises as `generate`."""
        require_sound(order, self.clock.now())
        ids = self._rights(tx, actor).require_owner(owner, Action.CREATE)
        require_allowed(self.standing.key_policy(tx), order.limits, self.clock.now())
        require_within(actor, order.limits)
        primary = tx.api_keys.find_primary(owner.source, owner.record) is None
        return self._add(tx, actor, owner, (ids, order, primary))

    def generate_primary(self, actor: Actor, owner: Owner, *, seen: str | None = None) -> IssuedKey:
        """Give the owner's first key a new secret, which ends the old one at once; make the key if there is none.

        Args:
            actor: Who asks.
            owner: Whose first key.
            seen: The key's `modified` as the actor saw it, empty where they saw none; None where they did not look.

        Raises:
            NotFound, NotPermitted: As `generate`; a new secret needs the right to write too.
            Invalid: As `generate`; with Flaw.STALE, if it is not as it was seen: another secret would end unheard of.
        Source: Frappe, frappe.core.doctype.user.user.generate_keys, as recorded.
        """
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).require_owner(owner, Action.CREATE))
        with write_as(self.store, actor) as tx:
            rights = self._rights(tx, actor)
            ids = rights.require_owner(owner, Action.CREATE)
            key = tx.api_keys.find_primary(owner.source, owner.record)
            _require_as_seen(key, seen)
            if key is not None and self._has_ended(key):
                # A new secret for a key that has expired would be handed out dead.
                self._revoke(tx, actor, key)
                key = None
            # Who asks in this way cannot say until when: it is as long as may be.
            latest = self.standing.key_policy(tx).latest_end(self.clock.now())
            limits = key.limits if key else replace(UNLIMITED, expires_at=latest)
            require_within(actor, limits)
            if key is None:
                return self._add(tx, actor, owner, (ids, KeyOrder("Generate Keys", limits), True))
            rights.require(ids.user, Action.WRITE)
            return self._replace_secret(tx, actor, key, None)

    def rotate(
        self, actor: Actor, key_id: str, *, source: str | None = None, overlap_seconds: int, seen: str | None = None
    ) -> IssuedKey:
        """Give a key a new secret; the one before works for `overlap_seconds` more, never longer than it would have.

        The key itself ends no later than one that is made now could: a rotation prolongs nothing.
        The one before that ends now, should it still work. `seen` is as in `generate_primary`.

        Raises:
            NotFound: There is no such key that the actor may manage.
            Conflict: Several sources have one; name the source.
            NotPermitted: The actor may not, or the key reaches further than the actor's own credential.
            Invalid: The key has ended, or the overlap is negative, without end or longer than the settings allow.
            Invalid: With Flaw.STALE, the key is not as it was seen.
        """
        now = self.clock.now()
        if not 0 <= overlap_seconds <= TIME_MAX - now:
            raise Invalid({"overlap": "must neither be negative nor last beyond the year 9999"})
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).get_key(key_id, source, Action.WRITE))
        with write_as(self.store, actor) as tx:
            key = self._rights(tx, actor).get_key(key_id, source, Action.WRITE)
            require_within(actor, key.limits)
            if self._has_ended(key):
                raise Invalid({"key": f"{key_id} has ended; generate a new one"})
            _require_as_seen(key, seen)
            _require_overlap(self.standing.key_policy(tx), overlap_seconds)
            until = min(now + overlap_seconds, key.limits.expires_at or now + overlap_seconds)
            return self._replace_secret(tx, actor, key, until if overlap_seconds else None)

    def end_former_secret(self, actor: Actor, key_id: str, *, source: str | None = None) -> StoredKey:
        """End the secret before a rotation now; the present one goes on. Ending what has ended changes nothing.

        Raises:
            NotFound, Conflict: As `rotate`.
            NotPermitted: The actor may not.
        """
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).get_key(key_id, source, Action.WRITE))
        with write_as(self.store, actor) as tx:
            key = self._rights(tx, actor).get_key(key_id, source, Action.WRITE)
            if key.previous_until is not None and key.previous_until > self.clock.now():
                tx.api_keys.replace_secret(key.id, key.digest, None, self._stamp(actor))
                note(tx, self.clock, actor, "api_key.former_secret_ended", key.key_id, detail=_told(key))
            return _get_key(tx, key_id, key.source)

    def relabel_in(self, tx: Transaction, actor: Actor, key_id: str, label: str, *, source: str) -> StoredKey:
        """Give a key another label. Raises NotPermitted, NotFound, Invalid."""
        key = self._rights(tx, actor).get_key(key_id, source, Action.WRITE)
        problems = label_problems(label)
        if problems:
            raise Invalid(problems)
        if label != key.label:
            tx.api_keys.relabel(key.id, label, self._stamp(actor))
            note(tx, self.clock, actor, "api_key.relabelled", key.key_id, detail=f"'{label}'")
        return _get_key(tx, key_id, source)

    def revoke(self, actor: Actor, key_id: str, *, source: str | None = None) -> StoredKey:
        """End a key now. Ending one that has ended changes nothing.

        Raises:
            NotFound: There is no such key that the actor may manage.
            Conflict: Several sources have one; name the source.
            NotPermitted: The actor may not.
        """
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).get_key(key_id, source, Action.DELETE))
        with write_as(self.store, actor) as tx:
            return self.revoke_in(tx, actor, key_id, source=source)

    def judge_ends(self, actor: Actor, keys: Sequence[KeyName]) -> dict[KeyName, str]:
        """Tell which of these keys the actor may not end, and why, in words for them; the others they may."""
        with read_as(self.store, actor) as tx:
            rights = self._rights(tx, actor)
            found = {key: _why_not(partial(rights.get_key, key[1], key[0], Action.DELETE)) for key in keys}
        return {key: why for key, why in found.items() if why}

    def revoke_many(self, actor: Actor, keys: Sequence[KeyName]) -> dict[KeyName, str]:
        """End keys in one transaction, each as `revoke` would; tell which were not ended, and why.

        Raises NotPermitted if the actor may end none at all, not even their own; then nothing is changed.
        """
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).require_any(Action.DELETE))
        with write_as(self.store, actor) as tx:
            found = {key: _why_not(partial(self.revoke_in, tx, actor, key[1], source=key[0])) for key in keys}
        return {key: why for key, why in found.items() if why}

    def revoke_in(self, tx: Transaction, actor: Actor, key_id: str, *, source: str | None = None) -> StoredKey:
        """End a key now. Raises as `revoke`."""
        key = self._rights(tx, actor).get_key(key_id, source, Action.DELETE)
        if key.revoked_at is None:
            self._revoke(tx, actor, key)
        return _get_key(tx, key_id, key.source)

    def import_key(self, actor: Actor, owner: Owner, pair: PairText, order: KeyOrder) -> StoredKey:
        """Take a key and secret made elsewhere as they are; only the secret's digest is stored.

        Raises:
            Conflict: The source has a key of that id.
            Invalid: A key or secret that no header could present, or a secret that passes for one of ours.
            NotFound, NotPermitted: As `generate`.
        """
        require_sound(order, self.clock.now())
        judge_early(self.store, actor, lambda tx: self._rights(tx, actor).require_owner(owner, Action.CREATE))
        with write_as(self.store, actor) as tx:
            self._rights(tx, actor).require_owner(owner, Action.CREATE)
            require_allowed(self.standing.key_policy(tx), order.limits, self.clock.now())
            require_within(actor, order.limits)
            import_pair(tx, self.clock, self.peppers, actor, (owner, pair, order))
            return _get_key(tx, pair.key_id, owner.source)

    def _add(self, tx: Transaction, actor: Actor, owner: Owner, new: tuple[OwnerIds, KeyOrder, bool]) -> IssuedKey:
        ids, order, primary = new
        key_id = self._issue(TokenKind.KEY_ID)
        secret = Secret(self._issue(TokenKind.KEY_SECRET))
        row_id = tx.api_keys.add(make_new_key(owner, ids, key_id, (order, primary, actor)), self.clock.now_us())
        tx.api_keys.replace_secret(row_id, digest_secret(self.peppers, (row_id, owner.source, key_id), secret), None)
        key = _get_key(tx, key_id, owner.source)
        note(tx, self.clock, actor, "api_key.generated", key_id, detail=_told(key))
        return IssuedKey(key, ids.user, secret)

    def _replace_secret(self, tx: Transaction, actor: Actor, key: StoredKey, until: int | None) -> IssuedKey:
        secret = Secret(self._issue(TokenKind.KEY_SECRET))
        digest = digest_secret(self.peppers, (key.id, key.source, key.key_id), secret)
        tx.api_keys.replace_secret(key.id, digest, until, self._stamp(actor))
        end = self.standing.key_policy(tx).earlier_end(key.limits.expires_at, self.clock.now())
        if end is not None and end != key.limits.expires_at:
            # A new secret is a new key to whoever holds it, and lives no longer than one.
            tx.api_keys.end_at(key.id, end)
        still = key.previous_until if key.previous_until and key.previous_until > self.clock.now() else None
        told = _told(key) + (f", former secret works until {until}" if until else "")
        note(tx, self.clock, actor, "api_key.rotated", key.key_id, detail=told)
        return IssuedKey(_get_key(tx, key.key_id, key.source), user_of(key), secret, still)

    def _revoke(self, tx: Transaction, actor: Actor, key: StoredKey) -> None:
        tx.api_keys.revoke(key.id, self.clock.now(), self._stamp(actor))
        note(tx, self.clock, actor, "api_key.revoked", key.key_id, detail=_told(key))

    def _has_ended(self, key: StoredKey) -> bool:
        expires_at = key.limits.expires_at
        return key.revoked_at is not None or (expires_at is not None and expires_at <= self.clock.now())

    def _issue(self, kind: TokenKind) -> str:
        return issue_token(kind, self.entropy.random_bytes(entropy_bytes(kind)))

    def _rights(self, tx: Transaction, actor: Actor) -> KeyRights:
        return KeyRights(tx, actor, self.standing)

    def _stamp(self, actor: Actor) -> Stamp:
        return Stamp(actor.user, self.clock.now_us())


def _why_not(end: Callable[[], object]) -> str:
    """Do it or say why not; whatever refuses here has changed nothing."""
    try:
        end()
    except (NotFound, NotPermitted) as error:
        return error.public
    return ""


def _require_as_seen(key: StoredKey | None, seen: str | None) -> None:
    if seen is not None and seen != (format_time(key.modified) if key else ""):
        raise Invalid({"seen": "The key was changed since it was looked at"}, Flaw.STALE)


def _require_overlap(policy: KeyPolicy, overlap_seconds: int) -> None:
    most = policy.overlap_seconds_max
    if most is not None and overlap_seconds > most:
        raise Invalid({"overlap": f"must be at most {most} seconds, as the settings have it"})


def _get_key(tx: Transaction, key_id: str, source: str) -> StoredKey:
    return only_key(tx.api_keys.find_any(key_id), key_id, source)


def _told(key: StoredKey) -> str:
    label = f" '{key.label}'" if key.label else ""
    return f"{key.source} {key.owner.record}{label}, scopes {' '.join(sorted(key.limits.scopes))}"
