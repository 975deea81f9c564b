from dataclasses import replace

import pytest

from latchgate.core.clients import AuthMethod
from latchgate.core.credentials import (
    Bearer,
    ClientCredential,
    KeyPair,
    Presented,
    PresentedClient,
    Scheme,
    SessionCookie,
)
from latchgate.core.token_families import Approval
from latchgate.core.tokens import Digest, Pepper, Peppers, Purpose, Sealed, Secret
from latchgate.oauth.authorization_requests import RefusedRequest
from latchgate.oauth.backing import Issued
from latchgate.services.authorizations import Granted, SignInFirst
from latchgate.services.client_orders import ClientOrder
from latchgate.services.clients import NewlyMadeClient
from latchgate.services.devices import StartedDevice
from unit.core.examples import CLIENT, KEY, TOKEN, USER

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
    replace(CLIENT, digest=_DIGEST, previous_digest=_DIGEST),
    PresentedClient(client_secrets=(_HIDDEN,), assertions=(_HIDDEN,)),
    ClientCredential("client0001", AuthMethod.POST, _SECRET),
    Approval(frozenset(), frozenset(), 0, nonce=_HIDDEN),
    Sealed(1, _HIDDEN.encode()),
    Issued(_SECRET, 60, frozenset(), _SECRET, _SECRET),
    Granted(f"https://app.example.com/?code={_HIDDEN}"),
    SignInFirst("", [("state", _HIDDEN)]),
    RefusedRequest("error", "", f"https://app.example.com/?state={_HIDDEN}"),
    StartedDevice(_SECRET, "", 600, 5),
    ClientOrder("Calendar", jwks=_HIDDEN),
    NewlyMadeClient(CLIENT, _SECRET),
    replace(USER, password_hash=_HIDDEN),
]


@pytest.mark.parametrize("holder", _HOLDERS, ids=lambda holder: type(holder).__name__)
def test_nothing_that_holds_a_secret_shows_it(holder: object) -> None:
    """However a value is printed, by itself or within another, no secret that it holds is seen."""
    for shown in (repr(holder), str(holder), f"{holder}", repr([holder]), f"{holder!r:>5}"):
        assert _HIDDEN not in shown
