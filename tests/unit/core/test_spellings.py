"""The usual spelling of a credential: what is taken from it without parsing is what the parser reads."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from latchgate.core.credentials import Bearer, KeyPair, Presented, Scheme, parse_credential
from latchgate.core.spellings import find_spelling, secret_of

_PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
_ANY_TEXT = st.text(min_size=1, max_size=30)


def _value(scheme: Scheme, text: str) -> bytes:
    plain = text.encode("utf-8", "surrogatepass")
    return {
        Scheme.TOKEN: b"token " + plain,
        Scheme.BASIC: b"Basic " + base64.b64encode(plain),
        Scheme.BEARER: b"Bearer " + plain,
    }[scheme]


@given(
    scheme=st.sampled_from([Scheme.TOKEN, Scheme.BASIC, Scheme.BEARER]),
    text=st.builds("{}:{}".format, _PRINTABLE, _PRINTABLE | _ANY_TEXT) | _PRINTABLE | _ANY_TEXT,
)
def test_the_secret_is_the_one_that_is_parsed(scheme: Scheme, text: str) -> None:
    """Of every credential that is spelled in the usual way."""
    presented = Presented("GET", "/", "192.0.2.1", authorization=(_value(scheme, text),))
    match credential := parse_credential(presented):
        case KeyPair(secret=secret) | Bearer(token=secret):
            if find_spelling(presented, credential):
                assert secret_of(presented.authorization[0], credential_scheme(credential)) == secret.text
        case _:
            pass


def credential_scheme(credential: KeyPair | Bearer) -> Scheme:
    """Tell by which scheme it came."""
    return credential.scheme if isinstance(credential, KeyPair) else Scheme.BEARER
