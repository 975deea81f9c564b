"""Lists asked with SQL, depth, length and nonsense: a 417 or 400 that names what is wrong, or an answer that is right.

What holds for every answer, `support.attacked` asserts: no 5xx, no word of the database or of anybody hidden, one row.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.asgi import Answer
from support.attacked import HIDDEN, MANAGER, PLAIN, Attacked, opened_attacked
from support.databases import ENGINES

ROLES, USERS, LOG, ACTIVITY = (
    f"/api/resource/{name}" for name in ("Role", "User", "API%20Request%20Log", "Activity%20Log")
)
_EVERYBODY = {MANAGER, HIDDEN, PLAIN, "Administrator", "Guest"}
_FRAGMENTS = [
    "'; DROP TABLE user; --",
    "x' OR '1'='1",
    "name' UNION SELECT password_hash FROM user --",
    "name) UNION ALL SELECT digest, 1 FROM api_key --",
    "(SELECT password_hash FROM user LIMIT 1)",
    "name; SELECT pg_sleep(10)",
    "pg_sleep(10)",
    "randomblob(1000000000)",
    "CASE WHEN 1=1 THEN name END",
    "name COLLATE NOCASE",
    "name::text",
    "name/**/",
    "name\nFROM user",
    "user.password_hash",
    "`tabUser`.`password_hash`",
    "ctid",
    "\\",
    "'",
    '"',
    "`",
    ":wanted",
    "%(wanted)s",
    "{{7*7}}",
    "name\x00",
    "\ud800",
    "nаme",
    "ＮＡＭＥ",
]


@pytest.fixture(scope="module", params=ENGINES)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The instance, on each engine."""
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    with opened_attacked(tmp_path_factory.mktemp("attacked") / "home", postgres) as attacked:
        yield attacked


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The instance on SQLite: what is refused before any look at a database is refused alike on all."""
    with opened_attacked(tmp_path_factory.mktemp("refusing") / "home", None) as refusing:
        yield refusing


def _asked(attacked: Attacked, key: str, **arguments: Any) -> list[Answer]:  # noqa: ANN401  # JSON
    """Ask for users in each way that there is, with arguments as JSON in the query and as they are in a body."""
    encoded = {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items() if value != ""
    }
    command = {"cmd": "frappe.client.get_list", "doctype": "User"}
    return [
        attacked.ask(USERS, key, encoded),
        attacked.ask("/api/v2/document/User", key, encoded),
        attacked.call("get_list", key, {"doctype": "User", **arguments}),
        attacked.ask("/", key, {**command, **encoded}),
    ]


def _assert_named(answers: list[Answer], *parameters: str) -> None:
    """Hold answers to being refusals that name what is wrong."""
    for answer in answers:
        assert answer.status == 417, answer.text[:300]
        assert any(f"{parameter}: " in answer.text for parameter in parameters), answer.text[:300]


@pytest.mark.parametrize("fragment", _FRAGMENTS)
@pytest.mark.parametrize("parameter", ["fields", "order_by", "group_by"])
def test_sql_for_a_field(refusing: Attacked, parameter: str, fragment: str) -> None:
    """Is the name of no field, whoever sends it."""
    sent: object = [fragment] if parameter == "fields" else fragment

    for key in (refusing.manager, refusing.plain):
        _assert_named(_asked(refusing, key, **{parameter: sent}), parameter)


@pytest.mark.parametrize("fragment", _FRAGMENTS)
@pytest.mark.parametrize("parameter", ["filters", "or_filters"])
def test_sql_in_place_of_a_field_or_operator(refusing: Attacked, parameter: str, fragment: str) -> None:
    """Is refused by its parameter."""
    for sent in ([[fragment, "=", "x"]], {fragment: "x"}, [["name", fragment, "x"]], [[fragment, "name", "=", "x"]]):
        _assert_named(_asked(refusing, refusing.plain, **{parameter: sent}), parameter)


@pytest.mark.parametrize("fragment", _FRAGMENTS)
def test_sql_for_a_value(attacked: Attacked, fragment: str) -> None:
    """Is a text like any other: nobody has that name, and everybody another."""
    for operator, value, names in (
        ("=", fragment, set()),
        ("in", [fragment, "\x00"], set()),
        ("between", [fragment, fragment], set()),
        ("!=", fragment, _EVERYBODY),
        ("not in", [fragment], _EVERYBODY),
    ):
        for key, seen in ((attacked.manager, names), (attacked.plain, names & {PLAIN})):
            answer = attacked.call("get_list", key, {"doctype": "User", "filters": [["name", operator, value]]})
            assert {row["name"] for row in answer.document["message"]} == seen


@pytest.mark.parametrize(
    "pattern", [*_FRAGMENTS, "%", "_", "\\%", "%\\", "\\\\", "%_" * 400, "[a-z]*", "*", "%" * 1000]
)
def test_sql_for_a_pattern(attacked: Attacked, pattern: str) -> None:
    """Those whom it fits and those whom it does not are everybody, and it fits nobody by accident."""
    fits, differs = (
        {
            row["name"]
            for row in attacked.call(
                "get_list", attacked.manager, {"doctype": "User", "filters": [["name", operator, pattern]]}
            ).document["message"]
        }
        for operator in ("like", "not like")
    )

    assert fits | differs == _EVERYBODY
    assert not fits & differs
    assert fits == (_EVERYBODY if set(pattern) == {"%"} else set())


@pytest.mark.parametrize(
    "fragment", [*_FRAGMENTS[:8], "1 OR 1=1", "1;", "0x10", "1e3", "NaN", "Infinity", "null", "[]"]
)
@pytest.mark.parametrize("parameter", ["limit", "limit_page_length", "limit_start", "start"])
def test_sql_for_a_number(attacked: Attacked, parameter: str, fragment: str) -> None:
    """Is no number: the usual page is given, as recorded."""
    answer = attacked.ask(USERS, attacked.plain, {parameter: fragment})

    assert answer.document == {"data": [{"name": PLAIN}]}


@pytest.mark.parametrize("number", [-1, "-1", 10**13, "9" * 19, "9" * 400, 10**400, "-" + "9" * 5000])
@pytest.mark.parametrize("parameter", ["limit", "limit_page_length", "limit_start", "start"])
def test_a_number_that_no_page_has(refusing: Attacked, parameter: str, number: object) -> None:
    """Is refused by its parameter."""
    _assert_named(_asked(refusing, refusing.plain, **{parameter: number}), parameter, "limit", "limit_start")


@pytest.mark.parametrize(
    "name", [*_FRAGMENTS, "-1", "1.0", " 1", "1 OR 1=1", "9" * 19, "9" * 5000, "0" * 20 + "9" * 20, "0" * 5000]
)
@pytest.mark.parametrize("log", [LOG, ACTIVITY])
def test_no_row_to_go_on_after(attacked: Attacked, log: str, name: str) -> None:
    """Is told by its parameter, however long it is."""
    for key in (attacked.manager, attacked.plain):
        _assert_named([attacked.ask(log, key, {"after": name})], "after")


@pytest.mark.parametrize("name", [*_FRAGMENTS, "-1", "٣", "9" * 19, "9" * 900, "0" * 20 + "9" * 20])
@pytest.mark.parametrize("log", [LOG, ACTIVITY])
def test_no_row_of_a_log(attacked: Attacked, log: str, name: str) -> None:
    """Has a name that is no number, or a number beyond all."""
    for filters in ({"name": name}, [["name", "in", [name, name]]], [["name", "between", [name, name]]]):
        answer = attacked.ask(log, attacked.manager, {"filters": json.dumps(filters)})
        assert (answer.status, answer.document) == (200, {"data": []})


def _deep(levels: int, *, objects: bool = False) -> str:
    return '{"a":' * levels + "1" + "}" * levels if objects else "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [500, 960, 980, 5000])
@pytest.mark.parametrize("objects", [False, True])
@pytest.mark.parametrize("parameter", ["fields", "filters", "or_filters", "order_by", "group_by", "after"])
def test_what_is_nested_deeply(refusing: Attacked, parameter: str, objects: bool, levels: int) -> None:
    """Is refused by its parameter, or as a body that cannot be read."""
    deep = _deep(levels, objects=objects)

    _assert_named([refusing.ask(LOG, refusing.plain, {parameter: deep})], parameter)
    body = f'{{"doctype":"API Request Log","{parameter}":{deep}}}'.encode()
    answer = refusing.ask("/api/method/frappe.client.get_list", refusing.plain, body, method="POST")
    assert answer.status in {400, 417}
    assert answer.status == 400 or f"{parameter}: " in answer.text


_MANY = 10_000


@pytest.mark.parametrize(
    ("parameter", "sent"),
    [
        ("fields", ["name"] * _MANY),
        ("fields", ["count(*)"] * _MANY),
        ("filters", [["name", "=", "x"]] * _MANY),
        ("filters", ["name"] * _MANY),
        ("filters", [["name", "in", ["x"] * _MANY]]),
        ("filters", [["name", "not in", ",".join(["x"] * _MANY)]]),
        ("filters", [["name", "in", ["x"] * 20]] * 100),
        ("filters", {f"f{number}": 1 for number in range(_MANY)}),
        ("or_filters", [["name", "=", "x"]] * _MANY),
        ("or_filters", [["name", "in", ["x"] * 20]] * 100),
        ("order_by", ",".join(["name"] * _MANY)),
        ("group_by", ",".join(["name"] * _MANY)),
        ("filters", [["name", "=", "x" * 100_000]]),
        ("filters", [["name", "like", "%x" * 10_000]]),
        ("order_by", "n" * 100_000),
        ("fields", ["x" * 100_000]),
        ("fields", json.dumps(["x" * 200_001])),
    ],
    ids=lambda sent: sent if isinstance(sent, str) and len(sent) < 20 else "",
)
def test_what_is_too_much(refusing: Attacked, parameter: str, sent: object) -> None:
    """Is refused by its parameter, and the answer is short."""
    answers = _asked(refusing, refusing.plain, **{parameter: sent})

    _assert_named(answers, parameter)
    assert max(len(answer.body) for answer in answers) < 2000


@pytest.mark.parametrize("sent", [5, 1.5, True, False, [1], [[]], [None], {"a": {}}, {"name": [1, [2]]}, [[["name"]]]])
@pytest.mark.parametrize("parameter", ["fields", "filters", "or_filters", "order_by", "group_by"])
def test_what_is_of_another_type(refusing: Attacked, parameter: str, sent: object) -> None:
    """In a JSON body is refused by its parameter."""
    _assert_named([refusing.call("get_list", refusing.plain, {"doctype": "User", parameter: sent})], parameter)


@pytest.mark.parametrize("sent", ["[", "{", "[[1]", '["name"', '{"name": }', "[NaN", '["\\ud800', '"x', "[1]]", "[,]"])
@pytest.mark.parametrize("parameter", ["fields", "filters", "or_filters"])
def test_what_is_no_json(refusing: Attacked, parameter: str, sent: str) -> None:
    """Is told as such, by its parameter."""
    answer = refusing.ask(USERS, refusing.plain, {parameter: sent})

    _assert_named([answer], parameter)
    assert "must be JSON" in answer.text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4301, "-1e999", "9" * 19, "9" * 4000])
@pytest.mark.parametrize("field", ["enabled", "login_after", "creation", "idx"])
def test_a_number_that_nothing_holds(refusing: Attacked, field: str, value: str) -> None:
    """Is refused by its parameter, however it is written."""
    answer = refusing.ask(USERS, refusing.plain, {"filters": f'[["{field}","=",{value}]]'})

    _assert_named([answer], "filters")


@pytest.mark.parametrize("value", ["32767", "32768", "2147483648", str(2**63 - 1), str(-(2**63)), "0.5", "1e18"])
@pytest.mark.parametrize("field", ["enabled", "login_after", "can_sign_in", "idx"])
def test_a_number_beyond_its_field(attacked: Attacked, field: str, value: str) -> None:
    """Is a number to compare with nevertheless, on either engine."""
    for operator in (f'"=",{value}', f'"in",[{value},5]', f'"between",[{value},{value}]'):
        filters = f'[["{field}",{operator}]]'
        assert attacked.ask(USERS, attacked.manager, {"filters": filters}).document == {"data": []}
