"""Generate, list, rotate, revoke and import API keys, for users and for the records of other sources."""

from dataclasses import dataclass, field, replace

from latchgate.core.api_keys import Limits, StoredKey, digest_secret, parse_foreign_pair
from latchgate.core.credentials import USER_SOURCE
from latchgate.core.policy import may_manage_keys
from latchgate.core.principals import Reason
from latchgate.core.tokens import Peppers, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.errors import Conflict, Invalid, NotFound, NotPermitted
from latchgate.services.activity import note
from latchgate.services.actors import UNLIMITED, Actor, require_within
from latchgate.services.key_owners import Owner, OwnerIds, require_owner
from latchgate.services.port_values import KeyFilter, LastUse, NewKey
from latchgate.services.ports import Clock, Entropy, RequestLog, Store, Transaction

__all__ = ["ApiKeyService", "IssuedKey", "KeyOrder", "Owner", "PairText", "import_pair"]

_LABEL_LENGTH_MAX = 140
_PER_MINUTE_MAX = 1_000_000
_TIME_MAX = 253_402_300_799
"""The last second of the year 9999, in Unix seconds: later ones cannot be shown."""


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """What a new key should be like."""

    label: str = ""
    limits: Limits = UNLIMITED


@dataclass(frozen=True, slots=True)
class PairText:
    """A key and secret that were made elsewhere."""

    key_id: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, to be shown once."""

    key: StoredKey
    user: str | None
    """Whose requests it makes."""
    secret: Secret
    ended_until: int | None = None
    """Until when the secret before the former one would have worked, which a second rotation ends; Unix seconds."""


@dataclass(frozen=True, slots=True)
class ApiKeyService:
    """Every change of a key, by the command line, HTTP and the desk alike."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    request_log: RequestLog
    own_keys: bool
    """Whether users may manage their own keys."""

    def generate(self, actor: Actor, owner: Owner, order: KeyOrder) -> IssuedKey:
        """Make a key and show its secret this once.

        Raises:
            NotFound: There is no such user, source or record; told only to whoever may manage any keys.
            NotPermitted: The actor may not, or the key would reach further than the actor's own credential.
            Invalid: A label, limit or expiry that cannot be.
        """
        _require_sound(order, self.clock.now())
        with self.store.write() as tx:
            ids = self._require_owner(tx, actor, owner)
            require_within(actor, order.limits)
            primary = tx.api_keys.find_primary(owner.source, owner.record) is None
            return self._add(tx, actor, owner, (ids, order, primary))

    def generate_primary(self, actor: Actor, owner: Owner) -> IssuedKey:
        """Give the owner's first key a new secret, which ends the old one at once; make the key if there is none.

        Source: Frappe, frappe.core.doctype.user.user.generate_keys, as recorded. Raises as `generate`.
        """
        with self.store.write() as tx:
            ids = self._require_owner(tx, actor, owner)
            key = tx.api_keys.find_primary(owner.source, owner.record)
            if key is not None and self._has_ended(key):
                # A new secret for a key that has expired would be handed out dead.
                self._revoke(tx, actor, key)
                key = None
            require_within(actor, key.limits if key else UNLIMITED)
            if key is None:
                return self._add(tx, actor, owner, (ids, KeyOrder("Generate Keys"), True))
            return self._replace_secret(tx, actor, key, None)

    def rotate(self, actor: Actor, key_id: str, *, source: str | None = None, overlap_seconds: int) -> IssuedKey:
        """Give a key a new secret; the one before works for `overlap_seconds` more, never longer than it would have.

        The one before that ends now, should it still work.

        Raises:
            NotFound: There is no such key that the actor may manage.
            Conflict: Several sources have one; name the source.
            NotPermitted: The actor may manage no keys, or the key reaches further than the actor's own credential.
            Invalid: The key has ended, or the overlap is negative or without end.
        """
        now = self.clock.now()
        if not 0 <= overlap_seconds <= _TIME_MAX - now:
            raise Invalid({"overlap": "must neither be negative nor last beyond the year 9999"})
        with self.store.write() as tx:
            key = self._get_managed(tx, actor, key_id, source)
            require_within(actor, key.limits)
            if self._has_ended(key):
                raise Invalid({"key": f"{key_id} has ended; generate a new one"})
            until = min(now + overlap_seconds, key.limits.expires_at or now + overlap_seconds)
            return self._replace_secret(tx, actor, key, until if overlap_seconds else None)

    def revoke(self, actor: Actor, key_id: str, *, source: str | None = None) -> StoredKey:
        """End a key now. Ending one that has ended changes nothing.

        Raises:
            NotFound: There is no such key that the actor may manage.
            Conflict: Several sources have one; name the source.
            NotPermitted: The actor may manage no keys.
        """
        with self.store.write() as tx:
            key = self._get_managed(tx, actor, key_id, source)
            if key.revoked_at is None:
                self._revoke(tx, actor, key)
            return _get_key(tx, key_id, key.source)

    def list_keys(self, actor: Actor, wanted: KeyFilter) -> list[tuple[StoredKey, LastUse | None]]:
        """List keys, each with its last use. Raises NotPermitted for others' keys, NotFound for an unknown owner."""
        with self.store.read() as tx:
            if wanted.record is None:
                self._require_manager(actor, None)
            else:
                # A record of another source may bear a user's name; its keys are not the user's.
                owner = Owner(wanted.source or USER_SOURCE, wanted.record)
                wanted = replace(wanted, source=owner.source)
                self._require_owner(tx, actor, owner, any_user=True)
            keys = tx.api_keys.list_some(wanted, self.clock.now())
        last_uses = self.request_log.last_uses([key.key_id for key in keys])
        return [(key, last_uses.get(key.key_id)) for key in keys]

    def import_key(self, actor: Actor, owner: Owner, pair: PairText, order: KeyOrder) -> StoredKey:
        """Take a key and secret made elsewhere as they are; only the secret's digest is stored.

        Raises:
            Conflict: The source has a key of that id.
            Invalid: A key or secret that no header could present, or a secret that passes for one of ours.
            NotFound, NotPermitted: As `generate`.
        """
        _require_sound(order, self.clock.now())
        with self.store.write() as tx:
            self._require_owner(tx, actor, owner)
            require_within(actor, order.limits)
            import_pair(tx, self.clock, self.peppers, actor, (owner, pair, order))
            return _get_key(tx, pair.key_id, owner.source)

    def _add(self, tx: Transaction, actor: Actor, owner: Owner, new: tuple[OwnerIds, KeyOrder, bool]) -> IssuedKey:
        ids, order, primary = new
        key_id = self._issue(TokenKind.KEY_ID)
        secret = Secret(self._issue(TokenKind.KEY_SECRET))
        row_id = tx.api_keys.add(_new_key(owner, ids, key_id, (order, primary, actor)), self.clock.now_us())
        tx.api_keys.replace_secret(row_id, digest_secret(self.peppers, (row_id, owner.source, key_id), secret), None)
        key = _get_key(tx, key_id, owner.source)
        note(tx, self.clock, actor, "api_key.generated", key_id, detail=_told(key))
        return IssuedKey(key, ids.user, secret)

    def _replace_secret(self, tx: Transaction, actor: Actor, key: StoredKey, until: int | None) -> IssuedKey:
        secret = Secret(self._issue(TokenKind.KEY_SECRET))
        tx.api_keys.replace_secret(key.id, digest_secret(self.peppers, (key.id, key.source, key.key_id), secret), until)
        still = key.previous_until if key.previous_until and key.previous_until > self.clock.now() else None
        told = _told(key) + (f", former secret works until {until}" if until else "")
        note(tx, self.clock, actor, "api_key.rotated", key.key_id, detail=told)
        return IssuedKey(_get_key(tx, key.key_id, key.source), _user_of(key), secret, still)

    def _revoke(self, tx: Transaction, actor: Actor, key: StoredKey) -> None:
        tx.api_keys.revoke(key.id, self.clock.now())
        note(tx, self.clock, actor, "api_key.revoked", key.key_id, detail=_told(key))

    def _has_ended(self, key: StoredKey) -> bool:
        expires_at = key.limits.expires_at
        return key.revoked_at is not None or (expires_at is not None and expires_at <= self.clock.now())

    def _issue(self, kind: TokenKind) -> str:
        return issue_token(kind, self.entropy.random_bytes(entropy_bytes(kind)))

    def _require_owner(self, tx: Transaction, actor: Actor, owner: Owner, *, any_user: bool = False) -> OwnerIds:
        try:
            ids = require_owner(tx, owner, any_user=any_user)
        except (NotFound, Invalid):
            # Whoever may not manage everybody's keys must not learn whom there is.
            self._require_manager(actor, None)
            raise
        self._require_manager(actor, ids.user)
        return ids

    def _get_managed(self, tx: Transaction, actor: Actor, key_id: str, source: str | None) -> StoredKey:
        if actor.principal is not None:
            self._require_manager(actor, actor.principal.user)
        # Keys that the actor may not manage are as good as absent.
        keys = [key for key in tx.api_keys.find_any(key_id) if self._refusal(actor, _user_of(key)) is None]
        return _only(keys, key_id, source)

    def _require_manager(self, actor: Actor, user: str | None) -> None:
        reason = self._refusal(actor, user)
        if reason:
            raise NotPermitted("Not permitted to manage these keys", reason=reason.value)

    def _refusal(self, actor: Actor, user: str | None) -> Reason | None:
        return may_manage_keys(actor.principal, user, own_keys=self.own_keys) if actor.principal else None


def import_pair(
    tx: Transaction, clock: Clock, peppers: Peppers, actor: Actor, wanted: tuple[Owner, PairText, KeyOrder]
) -> int:
    """Store a key and secret that were made elsewhere, in a caller's transaction; tell the row's id.

    Raises as `ApiKeyService.import_key`; permission is the caller's to judge.
    """
    owner, pair, order = wanted
    problems = parse_foreign_pair(pair.key_id, pair.secret)
    if problems:
        raise Invalid(problems)
    ids = require_owner(tx, owner)
    primary = tx.api_keys.find_primary(owner.source, owner.record) is None
    row_id = tx.api_keys.add(_new_key(owner, ids, pair.key_id, (order, primary, actor)), clock.now_us())
    digest = digest_secret(peppers, (row_id, owner.source, pair.key_id), pair.secret)
    tx.api_keys.replace_secret(row_id, digest, None)
    note(tx, clock, actor, "api_key.imported", pair.key_id, detail=f"{owner.source} {owner.record}")
    return row_id


def _new_key(owner: Owner, ids: OwnerIds, key_id: str, how: tuple[KeyOrder, bool, Actor]) -> NewKey:
    order, primary, actor = how
    return NewKey(
        key_id=key_id,
        source=owner.source,
        user_id=ids.user_id,
        record_id=ids.record_id,
        label=order.label,
        primary=primary,
        limits=order.limits,
        created_by=actor.user,
    )


def _get_key(tx: Transaction, key_id: str, source: str) -> StoredKey:
    return _only(tx.api_keys.find_any(key_id), key_id, source)


def _only(keys: list[StoredKey], key_id: str, source: str | None) -> StoredKey:
    keys = [key for key in keys if source is None or key.source == source]
    if not keys:
        raise NotFound(f"API Key {key_id} not found")
    if len(keys) > 1:
        raise Conflict(f"Several sources have a key {key_id}: name one of {', '.join(key.source for key in keys)}")
    return keys[0]


def _user_of(key: StoredKey) -> str | None:
    return key.owner.user.name if key.owner.user else None


def _told(key: StoredKey) -> str:
    label = f" '{key.label}'" if key.label else ""
    return f"{key.source} {key.owner.record}{label}, scopes {' '.join(sorted(key.limits.scopes))}"


def _require_sound(order: KeyOrder, now: int) -> None:
    limits, problems = order.limits, {}
    if len(order.label) > _LABEL_LENGTH_MAX or not order.label.isprintable():
        problems["label"] = f"must be at most {_LABEL_LENGTH_MAX} printable characters"
    if limits.expires_at is not None and not now < limits.expires_at <= _TIME_MAX:
        problems["expires"] = "must lie in the future, before the year 10000"
    if limits.per_minute is not None and not 0 < limits.per_minute <= _PER_MINUTE_MAX:
        problems["limit"] = f"must be from 1 to {_PER_MINUTE_MAX} requests a minute"
    if not limits.scopes:
        problems["scopes"] = "must name at least one; all for no limit"
    if problems:
        raise Invalid(problems)
