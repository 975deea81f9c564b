"""The remote methods, by Frappe's names, each with what it requires."""

from collections.abc import Mapping

from latchgate import __version__
from latchgate.core.policy import PUBLIC, SIGNED_IN, Requirement
from latchgate.core.principals import Principal
from latchgate.server.frappe.access_rules import TryRules
from latchgate.server.frappe.client_methods import READING, WRITING, ClientMethods
from latchgate.server.frappe.keys import GenerateKeys
from latchgate.server.frappe.sessions import Login, Logout
from latchgate.server.frappe.users import GetRoles
from latchgate.server.replies import Reply
from latchgate.server.requests import Call
from latchgate.server.routes import DEFAULT_METHODS, WITHOUT_SESSION, Method
from latchgate.server.sign_in import Door
from latchgate.services.access_rules import AccessRuleService
from latchgate.services.api_keys import ApiKeyService
from latchgate.services.documents import DocumentService
from latchgate.services.rule_trials import RuleTrials

__all__ = ["frappe_methods"]

_POST = frozenset({"POST"})
_GET_POST = frozenset({"GET", "POST"})
_POST_PUT = frozenset({"POST", "PUT"})
_WRITING = {"delete": frozenset({"POST", "DELETE"})}
_MAKE_KEYS = Requirement(user=True, scope="API Key:create")
_READ_RULES = Requirement(user=True, scope="Access Rule:read")


def frappe_methods(
    api_keys: ApiKeyService, documents: DocumentService, access_rules: AccessRuleService, door: Door
) -> Mapping[str, Method]:
    """Build the table of remote methods on the services."""
    ping = Method(PUBLIC, DEFAULT_METHODS, _ping)
    login = Method(WITHOUT_SESSION, _POST, Login(door))
    logout = Method(PUBLIC, DEFAULT_METHODS, Logout(door.sign_in))
    generate_keys = Method(_MAKE_KEYS, _POST, GenerateKeys(api_keys))
    return {
        "frappe.auth.get_logged_user": Method(SIGNED_IN, DEFAULT_METHODS, _get_logged_user, told_of=_tell_logged_user),
        "ping": ping,
        "frappe.ping": ping,
        "login": login,
        "logout": logout,
        "frappe.core.doctype.user.user.generate_keys": generate_keys,
        "User/generate_keys": generate_keys,
        "frappe.core.doctype.user.user.get_roles": Method(SIGNED_IN, DEFAULT_METHODS, GetRoles(documents)),
        **_client_methods(ClientMethods(documents)),
        "latchgate.access_rules.test": Method(_READ_RULES, _GET_POST, TryRules(RuleTrials(access_rules))),
        "frappe.utils.change_log.get_versions": Method(SIGNED_IN, DEFAULT_METHODS, _get_versions),
    }


def _client_methods(client: ClientMethods) -> Mapping[str, Method]:
    reading = {name: Method(SIGNED_IN, _GET_POST, handler(client)) for name, handler in READING.items()}
    writing = {
        name: Method(SIGNED_IN, _WRITING.get(name, _POST_PUT), handler(client)) for name, handler in WRITING.items()
    }
    return {f"frappe.client.{name}": method for name, method in {**reading, **writing}.items()}


async def _get_logged_user(call: Call) -> Reply:
    return _tell_logged_user(call.principal)


def _tell_logged_user(principal: Principal) -> Reply:
    return Reply(principal.user)


async def _ping(_call: Call) -> Reply:
    return Reply("pong")


async def _get_versions(_call: Call) -> Reply:
    return Reply({"latchgate": {"title": "Latchgate", "version": __version__}})
