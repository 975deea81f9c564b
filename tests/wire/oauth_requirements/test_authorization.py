"""RFC 6749, the authorization endpoint: every MUST, row by row."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from latchgate.errors import Invalid
from support.asgi import Answer
from support.oauth import CALLBACK, ENDPOINTS, fields_of_form, told_in
from wire.oauth_requirements.rows import HERE, OTHER_CALLBACK, PAGE, USER, Row, World, given, is_same_host, names, told

_SCRIPT = "\"><script>alert('1')</script>"


def _posted(world: World) -> Answer:
    return world.oauth.send("authorize", world.oauth.request(world.web))


def _approved(world: World, **changes: str | None) -> Answer:
    page = world.ask(**{"prompt": "consent", **changes})
    return world.oauth.decide(page, USER)


def _denied(world: World) -> Answer:
    return world.oauth.decide(world.ask(prompt="consent"), USER, "deny")


def _cannot_be_made(**order: object) -> Callable[[World], bool]:
    def holds(world: World) -> bool:
        with pytest.raises(Invalid):
            world.oauth.make(**order)
        return True

    return holds


def _without_csrf(world: World) -> Answer:
    fields = [pair for pair in fields_of_form(world.ask(prompt="consent").text) if pair[0] != "csrf_token"]
    return world.oauth.send("approve", [*fields, ("decision", "allow")], user=USER)


def _asked_by_get(world: World) -> Answer:
    query = urlencode([*world.oauth.request(world.web), ("decision", "allow")])
    return world.oauth.service.ask(f"{ENDPOINTS}approve?{query}", headers=[("cookie", f"sid={world.oauth.sid(USER)}")])


def _no_code(answer: Answer) -> bool:
    return answer.status in {400, 403} and answer.header("location") is None


def _unframed(answer: Answer) -> bool:
    policy = answer.header("content-security-policy") or ""
    return PAGE(answer) and answer.header("x-frame-options") == "DENY" and "frame-ancestors 'none'" in policy


ROWS = (
    Row(
        "RFC 6749",
        "2.2",
        "A client id is not a secret: alone it opens nothing for a confidential client",
        lambda w: w.oauth.send("get_token", {"grant_type": "client_credentials", "client_id": w.web.client_id}),
        lambda answer: answer.status == 401,
    ),
    Row(
        "RFC 6749",
        "3.1",
        "The user is identified first",
        lambda w: w.ask(user=""),
        lambda answer: answer.status == 302 and is_same_host(answer.header("location"), "/login"),
    ),
    Row("RFC 6749", "3.1", "GET is supported", lambda w: w.ask(), given),
    Row(
        "RFC 6749",
        "3.1",
        "POST may be supported: it is asked again by GET",
        _posted,
        lambda answer: answer.status == 303 and is_same_host(answer.header("location"), f"{ENDPOINTS}authorize"),
    ),
    Row(
        "RFC 6749",
        "3.1",
        "A parameter without a value counts as absent: state",
        lambda w: _approved(w, state=""),
        lambda answer: "state" not in told_in(answer.header("location")),
    ),
    Row(
        "RFC 6749",
        "3.1",
        "A parameter without a value counts as absent: response_type",
        lambda w: w.ask(response_type=""),
        told("invalid_request"),
    ),
    Row("RFC 6749", "3.1", "Unknown parameters are ignored", lambda w: w.ask_twice("nobody_knows", "this"), given),
    Row(
        "RFC 6749",
        "3.1",
        "No parameter comes twice: scope",
        lambda w: w.ask_twice("scope", "all"),
        told("invalid_request"),
    ),
    Row(
        "RFC 6749",
        "3.1",
        "No parameter comes twice: one that nobody knows",
        lambda w: w.oauth.ask([*w.oauth.request(w.web), ("x", "1"), ("x", "2")], USER),
        told("invalid_request"),
    ),
    Row(
        "RFC 6749",
        "3.1",
        "No parameter comes twice: redirect_uri",
        lambda w: w.ask_twice("redirect_uri", CALLBACK),
        HERE,
    ),
    Row(
        "RFC 6749",
        "3.1",
        "No parameter comes twice: client_id",
        lambda w: w.ask_twice("client_id", w.web.client_id),
        HERE,
    ),
    Row(
        "RFC 6749",
        "3.1.1",
        "A missing response_type is an error",
        lambda w: w.ask(response_type=None),
        told("invalid_request"),
    ),
    Row(
        "RFC 6749",
        "3.1.1",
        "An unknown response_type is an error",
        lambda w: w.ask(response_type="code nope"),
        told("unsupported_response_type"),
    ),
    Row("RFC 6749", "3.1.2", "A redirect URI is absolute", holds=_cannot_be_made(redirect_uris=("/cb",))),
    Row(
        "RFC 6749",
        "3.1.2",
        "A redirect URI has no fragment",
        holds=_cannot_be_made(redirect_uris=("https://app.example/cb#part",)),
    ),
    Row(
        "RFC 6749",
        "3.1.2",
        "The query of a redirect URI is kept as it is",
        lambda w: w.oauth.decide(w.ask(w.two, redirect_uri=OTHER_CALLBACK, prompt="consent"), USER),
        lambda answer: (answer.header("location") or "").startswith(f"{OTHER_CALLBACK}&code="),
    ),
    Row(
        "RFC 6749",
        "3.1.2.1",
        "The redirect URI should be protected: http to another machine cannot be registered",
        holds=_cannot_be_made(redirect_uris=("http://app.example/cb",)),
    ),
    Row(
        "RFC 6749",
        "3.1.2.2",
        "Redirect URIs are registered before they are used",
        holds=_cannot_be_made(redirect_uris=()),
    ),
    Row("RFC 6749", "3.1.2.3", "Of several, a request names one", lambda w: w.ask(w.two, redirect_uri=None), HERE),
    Row(
        "RFC 6749",
        "3.1.2.3",
        "What a request names is compared with what was registered",
        lambda w: w.ask(redirect_uri="https://app.example/cb2"),
        HERE,
    ),
    Row(
        "RFC 6749",
        "3.1.2.4",
        "Nobody is redirected to an invalid URI; the user is told",
        lambda w: w.ask(redirect_uri="https://evil.example/"),
        HERE,
    ),
    Row(
        "RFC 6749",
        "3.3",
        "Scopes are compared with upper and lower case told apart",
        lambda w: w.ask(w.narrow, scope="Read"),
        told("invalid_scope"),
    ),
    Row(
        "RFC 6749",
        "3.3",
        "A request without scope gets a documented default: all of the client's",
        lambda w: w.exchange(asked={"scope": None}),
        lambda answer: set(answer.document["scope"].split()) == {"all", "openid", "custom"},
    ),
    Row(
        "RFC 6749",
        "3.3",
        "Where the scope differs from what was asked for, the client is told",
        lambda w: w.exchange(asked={"scope": "custom"}),
        lambda answer: answer.document["scope"] == "custom",
    ),
    Row(
        "RFC 6749",
        "4.1.2",
        "The state comes back as it was sent",
        lambda w: _approved(w, state="a b&c=d/%2F~\"'<"),
        lambda answer: told_in(answer.header("location"))["state"] == "a b&c=d/%2F~\"'<",
    ),
    Row(
        "RFC 6749", "4.1.2.1", "With an unknown client nobody is redirected", lambda w: w.ask(client_id="nosuch"), HERE
    ),
    Row("RFC 6749", "4.1.2.1", "Without a client nobody is redirected", lambda w: w.ask(client_id=None), HERE),
    Row(
        "RFC 6749",
        "4.1.2.1",
        "A client that may not use codes is told unauthorized_client",
        lambda w: w.ask(w.oauth.make(grant_types=frozenset({"client_credentials"}), user=USER)),
        told("unauthorized_client"),
    ),
    Row("RFC 6749", "4.1.2.1", "A user's no is told as access_denied", _denied, told("access_denied")),
    Row(
        "RFC 6749",
        "4.1.2.1",
        "A scope that the client may not ask for is told as invalid_scope",
        lambda w: w.ask(w.narrow, scope="read nope"),
        told("invalid_scope"),
    ),
    Row(
        "RFC 6749",
        "4.1.2.1",
        "error_description holds neither quotes nor backslashes nor other alphabets",
        lambda w: w.ask(prompt='\\"é'),
        lambda answer: set(told_in(answer.header("location"))["error_description"]).isdisjoint('"\\é'),
    ),
    Row(
        "RFC 6749",
        "10.2",
        "A client that cannot prove itself gets nothing again without its user's yes",
        lambda w: (_native(w), _native(w))[1],
        PAGE,
    ),
    Row("RFC 6749", "10.12", "A forged request gives no consent: without the session's token", _without_csrf, _no_code),
    Row("RFC 6749", "10.12", "A forged request gives no consent: by an address alone", _asked_by_get, _no_code),
    Row(
        "RFC 6749", "10.13", "The page of consent is not shown in a frame", lambda w: w.ask(prompt="consent"), _unframed
    ),
    Row(
        "RFC 6749",
        "10.14",
        "What is received is made harmless",
        lambda w: w.ask(prompt="consent", state=_SCRIPT),
        lambda answer: PAGE(answer) and "<script>alert" not in answer.text,
    ),
    Row(
        "RFC 6749",
        "10.15",
        "The endpoint is no open redirector",
        lambda w: w.ask(redirect_uri="https://app.example@evil.example/cb"),
        HERE,
    ),
    Row(
        "RFC 6749",
        "10.16",
        "No implicit grant, whose tokens another client could be given",
        lambda w: w.ask(response_type="token"),
        told("unsupported_response_type"),
    ),
    Row("RFC 6749", "3.1", "TLS", unmet="The operator's: TLS ends at a proxy, and LATCHGATE_PUBLIC_URL says https"),
)


def _native(world: World) -> Answer:
    page = world.ask(world.native, redirect_uri="http://127.0.0.1:5555/cb")
    if PAGE(page):
        world.oauth.decide(page, USER)
    return page


@pytest.mark.parametrize("row", names(ROWS), ids=str)
def test_the_authorization_endpoint_meets_its_requirements(world: World, row: Row) -> None:
    """Each row of RFC 6749 about the authorization endpoint holds."""
    row.check(world)
