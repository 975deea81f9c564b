"""RFC 6750, RFC 9728, RFC 8707 and the MCP text, on the side where tokens are used: row by row."""

import pytest

from latchgate.services.port_values import UserChanges
from latchgate.services.actors import COMMAND_LINE
from support.asgi import LOGGED_USER, Answer
from support.oauth import ENDPOINTS
from wire.oauth_requirements.rows import RESOURCE, USER, Row, World, answered, names, told

_USERS = "/api/resource/User"
_PROFILE = f"{ENDPOINTS}openid_profile"


def _challenged(status: int, *parts: str, without: str = "\x00") -> object:
    def check(answer: Answer) -> bool:
        challenge = answer.header("www-authenticate") or ""
        assert challenge.startswith("Bearer "), challenge
        names_found = [part.strip().partition("=")[0] for part in challenge.removeprefix("Bearer ").split(",")]
        assert len(names_found) == len(set(names_found)), challenge
        return answer.status == status and all(part in challenge for part in parts) and without not in challenge

    return check


def _narrow(world: World) -> str:
    token: str = world.tokens(world.narrow, scope="read openid")["access_token"]
    return token


def _elsewhere(world: World) -> Answer:
    return world.call(world.tokens(resource=RESOURCE)["access_token"])


def _expired(world: World) -> Answer:
    token = world.tokens()["access_token"]
    world.oauth.age("oauth_token", "expires_at", 3601)
    return world.call(token)


def _by_form(world: World) -> Answer:
    return world.oauth.send(LOGGED_USER, {"access_token": world.tokens()["access_token"]})


def _by_query(world: World) -> Answer:
    return world.get(f"{LOGGED_USER}?access_token={world.tokens()['access_token']}")


def _by_cookie(world: World) -> Answer:
    return world.get(LOGGED_USER, ("cookie", f"sid={world.tokens()['access_token']}"))


ROWS = (
    Row(
        "RFC 6750",
        "2.1",
        "A token in the Authorization header is taken",
        lambda w: w.call(w.tokens()["access_token"]),
        lambda answer: answer.status == 200 and answer.document["message"] == USER,
    ),
    Row(
        "RFC 6750",
        "2",
        "One way to send a token in a request; in the header alone: not in a form",
        _by_form,
        _challenged(403),
    ),
    Row("RFC 6750", "2.3", "A token in an address is not taken, where logs would keep it", _by_query, _challenged(403)),
    Row(
        "RFC 6750",
        "3",
        "Whoever sends nothing is told the scheme, and no error",
        lambda w: w.get(LOGGED_USER),
        _challenged(403, without="error"),
    ),
    Row(
        "RFC 6750",
        "3",
        "Whoever sends a token that opens nothing is told the scheme",
        lambda w: w.call("unknown-token"),
        _challenged(401),
    ),
    Row(
        "RFC 6750",
        "3.1",
        "An unknown token is invalid_token",
        lambda w: w.call("unknown-token"),
        _challenged(401, 'error="invalid_token"'),
    ),
    Row("RFC 6750", "3.1", "An expired token is invalid_token", _expired, _challenged(401, 'error="invalid_token"')),
    Row(
        "RFC 6750",
        "3.1",
        "A scope that is too small is insufficient_scope, and which is needed is told",
        lambda w: w.oauth.service.ask("/api/resource/API%20Key", f"Bearer {_narrow(w)}", method="POST"),
        _challenged(403, 'error="insufficient_scope"', 'scope="'),
    ),
    Row(
        "RFC 6750",
        "3.1",
        "A scope that is too small is insufficient_scope: at the user's claims",
        lambda w: w.call(w.tokens(w.narrow, scope="read")["access_token"], _PROFILE),
        _challenged(403, 'error="insufficient_scope"', 'scope="openid"'),
    ),
    Row("RFC 6750", "3.1", "What cannot be read as a token opens nothing", lambda w: w.call("a b"), _challenged(401)),
    Row(
        "RFC 6750",
        "5.2",
        "A token is for those that it was issued for, and opens nothing elsewhere",
        _elsewhere,
        _challenged(401),
    ),
    Row("RFC 6750", "5.3", "Tokens do not travel in cookies", _by_cookie, _challenged(403)),
    Row(
        "RFC 6750",
        "5.3",
        "Tokens live an hour or less",
        lambda w: w.exchange(),
        lambda answer: answer.document["expires_in"] <= 3600,
    ),
    Row(
        "RFC 6750",
        "5.3",
        "Answers that hold tokens set no cookies",
        lambda w: w.exchange(),
        lambda answer: not answer.cookies,
    ),
    Row(
        "RFC 9728",
        "5.1",
        "A refusal says where the resource's metadata is",
        lambda w: w.call("unknown-token"),
        _challenged(401, 'resource_metadata="http://127.0.0.1:8000/.well-known/oauth-protected-resource"'),
    ),
    Row(
        "RFC 9728",
        "3.3",
        "The resource's metadata name the resource itself",
        lambda w: w.get("/.well-known/oauth-protected-resource"),
        lambda answer: (
            (answer.document["resource"], answer.document["authorization_servers"])
            == ("http://127.0.0.1:8000", [answer.document["resource"]])
        ),
    ),
    Row("RFC 8707", "2", "A resource is an absolute URI", lambda w: w.ask(resource="/v1"), told("invalid_target")),
    Row(
        "RFC 8707",
        "2",
        "A resource has no fragment",
        lambda w: w.ask(resource=f"{RESOURCE}#part"),
        told("invalid_target"),
    ),
    Row(
        "RFC 8707",
        "2",
        "A resource that nobody knows is invalid_target",
        lambda w: w.ask(resource="https://nobody.example/"),
        told("invalid_target"),
    ),
    Row(
        "RFC 8707",
        "2",
        "Several resources may be asked for",
        lambda w: w.exchange(asked={"scope": "custom", "resource": RESOURCE}),
        answered(200),
    ),
    Row(
        "RFC 8707",
        "2",
        "A token is for the resources that were asked for",
        holds=lambda w: (
            w.oauth.introspect(w.web, w.tokens(resource="http://127.0.0.1:8000")["access_token"])["aud"]
            == ["http://127.0.0.1:8000"]
        ),
    ),
    Row(
        "RFC 8707",
        "2.2",
        "At the token endpoint resources can only become fewer",
        lambda w: w.exchange(asked={"resource": "http://127.0.0.1:8000"}, resource=RESOURCE),
        answered(400, "invalid_target"),
    ),
    Row(
        "RFC 8707",
        "2.2",
        "A token without a resource is none for another's",
        lambda w: w.exchange(resource=RESOURCE),
        answered(400, "invalid_target"),
    ),
    Row(
        "RFC 8707",
        "2.2",
        "A refresh token asks for no resource beyond those that were allowed",
        lambda w: w.refreshed(resource=RESOURCE),
        answered(400, "invalid_target"),
    ),
    Row("MCP", "Token handling", "Every token's audience is checked", _elsewhere, _challenged(401)),
    Row(
        "MCP",
        "Error handling",
        "401 where no token is good, 403 where its scope is too small",
        lambda w: w.call(w.tokens(w.narrow, scope="read")["access_token"], _PROFILE),
        _challenged(403, "scope="),
    ),
    Row(
        "MCP",
        "Client registration",
        "Client id metadata documents",
        unmet="Not offered, so that no address of a stranger's is ever fetched; clients register themselves (RFC 7591)",
    ),
    Row("RFC 6750", "5.3", "TLS", unmet="The operator's: TLS ends at a proxy, and LATCHGATE_PUBLIC_URL says https"),
)


@pytest.mark.parametrize("row", names(ROWS), ids=str)
def test_the_use_of_tokens_meets_its_requirements(world: World, row: Row) -> None:
    """Each row about tokens where they are used, and for whom they are, holds."""
    row.check(world)
