"""The document types: what a record of each holds, under Frappe's field names where Frappe has the type.

A field is described here and nowhere else: validation, the API and its OpenAPI document, what commands print and pages
show come from it. It is stored where `storage/document_columns.py` says.
"""

from typing import Annotated, Any

from pydantic import Field

from latchgate.core.document_fields import (
    Check,
    Hour,
    PerMinute,
    Position,
    Record,
    Row,
    RuleText,
    RuleTexts,
    Text,
    Texts,
)
from latchgate.core.document_types import Access, DocumentType, Kind, Reader, Writer
from latchgate.core.oauth_documents import OAuthBearerToken, OAuthClient, OAuthConsent
from latchgate.core.system_settings import SystemSettings
from latchgate.core.users import UserType

__all__ = ["API_KEY", "BEARER_TOKEN", "DOCUMENT_TYPES", "USER", "document_of", "source_type"]


class RoleRow(Row):
    """A role of a user."""

    role: Text


class User(Record):
    """Who a request acts as."""

    email: Annotated[Text, Access(Kind.DATA, "Email", write=Writer.ONCE, required=True)] = Field(
        "", description="The e-mail address, which is the user's name"
    )
    first_name: Annotated[Text, Access(Kind.DATA, "First Name", write=Writer.ANYONE)] = ""
    last_name: Annotated[Text, Access(Kind.DATA, "Last Name", write=Writer.ANYONE)] = ""
    full_name: Annotated[str, Access(Kind.DATA, "Full Name")] = Field(
        "", description="First and last name; the name where there is neither"
    )
    user_type: Annotated[UserType, Access(Kind.SELECT, "User Type", write=Writer.MANAGER)] = Field(
        UserType.SYSTEM, description="A System User comes to the desk, a Website User to the account page alone"
    )
    enabled: Annotated[Check, Access(Kind.CHECK, "Enabled", write=Writer.MANAGER)] = Field(
        1, description="0: every request as this user is refused, by whatever credential"
    )
    restrict_ip: Annotated[
        str, Access(Kind.LONG, "Restrict IP", read=Reader.OWNER, write=Writer.MANAGER, compared=False)
    ] = Field("", max_length=4000, description="From where the user may act: addresses and networks, by commas")
    login_after: Annotated[Hour, Access(Kind.INT, "Login After", read=Reader.OWNER, write=Writer.MANAGER)] = Field(
        0, description="The hour from which the user may act; 0 for any"
    )
    login_before: Annotated[Hour, Access(Kind.INT, "Login Before", read=Reader.OWNER, write=Writer.MANAGER)] = Field(
        0, description="The hour until which the user may act; 0 for any; one before `login_after` spans midnight"
    )
    api_key: Annotated[str | None, Access(Kind.DATA, "API Key", read=Reader.OWNER)] = Field(
        None, description="The user's first key; API Key lists them all"
    )
    key_count: Annotated[int, Access(Kind.INT, "API Keys", read=Reader.OWNER)] = Field(
        0, description="How many API keys it has that were not revoked"
    )
    can_sign_in: Annotated[int, Access(Kind.CHECK, "Can Sign In", read=Reader.OWNER)] = Field(
        0, description="Whether it has a password; without one it is for API calls only"
    )
    has_second_factor: Annotated[int, Access(Kind.CHECK, "Has Second Factor", read=Reader.OWNER)] = Field(
        0, description="Whether a code is asked for at its sign-in besides the password"
    )
    new_password: Annotated[
        str, Access(Kind.PASSWORD, "Set New Password", read=Reader.NOBODY, write=Writer.MANAGER, compared=False)
    ] = Field("", max_length=1000, description="A password to sign in with; it is kept as a hash and never answered")
    roles: Annotated[list[RoleRow], Access(Kind.TABLE, "Roles", write=Writer.MANAGER, compared=False)] = Field(
        [], max_length=200, description="The roles that were granted; All, Guest and Desk User come by themselves"
    )


class Role(Record):
    """A name that permissions are granted to."""

    role_name: Annotated[Text, Access(Kind.DATA, "Role Name", write=Writer.ONCE, required=True)] = Field(
        "", description="The role, as users are granted it and as it is addressed"
    )
    disabled: Annotated[int, Access(Kind.CHECK, "Disabled")] = Field(0, description="Always 0")
    desk_access: Annotated[int, Access(Kind.CHECK, "Desk Access")] = Field(1, description="Always 1")
    two_factor_auth: Annotated[Check, Access(Kind.CHECK, "Two Factor Authentication", write=Writer.MANAGER)] = Field(
        0, description="1: who has the role signs in with a second factor; System Managers alone change it"
    )


class RolePermission(Record):
    """What a role may do to the records of a document type."""

    role: Annotated[Text, Access(Kind.LINK, "Role", write=Writer.ONCE, required=True, link="Role")] = ""
    document_type: Annotated[Text, Access(Kind.DATA, "Document Type", write=Writer.ONCE, required=True)] = ""
    if_owner: Annotated[Check, Access(Kind.CHECK, "If user is the owner", write=Writer.ONCE)] = Field(
        0, description="1: of records that are one's own alone"
    )
    read: Annotated[Check, Access(Kind.CHECK, "Read", write=Writer.ANYONE)] = 0
    write: Annotated[Check, Access(Kind.CHECK, "Write", write=Writer.ANYONE)] = 0
    create: Annotated[Check, Access(Kind.CHECK, "Create", write=Writer.ANYONE)] = 0
    delete: Annotated[Check, Access(Kind.CHECK, "Delete", write=Writer.ANYONE)] = 0


class ApiKey(Record):
    """A credential of a user or of a source's record. Its secret is answered once, when it is made."""

    api_key: Annotated[str, Access(Kind.DATA, "API Key")] = Field("", description="The public half, also the name")
    source: Annotated[Text, Access(Kind.DATA, "Authorization Source", write=Writer.ONCE)] = Field(
        "User", description="The document type of the record to whom the key belongs"
    )
    record: Annotated[Text, Access(Kind.DATA, "Record", write=Writer.ONCE)] = Field(
        "", description="To whom the key belongs: a user, or a record of its source; oneself if not given"
    )
    user: Annotated[str | None, Access(Kind.LINK, "User", link="User")] = Field(
        None, description="Whom its requests run as"
    )
    label: Annotated[Text, Access(Kind.DATA, "Label", write=Writer.ANYONE)] = Field(
        "", description="What the key is for, to tell it from others"
    )
    is_primary: Annotated[int, Access(Kind.CHECK, "First Key")] = Field(
        0, description="1: the key to which `generate_keys` gives a new secret"
    )
    scopes: Annotated[Texts, Access(Kind.LIST, "Scopes", write=Writer.ONCE, compared=False)] = Field(
        ["all"], description="What the key is limited to; it never allows more than the user's roles"
    )
    allowed_networks: Annotated[Texts, Access(Kind.LIST, "Allowed Addresses", write=Writer.ONCE, compared=False)] = (
        Field([], description="From where the key works: addresses and networks; none for anywhere")
    )
    limit_per_minute: Annotated[PerMinute | None, Access(Kind.INT, "Requests a Minute", write=Writer.ONCE)] = Field(
        None, description="None for no limit"
    )
    expires: Annotated[str | None, Access(Kind.DATETIME, "Expires", write=Writer.ONCE)] = Field(
        None, description="From when on the key opens nothing, UTC; none for never"
    )
    revoked: Annotated[str | None, Access(Kind.DATETIME, "Revoked")] = Field(
        None, description="When the key was ended for good, UTC"
    )
    status: Annotated[str, Access(Kind.DATA, "Status", compared=False, volatile=True)] = Field(
        "active", description="active, expired, revoked, no user, user disabled or record disabled"
    )
    former_secret_until: Annotated[str | None, Access(Kind.DATETIME, "Former Secret Works Until")] = Field(
        None, description="Until when the secret before the last rotation works beside the present one"
    )
    last_used: Annotated[str | None, Access(Kind.DATETIME, "Last Used", compared=False, volatile=True)] = Field(
        None, description="When the key last opened a request, UTC"
    )
    last_used_from: Annotated[
        str | None, Access(Kind.DATA, "Last Used From", read=Reader.OWNER, compared=False, volatile=True)
    ] = Field(None, description="The address of the last request that the key opened")


class AuthorizationSource(Record):
    """A document type whose records own keys."""

    source_name: Annotated[Text, Access(Kind.DATA, "Name", write=Writer.ONCE, required=True)] = Field(
        "", description="The document type that there is from then on, exact, as `Frappe-Authorization-Source` names it"
    )


class SourceRecord(Record):
    """A record of a source: what its keys belong to, and whose requests they make."""

    record_name: Annotated[Text, Access(Kind.DATA, "Name", write=Writer.ONCE, required=True)] = Field(
        "", description="What the record is called and addressed by"
    )
    user: Annotated[Text | None, Access(Kind.LINK, "User", write=Writer.MANAGER, link="User")] = Field(
        None, description="Whom requests with the record's keys run as; without one they are refused"
    )
    enabled: Annotated[Check, Access(Kind.CHECK, "Enabled", write=Writer.ANYONE)] = Field(
        1, description="0: the record's keys open nothing"
    )


class AccessRule(Record):
    """Who reaches a protected application: the first rule that a request falls under decides."""

    position: Annotated[Position, Access(Kind.INT, "Position", write=Writer.ANYONE)] = Field(
        0, description="Its place in the order, from 1; 0 or none for the last"
    )
    host: Annotated[RuleText, Access(Kind.DATA, "Host", write=Writer.ANYONE)] = Field(
        "", description="For which host, without port; `*.example.com` for all below a name; empty for any"
    )
    path: Annotated[RuleText, Access(Kind.DATA, "Path", write=Writer.ANYONE)] = Field(
        "/*", description="For which path: a final `*` means any rest, elsewhere one segment"
    )
    methods: Annotated[RuleTexts, Access(Kind.LIST, "Methods", write=Writer.ANYONE, compared=False)] = Field(
        [], description="For which methods, GET meaning HEAD too; none for any"
    )
    roles: Annotated[RuleTexts, Access(Kind.LIST, "Roles", write=Writer.ANYONE, compared=False)] = Field(
        [], description="One of which the caller must have; none for any user"
    )
    every_role: Annotated[Check, Access(Kind.CHECK, "Every Role", write=Writer.ANYONE)] = Field(
        0, description="1: the caller must have each of the roles"
    )
    scopes: Annotated[RuleTexts, Access(Kind.LIST, "Scopes", write=Writer.ANYONE, compared=False)] = Field(
        [],
        description="What the credential's scopes must cover, each of them; none: it must not be limited; `*`: any",
    )
    allow_guest: Annotated[Check, Access(Kind.CHECK, "Allow Guest", write=Writer.ANYONE)] = Field(
        0, description="1: everybody is let in, also without a credential"
    )
    allow_foreign_authorization: Annotated[
        Check, Access(Kind.CHECK, "Allow Foreign Authorization", write=Writer.ANYONE)
    ] = Field(0, description="1: with allow_guest, a credential that is none of ours is left to the application")
    allow_unusual_path: Annotated[Check, Access(Kind.CHECK, "Allow Unusual Path", write=Writer.ANYONE)] = Field(
        0, description="1: also for paths that are not in normal form, such as those with `%2F`"
    )


class ApiRequestLog(Record):
    """One request made with a credential."""

    time: Annotated[str, Access(Kind.DATETIME, "Time")] = ""
    request_id: Annotated[str, Access(Kind.DATA, "Request ID")] = Field(
        "", description="As in the answer's `X-Request-Id`"
    )
    user: Annotated[str | None, Access(Kind.LINK, "User", link="User")] = Field(
        None, description="Whom the request ran as; none if it was refused"
    )
    api_key: Annotated[str | None, Access(Kind.DATA, "API Key")] = None
    scheme: Annotated[str | None, Access(Kind.DATA, "Scheme")] = Field(
        None, description="token, Basic, Bearer or session"
    )
    source: Annotated[str | None, Access(Kind.DATA, "Authorization Source")] = Field(
        None, description="The document type whose record the key belongs to"
    )
    method: Annotated[str, Access(Kind.DATA, "Method")] = ""
    host: Annotated[str | None, Access(Kind.DATA, "Host")] = Field(
        None,
        description="Of a request for a protected application: which host it was for",
    )
    path: Annotated[str, Access(Kind.DATA, "Path")] = Field("", description="With its query, as it was asked for")
    status: Annotated[int, Access(Kind.INT, "Status")] = 0
    seconds: Annotated[float, Access(Kind.FLOAT, "Seconds")] = Field(0.0, description="How long the answer took")
    ip_address: Annotated[str, Access(Kind.DATA, "IP Address")] = ""
    user_agent: Annotated[str, Access(Kind.DATA, "User Agent")] = ""
    reason: Annotated[str | None, Access(Kind.DATA, "Reason")] = Field(
        None, description="Why it was refused; none if it was not"
    )


class ActivityLog(Record):
    """What happened to an account or a credential."""

    time: Annotated[str, Access(Kind.DATETIME, "Time")] = ""
    user: Annotated[str, Access(Kind.LINK, "User", link="User")] = Field("", description="Who did it")
    operation: Annotated[str, Access(Kind.DATA, "Operation")] = Field(
        "", description="What was done, such as `api_key.generated`"
    )
    subject: Annotated[str, Access(Kind.DATA, "Subject")] = Field("", description="To what: a user, a key, a role …")
    detail: Annotated[str, Access(Kind.LONG, "Detail", compared=False)] = ""
    ip_address: Annotated[str, Access(Kind.DATA, "IP Address")] = ""


_USER_FIELDS_IGNORED = frozenset({"send_welcome_email", "language", "time_zone", "username", "mobile_no", "phone"})
USER = DocumentType("User", User, "name", "email", ignored=_USER_FIELDS_IGNORED)
API_KEY = DocumentType("API Key", ApiKey, "user")
BEARER_TOKEN = DocumentType("OAuth Bearer Token", OAuthBearerToken, "user", issued=True)

_BUILT_IN = (
    USER,
    DocumentType("Role", Role, "owner", "role_name", ignored=frozenset({"is_custom", "home_page"})),
    DocumentType("Role Permission", RolePermission, "owner"),
    API_KEY,
    DocumentType("Authorization Source", AuthorizationSource, "owner", "source_name"),
    DocumentType("Access Rule", AccessRule, "owner"),
    DocumentType("API Request Log", ApiRequestLog, "user", log=True),
    DocumentType("Activity Log", ActivityLog, "user", log=True),
    DocumentType("OAuth Client", OAuthClient, "owner"),
    BEARER_TOKEN,
    DocumentType("OAuth Consent", OAuthConsent, "user", issued=True),
    DocumentType("System Settings", SystemSettings, "owner", single=True),
)
DOCUMENT_TYPES = {found.name: found for found in _BUILT_IN}
"""The types that are always there; `source_type` makes one for each Authorization Source beside."""


def source_type(source: str) -> DocumentType:
    """Describe the records of an authorization source."""
    return DocumentType(source, SourceRecord, "owner", "record_name")


def document_of(doctype: DocumentType, values: dict[str, Any]) -> dict[str, Any]:
    """Complete a record as it is answered."""
    return {**values, "doctype": doctype.name}
