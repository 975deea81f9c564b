"""The refusals in the OpenAPI document are what is really answered, in both dialects."""

import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latchgate.core.policy import SIGNED_IN
from latchgate.errors import StorageError
from latchgate.server.openapi_errors import EXAMPLES, error_document
from latchgate.server.replies import Dialect, Reply
from latchgate.server.requests import Call
from latchgate.server.routes import DEFAULT_METHODS, Method
from support.asgi import Answer, Service, opened_service
from support.running import RunningLatchgate

ANN = "ann@example.com"
_ADDRESSES = {Dialect.FRAPPE_V1: "/api/resource", Dialect.FRAPPE_V2: "/api/v2/document"}
_METHODS = {Dialect.FRAPPE_V1: "/api/method", Dialect.FRAPPE_V2: "/api/v2/method"}
_JSON = ("content-type", "application/json")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An instance with Ann, who has no roles."""
    with opened_service(tmp_path / "home", credential_failures_per_minute=1) as service:
        service.make_user(ANN)
        yield service


def _body_no_json(service: Service, dialect: Dialect) -> Answer:
    key = service.make_key("Administrator").token
    return service.ask(f"{_ADDRESSES[dialect]}/User", key, method="POST", headers=[_JSON], body=b"{")


def _csrf(service: Service, dialect: Dialect) -> Answer:
    sid = service.sign_in(ANN).sid
    return service.post(f"{_ADDRESSES[dialect]}/User", {}, headers=[("cookie", f"sid={sid}")])


def _credential(service: Service, dialect: Dialect) -> Answer:
    return service.ask(f"{_ADDRESSES[dialect]}/User", "token a:b")


def _no_credential(service: Service, dialect: Dialect) -> Answer:
    return service.ask(f"{_ADDRESSES[dialect]}/User")


def _no_right(service: Service, dialect: Dialect) -> Answer:
    return service.post(f"{_ADDRESSES[dialect]}/User", {"email": "x@example.com"}, service.make_key(ANN).token)


def _no_record(service: Service, dialect: Dialect) -> Answer:
    return service.ask(f"{_ADDRESSES[dialect]}/User/nobody@example.com", service.make_key("Administrator").token)


def _taken(service: Service, dialect: Dialect) -> Answer:
    return service.post(f"{_ADDRESSES[dialect]}/User", {"email": ANN}, service.make_key("Administrator").token)


def _missing(service: Service, dialect: Dialect) -> Answer:
    return service.post(f"{_ADDRESSES[dialect]}/User", {}, service.make_key("Administrator").token)


def _stale(service: Service, dialect: Dialect) -> Answer:
    body = json.dumps({"first_name": "Anna", "modified": "2026-02-19 09:30:00.123456"}).encode()
    key = service.make_key("Administrator").token
    return service.ask(f"{_ADDRESSES[dialect]}/User/{ANN}", key, method="PUT", headers=[_JSON], body=body)


def _too_many(service: Service, dialect: Dialect) -> Answer:
    peer = service.new_peer()
    service.ask(f"{_ADDRESSES[dialect]}/User", "token a:b", peer=peer)
    return service.ask(f"{_ADDRESSES[dialect]}/User", "token a:b", peer=peer)


def _internal(service: Service, dialect: Dialect) -> Answer:
    async def fail(_call: Call) -> Reply:
        raise RuntimeError("planted")

    key = service.make_key(ANN).token
    methods = {"broken": Method(SIGNED_IN, DEFAULT_METHODS, fail)}
    service.application = replace(service.application, table=replace(service.application.table, methods=methods))
    return service.ask(f"{_METHODS[dialect]}/broken", key)


def _not_logged(service: Service, dialect: Dialect) -> Answer:
    key = service.make_key(ANN).token

    def fail(*_: object) -> None:
        raise StorageError("The disk has failed")

    service.latchgate.request_log.append_prepared = fail  # type: ignore[assignment]  # as a disk that refuses to be written
    return service.ask(f"{_METHODS[dialect]}/ping", key)


# By the names of the examples, what provokes each refusal of the application.
_PROVOKED: Mapping[str, Callable[[Service, Dialect], Answer]] = {
    "body_no_json": _body_no_json,
    "csrf": _csrf,
    "credential": _credential,
    "no_credential": _no_credential,
    "no_right": _no_right,
    "no_record": _no_record,
    "taken": _taken,
    "missing": _missing,
    "stale": _stale,
    "too_many": _too_many,
    "internal": _internal,
    "not_logged": _not_logged,
}
# And of the wire: what follows on the first line of a POST.
_SENT = {
    "no_http": b"Host: a\r\nHost: b\r\n\r\n",
    "too_large": b"Host: a\r\nContent-Length: 1048577\r\n\r\n",
    "head_too_large": b"Host: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
}


def _masked(document: object) -> str:
    return _TIME.sub("a time", json.dumps(document, sort_keys=True))


@pytest.mark.parametrize("dialect", _ADDRESSES, ids=["version 1", "version 2"])
@pytest.mark.parametrize("name", _PROVOKED)
def test_a_refusal_is_as_its_example(service: Service, name: str, dialect: Dialect) -> None:
    """Its status and body, but for times, are those of the example."""
    answer = _PROVOKED[name](service, dialect)

    assert str(answer.status) == EXAMPLES[name].status
    assert _masked(answer.document) == _masked(error_document(EXAMPLES[name], dialect))


def test_a_refusal_of_the_wire_is_as_its_example(tmp_path: Path) -> None:
    """The same under every address, from a running server."""
    running = RunningLatchgate(tmp_path / "home").start()

    for name, sent in _SENT.items():
        for address in _ADDRESSES.values():
            status, document = _exchange(running.port, b"POST %s/User HTTP/1.1\r\n" % address.encode() + sent)
            assert status == EXAMPLES[name].status
            assert document == error_document(EXAMPLES[name], Dialect.FRAPPE_V2)

    assert running.stop() == 0


def _exchange(port: int, request: bytes) -> tuple[str, Any]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ")[1].decode(), json.loads(body)


def test_every_example_is_provoked() -> None:
    """No example of a refusal is left without its proof."""
    assert {*_PROVOKED, *_SENT} == set(EXAMPLES)


def test_the_document_holds_them(service: Service) -> None:
    """Each operation refers to refusals that stand in the document, with these examples, in its own dialect."""
    document = service.ask("/api/openapi.json").document

    for dialect, mark in ((Dialect.FRAPPE_V1, ""), (Dialect.FRAPPE_V2, "V2")):
        for name, example in EXAMPLES.items():
            content = document["components"]["responses"][f"Refused{example.status}{mark}"]["content"]
            shown = content["application/json"]["examples"][name]
            assert shown == {"summary": example.summary, "value": error_document(example, dialect)}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = [answer["$ref"] for answer in operation["responses"].values() if "$ref" in answer]
            assert {reference.endswith("V2") for reference in named} <= {path.startswith("/api/v2/")}
