"""The other remote methods, and whatever is at no address: who may ask, and how a refusal is written."""

import pytest

from latchgate import __version__
from support.asgi import LOGGED_USER, Pair, Service
from support.envelopes import assert_page, assert_refused, assert_refused_v2, assert_shown

API = "api@example.com"
PING = "/api/method/ping"
VERSIONS = "/api/method/frappe.utils.change_log.get_versions"


# 200


@pytest.mark.parametrize("target", [PING, "/api/method/frappe.ping", "/api/v1/method/ping", PING + "/", "/?cmd=ping"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_anybody_may_ping(service: Service, target: str, method: str) -> None:
    """Whether the service answers is no secret; without a credential there is no row."""
    answer = service.ask(target, method=method)

    assert answer.document == {"message": "pong"}
    assert answer.rows == ()


def test_version_2_pings_in_its_envelope(service: Service) -> None:
    """The same word under `data`."""
    assert service.ask("/api/v2/method/ping").document == {"data": "pong"}


def test_a_ping_with_a_credential_leaves_a_row(service: Service, credential: str) -> None:
    """Whoever says who they are is logged, also where nobody asked."""
    answer = service.ask(PING, credential)

    assert answer.document == {"message": "pong"}
    assert answer.row.user == API


def test_versions_name_latchgate(service: Service, api_key: Pair) -> None:
    """What answers is told to users, by its own name."""
    answer = service.ask(VERSIONS, api_key.token)

    assert answer.document == {"message": {"latchgate": {"title": "Latchgate", "version": __version__}}}


@pytest.mark.parametrize("target", [PING, VERSIONS, "/api/method/login", "/login", "/me", "/nowhere", "/"])
def test_options_is_answered_everywhere(service: Service, target: str) -> None:
    """A preflight gets an empty 200 that allows other sites nothing."""
    asked = [("origin", "https://other.example"), ("access-control-request-method", "POST")]

    answer = service.ask(target, method="OPTIONS", headers=asked)

    assert (answer.status, answer.body) == (200, b"")
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]


# 400


@pytest.mark.parametrize("target", ["/api/method/login", "/"])
def test_a_body_that_cannot_be_read_is_told_so(service: Service, target: str) -> None:
    """Where a body is read, it must be what its type says; the credential is judged first."""
    fields = [("content-type", "application/json")]

    answer = service.ask(target, method="POST", headers=fields, body=b"{")
    wrong = service.ask(target, "token a:b", method="POST", headers=fields, body=b"{")

    assert answer.status == 400
    assert wrong.status == 401


def test_a_method_without_arguments_reads_no_body(service: Service) -> None:
    """What nobody wants is not parsed, whatever it claims to be: it could only cost time."""
    answer = service.ask(PING, method="POST", headers=[("content-type", "application/json")], body=b"{")

    assert (answer.status, answer.document) == (200, {"message": "pong"})


# 401


@pytest.mark.parametrize("target", [PING, "/api/method/nope", "/api/nope", "/nowhere", "/livez", "/assets/desk.css"])
def test_a_bad_credential_is_refused_before_anything_is_looked_up(service: Service, target: str) -> None:
    """Nobody's address excuses a wrong key, and each attempt is in the log."""
    answer = service.ask(target, "token a:b")

    assert assert_refused(answer, 401, "AuthenticationError") == ""
    assert answer.row.path == target


# 403


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("authorized", [True, False])
def test_other_http_methods_are_not_permitted(service: Service, api_key: Pair, method: str, authorized: bool) -> None:
    """As recorded: what an address does not take is a 403 with the challenge, for guests and users alike."""
    answer = service.ask(PING, api_key.token if authorized else None, method=method)

    assert assert_refused(answer, 403, "PermissionError") == "Not permitted"
    assert answer.header("www-authenticate")
    assert [row.reason for row in answer.rows] == ["not_permitted"] * authorized


def test_versions_are_not_for_guests(service: Service) -> None:
    """A guest is told to sign in, by the method's name."""
    assert "get_versions" in assert_refused(service.ask(VERSIONS), 403, "PermissionError")


# 404


@pytest.mark.parametrize(
    "target", ["/nowhere", "/api", "/api/", "/api/nope", "/api/method", "/apps", "/assets", "/setup"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_where_nothing_is_nothing_is_found(service: Service, target: str, method: str) -> None:
    """An unknown address is a 404, whoever asks by whichever method."""
    assert target.rstrip("/") in assert_refused(service.ask(target, method=method), 404, "DoesNotExistError")


def test_version_2_finds_nothing_in_its_envelope(service: Service, api_key: Pair) -> None:
    """The same under `errors`, with a row that says so."""
    answer = service.ask("/api/v2/nope", api_key.token)

    assert "/api/v2/nope" in assert_refused_v2(answer, 404, "DoesNotExistError")
    assert (answer.row.user, answer.row.status, answer.row.reason) == (API, 404, "not_found")


def test_a_person_is_shown_that_nothing_is_there(service: Service) -> None:
    """A browser gets a page, in which the address is text and nothing else."""
    answer = service.ask("/%3Cscript%3Ealert(1)%3C/script%3E", headers=[("accept", "text/html")])

    assert "&lt;script&gt;" in assert_shown(answer, 404)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/api/method/ping",
        "/api//method/ping",
        "/api/method/../method/ping",
        "/API/method/ping",
        "/api/method/ping/x",
        "/api/method/ping%00",
        "/api/method/ping%2F..%2Flogin",
        "/.well-known/",
        "/.well-known/openid-configuration/x",
        "/setup",
    ],
)
def test_an_address_is_never_bent_into_another(service: Service, target: str) -> None:
    """Nothing is normalised: what is not spelt as it should be is not there."""
    assert service.ask(target).status in {404, 417}


# 417


@pytest.mark.parametrize("name", ["nope", "frappe.client.submit", "__class__", "ping.x", "Ping", "ping ", "%2e%2e", ""])
def test_there_is_no_method_but_those_listed(service: Service, name: str) -> None:
    """An unknown name is told so, as recorded, to guests too."""
    target = f"/api/method/{name.replace(' ', '%20')}"

    assert "no method" in assert_refused(service.ask(target), 417, "ValidationError")


def test_version_2_and_cmd_know_no_other_method(service: Service, api_key: Pair) -> None:
    """The same in each form, with a row that says why."""
    answer = service.ask("/api/v2/method/nope", api_key.token)

    assert "'nope'" in assert_refused_v2(answer, 417, "ValidationError")
    assert answer.row.reason == "invalid"
    assert "'nope'" in assert_refused(service.post("/", {"cmd": "nope"}, form=True), 417, "ValidationError")


@pytest.mark.parametrize("name", ["%1b[31m", "%e2%80%ae", "a" * 5000, "%00", "%ff", "'\"<b>"])
def test_a_method_s_name_is_repeated_in_safe_letters(service: Service, name: str) -> None:
    """What the caller wrote is escaped and cut where the answer shows it."""
    message = assert_refused(service.ask(f"/api/method/{name}"), 417, "ValidationError")

    assert message.isprintable()
    assert len(message) < 200


# HTML for whoever asks for it


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "text/plain"])
@pytest.mark.parametrize(("authorization", "status"), [("token a:b", 401), ("Basic abc", 400), (None, 403)])
def test_whoever_asks_for_a_page_gets_one(
    service: Service, accept: str, authorization: str | None, status: int
) -> None:
    """The status and headers of a refusal stay; its body is a page for people."""
    answer = service.ask(authorization=authorization, headers=[("accept", accept)])

    assert_shown(answer, status)
    assert (answer.header("www-authenticate") is not None) == (status in {401, 403})


def test_a_script_in_a_page_gets_json(service: Service) -> None:
    """XMLHttpRequest says so by a header, and counts more than Accept, as recorded."""
    headers = [("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]

    assert_refused(service.ask(authorization="token a:b", headers=headers), 401, "AuthenticationError")


def test_the_start_is_for_whoever_is_signed_in(service: Service, api_key: Pair) -> None:
    """The first page sends guests to sign in and shows users their account, as recorded for tokens."""
    guest = service.ask("/", headers=[("accept", "text/html")])

    assert (guest.status, guest.header("location")) == (303, "/login")
    assert API in assert_page(service.ask("/", api_key.token))
    assert_shown(service.ask("/", "token a:b"), 401)


def test_a_request_id_is_never_the_caller_s(service: Service, api_key: Pair) -> None:
    """Each answer has an id of its own, whatever the request brought along."""
    asked = [service.ask(LOGGED_USER, api_key.token, headers=[("x-request-id", "mine")]) for _ in range(2)]

    assert len({"mine", *(answer.header("x-request-id") for answer in asked)}) == 3
