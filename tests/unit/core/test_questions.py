"""Questions: what a caller asks of a list is read into what that caller may ask, or refused by its parameter's name."""

import pytest

from latchgate.core.document_types import DocumentType, Viewer
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Own, Reach
from latchgate.core.queries import Column, Condition, DocumentQuery, Operator, Order
from latchgate.core.questions import Asked, parse_question
from latchgate.errors import Flaw, Invalid

_USER, _KEY, _LOG = (DOCUMENT_TYPES[name] for name in ("User", "API Key", "API Request Log"))
_ME = Own("me@example.com", 7)
_COMMAND_LINE = Viewer(None, manager=True, reach=Reach.ALL)
_MANAGER = Viewer(_ME, manager=True, reach=Reach.ALL)
_CLERK = Viewer(_ME, manager=False, reach=Reach.ALL)
_OWNER = Viewer(_ME, manager=False, reach=Reach.OWN)
_VIEWERS = (_COMMAND_LINE, _MANAGER, _CLERK, _OWNER)
_NEWEST_FIRST = (Order("creation", descending=True),)


def _ask(doctype: DocumentType = _USER, viewer: Viewer = _MANAGER, /, **asked: object) -> DocumentQuery:
    return parse_question(doctype, viewer, Asked(**asked))


def _refused(doctype: DocumentType = _USER, viewer: Viewer = _MANAGER, /, **asked: object) -> Invalid:
    with pytest.raises(Invalid) as error:
        _ask(doctype, viewer, **asked)
    return error.value


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names)


def test_nothing_asked_is_the_first_page_of_names() -> None:
    """Twenty names, the newest first."""
    assert _ask() == DocumentQuery(order=_NEWEST_FIRST, limit=20)


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("", ["name"]),
        ([], ["name"]),
        ("email", ["email"]),
        (["email"], ["email"]),
        (["name", "email", "name"], ["name", "email"]),
        (["`email`", " tabUser.enabled ", "`tabUser`.`name`"], ["email", "enabled", "name"]),
        (["restrict_ip"], ["restrict_ip"]),
        (["email"] * 100, ["email"]),
    ],
)
def test_fields(sent: object, names: list[str]) -> None:
    """One or several, each once, as Frappe's clients quote them; what cannot be compared can be listed."""
    assert _ask(fields=sent).columns == _columns(*names)


@pytest.mark.parametrize("viewer", _VIEWERS)
def test_an_asterisk_is_every_field_that_the_viewer_may_list(viewer: Viewer) -> None:
    """And none that they may not."""
    for sent in ("*", ["*"], ["*", "name"]):
        assert {column.field for column in _ask(_USER, viewer, fields=sent).columns} == set(_USER.listable_by(viewer))


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (5, "must be a list of at most 100 names"),
        ({"name": 1}, "must be a list of at most 100 names"),
        (["name"] * 101, "must be a list of at most 100 names"),
        (True, "must be a list of at most 100 names"),
        ([None], "Field not permitted in query: NoneType"),
        ([["name"]], "Field not permitted in query: list"),
        ([""], "Field not permitted in query: "),
        (" ", "Field not permitted in query: "),
        (["nothing"], "Field not permitted in query: nothing"),
        (["name, email"], "Field not permitted in query: name, email"),
        (["name as n"], "Field not permitted in query: name as n"),
        (["roles"], "Field not permitted in query: roles"),
        (["new_password"], "Field not permitted in query: new_password"),
        (["`tabRole`.`name`"], "Field not permitted in query: `tabRole`.`name`"),
        (["`tabUser.name"], "Field not permitted in query: `tabUser.name"),
        (["roles.role"], "Field not permitted in query: roles.role"),
        (["(select password_hash from user)"], "Field not permitted in query: (select"),
        (["sleep(5)"], "Field not permitted in query: sleep(5)"),
        (["count(*) as n; drop table user"], "Field not permitted in query: count(*)"),
        (["count(nonesuch) as n"], "Field not permitted in query: nonesuch"),
        (["enabled", "count(*) as enabled"], "enabled stands for two things"),
        (["count(distinct name)"], "Field not permitted in query: count("),
        (["sum(login_after)"], "Field not permitted in query: sum("),
        (["x" * 1001], "Field not permitted in query: " + "x" * 60),
        (["count(*)"], "count needs group_by"),
        (["name", "count(name) as n"], "count needs group_by"),
    ],
)
def test_fields_that_are_refused(sent: object, told: str) -> None:
    """By their parameter's name; what cannot be asked for is a DataError."""
    error = _refused(fields=sent)

    assert error.fields.keys() == {"fields"}
    assert told in error.fields["fields"]
    assert (error.flaw is Flaw.FIELD) == told.startswith("Field not permitted")


@pytest.mark.parametrize(
    ("sent", "column"),
    [
        ("count(*) as n", Column("n", None)),
        ("COUNT(*) AS Number", Column("Number", None)),
        (" count(*) ", Column("count(*)", None)),
        ("count(name) as n", Column("n", None)),
        ("count(`name`)", Column("count(`name`)", None)),
    ],
)
def test_counts_of_groups(sent: str, column: Column) -> None:
    """A count goes by the name that it was given, or by its own text."""
    query = _ask(fields=["enabled", sent], group_by="enabled")

    assert query.columns == (Column("enabled", "enabled"), column)
    assert query.group_by == ("enabled",)


@pytest.mark.parametrize(
    ("sent", "fields", "grouped"),
    [
        ("enabled", ["enabled"], ("enabled",)),
        ("enabled, user_type", ["enabled"], ("enabled", "user_type")),
        ("`tabUser`.`enabled`,tabUser.user_type", ["user_type"], ("enabled", "user_type")),
    ],
)
def test_groups(sent: str, fields: list[str], grouped: tuple[str, ...]) -> None:
    """By one field or several; an order by anything else means nothing then."""
    assert _ask(fields=fields, group_by=sent).group_by == grouped
    assert _ask(fields=fields, group_by=sent).order == ()
    assert _ask(fields=fields, group_by=sent, order_by="name, enabled desc").order == (
        Order("enabled", descending=True),
    )
    assert _ask(fields=fields, group_by="", order_by="name").group_by == ()


@pytest.mark.parametrize(
    ("asked", "parameter", "told"),
    [
        ({"group_by": "enabled"}, "fields", "with group_by, name must be grouped by or left out"),
        ({"group_by": "enabled", "fields": ["enabled", "name", "email"]}, "fields", "name, email must be grouped by"),
        ({"group_by": ["enabled"]}, "group_by", "must be a text that names at most 5 fields"),
        ({"group_by": 5}, "group_by", "must be a text that names at most 5 fields"),
        ({"group_by": "a,b,c,d,e,f"}, "group_by", "must be a text that names at most 5 fields"),
        ({"group_by": "e" * 1001}, "group_by", "must be a text that names at most 5 fields"),
        ({"group_by": "restrict_ip"}, "group_by", "Field not permitted in query: restrict_ip"),
        ({"group_by": "enabled,"}, "group_by", "Field not permitted in query: "),
        ({"group_by": " "}, "group_by", "Field not permitted in query: "),
        ({"group_by": "1; drop table user"}, "group_by", "Field not permitted in query: 1; drop"),
        ({"group_by": "`tabRole`.`name`"}, "group_by", "Field not permitted in query: `tabRole`"),
        ({"order_by": ["name"]}, "order_by", "must be a text that names at most 5 fields"),
        ({"order_by": 1}, "order_by", "must be a text that names at most 5 fields"),
        ({"order_by": "a,b,c,d,e,f"}, "order_by", "must be a text that names at most 5 fields"),
        ({"order_by": "n" * 1001}, "order_by", "must be a text that names at most 5 fields"),
        ({"order_by": "name down"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "name asc desc"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "name,"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "desc name"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "1"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "(select 1)"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "name desc; drop table user"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "name desc nulls last"}, "order_by", "must be '<field> asc' or '<field> desc'"),
        ({"order_by": "nothing desc"}, "order_by", "Field not permitted in query: nothing"),
        ({"order_by": "restrict_ip"}, "order_by", "Field not permitted in query: restrict_ip"),
        ({"order_by": "`tabRole`.`name` asc"}, "order_by", "Field not permitted in query: `tabRole`.`name`"),
    ],
)
def test_groups_and_orders_that_are_refused(asked: dict[str, object], parameter: str, told: str) -> None:
    """By their parameter's name."""
    error = _refused(**asked)

    assert error.fields.keys() == {parameter}
    assert told in error.fields[parameter]


@pytest.mark.parametrize(
    ("doctype", "sent", "order"),
    [
        (_USER, "", _NEWEST_FIRST),
        (_USER, "name", (Order("name"),)),
        (_USER, "name ASC", (Order("name"),)),
        (_USER, " name  DeSC ", (Order("name", descending=True),)),
        (_USER, "enabled desc, `name`", (Order("enabled", descending=True), Order("name"))),
        (_KEY, "`tabAPI Key`.`creation` desc", _NEWEST_FIRST),
        (_KEY, "tabAPI Key.label asc, name", (Order("label"), Order("name"))),
        (_LOG, None, _NEWEST_FIRST),
        (_LOG, "time asc", (Order("time"),)),
        (_LOG, "modified desc", (Order("modified", descending=True),)),
        (_LOG, "`tabAPI Request Log`.`creation` desc, name desc", _NEWEST_FIRST),
    ],
)
def test_orders(doctype: DocumentType, sent: object, order: tuple[Order, ...]) -> None:
    """By several fields, quoted or not, upwards unless it says otherwise; a log's by the first alone."""
    assert _ask(doctype, order_by=sent).order == order


@pytest.mark.parametrize("sent", ["status", "path desc", "creation, status"])
def test_a_log_is_sorted_by_time_alone(sent: str) -> None:
    """Anything else would read the whole of it."""
    assert _refused(_LOG, order_by=sent).fields == {"order_by": "a log is sorted by creation alone"}


@pytest.mark.parametrize(
    ("sent", "read"),
    [(5, 5), ("5", 5), (" 7 ", 7), ("007", 7), (1, 1), (10_001, 10_001), ("9" * 13, 10**13 - 1)],
)
def test_numbers_of_a_page(sent: object, read: int) -> None:
    """Where it starts and how long it is, as numbers or texts."""
    assert (_ask(start=sent).start, _ask(limit=sent).limit) == (read, read)


@pytest.mark.parametrize("sent", [None, "", "x", "1e3", "1.0", "+1", "٣", 1.5, True, False, [5], {"a": 5}, "5;"])
def test_what_is_no_number_is_none(sent: object) -> None:
    """As recorded of Frappe: the usual page is given."""
    assert (_ask(start=sent).start, _ask(limit=sent).limit) == (0, 20)


@pytest.mark.parametrize("sent", [0, "0", "00"])
def test_no_limit_is_all(sent: object) -> None:
    """As in Frappe, a limit of nought asks for every record."""
    assert _ask(limit=sent).limit is None


@pytest.mark.parametrize("sent", [-1, "-1", " -5 ", 10**13, "9" * 14, 10**400, -(10**400)])
def test_numbers_that_no_page_has(sent: object) -> None:
    """Negative and endless ones are refused by their parameter's name."""
    assert _refused(start=sent).fields == {"limit_start": "must be a whole number from 0 on"}
    assert _refused(limit=sent).fields == {"limit": "must be a whole number from 0 on"}


def test_pages_of_a_log_go_on_after_a_row() -> None:
    """By its name, as a text or a number."""
    assert [_ask(_LOG, after=sent).after for sent in ("12", 12, None, "")] == ["12", "12", None, None]


@pytest.mark.parametrize("sent", [True, 1.5, ["12"], {"name": 12}])
def test_no_row_to_go_on_after(sent: object) -> None:
    """Only a text or a whole number names one."""
    assert _refused(_LOG, after=sent).fields == {"after": "must be the name of a row of the page before"}


def test_only_pages_of_a_log_go_on_after_a_row() -> None:
    """Neither other records nor groups."""
    for error in (_refused(after="x"), _refused(_LOG, after="1", group_by="status", fields=["status"])):
        assert error.fields == {"after": "only the pages of a log go on after a row; use limit_start"}


def test_filters_of_both_kinds_are_read() -> None:
    """All of the one and any of the other, each under its own name."""
    query = _ask(filters={"enabled": 1}, or_filters=[["name", "like", "a%"], ["name", "=", "b"]])

    assert query.all_of == (Condition("enabled", Operator.EQUAL, (1,)),)
    assert [condition.operator for condition in query.any_of] == [Operator.LIKE, Operator.EQUAL]
    assert _refused(or_filters=5).fields.keys() == {"or_filters"}


def test_all_filters_together_hold_a_thousand_values() -> None:
    """However they are spread over conditions: a database takes no endless number of them."""
    conditions = [["name", "in", ["x"] * 400]] * 3

    assert _refused(filters=conditions).fields.keys() == {"filters"}
    assert _refused(or_filters=conditions).fields.keys() == {"or_filters"}


@pytest.mark.parametrize(
    "asked", [{"fields": ["api_key"]}, {"filters": {"api_key": "x"}}, {"or_filters": {"api_key": "x"}}]
)
def test_a_field_is_asked_for_by_those_who_see_it(asked: dict[str, object]) -> None:
    """A user's key: by System Managers, and by whoever lists their own records alone."""
    for viewer in (_COMMAND_LINE, _MANAGER, _OWNER):
        assert _ask(_USER, viewer, **asked).limit == 20
    assert _refused(_USER, _CLERK, **asked).flaw is Flaw.FIELD
