"""The remote methods `frappe.client.*`: records by call, for Frappe's own clients.

Source: recorded, area `client`, and clients_and_logging.json.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from latchgate.core.documents import DOCUMENT_TYPES
from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.errors import Flaw, Invalid, LatchgateError, NotFound, NotPermitted
from latchgate.server.frappe.list_arguments import as_objects, decode_json, read_asked
from latchgate.server.replies import Reply, fault_of
from latchgate.server.requests import Call, require_text
from latchgate.services.documents import DocumentService, require_few

__all__ = ["READING", "WRITING", "ClientMethods"]

_FIELD_SHOWN_MAX = 60


@dataclass(frozen=True, slots=True)
class ClientMethods:
    """The handlers; who may do what is the service's to judge."""

    documents: DocumentService

    async def get(self, call: Call) -> Reply:
        """Answer with a record, by its name or as the first that filters allow."""
        arguments = await call.read_arguments()
        doctype, name = require_text(arguments, "doctype"), arguments.get("name")
        if not name and doctype in DOCUMENT_TYPES and DOCUMENT_TYPES[doctype].single:
            name = doctype
        if name is None or name == "":
            if not arguments.get("filters"):
                raise Invalid({"name": "is required, or filters"}, Flaw.VALUE)
            asked = Asked(filters=read_asked(arguments).filters, limit=1)
            page = await _run(self.documents.list_rows, call.actor, doctype, asked)
            if not page.rows:
                raise NotFound(f"{doctype} not found")
            name = page.rows[0][0]
        return Reply(await _run(self.documents.get, call.actor, doctype, _name(name)))

    async def get_list(self, call: Call) -> Reply:
        """Answer with a page of rows."""
        arguments = await call.read_arguments()
        doctype = require_text(arguments, "doctype")
        page = await _run(self.documents.list_rows, call.actor, doctype, read_asked(arguments))
        return Reply(page.documents() if as_objects(arguments) else page.rows)

    async def get_count(self, call: Call) -> Reply:
        """Answer how many records the filters allow, of those that the caller may read."""
        arguments = await call.read_arguments()
        doctype = require_text(arguments, "doctype")
        return Reply(await _run(self.documents.count, call.actor, doctype, read_asked(arguments)))

    async def get_value(self, call: Call) -> Reply:
        """Answer with some fields of the first record that the filters allow; with none if there is none."""
        arguments = await call.read_arguments()
        doctype = require_text(arguments, "doctype")
        asked = Asked(fields=_field_names(arguments.get("fieldname")), filters=read_asked(arguments).filters, limit=1)
        page = await _run(self.documents.list_rows, call.actor, doctype, asked)
        if not as_objects(arguments):
            return Reply(page.rows[0] if page.rows else [])
        return Reply(page.documents()[0] if page.rows else {})

    async def get_single_value(self, call: Call) -> Reply:
        """Answer with one field of a type that has one record, of those that reading it shows the caller."""
        arguments = await call.read_arguments()
        doctype, field = require_text(arguments, "doctype"), require_text(arguments, "field")
        # As in Frappe, the one record is named as its type is.
        record = await _run(self.documents.get, call.actor, doctype, doctype)
        if field not in record:
            raise Invalid({"field": f"Field not permitted in query: {field[:_FIELD_SHOWN_MAX]}"}, Flaw.FIELD)
        return Reply(record[field])

    async def insert(self, call: Call) -> Reply:
        """Make a record and answer with it."""
        doctype, values = _new((await call.read_arguments()).get("doc"), "doc")
        return Reply(await _run(self.documents.create, call.actor, doctype, values))

    async def insert_many(self, call: Call) -> Reply:
        """Make all of some records or none, and answer with their names."""
        sent = decode_json("docs", (await call.read_arguments()).get("docs"))
        new = [_new(doc, "docs") for doc in _documents(sent)]
        made = await _run(self.documents.create_many, call.actor, new)
        return Reply([record["name"] for record in made])

    async def set_value(self, call: Call) -> Reply:
        """Replace one field, or those of an object, and answer with the record."""
        arguments = await call.read_arguments()
        doctype, name = require_text(arguments, "doctype"), _name(arguments.get("name"))
        field = arguments.get("fieldname")
        if isinstance(field, str) and field.lstrip().startswith("{"):
            field = decode_json("fieldname", field)
        if isinstance(field, str) and field:
            field = {field: arguments.get("value")}
        if not isinstance(field, dict):
            raise Invalid({"fieldname": "is required, as a text or an object of fields and values"})
        return Reply(await _run(self.documents.update, call.actor, doctype, name, field))

    async def save(self, call: Call) -> Reply:
        """Replace the fields of a record that was read before, and answer with it."""
        doctype, values = _new((await call.read_arguments()).get("doc"), "doc")
        if not values.get("modified"):
            raise Invalid({"modified": "send the record as it was read, its modified too"}, Flaw.STALE)
        return Reply(await _run(self.documents.update, call.actor, doctype, _name(values.get("name")), values))

    async def delete(self, call: Call) -> Reply:
        """Delete a record; a missing one is answered without a message, as recorded."""
        arguments = await call.read_arguments()
        doctype, name = require_text(arguments, "doctype"), _name(arguments.get("name"))
        try:
            await _run(self.documents.delete, call.actor, doctype, name)
        except NotFound as error:
            raise NotFound(error.public, told=False) from None
        return Reply(None)

    async def bulk_update(self, call: Call) -> Reply:
        """Change some records, each by itself, and answer with those that could not be."""
        sent = decode_json("docs", (await call.read_arguments()).get("docs"))
        failed, messages, reason = [], [], None
        for doc in _documents(sent):
            try:
                doctype, values = _new(doc, "docs")
                name = _name(values.pop("docname", None))
                await _run(self.documents.update, call.actor, doctype, name, values)
            except LatchgateError as error:
                fault = fault_of(error)
                told = f"frappe.exceptions.{fault.exc_type}: {fault.message or fault.quiet}"
                failed.append({"doc": _called(doc), "exc": told})
                messages.append(fault.message or fault.quiet)
                reason = reason or (error.reason if isinstance(error, NotPermitted) else error.code.value)
        return Reply({"failed_docs": failed}, messages=tuple(messages), reason=reason)

    async def has_permission(self, call: Call) -> Reply:
        """Answer whether the caller may do something to a record, or to any of a type."""
        arguments = await call.read_arguments()
        doctype, kind = require_text(arguments, "doctype"), arguments.get("perm_type")
        kind = "read" if kind in (None, "") else kind
        if not isinstance(kind, str) or kind not in set(Action):
            raise Invalid({"perm_type": f"must be one of {', '.join(Action)}"})
        name = arguments.get("docname")
        may = await _run(self.documents.may, call.actor, doctype, Action(kind), _name(name) if name else None)
        return Reply({"has_permission": may})

    async def is_document_amended(self, _call: Call) -> Reply:
        """Answer with nothing: no record here is ever amended."""
        return Reply(None)

    async def rename(self, call: Call) -> Reply:
        """Refuse: names are what logs and keys go by."""
        doctype = require_text(await call.read_arguments(), "doctype")
        raise Invalid({"doctype": f"{doctype[:140]} not allowed to be renamed"})

    async def get_password(self, _call: Call) -> Reply:
        """Refuse: a secret is shown once, when it is made."""
        raise NotPermitted("Secrets are kept as hashes and cannot be read", reason="not_permitted")


READING: Mapping[str, Callable[[ClientMethods], Any]] = {
    "get": lambda client: client.get,
    "get_list": lambda client: client.get_list,
    "get_count": lambda client: client.get_count,
    "get_value": lambda client: client.get_value,
    "get_single_value": lambda client: client.get_single_value,
    "has_permission": lambda client: client.has_permission,
    "is_document_amended": lambda client: client.is_document_amended,
    "get_password": lambda client: client.get_password,
}
WRITING: Mapping[str, Callable[[ClientMethods], Any]] = {
    "insert": lambda client: client.insert,
    "insert_many": lambda client: client.insert_many,
    "set_value": lambda client: client.set_value,
    "save": lambda client: client.save,
    "delete": lambda client: client.delete,
    "bulk_update": lambda client: client.bulk_update,
    "rename_doc": lambda client: client.rename,
}


async def _run(work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  # whatever the work gives
    return await anyio.to_thread.run_sync(work, *arguments)


def _name(sent: object) -> str:
    if isinstance(sent, (str, int)) and not isinstance(sent, bool) and sent != "":
        return str(sent)
    raise Invalid({"name": "is required, as a text"})


def _field_names(sent: object) -> object:
    if isinstance(sent, str) and sent.lstrip()[:1] in {"[", "{"}:
        sent = decode_json("fieldname", sent)
    return [sent] if isinstance(sent, str) and sent else sent


def _documents(sent: object) -> list[Any]:
    if not isinstance(sent, list):
        raise Invalid({"docs": "must be a list of records"})
    require_few(sent)
    return sent


def _called(doc: object) -> dict[str, str]:
    """Tell of a record only what it is called: the rest may hold a password, or be of any depth."""
    sent = doc if isinstance(doc, dict) else {}
    return {key: sent[key] for key in ("doctype", "docname") if isinstance(sent.get(key), str)}


def _new(sent: object, parameter: str) -> tuple[str, dict[str, Any]]:
    record = decode_json(parameter, sent)
    if not isinstance(record, dict):
        raise Invalid({parameter: "must be a record: an object of fields and values"})
    doctype = record.get("doctype")
    if not isinstance(doctype, str) or not doctype:
        raise Invalid({parameter: "must name its document type in doctype"})
    return doctype, {name: value for name, value in record.items() if name != "doctype"}
