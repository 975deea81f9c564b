from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.access_tokens import (
    StoredToken,
    digest_token,
    judge_token,
    lookup_values,
    parse_foreign_token,
    token_matches,
)
from latchgate.core.credentials import Bearer, parse_credential
from latchgate.core.principals import Reason
from latchgate.core.tokens import Digest, Peppers, Secret, TokenKind, issue_token
from unit.core.examples import NEW_PEPPER, NOW, OLD_PEPPER, PEPPERS, PRESENTED, TOKEN

_TEXT = Secret("bearer-ok-00000000000000000001")
_STORED = replace(TOKEN, digest=digest_token(PEPPERS, TOKEN.id, TOKEN.public_id, _TEXT))
_HERE = frozenset({"https://here.example"})


@given(st.text(st.characters()))
def test_only_the_token_matches(text: str) -> None:
    """A stored token is matched by its own text, byte for byte, and by no other."""
    assert token_matches(PEPPERS, _STORED, _TEXT)
    assert not token_matches(PEPPERS, _STORED, Secret(_TEXT.text.upper()))
    assert token_matches(PEPPERS, _STORED, Secret(text)) == (text == _TEXT.text)


@pytest.mark.parametrize("other", [replace(_STORED, id=12), replace(_STORED, public_id="t-12")])
def test_a_copied_digest_matches_nothing(other: StoredToken) -> None:
    """A digest copied to another token's row does not open that one."""
    assert not token_matches(PEPPERS, other, _TEXT)


def test_what_is_stored_is_no_token() -> None:
    """Neither the digest nor the look-up value can be sent as the token, nor take each other's place."""
    lookup = lookup_values(PEPPERS, _TEXT)[0]

    assert lookup != _STORED.digest.value
    for stored in (lookup, _STORED.digest.value):
        assert not token_matches(PEPPERS, _STORED, Secret(stored.hex()))
        assert lookup not in lookup_values(PEPPERS, Secret(stored.hex()))
    assert not token_matches(PEPPERS, replace(_STORED, digest=Digest(2, lookup)), _TEXT)


def test_lookups_under_each_pepper() -> None:
    """A token is found under whichever pepper it was stored, the newest asked for first."""
    newest, former = (lookup_values(Peppers([pepper]), _TEXT)[0] for pepper in (NEW_PEPPER, OLD_PEPPER))

    assert lookup_values(PEPPERS, _TEXT) == [newest, former]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"expires_at": NOW + 1}, None),
        ({"expires_at": NOW}, Reason.EXPIRED),
        ({"expires_at": NOW - 1}, Reason.EXPIRED),
        ({"revoked_at": NOW - 1}, Reason.REVOKED),
        ({"revoked_at": NOW}, Reason.REVOKED),
        ({"revoked_at": NOW + 1}, Reason.REVOKED),
        ({"revoked_at": NOW, "expires_at": NOW}, Reason.REVOKED),
        ({"audience": _HERE}, None),
        ({"audience": _HERE | {"https://there.example"}}, None),
        ({"audience": frozenset({"https://there.example"})}, Reason.OTHER_AUDIENCE),
        ({"audience": frozenset({"https://here.example/"})}, Reason.OTHER_AUDIENCE),
        ({"client_roles": frozenset({"Auditor", "All"})}, None),
        ({"client_roles": frozenset({"Report Manager"})}, None),
        ({"client_roles": frozenset({"Auditor"})}, Reason.CLIENT_ROLE_MISSING),
        ({"client_roles": frozenset({"Auditor"}), "audience": _HERE}, Reason.CLIENT_ROLE_MISSING),
        ({"client_roles": frozenset({"Auditor"}), "expires_at": NOW}, Reason.EXPIRED),
    ],
)
def test_judge_token(changes: dict[str, object], reason: Reason | None) -> None:
    """A token ends at the second that it says, at once when revoked, and opens what it is for to whom it is for."""
    assert judge_token(replace(_STORED, **changes), NOW, "https://here.example") == reason  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_TEXT.text, None),
        ("x" * 16, None),
        ("x" * 512, None),
        ("aB0-._~+/aB0-._~+/==", None),
        (issue_token(TokenKind.ACCESS_TOKEN, bytes(24)), None),
        ("", "must be"),
        ("x" * 15, "must be"),
        ("x" * 513, "must be"),
        ("x" * 16 + " ", "must be"),
        ("x" * 16 + "\n", "must be"),
        ("key:secret-secret", "must be"),
        ("ü" * 16, "must be"),
        ("lga_foreign-token-one", "do not fit"),
    ],
)
def test_foreign_tokens(text: str, told: str | None) -> None:
    """A token made elsewhere is taken if the header can carry it and it does not pass for a mistyped one of ours."""
    problem = parse_foreign_token(Secret(text))

    assert problem is None if told is None else problem is not None and told in problem


@given(st.from_regex(r"[!-~]{10,20}", fullmatch=True) | st.text("aZ0-._~+/", min_size=15).map(lambda text: text + "="))
def test_a_foreign_token_that_is_taken_works(text: str) -> None:
    """Whatever token import takes comes out of the parser as it is."""
    if parse_foreign_token(Secret(text)) is None:
        assert parse_credential(replace(PRESENTED, authorization=(f"Bearer {text}".encode(),))) == Bearer(Secret(text))
