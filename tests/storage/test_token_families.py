from dataclasses import replace

import pytest

from latchgate.core.token_families import Approval, DeviceState, StoredCode, StoredFamily, StoredRefreshToken
from latchgate.core.tokens import Digest
from latchgate.errors import Conflict, NotFound
from latchgate.services.ports import Store, Transaction
from support.databases import Outside
from support.new_rows import APPROVAL, digest, new_client, new_code, new_device_code, new_token, new_user

DAY = 24 * 3600
WEEK = 7 * DAY


def _begin(tx: Transaction) -> tuple[int, int]:
    """Store a client and a user."""
    return tx.clients.add(new_client(), 1), tx.users.add(new_user(), 1)


def _family(store: Store, family_id: int) -> StoredFamily:
    with store.read() as tx:
        found = tx.token_families.find_family(family_id)
    assert found is not None
    return found


class TestFamilies:
    def test_found_as_stored(self, store: Store) -> None:
        """A family comes back whole, with its client's id, its user and the user's roles, and without a nonce."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            tx.roles.grant(user_id, "System Manager")
            family_id = tx.token_families.add_family("f", client, user_id, replace(APPROVAL, nonce="n"), 1_000)

        with store.read() as tx:
            user = tx.users.find("ann@example.com")
            assert tx.token_families.find_family(999) is None
        assert user is not None
        assert user.roles == {"System Manager"}
        assert _family(store, family_id) == StoredFamily(
            family_id, "f", client, "client-1", user, APPROVAL, 1_000, None
        )

    def test_name_taken(self, store: Store) -> None:
        """No two families are called alike."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            tx.token_families.add_family("f", client, user_id, APPROVAL, 1)
            with pytest.raises(Conflict):
                tx.token_families.add_family("f", client, user_id, APPROVAL, 1)

    def test_the_first_end_stands(self, store: Store) -> None:
        """A family is revoked once; a later revocation does not move the time."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            family_id = tx.token_families.add_family("f", client, user_id, APPROVAL, 1)
            tx.token_families.revoke_family(family_id, 100)
            tx.token_families.revoke_family(family_id, 200)

        assert _family(store, family_id).revoked_at == 100

    def test_all_of_a_user(self, store: Store) -> None:
        """A user's live families end together, or those with one client; nobody else's do."""
        with store.write() as tx:
            one, ann = _begin(tx)
            two, bob = tx.clients.add(new_client("client-2"), 1), tx.users.add(new_user("bob@example.com"), 1)
            ids = [
                tx.token_families.add_family(name, client, user_id, APPROVAL, 1)
                for name, client, user_id in (("a", one, ann), ("b", one, ann), ("c", two, ann), ("d", one, bob))
            ]
            tx.token_families.revoke_family(ids[0], 100)
            counts = [
                tx.token_families.revoke_families(200, user_id=ann, client_row_id=one),
                tx.token_families.revoke_families(300, user_id=ann),
                tx.token_families.revoke_families(400, user_id=ann),
            ]

        assert counts == [1, 1, 0]
        assert [_family(store, family_id).revoked_at for family_id in ids] == [100, 200, 300, None]

    def test_codes_end_with_the_families(self, store: Store) -> None:
        """What would begin another family ends with those of the user, or of the user with one client."""
        with store.write() as tx:
            one, ann = _begin(tx)
            two, bob = tx.clients.add(new_client("client-2"), 1), tx.users.add(new_user("bob@example.com"), 1)
            owners = {b"a": (one, ann), b"b": (two, ann), b"c": (one, bob)}
            for lookup, (client, user_id) in owners.items():
                tx.token_families.add_code(new_code(client, user_id, lookup))
                device = tx.device_codes.add(new_device_code(client, lookup))
                tx.device_codes.answer(device, DeviceState.APPROVED, user_id, 1_000)
            tx.device_codes.add(new_device_code(one, b"waits"))
            tx.token_families.revoke_families(1_010, user_id=ann, client_row_id=one)
            tx.token_families.revoke_families(1_020, user_id=ann)

        with store.read() as tx:
            codes = [tx.token_families.find_code([lookup]) for lookup in owners]
            devices = [tx.device_codes.find([lookup]) for lookup in (*owners, b"waits")]
        assert [code and code.used_at for code in codes] == [1_010, 1_020, None]
        assert [device and device.used_at for device in devices] == [1_010, 1_020, None, None]

    def test_end_with_their_user(self, store: Store, outside: Outside) -> None:
        """With a user everything is gone that was issued to clients in its name."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            family_id = tx.token_families.add_family("f", client, user_id, APPROVAL, 1)
            tx.token_families.add_refresh_token(b"refresh", family_id, 1_000, 2_000)
            tx.access_tokens.add(new_token(user_id, client_row_id=client, family_id=family_id))
            code = tx.token_families.add_code(new_code(client, user_id))
            tx.token_families.use_code(code, family_id, 1_001)
            tx.users.delete(user_id)

        for table in ("oauth_family", "oauth_refresh_token", "oauth_token", "oauth_code"):
            assert outside(f"SELECT * FROM {table}") == []  # noqa: S608
        assert outside("SELECT count(*) FROM oauth_client") == [(1,)]


class TestCodes:
    def test_found_as_stored(self, store: Store) -> None:
        """A code comes back whole, with its user, by any of its look-up values; then with what came of it."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            code_id = tx.token_families.add_code(new_code(client, user_id))

        with store.read() as tx:
            user = tx.users.find("ann@example.com")
            found = tx.token_families.find_code([b"newer", b"code"])
        assert user is not None
        approval = replace(APPROVAL, nonce="nonce")
        expected = StoredCode(
            code_id, client, user, "https://a.example.com/", True, "challenge", approval, 1_000, 1_060, None, None
        )
        assert found == expected

        with store.write() as tx:
            family_id = tx.token_families.add_family("f", client, user_id, APPROVAL, 1_010)
            tx.token_families.use_code(code_id, family_id, 1_010)
            other = tx.token_families.add_family("g", client, user_id, APPROVAL, 1_020)
            tx.token_families.use_code(code_id, other, 1_020)
        with store.read() as tx:
            found = tx.token_families.find_code([b"code"])
        assert found == replace(expected, used_at=1_010, family_id=family_id)

    @pytest.mark.parametrize("lookups", [[], [b""], [b"Code"], [b"code\0"], [b"co", b"de"]])
    def test_unknown(self, store: Store, lookups: list[bytes]) -> None:
        """No other look-up value finds a code, nor does none."""
        with store.write() as tx:
            tx.token_families.add_code(new_code(*_begin(tx)))

        with store.read() as tx:
            assert tx.token_families.find_code(lookups) is None

    def test_look_up_value_taken(self, store: Store) -> None:
        """The same code cannot be stored twice."""
        with store.write() as tx:
            new = new_code(*_begin(tx))
            tx.token_families.add_code(new)
            with pytest.raises(Conflict):
                tx.token_families.add_code(new)

    def test_forgotten_in_bounded_numbers(self, store: Store, outside: Outside) -> None:
        """A new code lets those go that expired a day before, 200 at a time, and no others."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            for number in range(250):
                tx.token_families.add_code(new_code(client, user_id, b"%d" % number))
            tx.token_families.add_code(new_code(client, user_id, b"later", expires_at=1_061))
        counts = []
        for number in range(2):
            with store.write() as tx:
                late = {"issued_at": 1_060 + DAY, "expires_at": 1_120 + DAY}
                tx.token_families.add_code(new_code(client, user_id, b"new %d" % number, **late))
            counts += outside("SELECT count(*) FROM oauth_code")

        assert counts == [(52,), (3,)]
        with store.read() as tx:
            assert tx.token_families.find_code([b"later"]) is not None


class TestRefreshTokens:
    def test_found_as_stored(self, store: Store) -> None:
        """A refresh token comes back with its family and that one's user, by any of its look-up values."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            family_id = tx.token_families.add_family("f", client, user_id, APPROVAL, 1_000)
            token_id = tx.token_families.add_refresh_token(b"refresh", family_id, 1_000, 2_000)
            tx.token_families.set_refresh_digest(token_id, digest("token", pepper=3))

        family = _family(store, family_id)
        expected = StoredRefreshToken(token_id, family, digest("token", pepper=3), 1_000, 2_000, None)
        with store.read() as tx:
            assert tx.token_families.find_refresh_token([b"newer", b"refresh"]) == expected
            for lookups in ([], [b""], [b"Refresh"], [b"refresh\0"], [b"re", b"fresh"]):
                assert tx.token_families.find_refresh_token(lookups) is None

        with store.write() as tx:
            tx.token_families.use_refresh_token(token_id, 1_100)
            tx.token_families.use_refresh_token(token_id, 1_200)
        with store.read() as tx:
            found = tx.token_families.find_refresh_token([b"refresh"])
        assert found == replace(expected, used_at=1_100)

    def test_without_a_digest_it_opens_nothing(self, store: Store) -> None:
        """A refresh token that never got its digest has one that no token and no pepper gives."""
        with store.write() as tx:
            family_id = tx.token_families.add_family("f", *_begin(tx), APPROVAL, 1_000)
            tx.token_families.add_refresh_token(b"refresh", family_id, 1_000, 2_000)

        with store.read() as tx:
            found = tx.token_families.find_refresh_token([b"refresh"])
        assert found is not None
        assert found.digest == Digest(0, b"")

    def test_digest_of_none(self, store: Store) -> None:
        """A digest for a refresh token that is gone is an error, not silence."""
        with pytest.raises(NotFound), store.write() as tx:
            tx.token_families.set_refresh_digest(999, digest("token"))

    def test_look_up_value_taken(self, store: Store) -> None:
        """The same refresh token cannot be stored twice."""
        with store.write() as tx:
            family_id = tx.token_families.add_family("f", *_begin(tx), APPROVAL, 1_000)
            tx.token_families.add_refresh_token(b"refresh", family_id, 1_000, 2_000)
            with pytest.raises(Conflict):
                tx.token_families.add_refresh_token(b"refresh", family_id, 1_000, 2_000)


class TestForgetting:
    def test_what_ended_a_week_before(self, store: Store, outside: Outside) -> None:
        """What expired, was used or revoked stays for seven days, then goes; a family goes with its last token."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            families = {
                name: tx.token_families.add_family(name, client, user_id, APPROVAL, 1)
                for name in ("expired", "used", "revoked", "token revoked", "mixed", "young", "alive")
            }
            for name, expires_at in (("expired", 1_000), ("young", 1_001), ("mixed", 1_000)):
                tx.token_families.add_refresh_token(name.encode(), families[name], 1, expires_at)
                issued = {"client_row_id": client, "family_id": families[name], "expires_at": expires_at}
                tx.access_tokens.add(new_token(user_id, name.encode(), **issued))
            for name in ("used", "revoked", "alive", "mixed"):
                tx.token_families.add_refresh_token(b"long " + name.encode(), families[name], 1, 9_000_000)
            issued = {"client_row_id": client, "expires_at": 9_000_000}
            for name in ("revoked", "token revoked"):
                token = tx.access_tokens.add(new_token(user_id, name.encode(), family_id=families[name], **issued))
            tx.access_tokens.revoke(token, 1_000)
            used = tx.token_families.find_refresh_token([b"long used"])
            assert used is not None
            tx.token_families.use_refresh_token(used.id, 1_000)
            tx.token_families.revoke_family(families["revoked"], 1_000)
            tx.token_families.revoke_family(families["young"], 1_001)
            tx.access_tokens.add(new_token(user_id, b"imported", expires_at=5))

        with store.write() as tx:
            tx.token_families.forget_expired(999 + WEEK)
        assert outside("SELECT count(*) FROM oauth_family") == [(7,)]
        assert outside("SELECT count(*) FROM oauth_refresh_token") == [(7,)]
        assert outside("SELECT count(*) FROM oauth_token") == [(6,)]

        with store.write() as tx:
            tx.token_families.forget_expired(1_000 + WEEK)

        left = {name for (name,) in outside("SELECT public_id FROM oauth_family")}
        assert left == {"mixed", "young", "alive"}
        with store.read() as tx:
            kept = [b"long mixed", b"young", b"long alive"]
            assert all(tx.token_families.find_refresh_token([lookup]) for lookup in kept)
            assert outside("SELECT count(*) FROM oauth_refresh_token") == [(3,)]
            assert all(tx.access_tokens.find([lookup]) for lookup in (b"young", b"imported"))
            assert outside("SELECT count(*) FROM oauth_token") == [(2,)]

    def test_bounded_numbers(self, store: Store, outside: Outside) -> None:
        """Of each kind 200 go at a time; what is left goes the next times, and a family not before its last token."""
        approval = Approval(frozenset(), frozenset(), 1)
        with store.write() as tx:
            client, user_id = _begin(tx)
            family_id = tx.token_families.add_family("f", client, user_id, approval, 1)
            for number in range(250):
                tx.token_families.add_refresh_token(b"%d" % number, family_id, 1, 1_000)
            tx.access_tokens.add(new_token(user_id, client_row_id=client, family_id=family_id, expires_at=1_000))

        counts = []
        for _ in range(2):
            with store.write() as tx:
                tx.token_families.forget_expired(1_000 + WEEK)
            counts += outside("SELECT (SELECT count(*) FROM oauth_refresh_token), (SELECT count(*) FROM oauth_family)")

        assert counts == [(50, 1), (0, 0)]


class TestLiveFamilies:
    def test_listed_and_counted(self, store: Store) -> None:
        """Alive is a family of which a token still works or can be exchanged, unless it or its client was ended."""
        with store.write() as tx:
            client, user_id = _begin(tx)
            other, bob = tx.clients.add(new_client("client-2"), 1), tx.users.add(new_user("bob@example.com"), 1)
            ids = {
                name: tx.token_families.add_family(name, client, user_id, APPROVAL, created)
                for created, name in enumerate(["refresh", "access", "used", "expired", "revoked", "ended", "none"])
            }
            ids["bobs"] = tx.token_families.add_family("bobs", client, bob, APPROVAL, 9)
            ids["others"] = tx.token_families.add_family("others", other, user_id, APPROVAL, 9)
            for name in ids.keys() - {"access", "none", "expired", "ended"}:
                tx.token_families.add_refresh_token(name.encode(), ids[name], 1, 1_001)
            tx.token_families.add_refresh_token(b"expired", ids["expired"], 1, 1_000)
            used = tx.token_families.find_refresh_token([b"used"])
            assert used is not None
            tx.token_families.use_refresh_token(used.id, 5)
            for name, expires_at in (("access", 1_001), ("expired", 1_000), ("ended", 1_001)):
                token = new_token(user_id, name.encode(), client_row_id=client, family_id=ids[name])
                row_id = tx.access_tokens.add(replace(token, expires_at=expires_at))
                if name == "ended":
                    tx.access_tokens.revoke(row_id, 5)
            tx.token_families.revoke_family(ids["revoked"], 5)

        with store.read() as tx:
            listed = tx.token_families.list_live(user_id, 1_000)
            assert [family.public_id for family in listed] == ["others", "access", "refresh"]
            assert tx.token_families.list_live(user_id, 1_001) == []
            assert [tx.token_families.count_users(one, 1_000) for one in (client, other)] == [2, 1]
        with store.write() as tx:
            tx.clients.revoke(client, 6, "Administrator", 6)
        with store.read() as tx:
            assert [family.public_id for family in tx.token_families.list_live(user_id, 1_000)] == ["others"]
            assert tx.token_families.count_users(client, 1_000) == 0
