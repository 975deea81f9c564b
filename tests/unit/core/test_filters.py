"""Filters: every form that Frappe's clients send is read, and whatever is wrong is refused by its parameter's name."""

import pytest

from latchgate.core.document_types import Viewer
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.filters import Fields, find_field, parse_filters
from latchgate.core.permissions import Reach
from latchgate.core.queries import Condition, Operator, Scalar
from latchgate.errors import Flaw, Invalid

_COMMAND_LINE = Viewer(None, manager=True, reach=Reach.ALL)
_DAY = 86_400_000_000
_NAME_IS_X = Condition("name", Operator.EQUAL, ("x",))
_ENABLED = Condition("enabled", Operator.EQUAL, (1,))


def _fields(doctype: str) -> Fields:
    return DOCUMENT_TYPES[doctype].filterable_by(_COMMAND_LINE)


def _parse(sent: object, doctype: str = "User", parameter: str = "filters") -> tuple[Condition, ...]:
    return parse_filters(parameter, sent, doctype, _fields(doctype))


@pytest.mark.parametrize(
    ("sent", "conditions"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ({}, ()),
        ("x", (_NAME_IS_X,)),
        ({"name": "x"}, (_NAME_IS_X,)),
        ({"enabled": 1, "name": "x"}, (_ENABLED, _NAME_IS_X)),
        ({"enabled": ["=", 1]}, (_ENABLED,)),
        ({"first_name": ["like", "a%"]}, (Condition("first_name", Operator.LIKE, ("a%",)),)),
        ({"first_name": ["in", ["a", "b"]]}, (Condition("first_name", Operator.IN, ("a", "b")),)),
        (["enabled", 1], (_ENABLED,)),
        (["enabled", "=", 1], (_ENABLED,)),
        (["User", "enabled", "=", 1], (_ENABLED,)),
        ([["enabled", 1]], (_ENABLED,)),
        ([["enabled", "=", 1], ["User", "name", "=", "x"]], (_ENABLED, _NAME_IS_X)),
        ([["Has Role", "role", "=", "x"]], (Condition("roles", Operator.EQUAL, ("x",)),)),
        ({"roles": ["in", ["x", "y"]]}, (Condition("roles", Operator.IN, ("x", "y")),)),
        ([["name", "=", "x"]] * 100, (_NAME_IS_X,) * 100),
    ],
)
def test_forms_of_filters(sent: object, conditions: tuple[Condition, ...]) -> None:
    """A list of conditions of two to four items, one condition, an object, a record's name, or nothing."""
    assert _parse(sent) == conditions


@pytest.mark.parametrize("operator", [one for one in Operator if one not in {Operator.SET, Operator.NOT_SET}])
def test_every_operator_is_read_by_its_word(operator: Operator) -> None:
    """In any case, with spaces around it, in a list as in an object."""
    value: object = ["a", "b"] if operator in {Operator.IN, Operator.NOT_IN, Operator.BETWEEN} else "a"
    values = ("a", "b") if isinstance(value, list) else ("a",)

    for word in (operator.value, operator.value.upper(), f"  {operator.value.title()} "):
        assert _parse([["first_name", word, value]]) == (Condition("first_name", operator, values),)
        assert _parse({"first_name": [word, value]}) == (Condition("first_name", operator, values),)


@pytest.mark.parametrize(
    ("operator", "value", "read"),
    [
        ("is", "set", Operator.SET),
        ("IS", "set", Operator.SET),
        (" is ", "not set", Operator.NOT_SET),
        ("=", None, Operator.NOT_SET),
        ("!=", None, Operator.SET),
    ],
)
def test_presence(operator: str, value: object, read: Operator) -> None:
    """Whether there is a value is asked by `is`, or by comparing with null."""
    assert _parse([["first_name", operator, value]]) == (Condition("first_name", read),)
    assert _parse({"first_name": [operator, value]}) == (Condition("first_name", read),)


def test_null_in_an_object_asks_for_what_is_empty() -> None:
    """As Frappe's `{"field": None}` does."""
    assert _parse({"api_key": None}) == (Condition("api_key", Operator.NOT_SET),)


@pytest.mark.parametrize(
    ("field", "operator", "value", "values"),
    [
        ("enabled", "=", True, (1,)),
        ("enabled", "!=", False, (0,)),
        ("enabled", "=", "1", (1,)),
        ("login_after", ">", " 7 ", (7,)),
        ("login_after", "<", 7.5, (7.5,)),
        ("login_after", "<", "7.5", (7.5,)),
        ("login_after", "=", -1, (-1,)),
        ("login_after", "=", 2**63 - 1, (2**63 - 1,)),
        ("login_after", "in", "1, 2,3", (1, 2, 3)),
        ("login_after", "in", [], ()),
        ("login_after", "between", ["1", 2], (1, 2)),
        ("login_after", "like", 1, ("1",)),
        ("first_name", "=", 5, ("5",)),
        ("first_name", "=", "", ("",)),
        ("first_name", "=", "a,b", ("a,b",)),
        ("first_name", "in", " a , b", ("a", "b")),
        ("first_name", "not in", ["a,b", " c "], ("a,b", " c ")),
        ("first_name", "in", ["x"] * 1000, ("x",) * 1000),
        ("first_name", "=", "x" * 1000, ("x" * 1000,)),
        ("first_name", "like", 1.5, ("1.5",)),
        ("first_name", "=", "'; DROP TABLE user; --\x00\ud800", ("'; DROP TABLE user; --\x00\ud800",)),
        ("creation", "=", "1970-01-02", (_DAY,)),
        ("creation", ">", " 1970-01-02 00:00:00.000001 ", (_DAY + 1,)),
        ("creation", "<", "1970-01-02T01:00:00+01:00", (_DAY,)),
        ("creation", "in", "1970-01-01,1970-01-02", (0, _DAY)),
        ("creation", "between", ["1970-01-01", "1970-01-02"], (0, 2 * _DAY - 1)),
        ("creation", "between", ["1970-01-01", " 1970-01-02 "], (0, 2 * _DAY - 1)),
        ("creation", "between", ["1970-01-01", "1970-01-02 00:00:00"], (0, _DAY)),
    ],
)
def test_values_are_read_as_they_are_stored(
    field: str, operator: str, value: object, values: tuple[Scalar, ...]
) -> None:
    """Checks and numbers as numbers, times as microseconds; a range that ends with a date ends with that day."""
    (condition,) = _parse([[field, operator, value]])

    assert (condition.field, condition.values) == (field, values)
    assert [type(read) for read in condition.values] == [type(value) for value in values]


@pytest.mark.parametrize("value", [0.5, "0.5", "5e-1"])
def test_a_fraction_is_compared_as_one(value: object) -> None:
    """How long a request took is no whole number."""
    assert _parse({"seconds": [">", value]}, "API Request Log")[0].values == (0.5,)


_LONG = "x" * 1001
_REFUSED: list[tuple[object, str]] = [
    (5, "must be a list of conditions or an object"),
    (True, "must be a list of conditions or an object"),
    (0.5, "must be a list of conditions or an object"),
    ([["name", "=", "x"]] * 101, "at most 100 conditions"),
    ({f"f{number}": 1 for number in range(101)}, "at most 100 conditions"),
    (["name"], "each condition must be"),
    ([[]], "each condition must be"),
    ([["name"]], "each condition must be"),
    ([["User", "name", "=", "x", "y"]], "each condition must be"),
    ([{"name": "x"}], "each condition must be"),
    ([None], "each condition must be"),
    ([["name", "=", "x"], "name"], "each condition must be"),
    ([["Role", "name", "=", "x"]], "fields of User itself"),
    ([[None, "name", "=", "x"]], "fields of User itself"),
    ([[["User"], "name", "=", "x"]], "fields of User itself"),
    ({"name": []}, "must be a value, or [operator, value]"),
    ({"name": ["in", "a", "b"]}, "must be a value, or [operator, value]"),
    ([["nothing", "=", 1]], "Field not permitted in query: nothing"),
    ([["user.name", "=", 1]], "Field not permitted in query: user.name"),
    ([["password_hash", "=", 1]], "Field not permitted in query: password_hash"),
    ([["new_password", "=", 1]], "Field not permitted in query: new_password"),
    ([["Has Role", "parent", "=", 1]], "conditions must be on fields of User itself"),
    ([["restrict_ip", "=", 1]], "Field not permitted in query: restrict_ip"),
    ([["Name", "=", 1]], "Field not permitted in query: Name"),
    ([[None, "=", 1]], "Field not permitted in query: NoneType"),
    ([[["name"], "=", 1]], "Field not permitted in query: list"),
    ({"": 1}, "Field not permitted in query: "),
    ([["f" * 100, "=", 1]], "Field not permitted in query: " + "f" * 60),
    ([["name", "", 1]], "Operator must be one of =, !=, >, <"),
    ([["name", "==", 1]], "Operator must be one of"),
    ([["name", "not  in", 1]], "Operator must be one of"),
    ([["name", "is set", 1]], "Operator must be one of"),
    ([["name", "is not set", 1]], "Operator must be one of"),
    ([["name", "regexp", ".*"]], "Operator must be one of"),
    ([["name", "= 1 or 1", 1]], "Operator must be one of"),
    ([["name", None, 1]], "Operator must be one of"),
    ([["name", ["="], 1]], "Operator must be one of"),
    ([["name", "is", "Set"]], "name is 'set' or 'not set'"),
    ([["name", "is", None]], "name is 'set' or 'not set'"),
    ([["name", "is", ["set"]]], "name is 'set' or 'not set'"),
    ([["name", ">", None]], "must be compared with a text or a number"),
    ([["name", "=", ["a"]]], "must be compared with a text or a number"),
    ({"name": {"a": 1}}, "must be compared with a text or a number"),
    ([["name", "in", [["a"]]]], "must be compared with a text or a number"),
    ([["name", "in", [None]]], "must be compared with a text or a number"),
    ([["name", "in", None]], "takes a list of at most 1000 values"),
    ([["name", "in", 5]], "takes a list of at most 1000 values"),
    ([["name", "not in", {}]], "takes a list of at most 1000 values"),
    ([["name", "in", ["x"] * 1001]], "takes a list of at most 1000 values"),
    ([["name", "in", "," * 1000]], "takes a list of at most 1000 values"),
    ([["name", "between", "a,b"]], "between takes a list of two values"),
    ([["name", "between", ["a"]]], "between takes a list of two values"),
    ([["name", "between", ["a", "b", "c"]]], "between takes a list of two values"),
    ([["name", "between", ["a", None]]], "must be compared with a text or a number"),
    ([["name", "like", None]], "must be compared with a text"),
    ([["name", "like", True]], "must be compared with a text"),
    ([["name", "not like", ["a"]]], "must be compared with a text"),
    ([["creation", "like", "2026%"]], "creation is a time: compare it by"),
    ([["creation", "not like", "2026%"]], "creation is a time: compare it by"),
    ([["creation", "=", "tomorrow"]], "must be a date and time such as"),
    ([["creation", "=", 5]], "must be a date and time such as"),
    ([["creation", "between", ["1970-01-01", 5]]], "must be a date and time such as"),
    ([["creation", "between", ["1970-01-01", "1970-99-99"]]], "must be a date and time such as"),
    ([["enabled", "=", "yes"]], "enabled must be a number"),
    ([["enabled", "=", ""]], "enabled must be a number"),
    ([["login_after", "=", 2**63]], "login_after must be a number"),
    ([["login_after", "=", 10**4000]], "login_after must be a number"),
    ([["login_after", "=", float("nan")]], "login_after must be a number"),
    ([["login_after", "=", float("inf")]], "login_after must be a number"),
    ([["login_after", "=", "1e999"]], "login_after must be a number"),
    ([["first_name", "=", _LONG]], "first_name is compared with at most 1000 characters"),
    ([["first_name", "like", _LONG]], "first_name is compared with at most 1000 characters"),
    ([["first_name", "in", ["a", _LONG]]], "first_name is compared with at most 1000 characters"),
    (_LONG, "name is compared with at most 1000 characters"),
]


@pytest.mark.parametrize(("sent", "told"), _REFUSED, ids=[f"{n}: {told}"[:60] for n, (_, told) in enumerate(_REFUSED)])
def test_what_is_wrong_is_told_by_its_parameter(sent: object, told: str) -> None:
    """Whichever of the two parameters it was sent for; only a field that may not be asked for is a DataError."""
    for parameter in ("filters", "or_filters"):
        with pytest.raises(Invalid) as error:
            _parse(sent, parameter=parameter)

        assert error.value.fields.keys() == {parameter}
        assert told in error.value.fields[parameter]
        assert (error.value.flaw is Flaw.FIELD) == told.startswith("Field not permitted")


def test_a_refusal_repeats_little_of_what_was_sent() -> None:
    """However long a name is, the message stays short."""
    long: list[object] = [{"f" * 5000: 1}, {"f" * 5000: []}, [["f" * 5000, "=", 1]]]
    for sent in long:
        with pytest.raises(Invalid) as error:
            _parse(sent)

        assert len(error.value.public) < 150


def test_fields_that_are_hidden_and_fields_that_are_not_there_are_refused_alike() -> None:
    """A refusal does not tell which fields a type has beside those that its viewer may ask for."""
    clerk = DOCUMENT_TYPES["User"].filterable_by(Viewer(None, manager=False, reach=Reach.ALL))

    told = []
    for name in ("api_key", "apikeys"):
        with pytest.raises(Invalid) as error:
            find_field("filters", name, clerk)
        told.append((error.value.public.replace(name, "…"), error.value.flaw))

    assert told[0] == told[1]
    assert find_field("filters", "name", clerk).name == "name"
