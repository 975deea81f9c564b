import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchgate.errors import ErrorCode, OAuthError
from latchgate.server.replies import fault_of, reason_of


@pytest.mark.parametrize(
    ("said", "described"),
    [
        ("The code has expired", "The code has expired"),
        ('no "quotes"', "no 'quotes'"),
        ("a\\b\nc\x00d", "a?b?c?d"),
        ("größe\ud800", "gr??e?"),
        ("x" * 600, "x" * 500),
    ],
)
def test_a_description_holds_what_the_rfc_allows(said: str, described: str) -> None:
    """Whatever of a caller's words a refusal repeats is harmless in an answer, an address and a header."""
    error = OAuthError("invalid_grant", said, detail="row 7")

    assert (error.error, error.public, error.detail, error.code) == (
        "invalid_grant",
        described,
        "row 7",
        ErrorCode.OAUTH,
    )


@given(st.text(st.characters()))
def test_every_description_can_be_sent(said: str) -> None:
    """Any text becomes a description of RFC 6749, section 5.2."""
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{0,500}", OAuthError("invalid_request", said).public)


def test_outside_its_own_dialect_it_is_a_400() -> None:
    """An error of OAuth 2 that reaches Frappe's addresses is told there too; a bare 400 keeps its own reason."""
    fault = fault_of(OAuthError("invalid_grant", "no such code"))

    assert (fault.status, fault.exc_type, fault.message) == (400, "OAuthError", "no such code")
    assert reason_of(400) == "bad_request"
