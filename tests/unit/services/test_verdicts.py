"""The memory that verdicts lie in: bounded, with an honest account of itself, and found by what they stand on."""

import gc
import tracemalloc
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import Scheme
from latchgate.core.principals import Principal, Reason, Rejected
from latchgate.core.users import UserType
from latchgate.services.verdicts import Refusal, Verdict, VerdictStore, tag_of
from latchgate.storage.schema import VERDICT_COLUMNS

EVER = 2**62
ROLES, SCOPES = frozenset({"All", "Guest", "Editor"}), frozenset({"all"})


def name(number: int) -> bytes:
    """Name a key of the store."""
    return number.to_bytes(32, "big")


def verdict(*records: tuple[str, int], number: int = 1) -> Verdict:
    """Tell that a credential is good."""
    user = f"user-{number}@example.com"
    who = Principal(
        user, number, UserType.SYSTEM, f"User {number}", ROLES, Scheme.TOKEN, f"{'User'}", f"lgk_{number:022}", SCOPES
    )
    return Verdict(who, EVER, (), tuple(tag_of(*record) for record in records))


def many(count: int) -> list[Verdict]:
    """Give verdicts as a look-up makes them, each with texts and records of its own."""
    return [
        verdict(("user", number), ("role", 0), ("api_key", 10**6 + number), number=number)
        for number in range(1000, 1000 + count)
    ]


def test_every_kind_of_change_is_known() -> None:
    """Of each table that verdicts stand on it is said what its changes drop."""
    store = VerdictStore(1_000_000)

    assert {kind for kind in VERDICT_COLUMNS if store.drop(kind, 1)} == set(VERDICT_COLUMNS)
    assert not store.drop("another", 1)


@pytest.mark.parametrize(
    ("kind", "ref", "falls"),
    [
        ("user", 3, True),
        ("user", 4, False),
        ("user_role", 3, True),
        ("api_key", 5, True),
        ("api_key", 3, False),
        ("source_record", 7, True),
        ("oauth_token", 5, False),
        ("oauth_family", 5, False),
        ("oauth_client", 5, False),
        ("role", 99, True),
        ("permission", 3, False),
        ("session", 3, False),
        ("authorization_source", 3, False),
    ],
)
def test_dropped_by(kind: str, ref: int, falls: bool) -> None:
    """A change drops what stands on its record, by kind and number, and nothing else."""
    store = VerdictStore(1_000_000)
    store.put(name(1), verdict(("user", 3), ("role", 0), ("api_key", 5), ("source_record", 7)))
    store.put(name(2), verdict(("user", 8)))

    store.drop(kind, ref)

    assert (store.find(name(1)) is None) is falls
    assert store.find(name(2)) is not None
    assert store.dropped == falls


def test_limit() -> None:
    """The limit is the credential's own, counted at each request by the gate."""
    limited = verdict(("user", 1))

    assert limited.per_minute is None
    assert Verdict(replace(limited.who, per_minute=7), EVER, (), ()).per_minute == 7


def test_several_of_one_record() -> None:
    """All spellings of one key fall together, and one that made room takes no other's place in the index away."""
    store = VerdictStore(1_000_000)
    for number in range(3):
        store.put(name(number), verdict(("api_key", 5)))
    store.put(name(1), verdict(("api_key", 6)))

    store.drop("api_key", 5)

    assert [store.find(name(number)) is None for number in range(3)] == [True, False, True]
    store.drop("api_key", 6)
    assert (len(store), store.size, store._index) == (0, 0, {})


def test_refusal_and_verdict_replace_each_other() -> None:
    """Of a credential there is one or the other."""
    store, refusal = VerdictStore(1_000_000), Refusal(Rejected(Reason.EXPIRED), EVER)
    store.put(name(1), verdict(("user", 1)))
    store.put_refusal(name(1), refusal)
    assert (store.find(name(1)), store.find_refusal(name(1)), store.size) == (None, refusal, 0)

    store.put(name(1), verdict(("user", 1)))

    assert store.find_refusal(name(1)) is None


def test_clear() -> None:
    """Nothing is left, refusals neither."""
    store = VerdictStore(1_000_000)
    store.put(name(1), verdict(("user", 1)))
    store.put_refusal(name(2), Refusal(Rejected(Reason.EXPIRED), EVER))

    store.clear()

    assert (store.find(name(1)), store.find_refusal(name(2)), store.size, store.dropped) == (None, None, 0, 1)


def test_what_was_asked_for_stays() -> None:
    """Where there is no more room, what nobody asked for goes first, and of the rest what came first."""
    one = many(1)[0]
    store = VerdictStore(1_000_000)
    store.put(name(0), one)
    store = VerdictStore(4 * store.size)
    for number, kept in enumerate(many(4)):
        store.put(name(number), kept)
    store.find(name(0))
    store.find(name(2))

    for number, kept in enumerate(many(2), 10):
        store.put(name(number), kept)

    assert [number for number in (0, 1, 2, 3, 10, 11) if name(number) in store._verdicts] == [0, 2, 10, 11]
    assert store.evicted == 2


def test_too_large_for_all_room() -> None:
    """What takes more than there is is not kept."""
    store = VerdictStore(100)

    store.put(name(1), verdict(("user", 1)))

    assert (len(store), store.size, store._index) == (0, 0, {})


def test_account_is_honest() -> None:
    """Verdicts take no more memory than they are counted for, and not much less; the room for others' is apart."""
    store, count = VerdictStore(2**40), 5_000
    gc.collect()
    tracemalloc.start()
    try:
        for number, kept in enumerate(many(count)):
            store.put(name(number), kept)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 0.6 * store.size < taken < store.size


def test_what_is_kept_with_a_verdict_is_counted_with_it() -> None:
    """As long as the verdict is there; what is too much makes room at once, and nothing stays counted."""
    store = VerdictStore(5_000)
    one, other = verdict(("user", 1)), verdict(("user", 2))
    store.put(name(1), one)
    store.put(name(2), other)
    bare = store.size

    store.keep_prepared(name(1), one, ("a",), 300)
    store.keep_prepared(name(1), one, ("a", "b"), 700)
    store.keep_prepared(name(2), verdict(("user", 2)), ("gone",), 5_000)
    assert (store.size, one.prepared, other.prepared) == (bare + 700, ("a", "b"), ())

    store.keep_prepared(name(2), other, ("large",), 3_000)
    assert len(store) == 1
    store.drop("user", 1)
    store.drop("user", 2)
    assert (len(store), store.size) == (0, 0)


def test_networks_and_scopes_are_counted() -> None:
    """A verdict with much to judge counts for more."""
    plain, store = many(1)[0], VerdictStore(2**40)
    store.put(name(1), plain)
    before = store.size
    wide = replace(plain.who, scopes=frozenset(f"scope-{number}" for number in range(100)))
    networks = ((ip_network("192.0.2.0/24"),) * 100,)
    store.put(name(1), Verdict(wide, EVER, networks, plain.tags))

    assert store.size > before + 100 * (len("scope-00") + 40)


@given(st.lists(st.tuples(st.sampled_from("pfdrc"), st.integers(0, 5), st.integers(0, 3)), max_size=60))
def test_index_and_account_agree_with_what_is_kept(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is kept, dropped, forgotten and pushed out: the index names just what is there, and so does the sum."""
    store = VerdictStore(4 * 2_400)
    for step, number, ref in steps:
        match step:
            case "p":
                store.put(name(number), verdict(("user", ref), ("api_key", number)))
            case "f":
                store.find(name(number))
            case "d":
                store.drop("user", ref)
            case "r":
                store.put_refusal(name(number), Refusal(Rejected(Reason.EXPIRED), EVER))
            case _:
                store.clear()
        kept = dict(store._verdicts)
        named = {
            (tag, key) for tag, keys in store._index.items() for key in ((keys,) if isinstance(keys, bytes) else keys)
        }
        assert named == {(tag, key) for key, one in kept.items() for tag in one.tags}
        fresh = VerdictStore(2**40)
        for key, one in kept.items():
            fresh.put(key, one)
        assert store.size == fresh.size <= 4 * 2_400
        assert not set(store._refusals) & set(kept)
