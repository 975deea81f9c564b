"""Verify a credential: one look-up, every rule, whichever scheme carried it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import assert_never

from latchgate.core.access_tokens import StoredToken, judge_token, lookup_values, token_matches
from latchgate.core.api_keys import KeyOwner, Limits, StoredKey, find_proof, judge_key, live_proofs
from latchgate.core.credentials import (
    USER_SOURCE,
    Absent,
    Bearer,
    ClientCredential,
    Credential,
    KeyPair,
    Malformed,
    Scheme,
    SessionCookie,
)
from latchgate.core.principals import Anonymous, Principal, Reason, Rejected, Who, judge_user
from latchgate.core.scopes import ALL
from latchgate.core.sessions import SessionLifetime, StoredSession, is_alive
from latchgate.core.tokens import Digest, Peppers, Purpose, Secret, has_our_prefix, verify_checksum
from latchgate.core.users import StoredUser, effective_roles, hours_allow
from latchgate.services.client_authentication import ClientAuthenticator
from latchgate.services.ports import Clock, Store, Transaction

__all__ = ["Authenticator", "Rules"]

SESSION_TOUCH_SECONDS = 60
"""How old the note of a session's last use may be: one write a minute, not one a request."""
_TOUCHES_AN_IDLE_TIME = 10
"""Where sessions end soon, they are noted more often: else one that is in use would count as unused."""

# What an unknown key is compared with, so that it costs the same work as a wrong secret.
_DECOY = StoredKey(
    id=0,
    key_id="",
    source="",
    owner=KeyOwner(record="", record_enabled=False, user=None),
    label="",
    primary=False,
    limits=Limits(scopes=frozenset()),
    digest=Digest(0, bytes(32)),
    previous_digest=None,
    previous_until=None,
    creation=0,
    created_by="",
    revoked_at=0,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator set."""

    zone: tzinfo
    """In which zone the users' hours are meant."""
    lifetime: Callable[[Transaction], SessionLifetime]
    """How long sessions live: it may be decided anew at any time, and counts from then on."""
    issuer: str
    """The service's own address: what tokens must be for, if they name anything (RFC 8707)."""
    client_audiences: frozenset[str]
    """What a client's assertion may be meant for (RFC 7523, section 3)."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns a credential into a principal or a refusal; asks the store for every one."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    rules: Rules
    touch_session: Callable[[int], None]
    """Notes that a session was used; must not make the caller wait."""

    def verify(self, credential: Credential, address: str) -> Who:
        """Tell who a credential is, as presented from this address. Raises StorageError."""
        match credential:
            case Absent():
                return Anonymous()
            case Malformed(fault=fault):
                return Rejected(Reason(fault.value))
            case KeyPair():
                return self._verify_pair(credential, address)
            case Bearer():
                return self._verify_token(credential, address)
            case SessionCookie():
                return self._verify_session(credential, address)
            case ClientCredential():
                return self._clients.verify(credential)
            case _:
                assert_never(credential)

    def verify_again(self, principal: Principal, address: str, tx: Transaction) -> Principal | Rejected:
        """Judge whom `verify` let in once more, as it stands in a transaction; the secret has been proved."""
        now = self.clock.now()
        match principal.scheme:
            case Scheme.TOKEN | Scheme.BASIC:
                key = tx.api_keys.find(principal.source, principal.credential)
                # With another secret, or made anew under the same id, it is not the one that was proved.
                if key is None or principal.proof not in live_proofs(key, now):
                    judged = None
                else:
                    judged = self._judge_key(key, principal.scheme, now, address, principal.proof)
            case Scheme.BEARER:
                token = tx.access_tokens.find_public(principal.credential)
                judged = self._judge_token(token, now, address) if token else None
            case Scheme.SESSION:
                session = tx.sessions.find_public(principal.credential)
                lifetime = self.rules.lifetime(tx)
                judged = self._judge_session(session, lifetime, now, address) if session else None
            case Scheme.CLIENT:
                raise AssertionError("a client is no principal")
            case _:
                assert_never(principal.scheme)
        return judged or Rejected(Reason.REVOKED, principal.scheme, principal.source, principal.credential)

    @property
    def _clients(self) -> ClientAuthenticator:
        return ClientAuthenticator(self.store, self.peppers, self.clock, self.rules.client_audiences)

    def find_typing_error(self, credential: KeyPair | Bearer) -> Rejected | None:
        """Refuse what has our form but not its checksum, before any look-up; None if it may be genuine."""
        text = credential.key_id if isinstance(credential, KeyPair) else credential.token.text
        if not has_our_prefix(text) or verify_checksum(text):
            return None
        if isinstance(credential, KeyPair):
            return Rejected(Reason.UNKNOWN_KEY, credential.scheme)
        return Rejected(Reason.UNKNOWN_TOKEN, Scheme.BEARER)

    def judge_pair(
        self, pair: KeyPair, key: StoredKey | None, address: str, *, known_source: bool
    ) -> Principal | Rejected:
        """Judge a key and secret by what a look-up gave; the same work is done where it gave nothing."""
        now = self.clock.now()
        proof = find_proof(self.peppers, key or _DECOY, pair.secret, now)
        if key is None:
            if not known_source:
                return Rejected(Reason.UNKNOWN_SOURCE, pair.scheme)
            return Rejected(Reason.UNKNOWN_KEY, pair.scheme, pair.source)
        if proof is None:
            return Rejected(Reason.WRONG_SECRET, pair.scheme, pair.source, key.key_id)
        return self._judge_key(key, pair.scheme, now, address, proof)

    def judge_bearer(self, bearer: Bearer, stored: StoredToken | None, address: str) -> Principal | Rejected:
        """Judge an access token by what a look-up of it gave."""
        if stored is None or not token_matches(self.peppers, stored, bearer.token):
            return Rejected(Reason.UNKNOWN_TOKEN, Scheme.BEARER)
        return self._judge_token(stored, self.clock.now(), address)

    def _verify_pair(self, pair: KeyPair, address: str) -> Principal | Rejected:
        mistyped = self.find_typing_error(pair)
        if mistyped is not None:
            return mistyped
        with self.store.read() as tx:
            key = tx.api_keys.find(pair.source, pair.key_id)
            known_source = key is not None or pair.source == USER_SOURCE or tx.sources.exists(pair.source)
        return self.judge_pair(pair, key, address, known_source=known_source)

    def _judge_key(self, key: StoredKey, scheme: Scheme, now: int, address: str, proof: bytes) -> Principal | Rejected:
        user = key.owner.user
        reason = judge_key(key, now, address)
        if reason is None:
            reason = self._judge_user(user, now, address) if user else Reason.RECORD_WITHOUT_USER
        if reason or user is None:
            name = user.name if user else None
            return Rejected(reason or Reason.RECORD_WITHOUT_USER, scheme, key.source, key.key_id, name)
        principal = _principal(user, scheme, key.source, key.key_id, key.limits, proof)
        return principal if proof == key.digest.value else replace(principal, former_until=key.previous_until)

    def _verify_token(self, bearer: Bearer, address: str) -> Principal | Rejected:
        mistyped = self.find_typing_error(bearer)
        if mistyped is not None:
            return mistyped
        with self.store.read() as tx:
            stored = tx.access_tokens.find(lookup_values(self.peppers, bearer.token))
        return self.judge_bearer(bearer, stored, address)

    def find_token(self, tx: Transaction, token: Secret) -> StoredToken | None:
        """Look up an access token, whatever became of it."""
        stored = tx.access_tokens.find(lookup_values(self.peppers, token))
        return stored if stored and token_matches(self.peppers, stored, token) else None

    def find_live_token(self, tx: Transaction, token: Secret) -> StoredToken | None:
        """Look up an access token that opens something now, whatever resource it is for: what introspection tells.

        From where its user may act is left to whom the token is shown: the question comes from there, not the user.
        """
        stored, now = self.find_token(tx, token), self.clock.now()
        # With the token's own audience as the issuer, every audience is the right one.
        meant_for = next(iter(stored.audience), "") if stored else ""
        if stored is None or judge_token(stored, now, meant_for) or not stored.user.enabled:
            return None
        return stored if hours_allow(stored.user, now, self.rules.zone) else None

    def _judge_token(self, stored: StoredToken, now: int, address: str) -> Principal | Rejected:
        reason = judge_token(stored, now, self.rules.issuer) or self._judge_user(stored.user, now, address)
        if reason:
            return Rejected(reason, Scheme.BEARER, USER_SOURCE, stored.public_id, stored.user.name)
        limits = Limits(stored.scopes, expires_at=stored.expires_at)
        return _principal(stored.user, Scheme.BEARER, USER_SOURCE, stored.public_id, limits)

    def _verify_session(self, cookie: SessionCookie, address: str) -> Principal | Rejected | Anonymous:
        with self.store.read() as tx:
            stored = tx.sessions.find(self.peppers.candidates(Purpose.SESSION, cookie.sid.text))
            lifetime = self.rules.lifetime(tx)
        now = self.clock.now()
        judged = self._judge_session(stored, lifetime, now, address) if stored else None
        if stored is None or judged is None:
            # A session that ended makes a guest, as recorded: the sign-in page must remain within reach.
            return Anonymous(session_expired=True)
        noted_for = min(SESSION_TOUCH_SECONDS, lifetime.idle_seconds // _TOUCHES_AN_IDLE_TIME)
        if isinstance(judged, Principal) and now - stored.last_seen_at >= noted_for:
            self.touch_session(stored.id)
        return judged

    def _judge_session(
        self, stored: StoredSession, lifetime: SessionLifetime, now: int, address: str
    ) -> Principal | Rejected | None:
        if not is_alive(stored, lifetime, now):
            return None
        reason = self._judge_user(stored.user, now, address)
        if reason:
            return Rejected(reason, Scheme.SESSION, USER_SOURCE, stored.public_id, stored.user.name)
        everything = Limits(frozenset({ALL}))
        return _principal(stored.user, Scheme.SESSION, USER_SOURCE, stored.public_id, everything)

    def _judge_user(self, user: StoredUser, now: int, address: str) -> Reason | None:
        return judge_user(user, now, address, self.rules.zone)


def _principal(
    user: StoredUser, scheme: Scheme, source: str, credential: str, limits: Limits, proof: bytes = b""
) -> Principal:
    return Principal(
        user=user.name,
        user_id=user.id,
        user_type=user.user_type,
        full_name=user.full_name,
        roles=effective_roles(user),
        scheme=scheme,
        # There are few, and many verdicts name them.
        source=sys.intern(source),
        credential=credential,
        scopes=limits.scopes,
        allowed_networks=limits.networks,
        per_minute=limits.per_minute,
        expires_at=limits.expires_at,
        proof=proof,
    )
