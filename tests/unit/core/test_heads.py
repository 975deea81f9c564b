"""What is read of a request's head."""

import pytest

from latchgate.core.heads import find_host


@pytest.mark.parametrize(
    ("values", "host"),
    [
        ([], ""),
        ([b""], ""),
        ([b" App.example.com:443\t"], "App.example.com:443"),
        ([b"open.example.com", b"closed.example.com"], None),
        ([b"a.example.com", b"a.example.com"], None),
    ],
)
def test_one_host_alone_is_a_request_for_it(values: list[bytes], host: str | None) -> None:
    """Of two, even alike, nobody can say which the application behind goes by."""
    headers = [(b"accept", b"*/*"), *((b"host", value) for value in values)]

    assert find_host(headers) == host
