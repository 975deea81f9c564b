"""How a client's secret is judged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.clients import AuthMethod, StoredClient, client_secret_matches, digest_client_secret
from latchgate.core.tokens import Secret
from unit.core.examples import CLIENT, FORMER_SECRET, NOW, PEPPERS, SECRET

_ROTATED = replace(
    CLIENT,
    previous_digest=digest_client_secret(PEPPERS, CLIENT.id, CLIENT.client_id, FORMER_SECRET),
    previous_until=NOW + 60,
)


@pytest.mark.parametrize(
    ("client", "secret", "now", "fits"),
    [
        (CLIENT, SECRET, NOW, True),
        (CLIENT, FORMER_SECRET, NOW, False),
        (CLIENT, Secret(""), NOW, False),
        (_ROTATED, SECRET, NOW, True),
        (_ROTATED, FORMER_SECRET, NOW + 59, True),
        (_ROTATED, FORMER_SECRET, NOW + 60, False),
        (replace(_ROTATED, previous_until=None), FORMER_SECRET, NOW, False),
        (replace(CLIENT, digest=None), SECRET, NOW, False),
        (replace(CLIENT, digest=None), Secret(""), NOW, False),
        (replace(CLIENT, id=CLIENT.id + 1), SECRET, NOW, False),
        (replace(CLIENT, client_id="client0002"), SECRET, NOW, False),
    ],
)
def test_which_secret_is_the_client_s(client: StoredClient, secret: Secret, now: int, *, fits: bool) -> None:
    """The present one, and the former one until its time is over; of this row and this id alone."""
    assert client_secret_matches(PEPPERS, client, secret, now) is fits


@given(text=st.text())
def test_no_other_text_is_the_client_s_secret(text: str) -> None:
    """Whatever it is."""
    assert client_secret_matches(PEPPERS, _ROTATED, Secret(text), NOW) is (text in {SECRET.text, FORMER_SECRET.text})


def test_which_clients_keep_a_secret() -> None:
    """A public one keeps none, and is the only one that proves nothing."""
    told = {method: (method.by_secret, replace(CLIENT, auth_method=method).public) for method in AuthMethod}

    assert told == {
        AuthMethod.BASIC: (True, False),
        AuthMethod.POST: (True, False),
        AuthMethod.PRIVATE_KEY_JWT: (False, False),
        AuthMethod.NONE: (False, True),
    }
