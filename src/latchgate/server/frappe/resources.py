"""Records by address: `/api/resource/<DocType>[/<name>]`, `/api/v2/document/…` and `/api/v2/doctype/<DocType>/count`.

Source: recorded, area `resource`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread

from latchgate.core.document_types import DocumentType, Writer
from latchgate.errors import NotFound
from latchgate.server.frappe.list_arguments import as_objects, read_asked, read_record
from latchgate.server.replies import Dialect, Reply
from latchgate.server.requests import Call
from latchgate.server.routes import RecordRoute
from latchgate.services.document_lists import DocumentPage
from latchgate.services.documents import DocumentService

__all__ = ["record_routes"]

_ACCEPTED = 202


def record_routes(documents: DocumentService) -> Sequence[RecordRoute]:
    """Build the addresses of records on the service."""
    records = Resources(documents)
    one = {"GET": records.read, "PUT": records.update, "DELETE": records.delete}
    version_1 = {"GET": records.list_rows, "POST": records.create}
    version_2 = {"GET": records.list_page, "POST": records.create}
    return (
        RecordRoute("/api/resource/", Dialect.RECORDS_V1, version_1, one),
        RecordRoute("/api/v1/resource/", Dialect.RECORDS_V1, version_1, one),
        RecordRoute("/api/v2/document/", Dialect.FRAPPE_V2, version_2, {**one, "PATCH": records.update}),
        RecordRoute("/api/v2/doctype/", Dialect.FRAPPE_V2, {}, {"GET": records.about}),
    )


@dataclass(frozen=True, slots=True)
class Resources:
    """The handlers of records; who may do what is the service's to judge."""

    documents: DocumentService

    async def list_rows(self, call: Call, doctype: str, _name: str) -> Reply:
        """Answer with a page of rows."""
        arguments, page = await self._page(call, doctype)
        return Reply(page.documents() if as_objects(arguments) else page.rows)

    async def list_page(self, call: Call, doctype: str, _name: str) -> Reply:
        """Answer with a page of rows and whether there are more."""
        arguments, page = await self._page(call, doctype)
        rows: list[Any] = page.documents() if as_objects(arguments) else page.rows
        return Reply(rows, beside={"has_next_page": page.more})

    async def read(self, call: Call, doctype: str, name: str) -> Reply:
        """Answer with a record."""
        return Reply(await anyio.to_thread.run_sync(self.documents.get, call.actor, doctype, name))

    async def create(self, call: Call, doctype: str, _name: str) -> Reply:
        """Make a record of the body's fields and answer with it."""
        values = await read_record(call)
        return Reply(await anyio.to_thread.run_sync(self.documents.create, call.actor, doctype, values))

    async def update(self, call: Call, doctype: str, name: str) -> Reply:
        """Replace the fields that the body names and answer with the record."""
        values = await read_record(call)
        return Reply(await anyio.to_thread.run_sync(self.documents.update, call.actor, doctype, name, values))

    async def delete(self, call: Call, doctype: str, name: str) -> Reply:
        """Delete a record; a missing one is answered without a message, as recorded."""
        try:
            await anyio.to_thread.run_sync(self.documents.delete, call.actor, doctype, name)
        except NotFound as error:
            raise NotFound(error.public, told=False) from None
        return Reply("ok", status=_ACCEPTED)

    async def about(self, call: Call, doctype: str, what: str) -> Reply:
        """Answer how many records there are (`count`), or what fields a record has (`meta`)."""
        match what:
            case "count":
                asked = read_asked(await call.read_arguments())
                return Reply(await anyio.to_thread.run_sync(self.documents.count, call.actor, doctype, asked))
            case "meta":
                return Reply(_described(await anyio.to_thread.run_sync(self.documents.get_type, call.actor, doctype)))
            case _:
                raise NotFound(f"There is nothing called {what[:60]} here", told=False)

    async def _page(self, call: Call, doctype: str) -> tuple[dict[str, Any], DocumentPage]:
        arguments = await call.read_arguments()
        ask = partial(self.documents.list_rows, call.actor, doctype, read_asked(arguments))
        return arguments, await anyio.to_thread.run_sync(ask)


def _described(doctype: DocumentType) -> dict[str, Any]:
    return {
        "name": doctype.name,
        "fields": [
            {
                "fieldname": spec.name,
                "label": spec.access.label,
                "fieldtype": spec.access.kind.value,
                "reqd": int(spec.access.required),
                "read_only": int(spec.access.write is Writer.NOBODY),
                "set_only_once": int(spec.access.write is Writer.ONCE),
                "options": spec.access.link or "\n".join(spec.choices) or None,
                "description": spec.description,
            }
            for spec in doctype.fields.values()
        ],
    }
