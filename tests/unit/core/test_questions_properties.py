"""Any question that JSON can say: it asks what its viewer may ask for, or it is refused, and nothing else happens."""

from collections.abc import Iterator
from dataclasses import fields as fields_of

from hypothesis import event, given, settings
from hypothesis import strategies as st

from latchgate.core.document_types import DocumentType, Kind, Viewer
from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Own, Reach
from latchgate.core.queries import Condition, DocumentQuery, Operator
from latchgate.core.questions import Asked, parse_question
from latchgate.errors import Invalid

_ME = Own("me@example.com", 7)
_VIEWERS = (
    Viewer(None, manager=True, reach=Reach.ALL),
    Viewer(_ME, manager=True, reach=Reach.ALL),
    Viewer(_ME, manager=False, reach=Reach.ALL),
    Viewer(_ME, manager=False, reach=Reach.OWN),
)
_FIELDS = ["name", "creation", "owner", "idx", "email", "api_key", "enabled", "login_after", "time", "seconds", "roles"]
_WORDS = [*_FIELDS, "new_password", "restrict_ip", "User", "API Request Log"]
_WORDS += ["*", "count(*) as n", "`tabUser`.`name`", "tabRole.name", "desc", "asc", ",", "set", "not set", "is", "12"]
_WORDS += [operator.value for operator in Operator] + ["1970-01-01", "5e-1", "\x00", "\ud800", "' OR 1=1 --", "\\"]
_TEXTS = st.sampled_from(_WORDS) | st.lists(st.sampled_from(_WORDS), max_size=4).map(" ".join) | st.text(max_size=20)
_SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from([2**31, 2**63, 10**400]) | st.floats() | _TEXTS
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=12,
)
_COMPARED = st.tuples(st.sampled_from(_FIELDS), st.sampled_from([*map(str, Operator), "is"]), _SCALARS | _ANY)
_FILTERS = st.lists(_COMPARED.map(list), min_size=1, max_size=2) | _ANY
_NAMES = st.lists(st.sampled_from(_FIELDS), max_size=3)


_ASKED = st.builds(
    Asked,
    fields=st.none() | _NAMES | _ANY,
    filters=st.none() | _FILTERS,
    or_filters=st.none() | _FILTERS,
    order_by=st.none() | _NAMES.map(", ".join) | _ANY,
    start=st.none() | st.integers(0, 99) | _ANY,
    limit=st.none() | st.integers(0, 99) | _ANY,
    group_by=st.none() | _NAMES.map(",".join) | _ANY,
    after=st.none() | _ANY,
)


@given(st.sampled_from(list(DOCUMENT_TYPES.values())), st.sampled_from(_VIEWERS), _ASKED)
@settings(max_examples=300)
def test_any_question_asks_what_its_viewer_may_ask_or_is_refused(
    doctype: DocumentType, viewer: Viewer, asked: Asked
) -> None:
    """Whatever JSON is sent: no field beyond the viewer's sight, and no value that no table could hold."""
    query = _parse(doctype, viewer, asked)
    if isinstance(query, Invalid):
        assert query.fields.keys() <= {field.name for field in fields_of(Asked)} | {"limit_start"}
        event(f"refused by {next(iter(query.fields))}")
        return

    event("taken")
    listable, comparable = doctype.listable_by(viewer), doctype.comparable_by(viewer)
    assert {column.field for column in query.columns} <= {*listable, *({None} if query.group_by else ())}
    assert {order.field for order in query.order} | set(query.group_by) <= set(comparable)
    for condition in (*query.all_of, *query.any_of):
        assert all(_fits(doctype, condition))
    assert query.start >= 0
    assert query.limit is None or query.limit > 0


def _parse(doctype: DocumentType, viewer: Viewer, asked: Asked) -> DocumentQuery | Invalid:
    try:
        return parse_question(doctype, viewer, asked)
    except Invalid as error:
        return error


def _fits(doctype: DocumentType, condition: Condition) -> Iterator[bool]:
    counts = {Operator.BETWEEN: 2, Operator.SET: 0, Operator.NOT_SET: 0}
    several = condition.operator in {Operator.IN, Operator.NOT_IN}
    yield several or len(condition.values) == counts.get(condition.operator, 1)
    pattern = condition.operator in {Operator.LIKE, Operator.NOT_LIKE}
    numeric = doctype.fields[condition.field].access.kind in {Kind.CHECK, Kind.INT, Kind.FLOAT, Kind.DATETIME}
    for value in condition.values:
        if numeric and not pattern:
            yield isinstance(value, (int, float)) and -(2**63) <= value < 2**63
        else:
            yield isinstance(value, str)
