import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import (
    Absent,
    Bearer,
    Credential,
    Fault,
    KeyPair,
    Malformed,
    Scheme,
    SessionCookie,
    parse_credential,
)
from latchgate.core.tokens import Secret
from unit.core.examples import PRESENTED

_KEY, _SECRET = "ap1key000000001", "ap1secret000001"
_GOOD = KeyPair(Scheme.TOKEN, _KEY, Secret(_SECRET), "User")
_GOOD_BASIC = replace(_GOOD, scheme=Scheme.BASIC)
_UNREADABLE = Malformed(Fault.UNREADABLE)

_PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=":")
_KEY_IDS = st.text(_PRINTABLE, min_size=1, max_size=140)
_ASCII_SECRETS = st.text(_PRINTABLE, min_size=1)
_ANY_SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters=":"), min_size=1)

# Bytes that mean something to the parser, in any order, beside bytes that mean nothing.
_PIECES = st.sampled_from(
    [b"token", b"Basic", b"Bearer", b" ", b"\t", b":", b",", b"=", b"==", b"b'", b"'", b"a", b"YTpi", b"\x00", b"\xff"]
)
_SCHEMES = st.sampled_from([b"", b"token ", b"Basic ", b"Bearer "])
_ANY_VALUES = st.binary() | st.lists(_PIECES).map(b"".join)
_ANY_VALUES |= st.tuples(_SCHEMES, _ANY_VALUES | st.binary().map(base64.b64encode)).map(b"".join)


def _parse(*authorization: bytes, source: tuple[bytes, ...] = (), session_cookie: str | None = None) -> Credential:
    return parse_credential(
        replace(PRESENTED, authorization=authorization, source=source, session_cookie=session_cookie)
    )


def _basic(pair: bytes) -> bytes:
    return b"Basic " + base64.b64encode(pair)


# Every distinct value of Authorization in the recorded exchanges of the area `token`.
RECORDED: dict[bytes, Credential] = {
    b"": Absent(),
    b"TOKEN ap1key000000001:ap1secret000001": _GOOD,
    b"token ap1key000000001:ap1secret000001": _GOOD,
    b"token ap1key000000001:ap1secret000001 ": _GOOD,
    b" token ap1key000000001:ap1secret000001": _GOOD,
    b"token ap1key000000001:ap1secret000001\t": _GOOD,
    b"Basic YXAxa2V5MDAwMDAwMDAxOmFwMXNlY3JldDAwMDAwMQ==": _GOOD_BASIC,
    b"token a:b": KeyPair(Scheme.TOKEN, "a", Secret("b"), "User"),
    b"token adm1n0key000001:adm1n0secret001": replace(
        _GOOD, key_id="adm1n0key000001", secret=Secret("adm1n0secret001")
    ),
    b"token 1pkey0000000001:1psecret0000001": replace(
        _GOOD, key_id="1pkey0000000001", secret=Secret("1psecret0000001")
    ),
    b"token hrskey000000001:hrssecret000001": replace(
        _GOOD, key_id="hrskey000000001", secret=Secret("hrssecret000001")
    ),
    b"token ap1key000000001:wrongsecret": replace(_GOOD, secret=Secret("wrongsecret")),
    b"token nosuchkey000001:ap1secret000001": replace(_GOOD, key_id="nosuchkey000001"),
    b"token ap1key000000001:adm1n0secret001": replace(_GOOD, secret=Secret("adm1n0secret001")),
    b"Basic ZDFza2V5MDAwMDAwMDAxOmQxc3NlY3JldDAwMDAwMQ==": replace(
        _GOOD_BASIC, key_id="d1skey000000001", secret=Secret("d1ssecret000001")
    ),
    b"Basic YXAxa2V5MDAwMDAwMDAxOndyb25nc2VjcmV0": replace(_GOOD_BASIC, secret=Secret("wrongsecret")),
    b"Basic YXAxa2V5MDAwMDAwMDAxOmFwMXNlY3JldDAwMDAwMSA=": replace(_GOOD_BASIC, secret=Secret("ap1secret000001 ")),
    b"Basic YXBpQGV4YW1wbGUuY29tOlBhc3Mtd29yZC00MiE=": replace(
        _GOOD_BASIC, key_id="api@example.com", secret=Secret("Pass-word-42!")
    ),
    b"Bearer bearer-ok-00000000000000000001": Bearer(Secret("bearer-ok-00000000000000000001")),
    b"Bearer BEARER-OK-00000000000000000001": Bearer(Secret("BEARER-OK-00000000000000000001")),
    b"Bearer bearer-revoked-000000000000001": Bearer(Secret("bearer-revoked-000000000000001")),
    b"Bearer bearer-expired-000000000000001": Bearer(Secret("bearer-expired-000000000000001")),
    b"Bearer nosuchtoken": Bearer(Secret("nosuchtoken")),
    b"Basic abcde": Malformed(Fault.BASE64),
    b'Digest username="x"': Malformed(Fault.UNKNOWN_SCHEME),
    b'Digest username="x", realm="y"': Malformed(Fault.UNKNOWN_SCHEME),
    b"Foo bar": Malformed(Fault.UNKNOWN_SCHEME),
    b"Foo ap1key000000001:ap1secret000001": Malformed(Fault.UNKNOWN_SCHEME),
    # A key with accents, one with a leading space: no key of ours has either.
    b"Basic w6FwMWvDqXkwMDAwMDAwMDE6YXAxc2VjcmV0MDAwMDAx": _UNREADABLE,
    b"Basic IGFwMWtleTAwMDAwMDAwMTphcDFzZWNyZXQwMDAwMDE=": _UNREADABLE,
    b"Basic Y29sb25rZXkwMDAwMDAxOmNvbDpvbjpzZWNyZXQwMQ==": _UNREADABLE,
    b"Basic YXAxa2V5MDAwMDAwMDAx": _UNREADABLE,
    b"Basic YXAxa2V5*MDAwMDAwMDAxOmFwMXNlY3JldDAwMDAwMQ==": _UNREADABLE,
    b"Basic": _UNREADABLE,
    b"Basic ": _UNREADABLE,
    b"token": _UNREADABLE,
    b"token ": _UNREADABLE,
    b"token :": _UNREADABLE,
    b"token bearer-ok-00000000000000000001": _UNREADABLE,
    b"token ap1key000000001": _UNREADABLE,
    b"token ap1key000000001:": _UNREADABLE,
    b"token :ap1secret000001": _UNREADABLE,
    b"token ap1key000000001:ap1secret000001:": _UNREADABLE,
    b"token ap1key000000001:ap1secret000001,token x:y": _UNREADABLE,
    b"token  ap1key000000001:ap1secret000001": _UNREADABLE,
    b"token  a:b": _UNREADABLE,
    b"token\tap1key000000001:ap1secret000001": _UNREADABLE,
    b"token \tap1key000000001:ap1secret000001": _UNREADABLE,
    b"token \xff\xff:\xff\xff": _UNREADABLE,
    b"ap1key000000001:ap1secret000001": _UNREADABLE,
}


@pytest.mark.parametrize(("value", "expected"), RECORDED.items(), ids=ascii)
def test_recorded_header_forms(value: bytes, expected: Credential) -> None:
    """Each recorded form of the header is read as what it is, or refused as what it is not."""
    assert _parse(value) == expected


def test_all_recorded_header_forms_are_here() -> None:
    """No form of the recorded exchanges is left out."""
    cases = json.loads((Path(__file__).parents[2] / "vectors/frappe/cases.json").read_text())

    recorded = {case["request"]["headers"].get("Authorization", "") for case in cases if case["area"] == "token"}
    assert {value.encode("latin-1") for value in recorded} == RECORDED.keys()


def test_no_header_at_all() -> None:
    """A request without header and cookie presents nothing."""
    assert _parse() == Absent()


@given(st.lists(_ANY_VALUES, max_size=3), st.lists(_ANY_VALUES, max_size=3), st.none() | st.text(st.characters()))
def test_parser_never_raises(authorization: list[bytes], source: list[bytes], session_cookie: str | None) -> None:
    """No bytes in any header, however often it is sent, make the parser raise."""
    credential = _parse(*authorization, source=tuple(source), session_cookie=session_cookie)

    assert isinstance(credential, Credential)


@given(st.lists(_ANY_VALUES, min_size=1, max_size=3))
def test_a_header_never_falls_through(authorization: list[bytes]) -> None:
    """Whatever stands in an Authorization header decides; a session counts only without one."""
    credential = _parse(*authorization, session_cookie="0123456789abcdef")

    blank = len(authorization) == 1 and not authorization[0].strip(b" \t")
    assert isinstance(credential, SessionCookie) == blank
    assert credential != Absent()


@given(_KEY_IDS, _ASCII_SECRETS)
def test_token_round_trip(key_id: str, secret: str) -> None:
    """A pair sent by `token` is read back as it is."""
    assert _parse(f"token {key_id}:{secret}".encode()) == KeyPair(Scheme.TOKEN, key_id, Secret(secret), "User")


@given(_KEY_IDS, _ANY_SECRETS)
def test_basic_round_trip(key_id: str, secret: str) -> None:
    """A pair sent by `Basic` is read back as it is, in any script."""
    pair = f"{key_id}:{secret}".encode()

    assert _parse(_basic(pair)) == KeyPair(Scheme.BASIC, key_id, Secret(secret), "User")


@given(st.text("ABCDEFabcdef0123456789-._~+/", min_size=1), st.text("=", max_size=2))
def test_bearer_round_trip(token: str, padding: str) -> None:
    """A token sent by `Bearer` is read back as it is."""
    assert _parse(f"Bearer {token}{padding}".encode()) == Bearer(Secret(token + padding))


@given(_ANY_VALUES)
def test_nothing_is_read_into_a_header(value: bytes) -> None:
    """What is read from a header is all that stands in it, so that two spellings never mean one credential."""
    credential = _parse(value)

    trimmed = value.strip(b" \t")
    match credential:
        case KeyPair(scheme=Scheme.TOKEN):
            assert trimmed[6:].decode() == f"{credential.key_id}:{credential.secret.text}"
        case KeyPair():
            assert base64.b64decode(trimmed[6:]).decode() == f"{credential.key_id}:{credential.secret.text}"
        case Bearer():
            assert trimmed[7:].decode() == credential.token.text
        case _:
            assert isinstance(credential, Absent if not trimmed else Malformed)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("token", b" " + f"{_KEY}:{_SECRET}".encode()),
        ("basic", b" " + base64.b64encode(f"{_KEY}:{_SECRET}".encode())),
        ("bearer", b" x"),
    ],
)
@given(data=st.data())
def test_scheme_in_any_case(name: str, rest: bytes, data: st.DataObject) -> None:
    """The scheme's name is recognised in any case."""
    upper = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    spelled = "".join(letter.upper() if up else letter for letter, up in zip(name, upper, strict=True))

    assert _parse(spelled.encode() + rest) == _parse(name.encode() + rest)
    assert not isinstance(_parse(spelled.encode() + rest), Malformed)


@pytest.mark.parametrize("scheme", [b"tok\xc3\xa9n", b"t(ken", b"token,", b"\xe2\x84\xaa", b'"token"', b"token\x00"])
def test_scheme_that_is_no_token(scheme: bytes) -> None:
    """What cannot be the name of a scheme is not taken for an unknown one."""
    assert _parse(scheme + b" a:b") == _UNREADABLE


@pytest.mark.parametrize("scheme", [b"Foo", b"tokens", b"Basic-x", b"DPoP", b"a"])
def test_unknown_scheme(scheme: bytes) -> None:
    """A scheme that is not spoken here is told apart, if anything follows it."""
    assert _parse(scheme + b" a:b") == Malformed(Fault.UNKNOWN_SCHEME)
    assert _parse(scheme) == _UNREADABLE


@pytest.mark.parametrize(
    "values",
    [
        (b"token a:b", b"token a:b"),
        (b"token a:b", b"Bearer x"),
        (b"", b"token a:b"),
        (b"token a:b", b" "),
        (b"", b""),
        (b"\xff", b"\x00", b"Basic x"),
    ],
)
def test_two_authorization_headers(values: tuple[bytes, ...]) -> None:
    """Two Authorization headers are refused, whatever they hold: a proxy may have believed the other one."""
    assert _parse(*values) == Malformed(Fault.TWO_AUTHORIZATIONS)


@given(*[st.sampled_from([b"token a:b", b"Basic YTpi", b"Bearer x", b"bearer x=", b"Foo x", b"token a:", b""])] * 2)
def test_two_headers_joined_by_a_comma(first: bytes, second: bytes) -> None:
    """Two values that a server in front joined into one open nothing either, unless one of them was empty."""
    for joined in (first + b"," + second, first + b", " + second):
        assert isinstance(_parse(joined), Malformed) or not second


@pytest.mark.parametrize("literal", [b"b'YTpi'", b'b"YTpi"', b"b''"])
def test_python_bytes_literal(literal: bytes) -> None:
    """What `"Basic %s" % base64.b64encode(...)` sends on Python 3 is recognised, so that the answer can say so."""
    assert _parse(b"Basic " + literal) == Malformed(Fault.BYTES_LITERAL)


@pytest.mark.parametrize("rest", [b"YTpi*", b"YT pi", b"YTpi\xa0", b"YT-_", b"=YTpi", b"YT=pi", b"b'YTpi"])
def test_basic_with_junk(rest: bytes) -> None:
    """Characters outside the base64 alphabet, or padding inside, are refused and never skipped."""
    assert _parse(b"Basic " + rest) == _UNREADABLE


@pytest.mark.parametrize("rest", [b"YTpiYg", b"YTpiYg=", b"YTpiY", b"YTpi=", b"YTpi==", b"YTpi====", b"=", b"=="])
def test_basic_with_wrong_padding(rest: bytes) -> None:
    """Base64 of a length that cannot be is told apart, since Frappe answers it with 400."""
    assert _parse(b"Basic " + rest) == Malformed(Fault.BASE64)


@pytest.mark.parametrize("rest", [b"YTpiYh==", b"YTpiYi==", b"YTpiYv=="])
def test_non_canonical_base64(rest: bytes) -> None:
    """Bits that base64 leaves over do not matter: the pair is the same."""
    assert _parse(b"Basic " + rest) == _parse(b"Basic YTpiYg==") == KeyPair(Scheme.BASIC, "a", Secret("bb"), "User")


_ODD = [*(bytes([code]) for code in [*range(0x21), 0x7F, 0xA0]), "\u00a0".encode(), "\u200b".encode(), b","]


@pytest.mark.parametrize("odd", _ODD, ids=ascii)
@pytest.mark.parametrize("scheme", ["token", "basic"])
def test_odd_characters_never_vanish(odd: bytes, scheme: str) -> None:
    """White space and control characters inside a pair are never trimmed away, wherever they stand."""
    pair = f"{_KEY}:{_SECRET}".encode()

    for position in range(len(pair) + 1):
        bent = pair[:position] + odd + pair[position:]
        inside = scheme == "basic" or 0 < position < len(pair) or odd not in {b" ", b"\t"}
        credential = _parse(b"token " + bent if scheme == "token" else _basic(bent))
        if inside:
            assert credential not in (_GOOD, _GOOD_BASIC)


def test_control_characters_in_a_pair() -> None:
    """No key and no secret holds a control character."""
    for control in map(chr, [*range(0x20), *range(0x7F, 0xA0)]):
        for pair in (f"key{control}:secret", f"key:secret{control}", f"key:{control}secret"):
            assert _parse(_basic(pair.encode())) == _UNREADABLE


def test_overlong_key_id() -> None:
    """A key id has up to 140 characters."""
    assert _parse(b"token " + b"k" * 140 + b":s") == KeyPair(Scheme.TOKEN, "k" * 140, Secret("s"), "User")
    assert _parse(b"token " + b"k" * 141 + b":s") == _UNREADABLE


@pytest.mark.parametrize("value", [b"Bearer a b", b"Bearer a,b", b"Bearer key:secret", b"Bearer =", b"Bearer \xc3\xa9"])
def test_unreadable_bearer(value: bytes) -> None:
    """What is no b64token is no access token."""
    assert _parse(value) == _UNREADABLE


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((), "User"),
        ((b"",), "User"),
        ((b" \t",), "User"),
        ((b"User",), "User"),
        ((b"user",), "user"),
        ((b" API Device ",), "API Device"),
        (("Gerät".encode(),), "Gerät"),
        ((b"User` --",), "User` --"),
        ((b"x" * 140,), "x" * 140),
    ],
)
def test_source_header(source: tuple[bytes, ...], expected: str) -> None:
    """The source is what the header says, byte for byte, and User where it says nothing."""
    assert _parse(b"token a:b", source=source) == KeyPair(Scheme.TOKEN, "a", Secret("b"), expected)
    assert _parse(b"Basic YTpi", source=source) == KeyPair(Scheme.BASIC, "a", Secret("b"), expected)


@pytest.mark.parametrize("source", [b"\xff", b"User\x00", b"Us\ner", b"User\x7f", "User\u0085".encode(), b"x" * 141])
def test_unreadable_source(source: bytes) -> None:
    """A source that no document type can be called is refused."""
    assert _parse(b"token a:b", source=(source,)) == _UNREADABLE


def test_two_source_headers() -> None:
    """Two source headers are refused, even if they agree."""
    assert _parse(b"token a:b", source=(b"User", b"User")) == Malformed(Fault.TWO_SOURCES)
    assert _parse(b"Basic YTpi", source=(b"", b"User")) == Malformed(Fault.TWO_SOURCES)


@given(st.lists(_ANY_VALUES, max_size=2))
def test_bearer_ignores_the_source(source: list[bytes]) -> None:
    """An access token names its own user, so that no source header concerns it."""
    assert _parse(b"Bearer x", source=tuple(source)) == Bearer(Secret("x"))


@given(st.lists(_ANY_VALUES, max_size=2))
def test_source_without_authorization(source: list[bytes]) -> None:
    """A source header alone presents nothing."""
    assert _parse(source=tuple(source)) == Absent()


def test_session_cookie() -> None:
    """A session's credential holds what guards it against forged requests."""
    presented = replace(PRESENTED, method="POST", session_cookie="0123abc", csrf_token="f00")

    assert parse_credential(presented) == SessionCookie(Secret("0123abc"), "POST", "f00")
    assert parse_credential(replace(presented, csrf_token=None)) == SessionCookie(Secret("0123abc"), "POST", None)


@pytest.mark.parametrize("sid", ["Guest", "", " ", "a b", "a;b", "é", "a\n", "\ud800", "0" * 129])
def test_unreadable_session_cookie(sid: str) -> None:
    """A cookie that cannot be a session's id counts as none."""
    assert _parse(session_cookie=sid) == Absent()
