"""The keys that ID tokens are signed with are made when needed, replaced in time, and kept encrypted."""

import pytest

from latchgate.core.clients import SigningAlgorithm
from latchgate.errors import NotPermitted
from latchgate.services.actors import COMMAND_LINE
from support.house import USER
from support.oauth_house import KEY_SECONDS, OAuthHouse

_ES256 = SigningAlgorithm.ES256
_WEEK = 7 * 86_400


def _kids(oauth: OAuthHouse) -> list[str]:
    return [key.kid for key in oauth.signing_keys.list_all()]


def test_the_set_holds_a_key_of_each_algorithm(oauth: OAuthHouse) -> None:
    """From the first time that it is asked for, and the same ones then; nothing in it is private."""
    first = oauth.signing_keys.key_set()
    again = oauth.signing_keys.key_set()

    keys = first["keys"]
    assert isinstance(keys, list)
    assert {key["alg"] for key in keys} == set(SigningAlgorithm)
    assert all("d" not in key for key in keys)
    assert first == again


@pytest.mark.parametrize(("seconds", "new"), [(KEY_SECONDS - 1, False), (KEY_SECONDS, True)])
def test_a_key_is_replaced_in_time(oauth: OAuthHouse, seconds: int, *, new: bool) -> None:
    """What it signed is still verified with it."""
    oauth.signing_keys.prepare(_ES256)
    [first] = _kids(oauth)
    oauth.house.clock.advance(seconds)

    oauth.signing_keys.prepare(_ES256)

    kids = _kids(oauth)
    assert (len(kids), kids[-1]) == (2 if new else 1, first)
    with oauth.house.store.read() as tx:
        assert len(oauth.signing_keys.public_jwks(tx)) == len(kids)
        assert oauth.signing_keys.find(tx, _ES256).kid == kids[0]


def test_of_two_that_notice_at_once_one_makes_the_key(oauth: OAuthHouse) -> None:
    """Making one takes long; whoever comes second finds it made."""
    oauth.house.entropy.interrupt = lambda: oauth.signing_keys.prepare(_ES256)

    oauth.signing_keys.prepare(_ES256)

    assert len(_kids(oauth)) == 1


def test_a_replaced_key_stays_a_week(oauth: OAuthHouse) -> None:
    """Then it is in no set any more, and with the next new key it is gone."""
    oauth.signing_keys.prepare(_ES256)
    first = _kids(oauth)[0]
    second = oauth.signing_keys.rotate(COMMAND_LINE, _ES256)
    oauth.house.clock.advance(_WEEK)
    with oauth.house.store.read() as tx:
        assert len(oauth.signing_keys.public_jwks(tx)) == 2
    oauth.house.clock.advance(1)
    with oauth.house.store.read() as tx:
        assert len(oauth.signing_keys.public_jwks(tx)) == 1
    assert _kids(oauth) == [second.kid, first]

    third = oauth.signing_keys.rotate(COMMAND_LINE, _ES256)

    assert _kids(oauth) == [third.kid, second.kid]


def test_a_rotation_is_a_manager_s_and_noted(oauth: OAuthHouse) -> None:
    """One algorithm's key is replaced, the other's stays."""
    oauth.house.add_user()
    oauth.signing_keys.key_set()

    with pytest.raises(NotPermitted):
        oauth.signing_keys.rotate(oauth.house.actor(USER), _ES256)
    made = oauth.signing_keys.rotate(COMMAND_LINE, _ES256)

    assert (made.algorithm, made.retired_at) == (_ES256, None)
    live = [key.algorithm for key in oauth.signing_keys.list_all() if key.retired_at is None]
    assert sorted(live) == sorted(SigningAlgorithm)
    entry = oauth.house.activity()[-1]
    assert (entry.operation, entry.subject, entry.detail) == ("signing_key.rotated", made.kid, "ES256")


def test_a_private_key_is_not_in_the_database(oauth: OAuthHouse) -> None:
    """Nor does it open in another row."""
    oauth.signing_keys.prepare(_ES256)
    oauth.signing_keys.rotate(COMMAND_LINE, _ES256)
    with oauth.house.store.read() as tx:
        private = oauth.signing_keys.find(tx, _ES256).private_jwk.text

    assert private.encode() not in b"".join(key.sealed.value for key in oauth.signing_keys.list_all())
    oauth.house.execute(
        "UPDATE oauth_signing_key SET sealed = (SELECT sealed FROM oauth_signing_key ORDER BY id LIMIT 1)"
    )
    with oauth.house.store.read() as tx, pytest.raises(AssertionError):
        oauth.signing_keys.find(tx, _ES256)


def test_a_key_that_was_not_prepared_is_a_fault_of_ours(oauth: OAuthHouse) -> None:
    """Nobody signs without."""
    with oauth.house.store.read() as tx, pytest.raises(AssertionError):
        oauth.signing_keys.find(tx, _ES256)
