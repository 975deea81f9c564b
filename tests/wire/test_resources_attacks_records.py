"""Records and methods sent SQL, depth, length and nonsense: a 417 or 400 that names what is wrong, or what is right.

What holds for every answer, `support.attacked` asserts: no 5xx, no word of the database or of anybody hidden, one row.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from latchgate.server.frappe.client_methods import READING, WRITING
from support.attacked import HIDDEN, MANAGER, PLAIN, Attacked, opened_attacked
from support.databases import ENGINES

ROLES, USERS, KEYS = "/api/resource/Role", "/api/resource/User", "/api/resource/API%20Key"
_TEXTS = [
    "'; DROP TABLE role; --",
    "x' UNION SELECT password_hash FROM user --",
    "$(sleep 10)",
    "{{7*7}}",
    "%(name)s %s $name $1 ?",
    "\\",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a" * 140,
]
_UNSTORABLE = ["a\x00b", "\ud800", "\udfff\ud800", "a\nb", "a\u202eb", "a" * 141, "\x1b[2J", "a\u200bb"]


@pytest.fixture(scope="module", params=ENGINES)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The instance, on each engine."""
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    with opened_attacked(tmp_path_factory.mktemp("attacked") / "home", postgres) as attacked:
        yield attacked


def _put(attacked: Attacked, key: str, user: str, values: object) -> Any:  # noqa: ANN401  # the answer
    return attacked.ask(f"{USERS}/{user}", key, values, method="PUT")


@pytest.mark.parametrize("text", _TEXTS)
def test_sql_in_a_record(attacked: Attacked, text: str) -> None:
    """Is a text that is stored, found and deleted as it was sent."""
    made = attacked.ask(ROLES, attacked.manager, {"role_name": text}, method="POST")
    found = attacked.ask(ROLES, attacked.manager, {"filters": json.dumps({"name": text})})
    changed = _put(attacked, attacked.plain, PLAIN, {"first_name": text})
    deleted = attacked.ask(f"{ROLES}/{quote(text, safe='')}", attacked.manager, method="DELETE")

    assert made.document["data"]["name"] == text
    assert found.document == {"data": [{"name": text}]}
    assert changed.document["data"]["first_name"] == text
    assert deleted.status == 202


@pytest.mark.parametrize("text", _UNSTORABLE)
@pytest.mark.parametrize(
    ("target", "field", "needed"),
    [
        (ROLES, "role_name", {}),
        (USERS, "email", {}),
        (USERS, "first_name", {"email": "new@example.com"}),
        (USERS, "restrict_ip", {"email": "new@example.com"}),
        (KEYS, "label", {}),
        (KEYS, "source", {}),
        (KEYS, "record", {}),
        (KEYS, "allowed_networks", {}),
        (KEYS, "expires", {}),
        ("/api/resource/Authorization%20Source", "source_name", {}),
        ("/api/resource/Role%20Permission", "document_type", {"role": "All"}),
        ("/api/resource/Robot", "record_name", {}),
    ],
)
def test_what_cannot_be_stored(attacked: Attacked, target: str, field: str, needed: dict[str, str], text: str) -> None:
    """Is refused by its field."""
    answer = attacked.ask(target, attacked.manager, {**needed, field: text}, method="POST")

    assert (answer.status, f"{field}: " in answer.text) == (417, True), answer.text


@pytest.mark.parametrize("name", [*_TEXTS, *_UNSTORABLE, "a" * 5000, "role_name ", "ROLE_NAME", "_role_name", "é"])
def test_sql_for_the_name_of_a_field(attacked: Attacked, name: str) -> None:
    """Is no field, and told shortly."""
    for key, user in ((attacked.manager, MANAGER), (attacked.plain, PLAIN)):
        answer = _put(attacked, key, user, {name: 1})

        assert (answer.status, "is no field of User" in answer.text) == (417, True)
        assert len(answer.body) < 1500


@pytest.mark.parametrize(
    "name", [*_TEXTS, *_UNSTORABLE, "a" * 5000, "User'--", "tabUser", "user", "information_schema.tables"]
)
def test_sql_for_a_type_or_a_name(attacked: Attacked, name: str) -> None:
    """Is a type or a record that there is not."""
    path = quote(name, safe="", errors="surrogatepass")

    for key, statuses in ((attacked.manager, {404}), (attacked.plain, {403})):
        assert attacked.ask(f"/api/resource/{path}", key).status in statuses
        assert attacked.call("get_list", key, {"doctype": name}).status in statuses
        assert attacked.call("insert", key, {"doc": {"doctype": name}}).status in statuses
    for key in (attacked.manager, attacked.plain):
        assert attacked.ask(f"{USERS}/{path}", key).status == 404
        assert attacked.call("get", key, {"doctype": "User", "name": name}).status == 404
        assert _put(attacked, key, path, {"first_name": "x"}).status == 404


def _deep(levels: int, *, objects: bool) -> str:
    return '{"a":' * levels + "1" + "}" * levels if objects else "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [500, 960, 980, 5000])
@pytest.mark.parametrize("objects", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        '{"user_type":%s}',
        '{"modified":%s}',
        '{"roles":%s}',
        '{"roles":[{"role":%s}]}',
        '{"first_name":%s}',
        '{"enabled":%s,"login_after":%s,"restrict_ip":%s}',
        '{"new_password":%s}',
        '{"data":%s}',
        '{"nothing":%s}',
    ],
)
def test_a_record_that_is_nested_deeply(attacked: Attacked, body: str, objects: bool, levels: int) -> None:
    """Is refused, as a body that cannot be read or by its field, and changes nothing."""
    sent = body.replace("%s", _deep(levels, objects=objects)).encode()

    answer = _put(attacked, attacked.manager, HIDDEN, sent)

    named = any(f"{name}: " in answer.text for name in json.loads(body.replace("%s", "1")))
    data = '"data"' in body and objects  # the fields of an object are those of the record
    assert answer.status == 400 or (answer.status == 417 and (named or data)), answer.text[:300]


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("roles", [{"role": "All"}] * 10_000),
        ("roles", ["x"] * 10_000),
        ("first_name", "x" * 100_000),
        ("restrict_ip", "1.2.3.4," * 10_000),
        ("new_password", "x" * 100_000),
        ("login_after", "9" * 4000),
        ("login_after", 10**4000),
        ("enabled", 1e308),
        ("user_type", ["x"] * 10_000),
        ("modified", "x" * 100_000),
        ("modified", ["x"] * 10_000),
        ("modified", 10**4000),
    ],
    ids=lambda sent: sent if isinstance(sent, str) and len(sent) < 20 else "",
)
def test_a_record_that_is_too_much(attacked: Attacked, field: str, sent: object) -> None:
    """Is refused by its field, shortly."""
    answer = _put(attacked, attacked.manager, HIDDEN, {field: sent})

    assert (answer.status, f"{field}: " in answer.text) == (417, True), answer.text[:300]
    assert len(answer.body) < 2000


def test_ten_thousand_fields(attacked: Attacked) -> None:
    """That do not exist are refused shortly."""
    answer = _put(attacked, attacked.manager, HIDDEN, {f"f{number}": number for number in range(10_000)})

    assert answer.status == 417
    assert len(answer.body) < 3000


def test_of_two_keys_of_one_name_the_last_counts(attacked: Attacked) -> None:
    """As in every reader of JSON that there is; what was judged is what is done."""
    body = b'{"first_name":"one","roles":[{"role":"System Manager"}],"first_name":"two","roles":[]}'
    listed = b'{"doctype":"User","filters":{"name":"x"},"filters":[["name","=","%s"]]}' % PLAIN.encode()

    changed = _put(attacked, attacked.plain, PLAIN, body)
    found = attacked.ask("/api/method/frappe.client.get_list", attacked.plain, listed, method="POST")

    assert (changed.document["data"]["first_name"], changed.document["data"]["roles"]) == ("two", [])
    assert found.document == {"message": [{"name": PLAIN}]}


_JUNK: list[Any] = [None, "", 5, 10**400, True, [], [None], [[["x"]]], {"a": {"b": [1]}}]
_JUNK_TEXTS = ["\x00", "\ud800", "'; DROP TABLE user; --", "[" * 5000, '{"name": NaN}']
_ARGUMENTS: tuple[str, ...] = (
    "doctype",
    "name",
    "docname",
    "doc",
    "docs",
    "fieldname",
    "field",
    "value",
    "filters",
    "perm_type",
)
_ARGUMENTS += ("as_dict", "fields", "old_name", "parent")
_METHODS = sorted({*READING, *WRITING} - {"is_document_amended", "get_password"})
_SOUND: dict[str, Any] = {"doctype": "User", "name": PLAIN, "fieldname": "last_name", "value": "x", "field": "name"}
_SOUND |= {"doc": {"doctype": "User", "name": PLAIN}, "docs": [{"doctype": "User", "docname": PLAIN, "x": 1}]}
_SOUND |= {"docname": PLAIN}


@pytest.mark.parametrize("method", _METHODS)
def test_nonsense_for_any_argument_of_a_method(attacked: Attacked, method: str) -> None:
    """Is refused or does no harm, in JSON."""
    for argument in (*_ARGUMENTS, "cmd"):
        for junk in (*_JUNK, *_JUNK_TEXTS):
            answer = attacked.call(method, attacked.plain, {**_SOUND, argument: junk})
            assert answer.status in {200, 400, 403, 404, 417}


@pytest.mark.parametrize("method", _METHODS)
def test_nonsense_for_any_argument_of_a_command(attacked: Attacked, method: str) -> None:
    """Is refused or does no harm, in a form."""
    for argument in _ARGUMENTS:
        for junk in _JUNK_TEXTS:
            arguments = {"cmd": f"frappe.client.{method}", **_SOUND, argument: junk}
            encoded = {name: one if isinstance(one, str) else json.dumps(one) for name, one in arguments.items()}
            answer = attacked.send("/", attacked.plain, urlencode(encoded, errors="surrogatepass").encode())
            assert answer.status in {200, 400, 403, 404, 417}


@pytest.mark.parametrize("method", ["bulk_update", "insert_many"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", _deep(900, objects=False)])
def test_what_a_method_repeats_is_json(attacked: Attacked, method: str, value: str) -> None:
    """Whatever the caller wrote: an answer that repeats it can be read by any client."""
    docs = f'[{{"doctype":"User","docname":"{PLAIN}","name":"{PLAIN}","idx":{value}}}]'

    answer = attacked.send(f"/api/method/frappe.client.{method}", attacked.plain, urlencode({"docs": docs}).encode())

    assert answer.status in {200, 403, 417}


@pytest.mark.parametrize("method", ["insert_many", "bulk_update"])
@pytest.mark.parametrize("sent", [None, "", "x", {}, 5, [{"doctype": "Role"}] * 201, [{}] * 10_000])
def test_what_is_no_list_of_records(attacked: Attacked, method: str, sent: object) -> None:
    """Is refused by its argument."""
    answer = attacked.call(method, attacked.manager, {"docs": sent})

    assert (answer.status, "docs: must be" in answer.text) == (417, True), answer.text[:300]


@pytest.mark.parametrize("kind", [[1], {"a": 1}, [], 5, True, "Read", "submit", "'; --", ["read"], "x" * 10_000])
def test_what_is_no_action(attacked: Attacked, kind: object) -> None:
    """Is refused by its argument."""
    answer = attacked.call("has_permission", attacked.plain, {"doctype": "User", "docname": PLAIN, "perm_type": kind})

    assert (answer.status, "perm_type: must be one of" in answer.text) == (417, True), answer.text[:300]
