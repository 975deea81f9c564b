"""What tells an application who asks is known by its name, and nothing that a caller sends is remembered for long."""

import tracemalloc

import pytest

from latchgate.middleware.sent_names import is_identity_header


@pytest.mark.parametrize(
    ("name", "tells"),
    [
        (b"x-forwarded-preferred-username", True),
        (b"x~forwarded~preferred~username", True),
        (b"x-forwarded-preferred-username2", False),
        (b"x-forwarded-preferred-username-and-more", False),
        (b"x-auth-request-" + b"a" * 10_000, True),
        (b"y" * 10_000, False),
    ],
)
def test_a_long_name_is_told_by_its_beginning(name: bytes, *, tells: bool) -> None:
    """What only begins as a name goes on to the application; what has one of our beginnings does not."""
    assert is_identity_header(name) is tells


def test_long_names_take_no_memory() -> None:
    """A caller chooses names, and servers let them be long: what was remembered of 64 such took a megabyte."""
    tracemalloc.start()
    try:
        for number in range(64):
            is_identity_header(b"%d" % number + b"x" * 16_384)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 100_000
