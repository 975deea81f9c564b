"""Which spelling of a credential is the usual one: a credential has endless others, and only this one is remembered."""

import base64

from latchgate.core.credentials import Bearer, Credential, KeyPair, Presented, Scheme

__all__ = ["find_spelling", "secret_of"]

_WORDS = {
    Scheme.TOKEN: frozenset({b"token", b"Token"}),
    Scheme.BASIC: frozenset({b"Basic", b"basic"}),
    Scheme.BEARER: frozenset({b"Bearer", b"bearer"}),
}


def find_spelling(presented: Presented, credential: Credential) -> tuple[bytes, bytes | None] | None:
    """Give the header's and the source header's value if they spell the credential in the usual way, else None.

    Args:
        presented: The request.
        credential: What was parsed from it; sessions and clients have no spelling.
    """
    if len(presented.authorization) != 1 or len(presented.source) > 1:
        return None
    value = presented.authorization[0]
    source = presented.source[0] if presented.source else None
    word, _, rest = value.partition(b" ")
    match credential:
        case KeyPair(scheme=scheme, source=named):
            # Base64 may end in bits that mean nothing, so that one pair is written in many ways.
            plain = scheme is not Scheme.BASIC or base64.b64encode(base64.b64decode(rest)) == rest
            usual = word in _WORDS[scheme] and plain and source in {None, named.encode()}
        case Bearer():
            # Whatever the source header says does not concern it: any value would be another spelling.
            usual = word in _WORDS[Scheme.BEARER] and source is None
        case _:
            usual = False
    return (value, source) if usual and value == value.strip(b" \t") else None


def secret_of(value: bytes, scheme: Scheme) -> str:
    """Give the secret in a header's value of the usual spelling, as `parse_credential` does, which has read it before.

    Args:
        value: The header's.
        scheme: By which it was read; not of a session, nor a client's.
    """
    rest = value.partition(b" ")[2]
    if scheme is Scheme.BEARER:
        return rest.decode("ascii")
    pair = base64.b64decode(rest) if scheme is Scheme.BASIC else rest
    return pair.partition(b":")[2].decode()
