"""The endpoints of OAuth answer in the forms that the OpenAPI document gives them."""

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs  # comes with schemathesis
import pytest

from latchgate.core.clients import GrantType
from latchgate.oauth.backing import Issued
from latchgate.server.openapi_oauth import OAUTH_METHODS, OAUTH_PREFIX
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import Answer, Pair, Service, opened_service
from support.issued import approve

_ANN = "ann@example.com"
_PATH = "/api/method/" + OAUTH_PREFIX
_CALLBACK = "https://app.example/cb"
_METADATA = {"client_name": "App", "redirect_uris": [_CALLBACK]}


class World:
    """A user who allowed a client everything."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.make_user(_ANN, first_name="Ann")
        order = ClientOrder("App", redirect_uris=(_CALLBACK,), grant_types=frozenset(GrantType), user=_ANN)
        made = service.latchgate.clients.create(COMMAND_LINE, order)
        assert made.secret is not None
        self.client = Pair(made.client.client_id, made.secret.text)
        self.issued: Issued = approve(service.latchgate, self.client.key_id, _ANN, "all", "openid")
        self.document: dict[str, Any] = service.ask("/api/openapi.json").document

    def post(self, name: str, **form: str) -> Answer:
        """Ask an endpoint as the client."""
        return self.service.post(_PATH + name, form, self.client.basic, form=True)

    def hold(self, name: str, answer: Answer, verb: str = "post") -> None:
        """Hold an answer to what the document says of it: its status, its fields, the headers of a refusal."""
        described = self.document["paths"][_PATH + name][verb]["responses"][str(answer.status)]
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        schema = described["content"]["application/json"]["schema"]
        jsonschema_rs.validate({**schema, "components": self.document["components"]}, answer.document)
        if answer.status < 300:
            assert set(answer.document) <= set(schema["properties"])
        for header in described.get("headers", {}):
            assert answer.header(header.lower())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service where anybody may register."""
    with opened_service(tmp_path_factory.mktemp("oauth") / "home", oauth_registration="open") as service:
        yield World(service)


def _access(world: World) -> str:
    return f"Bearer {world.issued.access_token.text}"


_DONE: dict[str, Callable[[World], Answer]] = {
    "get_token": lambda world: world.post("get_token", grant_type="client_credentials"),
    "introspect_token": lambda world: world.post("introspect_token", token=world.issued.access_token.text),
    "openid_profile": lambda world: world.service.post(_PATH + "openid_profile", {}, _access(world), form=True),
    "register_client": lambda world: world.service.post(_PATH + "register_client", _METADATA),
    "device_authorization": lambda world: world.post("device_authorization"),
    "revoke_token": lambda world: world.post("revoke_token", token="nobodys"),
}
_REFUSED: dict[str, Callable[[World], Answer]] = {
    "get_token": lambda world: world.post("get_token", grant_type="authorization_code", code="nobodys"),
    "introspect_token": lambda world: world.post("introspect_token"),
    "openid_profile": lambda world: world.service.post(_PATH + "openid_profile", {}, "Bearer nobodys", form=True),
    "register_client": lambda world: world.service.post(_PATH + "register_client", {"client_name": "App"}),
    "device_authorization": lambda world: world.post("device_authorization", scope="\\"),
    "revoke_token": lambda world: world.post("revoke_token"),
}
_JSON = sorted(name for name, endpoint in OAUTH_METHODS.items() if endpoint.answers is not None)


@pytest.mark.parametrize("name", _JSON)
def test_what_is_done_is_answered_as_described(world: World, name: str) -> None:
    """With the fields that the document names, and no other."""
    answer = _DONE[name](world)

    assert answer.status < 300, answer.text
    world.hold(name, answer)


@pytest.mark.parametrize("name", _JSON)
def test_what_is_refused_is_answered_as_described(world: World, name: str) -> None:
    """In OAuth's form, but for the one that speaks Frappe's."""
    answer = _REFUSED[name](world)

    assert answer.status in {400, 401}, answer.text
    world.hold(name, answer)


@pytest.mark.parametrize("name", ["get_token", "introspect_token", "revoke_token", "device_authorization"])
def test_a_client_that_proves_nothing_is_refused_as_described(world: World, name: str) -> None:
    """With 401, and how to prove oneself."""
    answer = world.service.post(_PATH + name, {"client_id": world.client.key_id}, form=True)

    assert answer.status == 401
    world.hold(name, answer)


def test_tokens_of_an_approval_are_answered_as_described(world: World) -> None:
    """A refreshed access token comes with its successor; introspection tells of what ended no more than that."""
    assert world.issued.refresh_token is not None
    refreshed = world.post("get_token", grant_type="refresh_token", refresh_token=world.issued.refresh_token.text)
    ended = world.post("introspect_token", token="nobodys")

    assert refreshed.document["refresh_token"]
    world.hold("get_token", refreshed)
    assert ended.document == {"active": False}
    world.hold("introspect_token", ended)


def test_registration_that_is_off_is_refused_as_described(service: Service, world: World) -> None:
    """With 403, as it is unless the administrator allows it."""
    answer = service.post(_PATH + "register_client", _METADATA)

    assert answer.status == 403
    world.hold("register_client", answer)
