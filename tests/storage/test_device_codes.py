from dataclasses import replace

import pytest

from latchgate.core.token_families import Approval, DeviceState, StoredDeviceCode
from latchgate.errors import Conflict, NotFound
from latchgate.services.ports import Store
from support.databases import Outside
from support.new_rows import APPROVAL, new_client, new_device_code, new_user

DAY = 24 * 3600


def _found(store: Store, lookup: bytes = b"device") -> StoredDeviceCode:
    with store.read() as tx:
        found = tx.device_codes.find([b"newer", lookup])
        assert found is not None
        assert tx.device_codes.find_user_code([b"newer", b"user-" + lookup]) == found
    return found


class TestDeviceCodes:
    def test_a_life(self, store: Store) -> None:
        """A device waits, asks, is allowed by a user and gets its tokens once; all of it comes back."""
        with store.write() as tx:
            client = tx.clients.add(new_client(), 1)
            user_id = tx.users.add(new_user(), 1)
            row_id = tx.device_codes.add(new_device_code(client))
        waiting = StoredDeviceCode(
            row_id,
            client,
            "client-1",
            DeviceState.PENDING,
            None,
            Approval(APPROVAL.scopes, APPROVAL.audience, 0),
            1_000,
            1_600,
            5,
            None,
            None,
        )
        assert _found(store) == waiting

        with store.write() as tx:
            tx.device_codes.poll(row_id, 1_005, 10)
        assert _found(store) == replace(waiting, polled_at=1_005, interval_seconds=10)

        with store.write() as tx:
            tx.device_codes.answer(row_id, DeviceState.APPROVED, user_id, 900)
            user = tx.users.find_id(user_id)
            tx.device_codes.use(row_id, 1_020)
            tx.device_codes.use(row_id, 1_030)
        assert _found(store) == replace(
            waiting,
            polled_at=1_005,
            interval_seconds=10,
            state=DeviceState.APPROVED,
            user=user,
            approval=replace(waiting.approval, auth_time=900),
            used_at=1_020,
        )

    @pytest.mark.parametrize("lookups", [[], [b""], [b"Device"], [b"user-"], [b"de", b"vice"]])
    def test_unknown(self, store: Store, lookups: list[bytes]) -> None:
        """No other look-up value finds a device, and neither code stands for the other."""
        with store.write() as tx:
            tx.device_codes.add(new_device_code(tx.clients.add(new_client(), 1)))

        with store.read() as tx:
            assert tx.device_codes.find([*lookups, b"user-device"]) is None
            assert tx.device_codes.find_user_code([*lookups, b"device"]) is None

    def test_user_code_taken(self, store: Store) -> None:
        """Two devices never wait with one user code, and the transaction can go on."""
        with store.write() as tx:
            client = tx.clients.add(new_client(), 1)
            tx.device_codes.add(new_device_code(client))
            with pytest.raises(Conflict):
                tx.device_codes.add(new_device_code(client, b"other", user_code_lookup=b"user-device"))
            tx.device_codes.add(new_device_code(client, b"other"))

        assert _found(store, b"other").state is DeviceState.PENDING

    def test_answer_for_none(self, store: Store) -> None:
        """An answer or a poll for a device that is gone is an error, not silence."""
        with store.write() as tx:
            user_id = tx.users.add(new_user(), 1)
        with pytest.raises(NotFound), store.write() as tx:
            tx.device_codes.answer(999, DeviceState.DENIED, user_id, 1)
        with pytest.raises(NotFound), store.write() as tx:
            tx.device_codes.poll(999, 1, 5)

    def test_with_its_user(self, store: Store) -> None:
        """What a user who is gone had allowed is allowed no more."""
        with store.write() as tx:
            client, user_id = tx.clients.add(new_client(), 1), tx.users.add(new_user(), 1)
            tx.device_codes.answer(tx.device_codes.add(new_device_code(client)), DeviceState.APPROVED, user_id, 900)
            tx.users.delete(user_id)

        with store.read() as tx:
            assert tx.device_codes.find([b"device"]) is None

    def test_forgotten_in_bounded_numbers(self, store: Store, outside: Outside) -> None:
        """A new device lets those go that expired a day before, 200 at a time, and no others."""
        with store.write() as tx:
            client = tx.clients.add(new_client(), 1)
            for number in range(250):
                tx.device_codes.add(new_device_code(client, b"%d" % number))
            tx.device_codes.add(new_device_code(client, b"later", expires_at=1_601))
        counts = []
        for number in range(2):
            with store.write() as tx:
                late = {"issued_at": 1_600 + DAY, "expires_at": 2_200 + DAY}
                tx.device_codes.add(new_device_code(client, b"new %d" % number, **late))
            counts += outside("SELECT count(*) FROM oauth_device_code")

        assert counts == [(52,), (3,)]
        assert _found(store, b"later").expires_at == 1_601
