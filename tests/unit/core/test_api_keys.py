from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.api_keys import (
    KeyOwner,
    Limits,
    StoredKey,
    beyond,
    digest_secret,
    judge_key,
    key_holds_until,
    parse_foreign_pair,
    secret_matches,
)
from latchgate.core.credentials import KeyPair, Scheme, parse_credential
from latchgate.core.principals import Principal, Reason
from latchgate.core.scopes import scope_covers
from latchgate.core.tokens import Digest, Purpose, Secret, TokenKind, entropy_bytes, issue_token
from unit.core.examples import FORMER_SECRET, KEY, NOW, PEPPERS, PRESENTED, PRINCIPAL, SECRET, USER

_HERE, _THERE = "10.1.1.1", "192.0.2.1"
_NETWORKS = (ip_network("10.0.0.0/8"),)
_ROTATED = replace(
    KEY,
    previous_digest=digest_secret(PEPPERS, (KEY.id, KEY.source, KEY.key_id), FORMER_SECRET),
    previous_until=NOW + 10,
)

_SCOPE_NAMES = st.sampled_from(["all", "read", "User:read", "User:write", "openid"])
_TIMES = st.integers(NOW - 3, NOW + 3)
_LIMITS = st.builds(
    Limits,
    scopes=st.frozensets(_SCOPE_NAMES),
    networks=st.sampled_from(
        [(), _NETWORKS, (ip_network("10.1.0.0/16"),), (ip_network("0.0.0.0/0"), ip_network("::/0"))]
    ),
    per_minute=st.none() | st.integers(1, 4),
    expires_at=st.none() | _TIMES,
)


def _limited(key: StoredKey, **changes: object) -> StoredKey:
    return replace(key, limits=replace(key.limits, **changes))  # type: ignore[arg-type]  # fields by name


def _with_limits(limits: Limits) -> Principal:
    return replace(
        PRINCIPAL,
        scopes=limits.scopes,
        allowed_networks=limits.networks,
        per_minute=limits.per_minute,
        expires_at=limits.expires_at,
    )


def test_the_right_secret() -> None:
    """A key's secret is the one that its digest was made of."""
    assert secret_matches(PEPPERS, KEY, SECRET, NOW)


@given(st.text(st.characters()))
def test_no_other_secret(text: str) -> None:
    """No other text is a key's secret."""
    assert secret_matches(PEPPERS, KEY, Secret(text), NOW) == (text == SECRET.text)


@pytest.mark.parametrize(
    ("expires_at", "overlap_until", "former", "until"),
    [
        (None, None, False, None),
        (None, NOW + 5, False, None),
        (None, NOW + 5, True, NOW + 5),
        (NOW + 3, NOW + 5, True, NOW + 3),
        (NOW + 9, NOW + 5, True, NOW + 5),
        (NOW + 9, NOW + 5, False, NOW + 9),
    ],
)
def test_key_holds_until(expires_at: int | None, overlap_until: int | None, former: bool, until: int | None) -> None:
    """A key works until it expires, by its former secret until the overlap ends if that is sooner."""
    key = replace(KEY, limits=replace(KEY.limits, expires_at=expires_at), previous_until=overlap_until)
    proof = b"former" if former else key.digest.value

    assert key_holds_until(key, proof) == until


@pytest.mark.parametrize(
    "text", ["AP1SECRET000001", "ap1secret000001 ", " ap1secret000001", "ap1secret00000", "áp1secret000001"]
)
def test_secrets_compare_byte_for_byte(text: str) -> None:
    """Case, accents and spaces count."""
    assert not secret_matches(PEPPERS, KEY, Secret(text), NOW)


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, id=4),
        replace(KEY, source="API Device"),
        replace(KEY, source="user"),
        replace(KEY, key_id="adm1n0key000001"),
    ],
)
def test_a_copied_digest_matches_nothing(other: StoredKey) -> None:
    """A digest copied to another row, key or source does not open that one, as current or as former secret."""
    assert not secret_matches(PEPPERS, other, SECRET, NOW)
    moved = replace(other, digest=Digest(2, bytes(32)), previous_digest=KEY.digest, previous_until=NOW + 1)
    assert not secret_matches(PEPPERS, moved, SECRET, NOW)


@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose is not Purpose.API_KEY])
def test_a_digest_of_another_kind_matches_nothing(purpose: Purpose) -> None:
    """What is stored of a token, session or link opens no key, were it made of the same texts."""
    foreign = PEPPERS.digest(purpose, str(KEY.id), KEY.source, KEY.key_id, SECRET.text)

    assert not secret_matches(PEPPERS, replace(KEY, digest=foreign), SECRET, NOW)


def test_a_stored_digest_is_no_secret() -> None:
    """Whoever reads the digest in the database cannot send it as the secret."""
    for text in (
        KEY.digest.value.hex(),
        KEY.digest.value.decode("latin-1"),
        f"{KEY.digest.pepper}:{KEY.digest.value.hex()}",
    ):
        assert not secret_matches(PEPPERS, KEY, Secret(text), NOW)


@pytest.mark.parametrize(("now", "matches"), [(NOW, True), (NOW + 9, True), (NOW + 10, False), (NOW + 11, False)])
def test_overlap_ends_on_the_second(now: int, matches: bool) -> None:
    """The former secret works before the end of the overlap, not at it, and the new one all the while."""
    assert secret_matches(PEPPERS, _ROTATED, FORMER_SECRET, now) == matches
    assert secret_matches(PEPPERS, _ROTATED, SECRET, now)


def test_no_overlap() -> None:
    """A former secret without an end of its overlap is over."""
    assert not secret_matches(PEPPERS, replace(_ROTATED, previous_until=None), FORMER_SECRET, NOW)
    assert not secret_matches(PEPPERS, replace(_ROTATED, previous_digest=None), FORMER_SECRET, NOW)


@pytest.mark.parametrize(
    ("key", "address", "reason"),
    [
        (KEY, _HERE, None),
        (KEY, "unix", None),
        (replace(KEY, revoked_at=NOW - 1), _HERE, Reason.REVOKED),
        (replace(KEY, revoked_at=NOW), _HERE, Reason.REVOKED),
        (replace(KEY, revoked_at=NOW + 1), _HERE, Reason.REVOKED),
        (replace(KEY, revoked_at=0), _HERE, Reason.REVOKED),
        (_limited(KEY, expires_at=NOW + 1), _HERE, None),
        (_limited(KEY, expires_at=NOW), _HERE, Reason.EXPIRED),
        (_limited(KEY, expires_at=NOW - 1), _HERE, Reason.EXPIRED),
        (_limited(KEY, expires_at=0), _HERE, Reason.EXPIRED),
        (_limited(KEY, networks=_NETWORKS), _HERE, None),
        (_limited(KEY, networks=_NETWORKS), f"::ffff:{_HERE}", None),
        (_limited(KEY, networks=_NETWORKS), _THERE, Reason.ADDRESS_NOT_ALLOWED),
        (_limited(KEY, networks=_NETWORKS), "unix", Reason.ADDRESS_NOT_ALLOWED),
        (replace(KEY, owner=KeyOwner("dev-1", record_enabled=False, user=USER)), _HERE, Reason.RECORD_DISABLED),
        (replace(KEY, owner=KeyOwner("dev-1", record_enabled=True, user=None)), _HERE, None),
    ],
)
def test_judge_key(key: StoredKey, address: str, reason: Reason | None) -> None:
    """A key ends at the second that it says, at once when revoked, and works from its addresses alone."""
    assert judge_key(key, NOW, address) == reason


@given(_LIMITS, st.none() | _TIMES, st.booleans(), _TIMES, _TIMES, st.sampled_from([_HERE, _THERE, "::1", "unix"]))
def test_what_has_ended_never_comes_back(
    limits: Limits, revoked_at: int | None, enabled: bool, now: int, later: int, address: str
) -> None:
    """A key that was refused for its end is refused at every later time."""
    key = replace(
        KEY, limits=limits, revoked_at=revoked_at, owner=KeyOwner(USER.name, record_enabled=enabled, user=USER)
    )

    if judge_key(key, now, address) in {Reason.REVOKED, Reason.EXPIRED} and later >= now:
        assert judge_key(key, later, address) in {Reason.REVOKED, Reason.EXPIRED}


@pytest.mark.parametrize(
    ("own", "wanted", "fields"),
    [
        (Limits(frozenset({"all"})), Limits(frozenset({"all"})), set()),
        (Limits(frozenset({"all"})), Limits(frozenset({"read"}), _NETWORKS, 1, NOW), set()),
        (Limits(frozenset({"read"})), Limits(frozenset({"all"})), {"scopes"}),
        (Limits(frozenset({"all"}), _NETWORKS), Limits(frozenset({"all"})), {"allowed_addresses"}),
        (Limits(frozenset({"all"}), per_minute=5), Limits(frozenset({"all"})), {"limit"}),
        (Limits(frozenset({"all"}), per_minute=5), Limits(frozenset({"all"}), per_minute=6), {"limit"}),
        (Limits(frozenset({"all"}), per_minute=5), Limits(frozenset({"all"}), per_minute=5), set()),
        (Limits(frozenset({"all"}), expires_at=NOW), Limits(frozenset({"all"})), {"expires"}),
        (Limits(frozenset({"all"}), expires_at=NOW), Limits(frozenset({"all"}), expires_at=NOW + 1), {"expires"}),
        (Limits(frozenset({"all"}), expires_at=NOW), Limits(frozenset({"all"}), expires_at=NOW), set()),
        (Limits(frozenset({"all"}), expires_at=NOW), Limits(frozenset({"all"}), expires_at=0), set()),
        (
            Limits(frozenset({"read"}), _NETWORKS, 5, NOW),
            Limits(frozenset({"all"})),
            {"scopes", "allowed_addresses", "limit", "expires"},
        ),
    ],
)
def test_beyond(own: Limits, wanted: Limits, fields: set[str]) -> None:
    """Each field in which a key would reach further than the credential that asks for it is named."""
    assert beyond(_with_limits(own), wanted).keys() == fields


@given(_LIMITS, _LIMITS, _TIMES, st.sampled_from([_HERE, _THERE, "10.1.1.2", "::1", "unix"]), _SCOPE_NAMES)
def test_no_credential_makes_a_wider_one(own: Limits, wanted: Limits, now: int, address: str, scope: str) -> None:
    """Whatever a key can do, when and from where, the credential that was allowed to make it can do."""
    if beyond(_with_limits(own), wanted):
        return

    if judge_key(replace(KEY, limits=wanted), now, address) is None and scope_covers(wanted.scopes, scope):
        assert judge_key(replace(KEY, limits=own), now, address) is None
        assert scope_covers(own.scopes, scope)
    assert own.per_minute is None or (wanted.per_minute or own.per_minute + 1) <= own.per_minute


@given(_LIMITS)
def test_a_credential_can_make_its_like(limits: Limits) -> None:
    """A key with the very limits of the credential that asks is not beyond it."""
    assert beyond(_with_limits(limits), limits) == {}


@pytest.mark.parametrize(
    ("key_id", "secret", "fields"),
    [
        ("ap1key000000001", "ap1secret000001", set()),
        ("k", "x" * 8, set()),
        ("k" * 140, "x" * 1024, set()),
        (issue_token(TokenKind.KEY_ID, bytes(12)), issue_token(TokenKind.KEY_SECRET, bytes(24)), set()),
        ("", "ap1secret000001", {"api_key"}),
        ("k" * 141, "ap1secret000001", {"api_key"}),
        ("a:b", "ap1secret000001", {"api_key"}),
        ("a b", "ap1secret000001", {"api_key"}),
        ("ké", "ap1secret000001", {"api_key"}),
        ("key\n", "ap1secret000001", {"api_key"}),
        ("lgk_foreign", "ap1secret000001", {"api_key"}),
        ("ap1key000000001", "", {"api_secret"}),
        ("ap1key000000001", "x" * 7, {"api_secret"}),
        ("ap1key000000001", "x" * 1025, {"api_secret"}),
        ("ap1key000000001", "col:on:secret01", {"api_secret"}),
        ("ap1key000000001", "secret with space", {"api_secret"}),
        ("ap1key000000001", "geheimnis-über", {"api_secret"}),
        ("ap1key000000001", "lgs_foreign-one", {"api_secret"}),
        ("lgs_", "lga_", {"api_key", "api_secret"}),
    ],
)
def test_foreign_pairs(key_id: str, secret: str, fields: set[str]) -> None:
    """A pair made elsewhere is taken if every header can carry it and none of it passes for a mistyped one of ours."""
    assert parse_foreign_pair(key_id, Secret(secret)).keys() == fields


def test_a_pair_in_the_wrong_fields_is_told_so() -> None:
    """A secret taken for a key's public half would stand in every list and in the log."""
    key_id = issue_token(TokenKind.KEY_ID, bytes(entropy_bytes(TokenKind.KEY_ID)))
    secret = issue_token(TokenKind.KEY_SECRET, bytes(entropy_bytes(TokenKind.KEY_SECRET)))

    problems = parse_foreign_pair(secret, Secret(key_id))

    assert {field: "other field" in problem for field, problem in problems.items()} == {
        "api_key": True,
        "api_secret": True,
    }


@given(
    st.from_regex(r"[!-~]{1,20}", fullmatch=True) | st.text(), st.from_regex(r"[!-~]{6,20}", fullmatch=True) | st.text()
)
def test_a_foreign_pair_that_is_taken_works(key_id: str, secret: str) -> None:
    """Whatever pair import takes comes out of the parser as it is."""
    if parse_foreign_pair(key_id, Secret(secret)):
        return

    presented = replace(PRESENTED, authorization=(f"token {key_id}:{secret}".encode(),))
    assert parse_credential(presented) == KeyPair(Scheme.TOKEN, key_id, Secret(secret), "User")


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=24, max_size=24))
def test_issued_pairs_work(key_entropy: bytes, secret_entropy: bytes) -> None:
    """Every pair made here comes out of the parser as it is."""
    assert entropy_bytes(TokenKind.KEY_ID) == 12
    key_id, secret = issue_token(TokenKind.KEY_ID, key_entropy), issue_token(TokenKind.KEY_SECRET, secret_entropy)

    presented = replace(PRESENTED, authorization=(f"token {key_id}:{secret}".encode(),))
    assert parse_credential(presented) == KeyPair(Scheme.TOKEN, key_id, Secret(secret), "User")
