import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.log_entries import LogEntry, blank_secrets, escape
from latchgate.core.tokens import TokenKind, entropy_bytes, issue_token

_ANY_TEXT = st.text(st.characters())
_HIDDEN = "S3cr3tV4lue"
_SECRET_NAMES = [
    *(
        "access_token",
        "refresh_token",
        "id_token",
        "id_token_hint",
        "token",
        "csrf_token",
        "auth_token",
        "X-Auth-Token",
    ),
    *("code", "code_verifier", "device_code", "user_code", "client_secret", "client_assertion", "assertion"),
    *("api_secret", "api_key", "apikey", "key", "secret", "X-Api-Key", "private_key", "password", "new_password"),
    *("password2", "pwd", "passwd", "passphrase", "pass", "sid", "session_id", "sessionid", "signature", "sig", "otp"),
    *("jwt", "auth", "authorization", "credentials", "user[password]", "token[]", "login.password"),
]
_PLAIN = "doctype=User&fields=[%22name%22]&limit=20&order_by=creation+desc&usr=a@example.com&grant=x&next=/app?a=b;c=d"

_ENTRY = LogEntry(
    time=1,
    request_id="r",
    user="api@example.com",
    api_key="k",
    scheme="token",
    source="User",
    method="GET",
    path="/",
    status=200,
    seconds=0.1,
    ip_address="192.0.2.1",
    user_agent="",
    reason=None,
    user_id=7,
)


def _unescape(text: str) -> str:
    return re.sub(
        r"\\(?:\\|x(..)|u(....)|U(.{8}))",
        lambda match: chr(int(match[1] or match[2] or match[3], 16)) if match.lastindex else "\\",
        text,
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("/api/method/ping?a=ü 名", "/api/method/ping?a=ü 名"),
        ("a\r\nb", r"a\x0d\x0ab"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x00\x7f\x85", r"\x00\x7f\x85"),
        ("a\u00a0b", r"a\xa0b"),
        ("\u2028\u202e\u2066\ufeff\u061c\u200d", r"\u2028\u202e\u2066\ufeff\u061c\u200d"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800\uffff", r"\ud800\uffff"),
        ("\\x0a", r"\\x0a"),
        ("\\", "\\\\"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    """What could break, reorder or hide a line is written as its number."""
    assert escape(text, 100) == escaped


@given(_ANY_TEXT)
def test_nothing_escaped_can_forge_a_row(text: str) -> None:
    """What is written holds no control, reordering or invisible character, and can be encoded."""
    escaped = escape(text, 1000)

    assert escaped.isprintable()
    assert {unicodedata.category(character) for character in escaped}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert {unicodedata.bidirectional(character) for character in escaped}.isdisjoint(
        {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    )
    assert escaped.encode().decode() == escaped


@given(_ANY_TEXT)
def test_different_texts_stay_different(text: str) -> None:
    """Nothing is lost: what was written leads back to what was sent, so that no two texts look alike."""
    assert _unescape(escape(text, 10 * len(text) + 1)) == text


@given(_ANY_TEXT, st.integers(1, 20))
def test_escaped_text_is_cut(text: str, length_max: int) -> None:
    """Nothing longer than the limit is written, and a cut is seen."""
    escaped, whole = escape(text, length_max), escape(text, 1000)

    assert len(escaped) <= length_max
    assert escaped == (whole if len(whole) <= length_max else whole[: length_max - 1] + "…")


@pytest.mark.parametrize("name", _SECRET_NAMES)
def test_secret_parameters(name: str) -> None:
    """The value of a parameter that is named like a secret is not written, wherever it stands."""
    for before in ("", "a=b&", "a=b;", "a=b&&", "a=/x?", ";", "?", "=&"):
        for after in ("", "&c=d"):
            target = f"/api/method/ping?{before}{name}={_HIDDEN}{after}"

            assert blank_secrets(target) == f"/api/method/ping?{before}{name}=***{after}"


@given(st.sampled_from(_SECRET_NAMES), st.data())
def test_secret_parameters_in_any_spelling(name: str, data: st.DataObject) -> None:
    """Neither case nor percent-encoding hides a parameter's name."""
    spellings = [data.draw(st.sampled_from([one, one.upper(), one.lower(), f"%{ord(one):02x}"])) for one in name]

    assert _HIDDEN not in blank_secrets(f"/x?a=b&{''.join(spellings)}={_HIDDEN}&c=d")


@pytest.mark.parametrize(
    "target",
    [
        f"/api/method/frappe.client.set_value?doctype=User&fieldname=new_password&value={_HIDDEN}",
        f'/api/method/frappe.client.set_value?fieldname={{"new_password":"{_HIDDEN}"}}',
        f"/?cmd=frappe.client.insert&doc=%7B%22new_password%22%3A%22{_HIDDEN}%22%7D",
        f'/api/method/frappe.client.insert_many?docs=[{{"x":"{_HIDDEN}"}}]',
        f'/api/resource/User/w@x.org?data={{"first_name":"{_HIDDEN}"}}',
        f"/api/resource/User?filters=%5B%5B%22new_password%22%2C%22%3D%22%2C%22{_HIDDEN}%22%5D%5D",
        f"/api/resource/User?Value={_HIDDEN}",
        f"/api/method/frappe.client.set_value?fieldname=%7B%22new_p%5Cu0061ssword%22:%22{_HIDDEN}%22%7D",
    ],
)
def test_records_in_an_address_are_hidden(target: str) -> None:
    """Frappe's clients may send a record, or the value of any field, as an argument: a password among them."""
    shown = blank_secrets(target)

    assert _HIDDEN not in shown
    assert shown.startswith(target.partition("?")[0])


@pytest.mark.parametrize("query", ["fields=[%22api_key%22]", "filters={%22status%22:200}", "doctype=User&name=w@x.org"])
def test_plain_questions_are_shown(query: str) -> None:
    """What names no secret tells who asked for what."""
    assert blank_secrets(f"/api/resource/User?{query}") == f"/api/resource/User?{query}"


@pytest.mark.parametrize(
    "value", [f"{_HIDDEN};rest", f"{_HIDDEN}#rest", f"{_HIDDEN}=rest", f"{_HIDDEN}?a=rest", "rest"]
)
def test_a_secret_is_hidden_to_its_end(value: str) -> None:
    """A semicolon or number sign may be part of a password: all up to the next `&` is hidden."""
    assert blank_secrets(f"/x?password={value}&c=d") == "/x?password=***&c=d"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (f"/x;sid={_HIDDEN}", "/x;sid=***"),
        (f"/x;sid={_HIDDEN}?a=b", "/x;sid=***"),
        (f"/x&token={_HIDDEN}", "/x&token=***"),
        ("/x?token=", "/x?token=***"),
        ("/x?token", "/x?token"),
        ("/token/x", "/token/x"),
        ("/x?a=token", "/x?a=token"),
        ("/x?a%5B%5D=b", "/x?a%5B%5D=***"),
        ("/a%20b=c?d=e", "/a%20b=c?d=e"),
        (f"/setup/{_HIDDEN}", "/setup/***"),
        (f"/SETUP/{_HIDDEN}?a=b", "/SETUP/***?a=b"),
        (f"/reset-password/{_HIDDEN}/x", "/reset-password/***/x"),
        ("/setup/", "/setup/"),
        ("/app/setup/x", "/app/setup/x"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_blank_secrets(target: str, shown: str) -> None:
    """Secrets in a path or in odd places are hidden, and nothing else."""
    assert blank_secrets(target) == shown


@given(st.sampled_from(_SECRET_NAMES), st.from_regex(r"[A-Za-z0-9._~+/;=?:@-]*", fullmatch=True))
def test_the_rest_is_kept(name: str, value: str) -> None:
    """All other parameters are written as they were sent."""
    path, others = f"/api/resource/User?{_PLAIN}", _PLAIN

    assert blank_secrets(f"{path}&{name}={value}&{others}") == f"{path}&{name}=***&{others}"


@pytest.mark.parametrize("kind", [kind for kind in TokenKind if kind is not TokenKind.KEY_ID])
@pytest.mark.parametrize(
    "around", ["/api/{}", "/x?q={}", "/x?{}", "//setup/{}", "http://host/set%75p/{}", "/x?a=%22{}%22"]
)
def test_our_own_secrets_are_known_anywhere(kind: TokenKind, around: str) -> None:
    """A secret made here is recognised by its prefix and hidden wherever it was put."""
    token = issue_token(kind, bytes(range(entropy_bytes(kind))))

    assert blank_secrets(around.format(token)) == around.format(f"{kind.value}***")


def test_key_ids_are_shown() -> None:
    """The public half of a key is no secret."""
    key_id = issue_token(TokenKind.KEY_ID, bytes(12))

    assert blank_secrets(f"/api/resource/API Key/{key_id}") == f"/api/resource/API Key/{key_id}"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["?%", "&%", ";a", "?=", "token", "?token", "=%", "/setup/", "%", "[", "lgs_", "&a=b;"]
)
def test_long_targets_take_no_time(piece: str) -> None:
    """The longest target that a server takes is read in one go, whatever it is made of."""
    target = (piece * 70_000)[:65_536]

    assert len(blank_secrets(target)) <= 2 * len(target)


def test_documents_have_the_promised_names() -> None:
    """A row is shown under the names that do not change, its reason only when it was refused."""
    names = {"time", "request_id", "user", "api_key", "scheme", "source", "method", "path", "status", "seconds"}

    assert _ENTRY.document().keys() == names | {"ip_address", "user_agent"}
    refused = replace(_ENTRY, reason="expired").document()
    assert refused.keys() == names | {"ip_address", "user_agent", "reason"}
    assert refused["reason"] == "expired"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/x?q=l%67s_abcDEF123", "/x?q=lgs_***"),
        ("/x?pwd=hu%26nter2&t=abcdef012345678%3Aabcdef012345678", "/x?pwd=***&t=abcdef012345678:***"),
        ("/l%67s_abc/%2e%2e?a=b&c=%3F", "/lgs_***/..?a=b&c=%3F"),
        ("/x?q=%3F&r=/%2e", "/x?q=%3F&r=/%2e"),
    ],
)
def test_a_secret_written_with_percent_signs_is_blanked(target: str, shown: str) -> None:
    """Only the piece that holds it is shown decoded; what stands beside it stays as it was sent."""
    assert blank_secrets(target) == shown
