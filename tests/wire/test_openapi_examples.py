"""The examples in the OpenAPI document are what is really sent and answered, by one small world made of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs  # comes with schemathesis
import pytest

from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.core.tokens import verify_checksum
from latchgate.server.forward_auth import VERIFY_PATH
from latchgate.server.openapi_examples import (
    EXAMPLE_CLIENT_SECRET,
    EXAMPLE_SECRET,
    listed_example,
    new_example,
    record_example,
)
from latchgate.server.openapi_records import refusal_of_verb
from latchgate.server.openapi_texts import METHODS
from support.asgi import PASSWORD, Answer, Service, opened_service
from support.oauth_rows import add_oauth_rows

ANN = "ann@example.com"
_TYPES = {**DOCUMENT_TYPES, "Event Consumer": source_type("Event Consumer")}
# In this order each finds what it names.
_MADE = ["Role", "User", "Role Permission", "API Key", "Authorization Source", "Event Consumer", "OAuth Client"]
_MADE += ["Access Rule"]
_DELETED = [*_MADE[1:], "OAuth Bearer Token", "OAuth Consent"]
_VOLATILE = [
    (re.compile(r"lgk_[0-9A-Za-z]{23}"), "lgk_"),
    (re.compile(r"lgs_[0-9A-Za-z]{39}"), "lgs_"),
    (re.compile(r"lgc_[0-9A-Za-z]{39}"), "lgc_"),
    (re.compile(r'"[0-9a-f]{20}"'), '"a client"'),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"), "a time"),
]
# What differs from one request of the log to the next.
_BY_REQUEST = {"name", "owner", "modified_by", "request_id", "user", "api_key", "method", "path", "seconds"}
_BY_REQUEST |= {"status", "user_agent", "reason", "operation", "subject", "detail"}


class World:
    """A service in which the records of the examples are made, each by the example of making it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.administrator = service.make_key("Administrator").token
        self.made = {doctype: self._make(doctype) for doctype in _MADE}
        add_oauth_rows(service.latchgate.documents.store, ANN)
        service.ask(
            f"/api/resource/User/{ANN}",
            self.administrator,
            method="PUT",
            headers=[("content-type", "application/json")],
            body=json.dumps({"new_password": PASSWORD}).encode(),
        )

    def _make(self, doctype: str) -> Answer:
        target = f"/api/resource/{quote(doctype)}"
        return self.service.post(target, new_example(_TYPES[doctype]), self.administrator)

    def name_of(self, doctype: str) -> str:
        """Give the name of the example's record here; those of keys and of rows are given out."""
        if doctype in self.made:
            return str(self.made[doctype].document["data"]["name"])
        rows = self.service.ask(f"/api/resource/{quote(doctype)}?limit=1", self.administrator).document["data"]
        return str(rows[0]["name"])

    def read(self, doctype: str) -> dict[str, Any]:
        """Read the example's record as it is here, or the latest row of a log."""
        target = f"/api/resource/{quote(doctype)}/{quote(self.name_of(doctype), safe='')}"
        record: dict[str, Any] = self.service.ask(target, self.administrator).document["data"]
        return record


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that the tests only look at."""
    with opened_service(tmp_path_factory.mktemp("world") / "home") as service:
        yield World(service)


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    """A world to change."""
    with opened_service(tmp_path / "home") as service:
        yield World(service)


@pytest.fixture(scope="module")
def document(world: World) -> dict[str, Any]:
    """The document as anybody gets it."""
    found: dict[str, Any] = world.service.ask("/api/openapi.json").document
    return found


def _masked(value: object) -> Any:  # noqa: ANN401  # any JSON
    """Put one word for all that is another at each run: keys, clients, secrets, times."""
    text = json.dumps(value)
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return json.loads(text)


def _example(content: dict[str, Any]) -> Any:  # noqa: ANN401  # any JSON
    return content["content"]["application/json"]["examples"]["example"]["value"]


def _find_examples(part: Any) -> Iterator[tuple[dict[str, Any], Any]]:  # noqa: ANN401  # any JSON
    """Find each schema that examples stand beside, with each of them."""
    if isinstance(part, dict):
        if "schema" in part and "examples" in part:
            yield from ((part["schema"], example["value"]) for example in part["examples"].values())
        if "schema" in part and "example" in part:
            yield part["schema"], part["example"]
        for inner in part.values():
            yield from _find_examples(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _find_examples(inner)


def test_every_example_is_as_its_schema_says(document: dict[str, Any]) -> None:
    """Of records, bodies, answers, refusals and parameters alike."""
    examples = list(_find_examples(document))

    assert len(examples) > 200
    for schema, value in examples:
        # References lead from the top of what is validated.
        jsonschema_rs.validate({**schema, "components": document["components"]}, value)


def test_every_answer_and_body_has_an_example(document: dict[str, Any]) -> None:
    """Of what is answered well or sent, only a type's list of fields, pages and the endpoints of OAuth have none."""
    lacking = []
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if operation["tags"] == ["OAuth 2"]:
                continue  # held to what is really answered in test_openapi_oauth.py
            bodies = [operation["requestBody"]] if "requestBody" in operation else []
            bodies = [body for body in bodies if body["content"]["application/json"]["schema"].get("properties") != {}]
            bodies += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
            bodies = [body for body in bodies if "content" in body or VERIFY_PATH not in path]  # a 204 has none
            lacking += [(path, verb) for body in bodies if "examples" not in body["content"]["application/json"]]

    assert [one for one in lacking if not one[0].endswith("/meta")] == []


@pytest.mark.parametrize("doctype", _MADE)
def test_a_record_is_made_of_its_example(world: World, document: dict[str, Any], doctype: str) -> None:
    """What the example of making a record sends is accepted, and answered as the example says."""
    answer = world.made[doctype]

    operation = document["paths"][f"/api/resource/{quote(doctype)}"]["post"]
    assert _example(operation["requestBody"]) == new_example(_TYPES[doctype])
    assert answer.status == 200, answer.text
    assert _masked(answer.document) == _masked(_example(operation["responses"]["200"]))


@pytest.mark.parametrize("doctype", sorted(_TYPES))
def test_a_record_is_read_as_its_example(world: World, document: dict[str, Any], doctype: str) -> None:
    """A System Manager reads exactly the fields of the example, with its values where they are not by chance."""
    record = world.read(doctype)

    example = _example(document["paths"][f"/api/resource/{quote(doctype)}/{{name}}"]["get"]["responses"]["200"])
    assert example == {"data": record_example(_TYPES[doctype])}
    assert record.keys() == example["data"].keys()
    chance = _BY_REQUEST if _TYPES[doctype].log else set()
    expected = {name: value for name, value in example["data"].items() if name not in chance}
    if doctype == "User":
        expected["can_sign_in"] = 1  # the world gave Ann a password
    assert _masked({name: record[name] for name in expected}) == _masked(expected)


@pytest.mark.parametrize("doctype", sorted(_TYPES))
def test_a_list_is_as_its_example(world: World, document: dict[str, Any], doctype: str) -> None:
    """A row has the fields of the example; what the example names is among the rows."""
    rows = world.service.ask(f"/api/resource/{quote(doctype)}", world.administrator).document["data"]

    example = _example(document["paths"][f"/api/resource/{quote(doctype)}"]["get"]["responses"]["200"])["data"]
    assert example == listed_example(_TYPES[doctype])
    assert {tuple(row) for row in rows} == {tuple(row) for row in example}
    assert _TYPES[doctype].log or _masked(example[0]) in _masked(rows)


@pytest.mark.parametrize("doctype", sorted(name for name, one in _TYPES.items() if not refusal_of_verb(one, "PUT")))
@pytest.mark.parametrize("prefix", ["/api/resource/", "/api/v2/document/"])
def test_a_record_is_changed_by_its_example(
    own_world: World, document: dict[str, Any], prefix: str, doctype: str
) -> None:
    """What the example of changing a record sends is accepted, and answered as the example says."""
    path = f"{prefix}{quote(doctype)}"
    operation = document["paths"][f"{path}/{{name}}"]["put"]

    answer = own_world.service.ask(
        f"{path}/{quote(own_world.name_of(doctype), safe='')}",
        own_world.administrator,
        method="PUT",
        headers=[("content-type", "application/json")],
        body=json.dumps(_example(operation["requestBody"])).encode(),
    )

    expected = _example(operation["responses"]["200"])
    if doctype == "User":
        expected = {"data": {**expected["data"], "can_sign_in": 1}}  # the world gave Ann a password
    assert answer.status == 200, answer.text
    assert _masked(answer.document) == _masked(expected)


@pytest.mark.parametrize("doctype", _DELETED)
def test_a_record_is_deleted_as_its_example(own_world: World, document: dict[str, Any], doctype: str) -> None:
    """The status and the word of the example."""
    path = f"/api/resource/{quote(doctype)}"
    (status,) = (code for code in document["paths"][f"{path}/{{name}}"]["delete"]["responses"] if code < "300")
    target = f"{path}/{quote(own_world.name_of(doctype), safe='')}"

    answer = own_world.service.ask(target, own_world.administrator, method="DELETE")

    assert str(answer.status) == status
    assert answer.document == _example(document["paths"][f"{path}/{{name}}"]["delete"]["responses"][status])


@pytest.mark.parametrize("doctype", sorted(_TYPES))
@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_what_is_said_to_be_refused_is(own_world: World, document: dict[str, Any], doctype: str, verb: str) -> None:
    """Where the document has no answer but refusals, Administrator is refused too; elsewhere it has one."""
    path = f"/api/resource/{quote(doctype)}" + ("" if verb == "POST" else "/{name}")
    responses = document["paths"][path][verb.lower()]["responses"]
    refused = not any(status.startswith("2") for status in responses)
    assert refused == bool(refusal_of_verb(_TYPES[doctype], verb))
    if refused:
        target = path.replace("{name}", quote(own_world.name_of(doctype), safe=""))

        answer = own_world.service.ask(target, own_world.administrator, method=verb)

        assert answer.status in {403, 417}


@pytest.mark.parametrize("version", ["", "v2/"])
@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_answers_as_its_example(own_world: World, document: dict[str, Any], name: str, version: str) -> None:
    """Called with the arguments of its example, it answers as the example says, or refuses where there is none."""
    path = f"/api/{version}method/{name}"
    operation = document["paths"][path]["post"]
    sent = _example(operation["requestBody"]) if METHODS[name].sent else {}
    if name == "frappe.client.save":
        sent["doc"]["modified"] = own_world.read("User")["modified"]

    answer = own_world.service.post(path, sent, _credential(own_world, name))

    if "200" not in operation["responses"]:
        assert answer.status in {403, 417}
        return
    expected = _example(operation["responses"]["200"])
    assert answer.status == 200, answer.text
    assert _masked(answer.document) == _masked(_with_password(expected))


def _credential(world: World, name: str) -> str | None:
    match name:
        case "frappe.auth.get_logged_user":
            return world.service.make_key(ANN).token
        case "login" | "logout":
            return None
        case _:
            return world.administrator


def _with_password(answer: Any) -> Any:  # noqa: ANN401  # any JSON
    """Give an answer as it is in a world where Ann has a password."""
    return json.loads(json.dumps(answer).replace('"can_sign_in": 0', '"can_sign_in": 1'))


def test_no_example_is_of_use_to_anybody(document: dict[str, Any]) -> None:
    """The secrets in the document have the form of secrets, and a checksum that none has."""
    text = json.dumps(document)

    secrets = {EXAMPLE_SECRET, EXAMPLE_CLIENT_SECRET}
    assert set(re.findall(r"lg[sarclod]_[0-9A-Za-z]{6,}", text)) == secrets
    assert {len(secret) for secret in secrets} == {43}
    assert not any(verify_checksum(secret) for secret in secrets)
