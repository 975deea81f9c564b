"""API keys: what is stored of one, and the rules that a presented secret is judged by."""

import re
from dataclasses import dataclass, field

from latchgate.core.addresses import Network, covers, within
from latchgate.core.credentials import USER_SOURCE
from latchgate.core.principals import Principal, Reason
from latchgate.core.scopes import scopes_within
from latchgate.core.tokens import Digest, Peppers, Purpose, Secret, TokenKind, has_our_prefix, verify_checksum
from latchgate.core.users import StoredUser

__all__ = [
    "KeyOwner",
    "Limits",
    "StoredKey",
    "beyond",
    "digest_secret",
    "find_proof",
    "judge_key",
    "key_holds_until",
    "live_proofs",
    "parse_foreign_pair",
    "secret_matches",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What narrows a key."""

    scopes: frozenset[str]
    networks: tuple[Network, ...] = ()
    """From where it may be used; none means from anywhere."""
    per_minute: int | None = None
    expires_at: int | None = None
    """Unix seconds; None means never."""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """The record that a key belongs to, and the user that its requests run as."""

    record: str
    """The user's name for the source User, else the name of the source's record."""
    record_enabled: bool
    user: StoredUser | None
    """None where a source's record names no user."""
    record_id: int | None = None
    """Of the source's record; None for the source User."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as stored. Times are Unix seconds, `creation` and `modified` microseconds."""

    id: int
    key_id: str
    source: str
    owner: KeyOwner
    label: str
    primary: bool
    """Whether it is the one that Frappe calls the user's (or record's) api_key."""
    limits: Limits
    digest: Digest = field(repr=False)
    previous_digest: Digest | None = field(repr=False)
    """The secret before the last rotation, which works until `previous_until`."""
    previous_until: int | None
    creation: int
    created_by: str
    revoked_at: int | None
    modified: int = 0
    """When its secret, label or end was changed last; no two changes at the same time."""


def digest_secret(peppers: Peppers, identity: tuple[int, str, str], secret: Secret) -> Digest:
    """Make what is stored of a secret, bound to its key: copied into another row it matches nothing.

    Args:
        peppers: The key file.
        identity: The row's id, the source and the key id.
        secret: The secret's text.
    """
    row_id, source, key_id = identity
    return peppers.digest(Purpose.API_KEY, str(row_id), source, key_id, secret.text)


def secret_matches(peppers: Peppers, key: StoredKey, secret: Secret, now: int) -> bool:
    """Whether a secret is the key's, or its former one within the overlap; both comparisons are always made."""
    return find_proof(peppers, key, secret, now) is not None


def find_proof(peppers: Peppers, key: StoredKey, secret: Secret, now: int) -> bytes | None:
    """Give the digest that a secret matches, the key's or its former one's within the overlap; None if neither.

    Both comparisons are always made.
    """
    parts = (str(key.id), key.source, key.key_id, secret.text)
    current = peppers.matches(key.digest, Purpose.API_KEY, *parts)
    # Digested twice, even under one pepper: whatever became of a key, it costs what an unknown one costs.
    former = key.previous_digest or Digest(key.digest.pepper, b"")
    overlap = peppers.matches(former, Purpose.API_KEY, *parts)
    if current:
        return key.digest.value
    return former.value if overlap and former.value in live_proofs(key, now) else None


def live_proofs(key: StoredKey, now: int) -> frozenset[bytes]:
    """Tell which digests open a key now: one that was proved before is good as long as it is among them."""
    overlaps = key.previous_until is not None and now < key.previous_until
    former = {key.previous_digest.value} if overlaps and key.previous_digest else set()
    return frozenset({key.digest.value} | former)


def key_holds_until(key: StoredKey, proof: bytes) -> int | None:
    """Tell until when a key that was let in by a proof works without any change, in Unix seconds; None means for ever.

    Whether its user may act is judged apart.
    """
    ends = [key.limits.expires_at, None if proof == key.digest.value else key.previous_until]
    return min((end for end in ends if end is not None), default=None)


def judge_key(key: StoredKey, now: int, address: str) -> Reason | None:
    """Tell why a key with the right secret is refused nevertheless, or None; its user is judged apart."""
    # Whatever the time: it was written by a clock that may be ahead of this one.
    if key.revoked_at is not None:
        return Reason.REVOKED
    if key.limits.expires_at is not None and key.limits.expires_at <= now:
        return Reason.EXPIRED
    if key.limits.networks and not covers(key.limits.networks, address):
        return Reason.ADDRESS_NOT_ALLOWED
    if not key.owner.record_enabled:
        return Reason.RECORD_DISABLED
    return None


def parse_foreign_pair(key_id: str, secret: Secret) -> dict[str, str]:
    """Tell what keeps a key and secret made elsewhere from working here: field → what would be right.

    Both must come through a header and out of the parser as they are; and what has the form of our own secrets but not
    their checksum would be taken for a typing error for ever.
    """
    problems = {}
    if not re.fullmatch(r"[!-9;-~]{1,140}", key_id) or key_id in {".", ".."}:
        # A dot or two in an address lead elsewhere: nobody could end such a key by its page.
        problems["api_key"] = "must be 1 to 140 printable ASCII characters without colon and space, not one dot or two"
    elif has_our_prefix(key_id) and not key_id.startswith(TokenKind.KEY_ID):
        problems["api_key"] = "is a secret; it belongs into the other field"
    elif has_our_prefix(key_id) and not verify_checksum(key_id):
        problems["api_key"] = "looks like one made by Latchgate but its last six characters do not fit"
    if not re.fullmatch(r"[!-9;-~]{8,1024}", secret.text):
        problems["api_secret"] = "must be 8 to 1024 printable ASCII characters without colon and space"
    elif secret.text.startswith(TokenKind.KEY_ID):
        problems["api_secret"] = "is a key's public half; it belongs into the other field"
    elif has_our_prefix(secret.text) and not verify_checksum(secret.text):
        problems["api_secret"] = "looks like one made by Latchgate but its last six characters do not fit"
    return problems


def beyond(principal: Principal, limits: Limits) -> dict[str, str]:
    """Tell in which fields a key with these limits would reach further than the credential that asks for it.

    Returns:
        Field → what would be right; empty if the key stays within. Source: GHSA cases of laundered credentials
        (a scoped token that registers an unscoped one).
    """
    problems = {}
    if principal.source != USER_SOURCE:
        # Such a key ends when its record is disabled; no other key would end with it.
        problems["source"] = f"a key of {principal.source} makes and rotates none"
    if not scopes_within(limits.scopes, principal.scopes):
        problems["scopes"] = "may not be wider than those of the credential that asks"
    if not within(limits.networks, principal.allowed_networks):
        problems["allowed_addresses"] = "may not be more than those of the credential that asks"
    if not _at_most(limits.per_minute, principal.per_minute):
        problems["limit"] = "may not be higher than that of the credential that asks"
    if not _at_most(limits.expires_at, principal.expires_at):
        problems["expires"] = "may not be later than that of the credential that asks"
    return problems


def _at_most(wanted: int | None, own: int | None) -> bool:
    # None is no limit at all.
    return own is None or (wanted is not None and wanted <= own)
