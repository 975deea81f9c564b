"""What the OpenAPI document says of each method and page; a route that is not here fails a test.

A test calls each method with its arguments' examples and holds the answer to the example.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latchgate import __version__
from latchgate.core.documents import API_KEY, DOCUMENT_TYPES, USER
from latchgate.server.openapi_examples import EXAMPLE_SECRET, example_of, record_example
from latchgate.server.replies import Reply

__all__ = ["METHODS", "PAGES", "Argument", "MethodText"]

_TEXT: Mapping[str, Any] = {"type": "string"}
_ANY: Mapping[str, Any] = {}
_NUMBER: Mapping[str, Any] = {"type": "integer"}
_JSON_LIST: Mapping[str, Any] = {"type": ["array", "string"]}
_JSON_OBJECT: Mapping[str, Any] = {"type": ["object", "string"]}
_CONDITIONS: Mapping[str, Any] = {"type": ["array", "object", "string"]}
_RECORD: Mapping[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
_ROWS: Mapping[str, Any] = {
    "type": "array",
    "items": {"anyOf": [{"type": "object", "description": "The fields that were asked for"}, {"type": "array"}]},
}
_FAILED: Mapping[str, Any] = {
    "type": "object",
    "required": ["failed_docs"],
    "properties": {"failed_docs": {"type": "array", "items": {"type": "object"}}},
}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a method: in the query of a GET, in the body of a POST."""

    name: str
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: _TEXT)


@dataclass(frozen=True, slots=True)
class MethodText:
    """What a method does and answers."""

    summary: str
    arguments: tuple[Argument, ...] = ()
    answer: Mapping[str, Any] | None = None
    """The schema of what it answers; None where there is nothing in the envelope."""
    example: Reply | None = None
    """What it answers to `sent`; None for a method that only refuses."""
    sent: Mapping[str, Any] = field(default_factory=dict)
    """An example of its arguments."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Schemas of what is answered beside the value."""


_ANN = example_of(USER)["name"]
_ROLE = example_of(DOCUMENT_TYPES["Role"])["name"]
_RENAMED = {**record_example(USER), "first_name": "Anna", "full_name": "Anna Lee"}

_DOCTYPE = Argument("doctype", "The document type, such as User", required=True)
_SINGLE = Argument("doctype", "The document type, such as System Settings", required=True)
_NAME = Argument("name", "The record's name", required=True)
_FILTERS = Argument("filters", "A JSON list or object of conditions, or a name", schema=_CONDITIONS)
_DOC = Argument("doc", "The record, with its doctype", required=True, schema=_JSON_OBJECT)
_DOCS = Argument("docs", "A list of records, at most 200", required=True, schema=_JSON_LIST)
_LIST = (
    _DOCTYPE,
    Argument("fields", "A JSON list of fields", schema=_JSON_LIST),
    _FILTERS,
    Argument("or_filters", "Conditions of which one is enough", schema=_CONDITIONS),
    Argument("order_by", "`<field> asc` or `<field> desc`"),
    Argument("limit_start", "How many rows to pass over", schema=_NUMBER),
    Argument("limit_page_length", "How many rows to give", schema=_NUMBER),
)
_PING = MethodText("Answer pong", answer={"const": "pong"}, example=Reply("pong"))
_PLACE = {"home_page": _TEXT, "full_name": _TEXT}
_USER = Argument("user", "Whose key", required=True)
_GENERATE = MethodText(
    "Give a user's first key a new secret, or make the key; the secret is shown this once",
    (_USER,),
    {"type": "object", "required": ["api_key", "api_secret"], "properties": {"api_key": _TEXT, "api_secret": _TEXT}},
    Reply({"api_key": example_of(API_KEY)["name"], "api_secret": EXAMPLE_SECRET}),
    {"user": _ANN},
)

_RULE = example_of(DOCUMENT_TYPES["Access Rule"])
_TRIED: Mapping[str, Any] = {
    "method": "GET",
    "host": "api.example.com",
    "path": "/reports/7",
    "user": _ANN,
    "decision": "allowed",
    "reason": None,
    "rule": _RULE["name"],
    "position": _RULE["position"],
    "summary": f"GET /reports/* on api.example.com: anyone with role {_ROLE} and scope reports.read",
    "needed_scopes": ["reports.read"],
    "credentials": "it takes credentials whose scopes cover reports.read, and sessions",
    "sentence": "let in",
    "note": "",
    "passed_over": [],
}

_ACCOUNT_METHODS: Mapping[str, MethodText] = {
    "frappe.auth.get_logged_user": MethodText("Tell whom the request acts as", answer=_TEXT, example=Reply(_ANN)),
    "ping": _PING,
    "frappe.ping": _PING,
    "login": MethodText(
        "Open a session",
        (Argument("usr", "The user", required=True), Argument("pwd", "The password", required=True)),
        {"enum": ["Logged In", "No App"]},
        Reply("Logged In", {"home_page": "/app", "full_name": "Ann Lee"}),
        {"usr": _ANN, "pwd": "correct horse battery"},
        _PLACE,
    ),
    "logout": MethodText(
        "End the session",
        answer={"const": "No App"},
        example=Reply("No App", {"home_page": "/login", "full_name": "Guest"}),
        beside=_PLACE,
    ),
    "frappe.core.doctype.user.user.generate_keys": _GENERATE,
    "User/generate_keys": _GENERATE,
    "frappe.core.doctype.user.user.get_roles": MethodText(
        "List the roles of a user",
        (Argument("uid", "The user; oneself if not given"),),
        {"type": "array", "items": _TEXT},
        Reply([_ROLE, "All", "Guest", "Desk User"]),
        {"uid": _ANN},
    ),
    "latchgate.access_rules.test": MethodText(
        "Tell which access rule a request for a protected application falls under, and what is decided",
        (
            Argument("method", "The method, in capitals", required=True),
            Argument("url", "The address, or host and path", required=True),
            Argument("user", "Who asks; Guest if not given"),
            Argument("scopes", "What the credential is limited to; none for everything", schema=_JSON_LIST),
        ),
        {"type": "object", "required": ["decision"], "properties": {"decision": _TEXT, "sentence": _TEXT}},
        Reply(_TRIED),
        {"method": "GET", "url": "https://api.example.com/reports/7", "user": _ANN},
    ),
    "frappe.utils.change_log.get_versions": MethodText(
        "Tell the version",
        answer={"type": "object"},
        example=Reply({"latchgate": {"title": "Latchgate", "version": __version__}}),
    ),
}
_READING_METHODS: Mapping[str, MethodText] = {
    "get": MethodText(
        "Read a record",
        (_DOCTYPE, Argument("name", "Its name; or filters"), _FILTERS),
        _RECORD,
        Reply(record_example(DOCUMENT_TYPES["Role"])),
        {"doctype": "Role", "name": _ROLE},
    ),
    "get_list": MethodText(
        "List records",
        _LIST,
        _ROWS,
        Reply([{"name": _ANN, "full_name": "Ann Lee"}]),
        {"doctype": "User", "fields": ["name", "full_name"], "filters": [["first_name", "like", "Ann%"]]},
    ),
    "get_count": MethodText(
        "Count records",
        (_DOCTYPE, _FILTERS),
        _NUMBER,
        Reply(1),
        {"doctype": "User", "filters": {"first_name": "Ann"}},
    ),
    "get_value": MethodText(
        "Read fields of the first record that filters allow",
        (_DOCTYPE, Argument("fieldname", "A field, or a list of them", schema=_JSON_LIST), _FILTERS),
        {"type": ["object", "array"]},
        Reply({"full_name": "Ann Lee"}),
        {"doctype": "User", "fieldname": "full_name", "filters": {"name": _ANN}},
    ),
    "get_single_value": MethodText(
        "Read a field of a type that has one record",
        (_SINGLE, Argument("field", "The field", required=True)),
        {"type": ["string", "integer", "number", "null"]},
        Reply(1),
        {"doctype": "System Settings", "field": "allow_own_keys"},
    ),
    "has_permission": MethodText(
        "Tell whether one may do something to a record",
        (_DOCTYPE, Argument("docname", "The record's name"), Argument("perm_type", "read, write, create or delete")),
        {"type": "object", "required": ["has_permission"], "properties": {"has_permission": {"type": "boolean"}}},
        Reply({"has_permission": True}),
        {"doctype": "User", "docname": _ANN, "perm_type": "write"},
    ),
    "is_document_amended": MethodText("Answer with nothing: no record is ever amended", example=Reply(None)),
    "get_password": MethodText("Refuse: secrets are kept as hashes"),
}
_WRITING_METHODS: Mapping[str, MethodText] = {
    "insert": MethodText(
        "Make a record",
        (_DOC,),
        _RECORD,
        Reply({**record_example(DOCUMENT_TYPES["Role"]), "name": "Key Reader", "role_name": "Key Reader"}),
        {"doc": {"doctype": "Role", "role_name": "Key Reader"}},
    ),
    "insert_many": MethodText(
        "Make all of some records or none",
        (_DOCS,),
        {"type": "array", "items": _TEXT},
        Reply(["Key Reader", "User Reader"]),
        {"docs": [{"doctype": "Role", "role_name": "Key Reader"}, {"doctype": "Role", "role_name": "User Reader"}]},
    ),
    "set_value": MethodText(
        "Change fields of a record",
        (
            _DOCTYPE,
            _NAME,
            Argument("fieldname", "A field, or an object of fields and values", required=True, schema=_JSON_OBJECT),
            Argument("value", "The value, where one field is named", schema=_ANY),
        ),
        _RECORD,
        Reply(_RENAMED),
        {"doctype": "User", "name": _ANN, "fieldname": "first_name", "value": "Anna"},
    ),
    "save": MethodText(
        "Change a record that was read before, its `modified` with it",
        (_DOC,),
        _RECORD,
        Reply(_RENAMED),
        {"doc": {"doctype": "User", "name": _ANN, "modified": _RENAMED["modified"], "first_name": "Anna"}},
    ),
    "delete": MethodText(
        "Delete a record",
        (_DOCTYPE, _NAME),
        example=Reply(None),
        sent={"doctype": "Role Permission", "name": example_of(DOCUMENT_TYPES["Role Permission"])["name"]},
    ),
    "bulk_update": MethodText(
        "Change some records, each by itself",
        (_DOCS,),
        _FAILED,
        Reply({"failed_docs": []}),
        {"docs": [{"doctype": "User", "docname": _ANN, "first_name": "Anna"}]},
    ),
    "rename_doc": MethodText("Refuse: names are what logs and keys go by", (_DOCTYPE,), sent={"doctype": "User"}),
}
METHODS: Mapping[str, MethodText] = {
    **_ACCOUNT_METHODS,
    **{f"frappe.client.{name}": text for name, text in {**_READING_METHODS, **_WRITING_METHODS}.items()},
}

PAGES: Mapping[str, str] = {
    "/": "Home",
    "/login": "Sign in",
    "/login/code": "The code of a second factor, at sign-in",
    "/login/second-factor": "Set a second factor up at sign-in, where a role requires one",
    "/app": "Home of whoever is signed in",
    "/app/search": "Search users, keys and clients",
    "/app/components": "What pages are made of, to be looked at together; in development only",
    "/app/user": "Users",
    "/app/user/new": "A new user",
    "/app/user/{name}": "A user's details, roles, settings and activity",
    "/app/user/{name}/generate-keys": "Generate Keys",
    "/app/user/{name}/new-key": "A new key of a user",
    "/app/user/{name}/key/{key}/rotate": "A new secret for a key",
    "/app/user/{name}/key/{key}/revoke": "The end of a key",
    "/app/api-key": "API keys of all owners, and which deserve a look",
    "/app/api-key/new": "Whose a new key is to be",
    "/app/api-key/revoke": "The end of several keys at once",
    "/app/api-key/{source}/{key}": "A key: what it may do, its requests and its secrets",
    "/app/api-key/{source}/{key}/end-former-secret": "The end of the secret before a rotation",
    "/app/api-key/{source}/{key}/revoke": "The end of a key, from its page",
    "/app/api-key/{source}/{key}/rotate": "A new secret for a key, from its page",
    "/app/request-log": "The request log",
    "/app/request-log/export": "The request log as a file",
    "/app/request-log/tail": "What is new in the request log",
    "/app/request-log/{name}": "A row of the request log",
    "/app/activity": "The activity log",
    "/app/activity/export": "The activity log as a file",
    "/app/activity/{name}": "A row of the activity log",
    "/app/user/{name}/reset-link": "A link by which a user sets a new password",
    "/app/settings": "What administrators decide for everybody",
    "/app/settings/{section}": "A section of the settings",
    "/app/event-consumer": "Event consumers",
    "/app/event-consumer/{name}": "An event consumer, as whom it acts, and its keys",
    "/app/event-consumer/{name}/delete": "The end of an event consumer",
    "/app/event-consumer/{name}/generate-keys": "Generate Keys of an event consumer",
    "/app/event-consumer/{name}/new-key": "A new key of an event consumer",
    "/app/event-consumer/{name}/key/{key}/rotate": "A new secret for an event consumer's key",
    "/app/event-consumer/{name}/key/{key}/revoke": "The end of an event consumer's key",
    "/app/source": "Authorization sources",
    "/app/source/{source}": "The records of a source",
    "/app/source/{source}/delete": "The end of a source",
    "/app/source/{source}/record/{name}": "A record, as whom it acts, and its keys",
    "/app/source/{source}/record/{name}/delete": "The end of a record",
    "/app/source/{source}/record/{name}/generate-keys": "Generate Keys of a record",
    "/app/source/{source}/record/{name}/new-key": "A new key of a record",
    "/app/source/{source}/record/{name}/key/{key}/rotate": "A new secret for a record's key",
    "/app/source/{source}/record/{name}/key/{key}/revoke": "The end of a record's key",
    "/me/generate-keys": "Generate Keys, one's own",
    "/me/new-key": "A new key of one's own",
    "/me/key/{key}/rotate": "A new secret for a key of one's own",
    "/me/key/{key}/revoke": "The end of a key of one's own",
    "/me/session/{name}/end": "End one of one's sessions",
    "/me/end-other-sessions": "End all of one's other sessions",
    "/me/second-factor": "How one's second factor stands",
    "/me/second-factor/set-up": "Set up a second factor",
    "/me/second-factor/confirm": "Confirm a second factor by a code",
    "/me/second-factor/recovery-codes": "New recovery codes",
    "/me/second-factor/download": "Recovery codes as a file",
    "/me/second-factor/turn-off": "Turn off one's second factor",
    "/app/user/{name}/session/{session}/end": "End a session of a user",
    "/app/user/{name}/end-sessions": "End all sessions of a user",
    "/app/user/{name}/end-second-factor": "End a second factor that a user lost",
    "/app/role": "Roles, and a new one",
    "/app/role/{name}": "What a role may do, and who has it",
    "/app/role/{name}/delete": "The end of a role",
    "/app/role/{name}/second-factor": "Whether a role requires a second factor",
    "/app/access-rule": "Access rules in their order, and what would come of a request",
    "/app/access-rule/new": "A new access rule",
    "/app/access-rule/{name}": "What an access rule says",
    "/app/access-rule/{name}/delete": "The end of an access rule",
    "/app/access-rule/{name}/move": "Another place for an access rule",
    "/app/oauth-client": "OAuth clients",
    "/app/oauth-client/new": "A new OAuth client",
    "/app/oauth-client/{name}": "An OAuth client's details, tokens and activity",
    "/app/oauth-client/{name}/rotate": "A new secret for a client",
    "/app/oauth-client/{name}/revoke": "The end of a client",
    "/app/oauth-client/{name}/delete": "Delete a client",
    "/app/oauth-client/{name}/token/{token}/end": "The end of a token",
    "/app/user/{name}/app/{client}/disconnect": "The end of what a user allowed an application",
    "/me/app/{client}/disconnect": "The end of what one allowed an application",
    "/me/password": "Change one's own password",
    "/reset-password/{name}": "Set a new password by a link",
    "/me": "One's own account",
    "/undo": "Put back what one changed some minutes ago, once",
    "/logout": "Sign out",
    "/setup/{name}": "Set Administrator's first password",
    "/assets/{name}": "A file of the pages",
    "/livez": "Tell that the process lives",
    "/readyz": "Tell that database and log answer",
    "/metrics": "What was counted, for Prometheus",
    "/.well-known/oauth-protected-resource": "Tell how to authenticate (RFC 9728)",
    "/.well-known/oauth-authorization-server": "Tell clients where everything is (RFC 8414)",
    "/.well-known/openid-configuration": "Tell OpenID Connect clients where everything is",
    "/.well-known/jwks.json": "The public keys by which ID tokens are verified",
    "/device": "Connect a device by the code that it shows",
    "/end-session": "Take the answer to whether to sign out for an application too",
    "/help": "What documents there are",
    "/help/{name}": "A document",
    "/help/{folder}/{name}": "A document of a kind, or a picture",
    "/api/openapi.json": "This document",
    "/api/docs": "A page to read this document, and to try what is in it",
}
