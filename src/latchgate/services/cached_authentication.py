"""Verify a credential by what was found out before, where that is still true; else look it up once and keep it."""

from dataclasses import dataclass
from typing import assert_never

from latchgate.core.access_tokens import StoredToken, lookup_values
from latchgate.core.api_keys import StoredKey, key_holds_until
from latchgate.core.credentials import Bearer, Credential, KeyPair, Presented, parse_credential
from latchgate.core.principals import Principal, Reason, Rejected, Who
from latchgate.core.spellings import find_spelling
from latchgate.core.users import StoredUser, hours_hold_until
from latchgate.services.authentication import Authenticator
from latchgate.services.verdict_ports import Feed, FoundKey, FoundToken
from latchgate.services.verdicts import ANY_ROLE, FOREVER, Refusal, Tag, Verdict, tag_of
from latchgate.services.verified_cache import Found, VerifiedCache

__all__ = ["CachedAuthenticator"]

_OF_THE_CREDENTIAL = frozenset(
    {
        Reason.UNKNOWN_SOURCE,
        Reason.UNKNOWN_KEY,
        Reason.WRONG_SECRET,
        Reason.REVOKED,
        Reason.EXPIRED,
        Reason.OTHER_AUDIENCE,
        Reason.CLIENT_ROLE_MISSING,
    }
)
"""Judged before the address is, so that they hold for every address. An unknown token is not among them: one that is
imported later ends no verdict, and is not told of."""


@dataclass(frozen=True, slots=True)
class CachedAuthenticator:
    """Answers as the authenticator does, to the letter. Sessions and OAuth clients are left to it."""

    authenticator: Authenticator
    cache: VerifiedCache

    def recall(self, key: bytes, authorization: bytes, source: bytes | None, address: str) -> Verdict | None:
        """Give the verdict that lets the caller in; what memory cannot tell is looked up, and kept.

        Never raises. None says nothing of the credential: `verify` is to be asked. A credential with a limit of
        requests lets nobody in here: what asks may still leave it to others, who would count the request once more.

        Args:
            key: What the cache calls authorization and source.
            authorization: The value of the header.
            source: The value of the source header; None if there is none.
            address: The caller's.
        """
        verdict = self.cache.recall(key)
        if verdict is None:
            return self._find_out(key, authorization, source, address)
        return verdict if _lets_in(verdict, address) else None

    def recall_sent(self, presented: Presented) -> Principal | None:
        """Give who a request's only credential is, if memory alone lets it in; never raises.

        None says nothing of the credential: it is to be parsed, and `verify` asked. One with a limit of requests is
        not recalled, nor is what a client of OAuth sends, of which a key's header would be another credential.
        """
        authorization, source = presented.authorization, presented.source
        if len(authorization) != 1 or len(source) > 1 or presented.client is not None:
            return None
        # Nothing is kept under a name but of what was sent in its usual spelling.
        verdict = self.cache.recall(self.cache.key(authorization[0], source[0] if source else None))
        if verdict is None or not _lets_in(verdict, presented.peer_address):
            return None
        self.cache.count_hit(1)
        return verdict.who

    def verify(self, credential: Credential, presented: Presented) -> Who:
        """Tell who a credential is, as `Authenticator.verify`. Raises StorageError."""
        address = presented.peer_address
        spelling = find_spelling(presented, credential)
        if spelling is None or not isinstance(credential, KeyPair | Bearer):
            return self.authenticator.verify(credential, address)
        key = self.cache.key(*spelling)
        kept = self.cache.find(key)
        if kept is not None and (isinstance(kept, Refusal) or kept.holds_for(address)):
            # What was looked up for this request itself, and left here, was not remembered.
            if self.cache.take(key, address) is None:
                self.cache.count_hit(1)
            return kept.who
        left = self.cache.take(key, address)
        if left is not None:
            return left
        mistyped = self.authenticator.find_typing_error(credential)
        if mistyped is not None:
            return mistyped
        judged = self._look_up(key, credential, address)
        return judged.who if judged is not None else self.authenticator.verify(credential, address)

    def _find_out(self, key: bytes, authorization: bytes, source: bytes | None, address: str) -> Verdict | None:
        presented = Presented("", "", address, (authorization,), () if source is None else (source,))
        credential = parse_credential(presented)
        if not isinstance(credential, KeyPair | Bearer) or find_spelling(presented, credential) is None:
            return None
        kept = self.cache.find(key)
        if kept is not None:
            return kept if isinstance(kept, Verdict) and _lets_in(kept, address) else None
        if self.cache.has_left(key, address) or self.authenticator.find_typing_error(credential) is not None:
            return None
        nonce = self.cache.nonce
        judged = self._look_up(key, credential, address)
        if judged is None:
            return None
        if isinstance(judged.kept, Verdict) and _lets_in(judged.kept, address):
            judged.kept.fresh = True
            return judged.kept
        # The whole line is asked next, which need not look it up once more.
        self.cache.leave(key, address, judged.who, nonce)
        return None

    def _look_up(self, key: bytes, credential: KeyPair | Bearer, address: str) -> "_Judged | None":
        """Ask the database and judge; None if it must be asked in another way."""
        if isinstance(credential, KeyPair):
            return self._look_up_key(key, credential, address)
        return self._look_up_token(key, credential, address)

    def _look_up_key(self, key: bytes, pair: KeyPair, address: str) -> "_Judged | None":
        def ask(feed: Feed) -> FoundKey:
            return feed.find_key(pair.source, pair.key_id)

        found = self.cache.look_up(key, ask)
        if found is None:
            return None
        # Before it is judged: what is true of the hour now must not be taken for true of the next one.
        now = self.authenticator.clock.now()
        value = found.value
        who = self.authenticator.judge_pair(pair, value.stored, address, known_source=value.known_source)
        kept = _conclude(who, value.stored, now)
        if kept is not None:
            self.cache.keep(key, kept, found, value.position)
        return _Judged(who, kept)

    def _look_up_token(self, key: bytes, bearer: Bearer, address: str) -> "_Judged | None":
        lookups = lookup_values(self.authenticator.peppers, bearer.token)

        def ask(feed: Feed) -> FoundToken:
            return feed.find_token(lookups)

        found: Found[FoundToken] | None = self.cache.look_up(key, ask)
        if found is None:
            return None
        now, position = self.authenticator.clock.now(), found.value.position
        who = self.authenticator.judge_bearer(bearer, found.value.stored, address)
        kept = _conclude(who, found.value.stored, now)
        if kept is not None and position is not None:
            self.cache.keep(key, kept, found, position)
        return _Judged(who, kept)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What came of a look-up: who it is, and what of that may be kept."""

    who: Principal | Rejected
    kept: Verdict | Refusal | None


def _lets_in(verdict: Verdict, address: str) -> bool:
    return verdict.who.per_minute is None and (not verdict.networks or verdict.holds_for(address))


def _conclude(who: Principal | Rejected, stored: StoredKey | StoredToken | None, now: int) -> Verdict | Refusal | None:
    """Tell what of a judgement may be kept; None if nothing."""
    match who:
        case Principal():
            return _verdict(who, stored, now)
        case Rejected():
            return _refusal(who, stored, now)
        case _:
            assert_never(who)


def _verdict(who: Principal, stored: StoredKey | StoredToken | None, now: int) -> Verdict | None:
    user = _user_of(stored)
    if stored is None or user is None:
        raise AssertionError("nobody was let in by what is not there")
    end = key_holds_until(stored, who.proof) if isinstance(stored, StoredKey) else stored.expires_at
    networks = tuple(ranges for ranges in (who.allowed_networks, user.restrict_ip) if ranges)
    return Verdict(who, _earliest(end, hours_hold_until(user, now)), networks, _tags(stored, user))


def _refusal(who: Rejected, stored: StoredKey | StoredToken | None, now: int) -> Refusal | None:
    if who.reason in _OF_THE_CREDENTIAL:
        # Whoever has the former secret of a key that was revoked is told apart from a guesser until that secret ends.
        overlap = stored.previous_until if isinstance(stored, StoredKey) else None
        return Refusal(who, _earliest(overlap if overlap is not None and overlap > now else None))
    user = _user_of(stored)
    if who.reason is Reason.OUTSIDE_HOURS and user is not None and not _networks_of(stored, user):
        # Where no address is looked at, it holds for every address, until the hour may be another.
        return Refusal(who, _earliest(hours_hold_until(user, now)))
    return None


def _user_of(stored: StoredKey | StoredToken | None) -> StoredUser | None:
    match stored:
        case StoredKey(owner=owner):
            return owner.user
        case StoredToken(user=user):
            return user
        case _:
            return None


def _networks_of(stored: StoredKey | StoredToken | None, user: StoredUser) -> bool:
    return bool(user.restrict_ip) or (isinstance(stored, StoredKey) and bool(stored.limits.networks))


def _earliest(*ends: int | None) -> int:
    return min((end for end in ends if end is not None), default=FOREVER)


def _tags(stored: StoredKey | StoredToken, user: StoredUser) -> tuple[Tag, ...]:
    """List the records that a verdict stands on, by the kinds that a change is noted under."""
    tags: list[Tag] = [tag_of("user", user.id)]
    if user.roles:
        tags.append(ANY_ROLE)
    if isinstance(stored, StoredKey):
        tags.append(tag_of("api_key", stored.id))
        if stored.owner.record_id is not None:
            tags.append(tag_of("source_record", stored.owner.record_id))
        return tuple(tags)
    tags.append(tag_of("oauth_token", stored.id))
    if stored.family_id is not None:
        tags.append(tag_of("oauth_family", stored.family_id))
    if stored.client_row_id is not None:
        tags.append(tag_of("oauth_client", stored.client_row_id))
    return tuple(tags)
