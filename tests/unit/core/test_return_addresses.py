"""Where a sign-in may lead: pages of this service, and applications that are named for it, nowhere else."""

import pytest

from latchgate.core.return_addresses import ReturnAddresses

_RETURNS = ReturnAddresses("https://example.com:8443", ("example.com", "example.com:9443"))


@pytest.mark.parametrize("sent", ["/app", "/app?a=b", "https://example.com/x?y=z", "https://example.com:9443/"])
def test_named_places_are_read(sent: str) -> None:
    """As they were sent."""
    assert _RETURNS.read(sent) == sent


def test_this_services_own_address_becomes_a_path() -> None:
    """It is reached by whatever name the browser uses."""
    assert _RETURNS.read("https://example.com:8443/app?a") == "/app?a"


@pytest.mark.parametrize(
    "sent",
    [
        *("", None, 5, "app", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/"),
        *("https://example.com.evil.example/", "https://example.com@evil.example/", "https://example.com:1/"),
        *("https://example.com", "https://example.com\\@evil.example/", "https://example.com//evil.example/"),
        *("https://example.com:9443@evil.example/", "https://example.com:94430/", "http://example.com/"),
        *("HTTPS://EXAMPLE.COM/", "javascript:alert(1)", "https:/example.com/", "https:///example.com/"),
        *("/a b", "/a\tb", "/a\nb", "https://example.com/\r\nx", "https://example.com/é", "/" + "a" * 16_000),
        *("https://example.com:8443.evil.example/", "https://example.com:8443@evil.example/"),
    ],
)
def test_nothing_else_is(sent: object) -> None:
    """Neither other hosts nor other ports, nor what some browser reads as one."""
    assert _RETURNS.read(sent) == ""


@pytest.mark.parametrize(
    ("host", "target", "place"),
    [
        ("example.com", "/a?b", "https://example.com/a?b"),
        ("EXAMPLE.com:443", "/", "https://example.com/"),
        ("example.com:9443", "/a", "https://example.com:9443/a"),
        ("example.com:8443", "/a", None),
        ("app.example.com", "/a", None),
        ("example.com@evil.example", "/a", None),
        ("example.com", "//evil.example", None),
        ("example.com", "/\\evil.example", None),
        ("example.com", "/a b", None),
    ],
)
def test_only_named_hosts_are_led_back_to(host: str, target: str, place: str | None) -> None:
    """What is written is what is read back."""
    assert _RETURNS.write(host, target) == place


def test_an_applications_source_is_told() -> None:
    """The page of the sign-in must say where its form may end."""
    assert _RETURNS.source_of("https://example.com/a") == "https://example.com"
    assert _RETURNS.source_of("/app") == ""
