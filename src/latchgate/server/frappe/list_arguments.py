"""Read the arguments of a list and the body of a record from a request, as Frappe's clients send them.

Source: recorded, areas `resource` and `client`.
"""

import json
from collections.abc import Mapping
from typing import Any

from latchgate.core.questions import Asked
from latchgate.errors import Invalid
from latchgate.server.requests import Call, read_body, refuse_constant

__all__ = ["as_objects", "decode_json", "read_asked", "read_record"]

_JSON_LENGTH_MAX = 200_000
_NONE = "null"
_FALSE = frozenset({"0", "false", "no", ""})
# Of the arguments that travel beside a record's fields.
_BESIDE = frozenset({"cmd", "csrf_token"})


def read_asked(arguments: Mapping[str, Any]) -> Asked:
    """Read what a list is asked for. Raises Invalid for a parameter that is no JSON."""
    limit = arguments.get("limit")
    start = arguments.get("limit_start")
    fields = decode_json("fields", arguments.get("fields"))
    return Asked(
        fields=fields,
        filters=_filters("filters", arguments.get("filters")),
        or_filters=_filters("or_filters", arguments.get("or_filters")),
        order_by=arguments.get("order_by"),
        start=arguments.get("start") if start is None else start,
        limit=arguments.get("limit_page_length") if limit is None else limit,
        group_by=_group_by(arguments.get("group_by"), fields),
        after=arguments.get("after"),
    )


def as_objects(arguments: Mapping[str, Any]) -> bool:
    """Whether rows are wanted as objects, not as lists."""
    return str(arguments.get("as_dict", "1")).lower() not in _FALSE


def decode_json(parameter: str, sent: object) -> object:
    """Decode an argument that is JSON, written as a text or already in a JSON body. Raises Invalid."""
    if not isinstance(sent, str) or not sent.strip():
        return None if sent == "" else sent
    if len(sent) > _JSON_LENGTH_MAX:
        raise Invalid({parameter: f"must be at most {_JSON_LENGTH_MAX} characters of JSON"})
    try:
        return json.loads(sent, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise Invalid({parameter: 'must be JSON, such as ["name"]'}) from None


async def read_record(call: Call) -> dict[str, Any]:
    """Read a record's fields from the body: JSON, form fields, or the JSON in a field `data`.

    Raises:
        BadRequest: The body is not what its content type says.
        Invalid: `data` is no JSON object.
    """
    sent = await read_body(call.request)
    if "data" in sent:
        record = decode_json("data", sent["data"])
        if not isinstance(record, dict):
            raise Invalid({"data": "must be a JSON object of fields and values"})
        return record
    return {name: value for name, value in sent.items() if name not in _BESIDE}


def _group_by(sent: object, fields: object) -> object:
    # Each record has a name of its own: to group by it, as callers of frappe-js-sdk do, groups nothing but counts.
    return None if sent == "name" and "count(" not in str(fields).lower() else sent


def _filters(parameter: str, sent: object) -> object:
    # A plain text is the name of a record; what begins like JSON is JSON, and so is Python's None from frappe-client.
    if isinstance(sent, str) and sent.strip() != _NONE and sent.strip()[:1] not in {"[", "{", '"'}:
        return sent
    return decode_json(parameter, sent)
