"""What an OAuth client presents of itself, by header and form. Source: RFC 6749, section 2.3; RFC 7521, section 4.2."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.clients import AuthMethod
from latchgate.core.credentials import (
    Absent,
    ClientCredential,
    Credential,
    Fault,
    Malformed,
    PresentedClient,
    parse_credential,
)
from latchgate.core.tokens import Secret
from unit.core.examples import PRESENTED

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ID = "client0001"
_TWO = Malformed(Fault.TWO_CLIENT_AUTHENTICATIONS)
_UNREADABLE = Malformed(Fault.UNREADABLE)
_BY_HEADER = ClientCredential(_ID, AuthMethod.BASIC, Secret("s"))
_BY_FORM = ClientCredential(_ID, AuthMethod.POST, Secret("s"))
_PUBLIC = ClientCredential(_ID, AuthMethod.NONE)

_VALUES = st.text(max_size=8) | st.sampled_from([_ID, "s", "", _JWT_BEARER])
_LISTS = st.lists(_VALUES, max_size=2).map(tuple)


def _signed(client_id: str) -> ClientCredential:
    return ClientCredential(client_id, AuthMethod.PRIVATE_KEY_JWT, Secret("a.b.c"))


def _basic(pair: str | bytes) -> bytes:
    return b"Basic " + base64.b64encode(pair.encode() if isinstance(pair, str) else pair)


def _parse(form: PresentedClient, *headers: bytes) -> Credential:
    return parse_credential(replace(PRESENTED, authorization=headers, client=form))


@pytest.mark.parametrize(
    ("header", "client_ids", "secrets", "types", "assertions", "expected"),
    [
        # nothing but a name
        ("", (), (), (), (), Absent()),
        ("", ("",), (), (), (), Absent()),
        ("", (_ID,), (), (), (), _PUBLIC),
        ("", (_ID,), ("",), (), (), _PUBLIC),
        ("", ("ü",), (), (), (), _UNREADABLE),
        ("", ("x" * 141,), (), (), (), _UNREADABLE),
        # a secret in the form
        ("", (_ID,), ("s",), (), (), _BY_FORM),
        ("", (), ("s",), (), (), _UNREADABLE),
        ("", ("",), ("s",), (), (), _UNREADABLE),
        # by header
        (f"{_ID}:s", (), (), (), (), _BY_HEADER),
        (f"{_ID}:s", (_ID,), (), (), (), _BY_HEADER),
        (f"{_ID}:s", (_ID,), ("",), (), (), _BY_HEADER),
        (f"{_ID}:s", ("",), (), (), (), _BY_HEADER),
        (f"{_ID}:s", ("other",), (), (), (), _TWO),
        (_ID, (), (), (), (), replace(_BY_HEADER, secret=Secret(""))),
        (f"{_ID}:a%3Ab+c:d", (), (), (), (), replace(_BY_HEADER, secret=Secret("a:b c:d"))),
        ("a%20b:s", (), (), (), (), replace(_BY_HEADER, client_id="a b")),
        (":s", (), (), (), (), _UNREADABLE),
        ("%00:s", (), (), (), (), _UNREADABLE),
        # by what it signed
        ("", (_ID,), (), (_JWT_BEARER,), ("a.b.c",), _signed(_ID)),
        ("", (), (), (_JWT_BEARER,), ("a.b.c",), _signed("")),
        ("", ("",), (), (_JWT_BEARER,), ("a.b.c",), _signed("")),
        ("", (_ID,), ("",), (_JWT_BEARER,), ("a.b.c",), _signed(_ID)),
        ("", ("ü",), (), (_JWT_BEARER,), ("a.b.c",), _UNREADABLE),
        ("", (_ID,), (), ("saml",), ("a.b.c",), _UNREADABLE),
        ("", (_ID,), (), (_JWT_BEARER,), (), _UNREADABLE),
        ("", (_ID,), (), (), ("a.b.c",), _UNREADABLE),
        # in two ways
        (f"{_ID}:s", (_ID,), ("s",), (), (), _TWO),
        (f"{_ID}:s", (_ID,), (), (_JWT_BEARER,), ("a.b.c",), _TWO),
        ("", (_ID,), ("s",), (_JWT_BEARER,), ("a.b.c",), _TWO),
        (f"{_ID}:s", (_ID,), ("s",), (_JWT_BEARER,), ("a.b.c",), _TWO),
        # twice
        ("", (_ID, _ID), (), (), (), _TWO),
        ("", (_ID,), ("s", "s"), (), (), _TWO),
        ("", (_ID,), ("", "s"), (), (), _TWO),
        ("", (_ID,), (), (_JWT_BEARER,) * 2, ("a.b.c",), _TWO),
        ("", (_ID,), (), (_JWT_BEARER,), ("a.b.c",) * 2, _TWO),
    ],
)
def test_what_a_client_presents(  # what stands on the wire
    header: str,
    client_ids: tuple[str, ...],
    secrets: tuple[str, ...],
    types: tuple[str, ...],
    assertions: tuple[str, ...],
    expected: Credential,
) -> None:
    """One way, once; everything else is refused, and nothing is guessed."""
    form = PresentedClient(client_ids, secrets, types, assertions)

    assert _parse(form, *([_basic(header)] if header else [])) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", Absent()),
        (b" \t", Absent()),
        (b"basic Y2xpZW50MDAwMTpz", _BY_HEADER),
        (b"Bearer lga_x", Malformed(Fault.UNKNOWN_SCHEME)),
        (b"token a:b", Malformed(Fault.UNKNOWN_SCHEME)),
        (b"Basic", _UNREADABLE),
        (b"Basic Y2xpZW50MDAwMTpzMQ", Malformed(Fault.BASE64)),
        (b"Basic !", _UNREADABLE),
        (_basic(b"\xff:s"), _UNREADABLE),
        (_basic("%ff:s"), _UNREADABLE),
        (_basic(f"{_ID}:%ff"), _UNREADABLE),
    ],
)
def test_a_client_s_header(header: bytes, expected: Credential) -> None:
    """Basic alone, in base64, of UTF-8 that is written as in a form."""
    assert _parse(PresentedClient(), header) == expected


def test_two_headers_are_no_client_s() -> None:
    """A proxy may have looked at the other one."""
    assert _parse(PresentedClient(), _basic("a:b"), _basic("a:b")) == Malformed(Fault.TWO_AUTHORIZATIONS)


def test_a_session_is_no_client_s() -> None:
    """A browser's cookie counts for nothing where clients are asked for."""
    presented = replace(PRESENTED, session_cookie="0" * 56, client=PresentedClient())

    assert parse_credential(presented) == Absent()


@given(
    header=st.none() | st.binary(max_size=30) | st.text(max_size=20).map(_basic),
    form=st.builds(PresentedClient, _LISTS, _LISTS, _LISTS, _LISTS),
)
def test_whatever_is_presented_is_read_or_refused(header: bytes | None, form: PresentedClient) -> None:
    """Nothing raises; what comes of it has a name that may stand in the log, and a secret if its way has one."""
    read = _parse(form, *([] if header is None else [header]))

    assert isinstance(read, Absent | Malformed | ClientCredential)
    if isinstance(read, ClientCredential):
        assert read.client_id.isascii()
        assert read.client_id.isprintable()
        assert (read.secret is None) is (read.method is AuthMethod.NONE)
        assert read.client_id or read.method is AuthMethod.PRIVATE_KEY_JWT


@given(form=st.builds(PresentedClient, _LISTS, _LISTS, _LISTS, _LISTS))
def test_a_secret_is_never_left_out(form: PresentedClient) -> None:
    """Whoever sends a secret or an assertion is not taken for a public client."""
    read = _parse(form)

    if any(form.client_secrets) or form.assertions:
        assert not (isinstance(read, ClientCredential) and read.method is AuthMethod.NONE)
