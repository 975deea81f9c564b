"""Verdicts that were reached before, held in bounded memory, each found by the records that it stands on.

Nothing here knows whether a verdict is still true: see verified_cache.py.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from latchgate.core.access_rules import RuleSet
from latchgate.core.addresses import Network, covers
from latchgate.core.principals import Principal, Rejected
from latchgate.services.measures import Measures

__all__ = ["ANY_ROLE", "FOREVER", "Refusal", "Tag", "Verdict", "VerdictStore", "tag_of"]

Tag = int
"""A record that a verdict stands on, as `tag_of` writes it: one number, since there are several for each verdict."""

FOREVER = 2**62
"""The end of what ends by a change alone."""

REFUSALS_MAX = 1_024
"""Anybody can make them, so they push out nothing but each other; together they take less than a megabyte."""

_ENTRY_BYTES = 430
"""The verdict with its principal, key and place in the order, without texts and tags. A test measures it."""
_TAG_BYTES = 100
"""A tag with its place in the index. A test measures it."""

_KINDS = ("user", "role", "source_record", "api_key", "oauth_token", "oauth_family", "oauth_client")


def tag_of(kind: str, ref: int) -> Tag:
    """Name a record by what `change` calls it: its kind and its number."""
    return ref * len(_KINDS) + _KINDS.index(kind)


# The granted roles of a user are read with the roles' names; a renamed or deleted role concerns whoever has any.
ANY_ROLE = tag_of("role", 0)
"""What each verdict stands on whose user has roles."""
_ACCESS_RULE = "access_rule"
# Kind of a change → the kind of the tags that it drops; None where no cached verdict stands on such records.
_DROPS: dict[str, str | None] = {
    "user": "user",
    "user_role": "user",
    "role": "role",
    "source_record": "source_record",
    "api_key": "api_key",
    "oauth_token": "oauth_token",
    "oauth_family": "oauth_family",
    "oauth_client": "oauth_client",
    # Read only to tell an unknown source from an unknown key: every refusal falls at every change.
    "authorization_source": None,
    # Judged where records are read or written, never in a principal.
    "permission": None,
    # Sessions are not cached.
    "session": None,
    # One value for all of them, see `drop`; no verdict stands on a rule.
    _ACCESS_RULE: None,
}


@dataclass(slots=True, eq=False)
class Verdict:
    """That a credential is good, and whose: all that must be judged anew at each request stands beside it."""

    who: Principal
    until: int
    """Unix seconds from when it must be judged anew: an end, or an hour of its user."""
    networks: tuple[tuple[Network, ...], ...]
    """The caller's address must lie in one range of each."""
    tags: tuple[Tag, ...]
    prepared: tuple[Any, ...] = ()
    """What other parts made once from it and keep with it."""
    prepared_bytes: int = 0
    """What that takes, as the store counts it; see `VerdictStore.keep_prepared`."""
    fresh: bool = False
    """Whether it was looked up for somebody who recalls, and nobody was answered by it yet."""
    used: bool = False
    """Whether it was asked for since it last stood at the end of the order."""

    @property
    def per_minute(self) -> int | None:
        """How many requests a minute the credential may make."""
        return self.who.per_minute

    def holds_for(self, address: str) -> bool:
        """Whether the credential may be used from an address."""
        return not self.networks or all(covers(ranges, address) for ranges in self.networks)


@dataclass(frozen=True, slots=True)
class Refusal:
    """That a credential opens nothing, from whatever address."""

    who: Rejected
    until: int


class VerdictStore:
    """Verdicts by key, within so many bytes; what was not asked for goes first. Changes need a lock, finding none."""

    def __init__(self, bytes_max: int, measures: Measures | None = None) -> None:
        measures = measures or Measures.alone()
        self._count_drops = measures.counter("cache_drops")
        self._count_evictions = measures.counter("cache_evictions")
        self._bytes_max = bytes_max
        self._bytes = 0
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()
        self._refusals: OrderedDict[bytes, Refusal] = OrderedDict()
        # Most records have one verdict: then the key itself stands there, not a set of one.
        self._index: dict[Tag, bytes | set[bytes]] = {}
        self.rules: RuleSet | None = None
        """The access rules, if they are known."""
        self.dropped = 0
        """How many verdicts changes have ended."""
        self.evicted = 0
        """How many verdicts had to make room."""

    @property
    def size(self) -> int:
        """How many bytes the verdicts take, as estimated."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._verdicts)

    def find(self, key: bytes) -> Verdict | None:
        """Give the verdict of a key."""
        verdict = self._verdicts.get(key)
        if verdict is not None:
            verdict.used = True
        return verdict

    def find_refusal(self, key: bytes) -> Refusal | None:
        """Give the refusal of a key."""
        return self._refusals.get(key)

    def put(self, key: bytes, verdict: Verdict) -> None:
        """Keep a verdict, in the place of whatever was kept of its key."""
        self._refusals.pop(key, None)
        self._remove(key)
        self._verdicts[key] = verdict
        self._bytes += _bytes_of(verdict)
        for tag in verdict.tags:
            keys = self._index.get(tag)
            if keys is None:
                self._index[tag] = key
            elif isinstance(keys, set):
                keys.add(key)
            else:
                self._index[tag] = {keys, key}
        self._make_room()

    def keep_prepared(self, key: bytes, verdict: Verdict, prepared: tuple[Any, ...], size_bytes: int) -> None:
        """Keep with a verdict what others made from it, and count it; it is nobody's if the verdict is gone by now."""
        verdict.prepared = prepared
        if self._verdicts.get(key) is verdict:
            self._bytes += size_bytes - verdict.prepared_bytes
            verdict.prepared_bytes = size_bytes
            self._make_room()

    def put_refusal(self, key: bytes, refusal: Refusal) -> None:
        """Keep a refusal, in the place of whatever was kept of its key, until anything at all changes."""
        self._remove(key)
        self._refusals[key] = refusal
        while len(self._refusals) > REFUSALS_MAX:
            self._refusals.popitem(last=False)

    def drop(self, kind: str, ref: int) -> bool:
        """Drop what stands on a record that changed; False if the kind is unknown: then everything may."""
        # A key that was unknown may be this one now, whatever the row says.
        self._refusals.clear()
        if kind not in _DROPS:
            return False
        if kind == _ACCESS_RULE:
            self.rules = None
        tagged = _DROPS[kind]
        if tagged is not None:
            tag = ANY_ROLE if kind == "role" else tag_of(tagged, ref)
            keys = list(self._keys_of(tag))
            for key in keys:
                self._remove(key)
            self._note_drops(len(keys))
        return True

    def clear(self) -> None:
        """Drop everything."""
        self._note_drops(len(self._verdicts))
        self.rules = None
        self._verdicts.clear()
        self._refusals.clear()
        self._index.clear()
        self._bytes = 0

    def _note_drops(self, count: int) -> None:
        self.dropped += count
        self._count_drops(count)

    def _make_room(self) -> None:
        # The second chance: what was asked for since goes to the end once more. It ends, for each loses its mark.
        while self._bytes > self._bytes_max:
            key, verdict = next(iter(self._verdicts.items()))
            if verdict.used:
                verdict.used = False
                self._verdicts.move_to_end(key)
            else:
                self._remove(key)
                self.evicted += 1
                self._count_evictions(1)

    def _remove(self, key: bytes) -> None:
        verdict = self._verdicts.pop(key, None)
        if verdict is None:
            return
        self._bytes -= _bytes_of(verdict)
        for tag in verdict.tags:
            keys = self._index[tag]
            if isinstance(keys, set) and len(keys) > 1:
                keys.discard(key)
            else:
                del self._index[tag]

    def _keys_of(self, tag: Tag) -> Iterator[bytes]:
        keys = self._index.get(tag, ())
        yield from (keys,) if isinstance(keys, bytes) else keys


def _bytes_of(verdict: Verdict) -> int:
    # Networks and sets of scopes and roles are shared by all that have the same; a verdict that has them alone pays
    # for them here, so that the estimate errs upwards.
    who = verdict.who
    texts = sum(map(sys.getsizeof, (who.user, who.full_name, who.source, who.credential)))
    sets = sum(sys.getsizeof(one) + sum(map(sys.getsizeof, one)) for one in (who.scopes, *verdict.networks))
    return _ENTRY_BYTES + verdict.prepared_bytes + texts + sets + _TAG_BYTES * len(verdict.tags)
