"""Whatever a caller sends, no secret is in the request log, and no row is forged."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import Presented, Scheme
from latchgate.core.policy import ANY_SCHEME, PUBLIC
from latchgate.core.tokens import TokenKind, issue_token
from latchgate.services.port_values import UserChanges
from support.house import ADDRESS, NOTHING_PRESENTED, USER, House, present_pair, present_session


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_the_secret_is_in_no_row(house: House, scheme: Scheme, accepted: bool) -> None:
    """What a request presents as its secret, or the header that holds it, is never stored."""
    user = house.add_user()
    presented = house.carry(scheme)
    house.change_user(user, UserChanges(enabled=accepted))
    header = presented.authorization[0].decode() if presented.authorization else presented.session_cookie or ""

    row = house.logged(presented)

    assert (row.reason is None) is accepted
    assert header not in repr(row)
    assert header.rpartition(":")[2].rpartition(" ")[2] not in repr(row)


@pytest.mark.parametrize("scheme", sorted(ANY_SCHEME))
def test_a_secret_that_is_repeated_elsewhere_is_blanked(house: House, scheme: Scheme) -> None:
    """A tool that puts its credential into the address or its own name as well does not put it into the log."""
    house.add_user()
    presented = house.carry(scheme)
    header = presented.authorization[0].decode() if presented.authorization else presented.session_cookie or ""
    secret = header.rpartition(":")[2].rpartition(" ")[2]
    if scheme is Scheme.BASIC:
        secret = base64.b64decode(secret).decode().rpartition(":")[2]

    row = house.logged(replace(presented, path=f"/to/{secret}/x?page={secret}", user_agent=f"tool ({secret})"))

    assert (row.user, secret in repr(row)) == (USER, False)
    assert row.path.startswith("/to/")


def test_a_short_guess_does_not_blank_the_log(house: House) -> None:
    """Whoever presents a single letter as a secret cannot make a row unreadable."""
    row = house.logged(present_pair("nobodys-key", "e"), status=401)

    assert row.path == "/api/method/frappe.auth.get_logged_user"


def test_a_piece_of_the_path_presented_as_a_secret_hides_nothing(house: House) -> None:
    """Whoever knows what they ask for cannot have the log forget it."""
    guess = replace(present_pair("nobodys-key", "x"), authorization=(b"Bearer /api/method/frappe",))

    row = house.logged(guess, status=401)

    assert row.path == "/api/method/frappe.auth.get_logged_user"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/x?api_secret=hush&page=2", "/x?api_secret=***&page=2"),
        ("/x?sid=hush", "/x?sid=***"),
        ("/x?access_token=hush", "/x?access_token=***"),
        ("/setup/hush", "/setup/***"),
        ("/x\r\nGET /forged", "/x\\x0d\\x0aGET /forged"),
    ],
)
def test_secrets_of_the_path_are_blanked(house: House, path: str, shown: str) -> None:
    """A secret that somebody put into the address, and what would forge a row, does not reach the log."""
    house.add_user()

    row = house.logged(replace(house.carry(Scheme.TOKEN), path=path))

    assert row.path == shown


@given(texts=st.tuples(st.text(), st.text(), st.text()))
def test_no_text_forges_a_row(lasting_house: House, texts: tuple[str, str, str]) -> None:
    """Whatever stands in method, path and user agent, the row is printable, on one line and bounded."""
    method, path, user_agent = texts
    presented = replace(present_session("0"), method=method * 40, path="/" + path * 200, user_agent=user_agent * 60)

    row = lasting_house.logged(presented, PUBLIC)

    assert (row.method + row.path + row.user_agent).isprintable()
    assert (len(row.method) <= 20, len(row.path) <= 1024, len(row.user_agent) <= 256) == (True, True, True)


@given(
    kind=st.sampled_from(sorted(set(TokenKind) - {TokenKind.KEY_ID})),
    entropy=st.binary(min_size=24, max_size=24),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_a_secret_of_ours_is_blanked_anywhere_in_the_path(
    lasting_house: House, kind: TokenKind, entropy: bytes, before: str, after: str
) -> None:
    """A secret that bears our prefix is found in the address wherever somebody put it."""
    secret = issue_token(kind, entropy)

    row = lasting_house.logged(replace(present_session("0"), path=f"/{before}{secret}{after}"), PUBLIC)

    assert secret not in row.path


@given(authorization=st.lists(st.binary(max_size=60), max_size=3), cookie=st.text(max_size=20) | st.none())
def test_nothing_presented_makes_the_gate_raise(
    lasting_house: House, authorization: list[bytes], cookie: str | None
) -> None:
    """Any bytes in any header are answered and recorded, never an error."""
    presented = Presented(
        "GET", "/", ADDRESS, authorization=tuple(authorization), source=tuple(authorization), session_cookie=cookie
    )

    admission = lasting_house.admit(presented)
    lasting_house.gate.record(admission, 401, 0.0)

    assert admission.principal is None


@given(pair=st.binary(max_size=60), scheme=st.sampled_from([b"token ", b"Basic ", b"Bearer ", b"bearer "]))
def test_nothing_behind_a_scheme_makes_the_gate_raise(lasting_house: House, pair: bytes, scheme: bytes) -> None:
    """Any bytes behind the name of a scheme are answered, never an error."""
    presented = replace(NOTHING_PRESENTED, authorization=(scheme + pair,))

    assert lasting_house.admit(presented).principal is None
