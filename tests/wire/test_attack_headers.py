"""What a caller can do with headers: send them twice, in disguise, or have them dropped. None of it opens anything."""

import itertools

import pytest

from support.asgi import LOGGED_USER, Pair, Service
from support.envelopes import assert_refused

API = "api@example.com"
AUTHORIZATION = "authorization"


# Two Authorization headers: servers differ in which they believe, so neither counts


@pytest.mark.parametrize("names", [*itertools.product(["authorization", "Authorization", "AUTHORIZATION"], repeat=2)])
@pytest.mark.parametrize("target", [LOGGED_USER, "/api/method/ping", "/me", "/livez"])
def test_two_headers_are_refused_however_they_are_spelt(
    service: Service, api_key: Pair, manager_key: Pair, names: tuple[str, str], target: str
) -> None:
    """Two good credentials are none, on public addresses too."""
    answer = service.ask(target, headers=[(names[0], api_key.token), (names[1], manager_key.token)])

    assert answer.status == 400
    assert (answer.row.user, answer.row.api_key, answer.row.reason) == (None, None, "two_authorization_headers")


@pytest.mark.parametrize("other", ["", " ", "token", "Basic YTpi", "Negotiate x"])
@pytest.mark.parametrize("first", [True, False])
def test_a_second_header_counts_whatever_it_holds(service: Service, api_key: Pair, other: str, first: bool) -> None:
    """An empty one beside a good one is still the second, and so is the same one again."""
    values = [other, api_key.token] if first else [api_key.token, other]

    for pair in (values, [api_key.token, api_key.token]):
        answer = service.ask(headers=[(AUTHORIZATION, value) for value in pair])
        assert "more than one" in assert_refused(answer, 400, "InvalidAuthorizationToken")


def test_headers_that_a_server_joined_are_refused(service: Service, api_key: Pair, manager_key: Pair) -> None:
    """Some servers make one header of two, with a comma."""
    for joined in (f"{api_key.token}, {manager_key.token}", f"{api_key.token},", f", {api_key.token}"):
        assert_refused(service.ask(authorization=joined), 401, "AuthenticationError")


# Names that mean the same to somebody else


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_AUTHORIZATION",
        "HTTP-Authorization",
        "X-Authorization",
        "X-Original-Authorization",
        "X-Forwarded-Authorization",
        "Proxy-Authorization",
        "Authorization_",
        "Authori\u017fation",
        "X-Api-Key",
    ],
)
def test_a_header_like_it_is_not_it(service: Service, api_key: Pair, name: str) -> None:
    """A credential under another name is none, and no second one beside the real."""
    assert_refused(service.ask(headers=[(name, api_key.token)]), 403, "PermissionError")
    assert service.ask(authorization=api_key.token, headers=[(name, "token a:b")]).document == {"message": API}


@pytest.mark.parametrize(
    "name", ["Frappe_Authorization_Source", "frappe_authorization_source", "X-Frappe-Authorization-Source"]
)
def test_an_underscore_names_no_source(service: Service, api_key: Pair, name: str) -> None:
    """Only the header itself chooses where a key is looked up."""
    assert service.ask(authorization=api_key.token, headers=[(name, "Event Consumer")]).status == 200


@pytest.mark.parametrize("value", ["close, Authorization", "authorization", "keep-alive, Authorization, Cookie"])
def test_no_caller_takes_a_header_away(service: Service, api_key: Pair, value: str) -> None:
    """`Connection` may name headers for the next hop to drop; here the credential counts all the same."""
    assert service.ask(authorization=api_key.token, headers=[("connection", value)]).document == {"message": API}
    assert_refused(service.ask(authorization="token a:b", headers=[("connection", value)]), 401, "AuthenticationError")


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"])
def test_no_header_is_another_method(service: Service, manager_key: Pair, name: str) -> None:
    """A GET stays a GET, so that what only a POST may do is not done by a link."""
    target = f"/api/method/frappe.core.doctype.user.user.generate_keys?user={API}&_method=POST"

    assert_refused(service.ask(target, manager_key.token, headers=[(name, "POST")]), 403, "PermissionError")


@pytest.mark.parametrize(
    "name", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix", "Forwarded"]
)
def test_no_header_is_another_address(service: Service, name: str) -> None:
    """What is asked for is the request's own target."""
    answer = service.ask(headers=[(name, "/api/method/ping")])

    assert_refused(answer, 403, "PermissionError")
