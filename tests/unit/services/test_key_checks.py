"""A database knows the key file that it was made with."""

import pytest

from latchgate.services.key_checks import bind_key_file
from support.house import OLD_PEPPERS, OTHER_PEPPERS, PEPPERS, House


def _stated(house: House) -> str | None:
    with house.store.read() as tx:
        return tx.instance.find_fact("key_check")


def test_the_first_key_file_is_the_database_s(house: House) -> None:
    """A database without keys takes the one that it meets, and no other from then on."""
    assert bind_key_file(house.store, PEPPERS)
    stated = _stated(house)

    assert not bind_key_file(house.store, OTHER_PEPPERS)
    assert bind_key_file(house.store, PEPPERS)
    assert _stated(house) == stated


def test_the_check_moves_on_with_a_rotation(house: House) -> None:
    """After a rotation the key file is still the database's; the one from before it is so no more."""
    bind_key_file(house.store, OLD_PEPPERS)
    before = _stated(house)

    assert bind_key_file(house.store, PEPPERS)
    assert _stated(house) != before
    assert not bind_key_file(house.store, OLD_PEPPERS)


@pytest.mark.parametrize("stated", [None, "", "x", "1:00", "99999999999:" + "0" * 64])
def test_a_database_with_keys_takes_no_key_file_on_trust(house: House, stated: str | None) -> None:
    """Where the check is gone or spoilt, somebody may have tampered with it."""
    house.add_user()
    house.add_key()
    if stated is not None:
        with house.store.write() as tx:
            tx.instance.set_fact("key_check", stated)

    assert not bind_key_file(house.store, PEPPERS)
