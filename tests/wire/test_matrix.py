"""Who may do what: every role, document type, action, own and other's record, by every kind of credential."""

import itertools
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from sqlite3 import connect
from typing import Any
from urllib.parse import quote

import pytest

from latchgate.core.document_types import format_time
from latchgate.core.permissions import EVERY_ACTION, Action, Grant
from latchgate.core.tokens import Secret
from latchgate.core.users import ADMINISTRATOR, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder
from support.asgi import PASSWORD, Answer, Service, opened_service
from support.issued import approve

_TYPES = (
    "User",
    "Role",
    "Role Permission",
    "API Key",
    "Authorization Source",
    "Event Consumer",
    "API Request Log",
    "Activity Log",
    "System Settings",
    "OAuth Client",
    "OAuth Bearer Token",
    "OAuth Consent",
    "Access Rule",
)
_LOGS = {"API Request Log", "Activity Log"}
_ISSUED = {"OAuth Bearer Token", "OAuth Consent"}
_OTHER = "other@example.com"

# The matrix as the documents state it: what each role may do with every type, to all records and to one's own.
_EXTRA = {
    "Reader": ({Action.READ}, False),
    "Writer": ({Action.READ, Action.WRITE}, False),
    "Blind Writer": ({Action.WRITE}, False),
    "Maker": ({Action.CREATE, Action.READ}, False),
    "Remover": ({Action.READ, Action.DELETE}, False),
    "Owner": (set(EVERY_ACTION), True),
}
_OWNED_BY_MAKER = {"Role", "Authorization Source", "Event Consumer", "OAuth Client"}
_ROLES = ("System Manager", "", *_EXTRA)
_SCHEMES = ("session", "token", "Basic", "Bearer", "scoped", "read only", "elsewhere")
# What a role may do is looked up alike whatever carries the credential; from elsewhere nobody may: few roles for these.
_ALIKE, _FEW = ("Basic", "Bearer", "elsewhere"), ("System Manager", "Owner")
_WAYS = [
    pytest.param(role, scheme, marks=[pytest.mark.soak] if scheme in _ALIKE and role not in _FEW else [])
    for role, scheme in itertools.product(_ROLES, _SCHEMES)
]


def _expected(role: str, doctype: str, action: Action, *, own: bool) -> bool:
    """Say what the matrix and the rules beside it allow."""
    if doctype in _LOGS and action is not Action.READ:
        return False  # written by the product alone
    if doctype in _ISSUED and action is Action.CREATE:
        return False  # they come of OAuth 2 alone
    if doctype == "System Settings":
        own = False  # there is one, and it is Administrator's
        if action in {Action.CREATE, Action.DELETE}:
            return False
    if role == "System Manager":
        return doctype not in _ISSUED or action is not Action.WRITE
    # Whoever makes such a record owns it.
    own = own or (action is Action.CREATE and doctype in _OWNED_BY_MAKER)
    if _is_reserved(role, doctype) and action is not Action.READ:
        return False
    if _allowed_to_all(doctype, action) and own:
        return True
    actions, if_owner = _EXTRA.get(role, (set(), False))
    readable = Action.READ in actions or (own and _allowed_to_all(doctype, Action.READ))
    return action in actions and (own or not if_owner) and (readable or action is Action.CREATE)


def _is_reserved(role: str, doctype: str) -> bool:
    # Nobody else gives rights; and each rule undoes others, so that a right on one's own is none to change them.
    return doctype in {"Role Permission", "System Settings"} or (doctype == "Access Rule" and role == "Owner")


def _allowed_to_all(doctype: str, action: Action) -> bool:
    return (
        (doctype == "User" and action in {Action.READ, Action.WRITE})
        or doctype == "API Key"
        or (doctype in _LOGS and action is Action.READ)
        or (doctype in _ISSUED and action in {Action.READ, Action.DELETE})
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An instance with a role for each kind of grant."""
    with opened_service(tmp_path_factory.mktemp("matrix") / "home") as service:
        for role, (actions, if_owner) in _EXTRA.items():
            service.latchgate.roles.create(COMMAND_LINE, role)
            for doctype in _TYPES:
                grant = Grant(role, doctype, if_owner, frozenset(actions))
                service.latchgate.permissions.grant(COMMAND_LINE, grant)
        service.make_user(_OTHER)
        service.ask("/api/method/ping", service.make_key(_OTHER).token)
        yield service


def _headers(service: Service, user: str, scheme: str, doctype: str, action: Action) -> list[tuple[str, str]]:
    match scheme:
        case "session":
            sid = service.sign_in(user, peer=service.new_peer()).sid
            return [("cookie", f"sid={sid}"), ("x-frappe-csrf-token", service.csrf_token(sid))]
        case "token":
            return [("authorization", service.make_key(user).token)]
        case "Basic":
            return [("authorization", service.make_key(user).basic)]
        case "Bearer":
            return [("authorization", service.make_bearer(user, f"made-elsewhere-for-the-matrix-{next(_COUNTER)}"))]
        case "scoped":
            scopes = frozenset({f"{doctype}:{action}", f"{doctype}:read"})
            return [("authorization", service.make_key(user, scopes=scopes).token)]
        case "read only":
            return [("authorization", service.make_key(user, scopes=frozenset({"read"})).token)]
        case _:
            return [("authorization", service.make_key(user, scopes=frozenset({"Nothing Here:read"})).basic)]


@pytest.mark.parametrize(("role", "scheme"), _WAYS)
def test_what_is_allowed_is_what_the_matrix_says(service: Service, role: str, scheme: str) -> None:
    """Each action on each type, on one's own and on another's record, is allowed exactly where the matrix says so."""
    wrong = []
    numbers = itertools.count()
    for doctype, action, own in itertools.product(_TYPES, Action, (True, False)):
        user = f"{role}.{scheme}.{next(numbers)}@example.com".replace(" ", "-").lower().lstrip(".")
        service.make_user(user, roles=frozenset({role} - {""}))
        headers = _headers(service, user, scheme, doctype, action)
        _send(service, "GET", "/api/method/frappe.auth.get_logged_user", headers)
        if action is Action.CREATE and own and doctype != "API Key":
            continue
        answer = _attempt(service, headers, (doctype, action, user if own else _OTHER))
        allowed = _expected(role, doctype, action, own=own) and scheme != "elsewhere"
        allowed = allowed and (scheme != "read only" or action is Action.READ)
        # Who may make what nobody makes is told so; all others, that they may not.
        refusals = {403, 404} | ({417} if doctype in _ISSUED and action is Action.CREATE else set())
        if (answer.status in {200, 202}) != allowed or (not allowed and answer.status not in refusals):
            wrong.append((doctype, str(action), "own" if own else "other's", answer.status, answer.text[:200]))

    assert wrong == []


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_administrator_may_do_everything(service: Service, scheme: str) -> None:
    """Within the scopes of the credential, without any role being granted; what nobody may do aside."""
    service.latchgate.users.set_password(COMMAND_LINE, ADMINISTRATOR, Secret(PASSWORD))
    wrong = []
    for doctype, action in itertools.product(_TYPES, Action):
        headers = _headers(service, ADMINISTRATOR, scheme, doctype, action)
        answer = _attempt(service, headers, (doctype, action, _OTHER))
        allowed = _expected("System Manager", doctype, action, own=False) and scheme != "elsewhere"
        # To change nothing of what has nothing to change is no use, and no harm.
        allowed = allowed or (doctype in _ISSUED and action is Action.WRITE and scheme != "elsewhere")
        allowed = allowed and (scheme != "read only" or action is Action.READ)
        if (answer.status in {200, 202}) != allowed:
            wrong.append((doctype, str(action), answer.status, answer.text[:200]))

    assert wrong == []


@pytest.mark.parametrize("scheme", ["session", "token"])
def test_a_website_user_has_what_everybody_has(service: Service, scheme: str) -> None:
    """What is theirs, and nothing of anybody else's."""
    wrong = []
    for doctype, action, own in itertools.product(_TYPES, Action, (True, False)):
        user = f"website.{scheme}.{next(_COUNTER)}@example.com"
        service.make_user(user, user_type=UserType.WEBSITE)
        headers = _headers(service, user, scheme, doctype, action)
        _send(service, "GET", "/api/method/frappe.auth.get_logged_user", headers)
        answer = _attempt(service, headers, (doctype, action, user if own else _OTHER))
        allowed = _allowed_to_all(doctype, action) and own
        if (answer.status in {200, 202}) != allowed:
            wrong.append((doctype, str(action), own, answer.status, answer.text[:200]))

    assert wrong == []


def test_guest_reaches_no_record(service: Service) -> None:
    """Without a credential everything is refused alike, whether the record is there."""
    answers = {
        (doctype, action): _attempt(service, [], (doctype, action, _OTHER))
        for doctype, action in itertools.product(_TYPES, Action)
    }

    assert {answer.status for answer in answers.values()} == {403}
    assert {answer.document["exc_type"] for answer in answers.values()} == {"PermissionError"}


def _attempt(service: Service, headers: list[tuple[str, str]], wanted: tuple[str, Action, str]) -> Answer:
    doctype, action, whose = wanted
    path = f"/api/resource/{quote(doctype)}"
    if action is Action.CREATE:
        return _send(service, "POST", path, headers, _new(service, doctype, whose))
    target = f"{path}/{quote(_record(service, doctype, whose), safe='')}"
    match action:
        case Action.READ:
            return _send(service, "GET", target, headers)
        case Action.WRITE:
            with _settings_to_change(service, doctype):
                return _send(service, "PUT", target, headers, _change(doctype))
        case _:
            return _send(service, "DELETE", target, headers)


@contextmanager
def _settings_to_change(service: Service, doctype: str) -> Iterator[None]:
    """There is one record of System Settings: let a write be one, and no write stay."""
    if doctype == "System Settings":
        service.latchgate.system_settings.change(COMMAND_LINE, allow_own_keys=False)
    yield
    if doctype == "System Settings":
        service.latchgate.system_settings.change(COMMAND_LINE, allow_own_keys=True)


def _send(
    service: Service, method: str, target: str, headers: list[tuple[str, str]], document: object = None
) -> Answer:
    if document is None:
        return service.ask(target, method=method, headers=headers)
    headers = [*headers, ("content-type", "application/json")]
    return service.ask(target, method=method, headers=headers, body=json.dumps(document).encode())


_COUNTER = itertools.count(1)


def _new(service: Service, doctype: str, whose: str) -> dict[str, Any]:
    number = next(_COUNTER)
    match doctype:
        case "User":
            return {"email": f"made{number}@example.com"}
        case "Role":
            return {"role_name": f"Made {number}"}
        case "Role Permission":
            # Nor may it give more than its scopes cover.
            return {"role": _make_role(service, number), "document_type": "Role Permission", "read": 1}
        case "API Key":
            # What a credential makes may not reach further than itself.
            soon = format_time(service.latchgate.clock.now_us() + 60_000_000)
            return {"record": whose, "scopes": ["API Key:read"], "expires": soon}
        case "Authorization Source":
            return {"source_name": f"Made {number}"}
        case "Event Consumer":
            return {"record_name": f"made {number}"}
        case "OAuth Client":
            return {"app_name": f"made {number}", "scopes": "openid", "redirect_uris": "https://made.example/back"}
        case _:
            return {"path": f"/made/{number}"} if doctype == "Access Rule" else {}


def _change(doctype: str) -> dict[str, Any]:
    number = next(_COUNTER)
    match doctype:
        case "User":
            return {"first_name": f"Changed {number}"}
        case "Role Permission":
            return {"write": 0}
        case "API Key":
            return {"label": f"changed {number}"}
        case "Event Consumer":
            return {"enabled": 0}
        case "System Settings":
            return {"allow_own_keys": 1}
        case "Access Rule":
            return {"path": f"/changed/{number}"}
        case "OAuth Client":
            return {"app_name": f"changed {number}"}
        case _:
            return {}  # nothing of it can be changed, and that much is allowed


def _record(service: Service, doctype: str, whose: str) -> str:
    """Make a record of that owner, and give its name."""
    number = next(_COUNTER)
    if doctype == "User":
        return whose if whose != _OTHER else service.make_user(f"other{number}@example.com")
    if doctype == "API Key":
        return service.make_key(whose).key_id
    if doctype in _LOGS:
        return _row(service, doctype, whose)
    if doctype in _ISSUED:
        return _issue(service, doctype, whose)
    return _made_by(service, doctype, whose, number)


def _row(service: Service, doctype: str, user: str) -> str:
    if doctype == "API Request Log":
        return str(_ask(service, "log.db", "SELECT max(id) FROM request_log WHERE user = ?", user))
    statement = (
        "INSERT INTO activity_log (time, user, operation, subject, detail, ip_address, user_id)"
        " SELECT 1, name, 'test', '', '', '', id FROM user WHERE name = ?"
    )
    _execute(service, statement, user)
    return str(_ask(service, "latchgate.db", "SELECT max(id) FROM activity_log WHERE user = ?", user))


def _issue(service: Service, doctype: str, user: str) -> str:
    approve(service.latchgate, _make_client(service), user)
    table = {"OAuth Bearer Token": "oauth_token", "OAuth Consent": "oauth_consent"}[doctype]
    return str(_ask(service, "latchgate.db", f"SELECT public_id FROM {table} ORDER BY id DESC LIMIT 1"))  # noqa: S608


def _make_client(service: Service) -> str:
    order = ClientOrder("App", redirect_uris=("https://app.example/back",))
    return service.latchgate.clients.create(COMMAND_LINE, order).client.client_id


def _made_by(service: Service, doctype: str, owner: str, number: int) -> str:
    latchgate = service.latchgate
    match doctype:
        case "Role":
            return _own(service, "role", _make_role(service, number), owner)
        case "Role Permission":
            role = _make_role(service, number)
            latchgate.permissions.grant(
                COMMAND_LINE, Grant(role, "User", False, frozenset({Action.READ, Action.WRITE}))
            )
            _execute(service, "UPDATE permission SET owner = ? WHERE id = (SELECT max(id) FROM permission)", owner)
            return f"User:{role}"
        case "Authorization Source":
            name = latchgate.sources.create(COMMAND_LINE, f"Source {number}")
            return _own(service, "authorization_source", name, owner)
        case "Event Consumer":
            latchgate.documents.create(COMMAND_LINE, doctype, {"record_name": f"consumer {number}"})
            return _own(service, "source_record", f"consumer {number}", owner)
        case "Access Rule":
            name = str(latchgate.documents.create(COMMAND_LINE, doctype, {"path": f"/{number}"})["name"])
            _execute(service, "UPDATE access_rule SET owner = ? WHERE 'RULE-' || id = ?", owner, name)
            return name
        case "OAuth Client":
            client_id = _make_client(service)
            _execute(service, "UPDATE oauth_client SET owner = ? WHERE client_id = ?", owner, client_id)
            return client_id
        case _:
            return "System Settings"


def _make_role(service: Service, number: int) -> str:
    return service.latchgate.roles.create(COMMAND_LINE, f"Fresh {number}")


def _own(service: Service, table: str, name: str, owner: str) -> str:
    _execute(service, f"UPDATE {table} SET owner = ? WHERE name = ?", owner, name)  # noqa: S608
    return name


def _execute(service: Service, statement: str, *values: object) -> None:
    with closing(connect(service.latchgate.settings.home / "latchgate.db")) as database, database:
        database.execute(statement, values)


def _ask(service: Service, file: str, statement: str, *values: object) -> object:
    with closing(connect(service.latchgate.settings.home / file)) as database:
        return database.execute(statement, values).fetchone()[0]
