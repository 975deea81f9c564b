from dataclasses import replace

import pytest

from latchgate.core.credentials import Bearer, KeyPair, Presented, Scheme, SessionCookie
from latchgate.core.tokens import Digest, Pepper, Peppers, Purpose, Secret
from unit.core.examples import KEY, TOKEN, USER

_HIDDEN = "S3cr3tV4lue"
_SECRET = Secret(_HIDDEN)
_DIGEST = Digest(1, _HIDDEN.encode())
_PEPPER = Pepper(1, dict.fromkeys(Purpose, _HIDDEN.encode()))

_HOLDERS = [
    _SECRET,
    _DIGEST,
    _PEPPER,
    Peppers([_PEPPER]),
    Presented("GET", f"/?password={_HIDDEN}", "", authorization=(b"token a:" + _HIDDEN.encode(),)),
    Presented("GET", "/", "", session_cookie=_HIDDEN, csrf_token=_HIDDEN),
    KeyPair(Scheme.TOKEN, "a", _SECRET, "User"),
    Bearer(_SECRET),
    SessionCookie(_SECRET, "POST", _HIDDEN),
    replace(KEY, digest=_DIGEST, previous_digest=_DIGEST),
    replace(TOKEN, digest=_DIGEST),
    replace(USER, password_hash=_HIDDEN),
]


@pytest.mark.parametrize("holder", _HOLDERS, ids=lambda holder: type(holder).__name__)
def test_nothing_that_holds_a_secret_shows_it(holder: object) -> None:
    """However a value is printed, by itself or within another, no secret that it holds is seen."""
    for shown in (repr(holder), str(holder), f"{holder}", repr([holder]), f"{holder!r:>5}"):
        assert _HIDDEN not in shown
