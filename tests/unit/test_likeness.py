"""The comparison of two servers lets random texts pass, and nothing else."""

import pytest

from support.likeness import Likeness

_ONE, _OTHER = b'{"secret":"abcdefghij0123"}', b'{"secret":"ABCDEFGHIJ9876"}'


def test_a_random_text_stands_for_another() -> None:
    """Two texts of the same length at the same place may differ, as long as they always stand for each other."""
    liken = Likeness()

    first = liken(_ONE, _OTHER)
    again = liken(_ONE, _OTHER)

    assert first[0] == first[1]
    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"secret":"abcdefghij0123"}', b'{"secret":"ABCDEFGHIJ0000"}'),
        (b'{"secret":"0000000000abcd"}', b'{"secret":"ABCDEFGHIJ9876"}'),
        (b'{"message":"api"}', b'{"message":"ipa"}'),
        (b'{"secret":"abcdefghijk"}', b'{"secret":"abcdefghijkl"}'),
        (b'{"a":"1"}', b'{"a": "1"}'),
        (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 401 Unauthorized\r\n"),
    ],
    ids=["another partner", "the partner's other", "short", "length", "space", "status"],
)
def test_all_else_is_a_difference(one: bytes, other: bytes) -> None:
    """What is short, of another length, or stands for somebody else already is told apart."""
    liken = Likeness()
    liken(_ONE, _OTHER)

    left, right = liken(one, other)

    assert left != right


def test_moments_are_alike() -> None:
    """Times of two answers a moment apart are the same."""
    left, right = Likeness()(b'"2026-05-01 12:00:00.000001", 1800000000', b'"2026-05-01 12:00:01.000002", 1800000001')

    assert left == right
