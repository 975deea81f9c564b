"""How a document type is described: one pydantic model, whose fields say who reads and who writes them.

Everything else about a type is derived from its model: validation, the resource API, its OpenAPI schema, what the
command line and the desk show.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import cached_property
from typing import Any, assert_never

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from latchgate.core.permissions import EVERY_ACTION, Action, Own, Reach
from latchgate.core.principals import Principal
from latchgate.core.queries import Scalar

__all__ = ["Access", "DocumentType", "FieldSpec", "Kind", "Reader", "Viewer", "Writer", "format_time", "parse_time"]


class Kind(StrEnum):
    """What a field holds; the words are Frappe's."""

    DATA = "Data"
    LONG = "Small Text"
    CHECK = "Check"
    INT = "Int"
    FLOAT = "Float"
    DATETIME = "Datetime"
    SELECT = "Select"
    LINK = "Link"
    LIST = "List"
    """A JSON list of texts."""
    TABLE = "Table"
    """A child table: a JSON list of objects."""
    PASSWORD = "Password"  # a kind of field


class Reader(Enum):
    """Who sees a field, of those who may read the record."""

    ANYONE = "anyone"
    OWNER = "owner"
    """Whose record it is, and System Managers."""
    NOBODY = "nobody"


class Writer(Enum):
    """Who sets a field, of those who may write the record."""

    ANYONE = "anyone"
    MANAGER = "manager"
    """Whoever may write all records of the type, not only their own; to their own account, System Managers alone."""
    ONCE = "once"
    """As MANAGER or ANYONE may create, and never again."""
    NOBODY = "nobody"
    """It is computed."""


@dataclass(frozen=True, slots=True)
class Access:
    """What stands beside a field's type: `Annotated[str, Access(Kind.DATA, "First Name")]`."""

    kind: Kind
    label: str
    read: Reader = Reader.ANYONE
    write: Writer = Writer.NOBODY
    required: bool = False
    """Whether a new record must name it."""
    link: str | None = None
    """The document type that a Link names."""
    compared: bool = True
    """Whether records can be asked for by its value: in filters, order_by and group_by."""
    volatile: bool = False
    """Whether it changes by itself, so that a client sends back another value than there is by then."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Through whose eyes records are seen: what decides which fields there are for a caller."""

    own: Own | None
    """None for the command line."""
    manager: bool
    reach: Reach

    @classmethod
    def of(cls, principal: Principal | None, reach: Reach) -> "Viewer":
        """Make the viewer of a request, or of the command line."""
        if principal is None:
            return cls(None, manager=True, reach=Reach.ALL)
        return cls(Own(principal.user, principal.user_id), principal.is_manager, reach)

    @property
    def own_only(self) -> Own | None:
        """Whose records alone there are for this viewer; None for everybody's."""
        return self.own if self.reach is not Reach.ALL else None


@dataclass(frozen=True)
class FieldSpec:
    """One field of a type, read from its model."""

    name: str
    access: Access
    annotation: Any
    description: str
    choices: tuple[str, ...]
    """What a Select may hold."""

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.annotation)

    def parse(self, value: object) -> Any:  # noqa: ANN401  # whatever the field holds
        """Read a value that was sent. Raises ValueError with a sentence that says what would be right."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            raise ValueError(_sentence(error)) from None
        except RecursionError:
            raise ValueError("is nested too deeply") from None

    def parse_compared(self, value: object) -> Scalar:
        """Read a value that records are compared with, as stored. Raises ValueError with a sentence."""
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, (str, int, float)):
            raise ValueError("must be compared with a text or a number")  # noqa: TRY004  # one error for the caller
        match self.access.kind:
            case Kind.CHECK | Kind.INT | Kind.FLOAT:
                return _number(value)
            case Kind.DATETIME:
                return parse_time(str(value))
            case _:
                return str(value)

    def visible_to(self, viewer: Viewer, *, own: bool) -> bool:
        """Whether a viewer sees the field of a record that is their own, or not."""
        match self.access.read:
            case Reader.ANYONE:
                return True
            case Reader.OWNER:
                return viewer.manager or own
            case Reader.NOBODY:
                return False
            case _:
                assert_never(self.access.read)


@dataclass(frozen=True)
class DocumentType:
    """A kind of record of the product itself."""

    name: str
    model: type[BaseModel]
    own_field: str
    """The field that names whose record it is."""
    named_by: str | None = None
    """The field that a new record's name is taken from; None where the name is given out."""
    log: bool = False
    """Whether it is written by the product alone, kept in order of time, and paged by `after`."""
    issued: bool = False
    """Whether its records come of OAuth 2 alone: they are read and ended, no more."""
    single: bool = False
    """Whether there is one record of it, called as the type is."""
    ignored: frozenset[str] = frozenset()
    """Fields of Frappe's that clients send and that mean nothing here."""

    @property
    def actions(self) -> frozenset[Action]:
        """What can be done to its records at all, whatever is permitted."""
        if self.log:
            return frozenset({Action.READ})
        if self.issued:
            return frozenset({Action.READ, Action.DELETE})
        return frozenset({Action.READ, Action.WRITE}) if self.single else EVERY_ACTION

    @cached_property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The fields by name, in the order of the model."""
        return {name: _spec(name, info) for name, info in self.model.model_fields.items()}

    def seen_in_lists_by(self, viewer: Viewer) -> Mapping[str, FieldSpec]:
        """The fields that a viewer sees of every record that there is for them.

        One that they see of some records only is not among them: a list must not tell what reading would not.
        """
        own = viewer.own_only is not None
        return {name: spec for name, spec in self.fields.items() if spec.visible_to(viewer, own=own)}

    def listable_by(self, viewer: Viewer) -> Mapping[str, FieldSpec]:
        """The fields that a viewer may name among the fields of a list; child tables, as in Frappe, come by reading."""
        seen = self.seen_in_lists_by(viewer)
        return {name: spec for name, spec in seen.items() if spec.access.kind is not Kind.TABLE}

    def filterable_by(self, viewer: Viewer) -> Mapping[str, FieldSpec]:
        """The fields that a viewer may name in filters: a child table fulfils a condition if one of its rows does."""
        seen = self.seen_in_lists_by(viewer)
        return {name: spec for name, spec in seen.items() if spec.access.compared or spec.access.kind is Kind.TABLE}

    def comparable_by(self, viewer: Viewer) -> Mapping[str, FieldSpec]:
        """The fields that a viewer may name in order_by and group_by."""
        return {name: spec for name, spec in self.seen_in_lists_by(viewer).items() if spec.access.compared}


def format_time(microseconds: int | None) -> str | None:
    """Write a time as Frappe does: UTC, without a zone."""
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    # Lists hold them by ten thousand: a format that is read anew each time takes three times as long.
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(' ')[:19]}.{rest:06}"


def parse_time(text: str) -> int:
    """Read a date, or date and time, as microseconds since 1970; UTC unless it names a zone. Raises ValueError."""
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        whole = found.replace(microsecond=0)
        return int(whole.timestamp()) * 1_000_000 + found.microsecond
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time such as 2026-11-24 09:30:00") from None


def _number(value: str | float) -> Scalar:
    # A whole number stays one: as a fraction it would lose its last digits.
    kinds = (int, float) if isinstance(value, str) else (type(value),)
    for kind in kinds:
        with suppress(ValueError, OverflowError):
            number = kind(value)
            # SQLite and PostgreSQL count to 2^63.
            if -(2**63) <= number < 2**63:
                return number
    raise ValueError("must be a number")


def _spec(name: str, info: FieldInfo) -> FieldSpec:
    found = [note for note in info.metadata if isinstance(note, Access)]
    if len(found) != 1:
        raise AssertionError(f"the field {name} does not say who reads and writes it")
    annotation = info.rebuild_annotation()
    choices = _choices(info.annotation)
    return FieldSpec(name, found[0], annotation, info.description or "", choices)


def _choices(annotation: object) -> tuple[str, ...]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(choice.value) for choice in annotation)
    return ()


_SENTENCES = {
    "string_type": "must be a text",
    "string_unicode": "must be a text of whole characters",
    "string_too_long": "must be a text of at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be one of {expected}",
    "list_type": "must be a list",
    "too_long": "must hold at most {max_length}",
    "missing": "is required",
    "model_type": "must be an object",
}


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    form = _SENTENCES.get(first["type"])
    told = form.format(**first.get("ctx", {})) if form else first["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told
