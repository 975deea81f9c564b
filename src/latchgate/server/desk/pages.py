"""All pages for people, by address."""

from collections.abc import Mapping, Sequence

from latchgate.bootstrap import Latchgate
from latchgate.core.policy import SIGNED_IN
from latchgate.server.desk.access_rule_form import AccessRuleForm
from latchgate.server.desk.access_rules import AccessRulePages
from latchgate.server.desk.account import ACCOUNT, AccountPages
from latchgate.server.desk.api_docs import ApiDocs
from latchgate.server.desk.api_keys import KeyPages
from latchgate.server.desk.charts import Charts
from latchgate.server.desk.client_pages import ClientForm, ClientPages
from latchgate.server.desk.components import ComponentPages
from latchgate.server.desk.concerns import Concerns, FactorConcerns, KeyConcerns, RefusalConcerns
from latchgate.server.desk.connected_apps import ConnectedAppPages
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.home import HomePages
from latchgate.server.desk.key_ends import KeyEnds
from latchgate.server.desk.key_list import KeyListPages
from latchgate.server.desk.key_page import KEY, KeyPage
from latchgate.server.desk.log_overviews import LogOverviews
from latchgate.server.desk.log_tails import LogTails
from latchgate.server.desk.logs import LogPages
from latchgate.server.desk.manual_pages import ManualPages
from latchgate.server.desk.navigation import DESK
from latchgate.server.desk.new_key_owners import NewKeyOwners
from latchgate.server.desk.oauth_clients import ClientListPages
from latchgate.server.desk.passwords import PasswordPages
from latchgate.server.desk.roles import RolePages
from latchgate.server.desk.search import SearchPages
from latchgate.server.desk.second_factors import SecondFactorPages
from latchgate.server.desk.session_lists import SessionLists
from latchgate.server.desk.sign_in import SignInPages
from latchgate.server.desk.sign_in_steps import SignInStepPages
from latchgate.server.desk.source_records import CONSUMER, RECORD, RecordPages
from latchgate.server.desk.sources import SourcePages
from latchgate.server.desk.system_settings import SystemSettingsPages
from latchgate.server.desk.undos import UndoPages
from latchgate.server.desk.user_form import USERS, UserForm
from latchgate.server.desk.user_sessions import UserSessionPages
from latchgate.server.desk.users import UserPages
from latchgate.server.replies import Dialect
from latchgate.server.routes import Page
from latchgate.server.sign_in import Door
from latchgate.services.former_secrets import FormerSecrets
from latchgate.services.key_findings import KeyFindings
from latchgate.services.last_seen import LastSeen
from latchgate.services.refusals import RefusalService

__all__ = ["build_pages"]


def build_pages(latchgate: Latchgate, frame: Frame, door: Door) -> Mapping[str, Page]:
    """Build the pages, and let the frame know which there are.

    Args:
        latchgate: Whose services they stand on.
        frame: Around them all.
        door: Where passwords are checked.
    """
    documents, settings = latchgate.documents, latchgate.settings
    charts = Charts(latchgate.request_counts, latchgate.clock)
    lists = SessionLists(documents, latchgate.sessions, latchgate.second_factors)
    users = UserForm(frame, documents, latchgate.api_keys, latchgate.connected_apps, charts, lists)
    keys = KeyPages(frame, documents, latchgate.api_keys, latchgate.clock, _findings(latchgate), settings.public_url)
    passwords = PasswordPages(frame, users, latchgate.passwords, latchgate.reset_url, door.limiter)
    records = RecordPages(frame, documents, latchgate.api_keys, _findings(latchgate))
    account = AccountPages(frame, documents, latchgate.api_keys, lists, latchgate.connected_apps)
    roles = RolePages(frame, documents, latchgate.permissions, latchgate.roles)
    clients = ClientForm(frame, documents, latchgate.clients, latchgate.clock, settings.public_url, charts)
    apps = ConnectedAppPages(latchgate.connected_apps)
    sign_in = SignInPages(frame, door, latchgate.authorizations, settings.returns)
    pages = {
        **HomePages(frame, _concerns(latchgate), charts).table(),
        **sign_in.table(),
        **SignInStepPages(frame, door, sign_in).table(),
        **UserPages(frame, documents, users, LastSeen(documents, latchgate.request_log)).table(),
        **keys.table(users, f"{USERS}/{{name}}", DESK),
        **_key_pages(latchgate, frame, keys, charts),
        **SourcePages(frame, documents).table(),
        **records.table(),
        **keys.table(records, RECORD, DESK),
        **keys.table(records, CONSUMER, DESK),
        **account.table(),
        **keys.table(account, ACCOUNT, SIGNED_IN),
        **apps.table(users, f"{USERS}/{{name}}", DESK),
        **apps.table(account, ACCOUNT, SIGNED_IN),
        **ClientListPages(frame, documents, latchgate.clients, clients, latchgate.clock).table(),
        **ClientPages(clients, latchgate.clients, latchgate.access_tokens).table(),
        **passwords.table(),
        **SecondFactorPages(frame, latchgate.second_factors, door.limiter).table(),
        **UserSessionPages(users, lists).table(),
        **roles.table(),
        **_rule_pages(latchgate, frame),
        **_log_pages(latchgate, frame, charts).table(),
        **SystemSettingsPages(frame, documents, latchgate.system_settings, settings, latchgate.clock).table(),
        **_pages_beside(latchgate, frame),
        **frame.static_files.table(),
        **(ComponentPages(frame).table() if settings.development else {}),
    }
    frame.navigation.addresses.update(pages)
    return {address: frame.before(page) if page.dialect is Dialect.PAGE else page for address, page in pages.items()}


def _pages_beside(latchgate: Latchgate, frame: Frame) -> dict[str, Page]:
    """Give the pages that others lead to, from wherever one is."""
    return {
        **SearchPages(frame, latchgate.documents).table(),
        **ManualPages(frame).table(),
        **UndoPages(frame, latchgate.undos).table(),
        **ApiDocs(frame).table(),
    }


def _key_pages(latchgate: Latchgate, frame: Frame, keys: KeyPages, charts: Charts) -> dict[str, Page]:
    documents, clock, findings = latchgate.documents, latchgate.clock, _findings(latchgate)
    former = FormerSecrets(latchgate.request_log, clock)
    one = KeyPage(frame, documents, latchgate.api_keys, findings, former, charts, clock)
    owners = NewKeyOwners(frame, documents, latchgate.api_keys)
    return {
        **owners.table(),
        **KeyListPages(frame, documents, latchgate.api_keys, findings, clock, owners).table(),
        **KeyEnds(frame, documents, latchgate.api_keys, findings).table(),
        **one.table(),
        **keys.own_table(one, KEY, DESK),
    }


def _rule_pages(latchgate: Latchgate, frame: Frame) -> dict[str, Page]:
    documents, rules = latchgate.documents, latchgate.access_rules
    return {**AccessRulePages(frame, documents, rules).table(), **AccessRuleForm(frame, documents, rules).table()}


def _findings(latchgate: Latchgate) -> KeyFindings:
    return KeyFindings(latchgate.documents, latchgate.request_log, latchgate.clock)


def _log_pages(latchgate: Latchgate, frame: Frame, charts: Charts) -> LogPages:
    documents = latchgate.documents
    tails = LogTails(documents, latchgate.request_log)
    return LogPages(frame, documents, latchgate.clock, LogOverviews(documents, charts), tails)


def _concerns(latchgate: Latchgate) -> Sequence[Concerns]:
    """Give all parts of the house that tell the first page what needs attention, the gravest first."""
    return (
        RefusalConcerns(RefusalService(latchgate.documents, latchgate.request_log, latchgate.clock)),
        FactorConcerns(latchgate.documents, latchgate.store),
        KeyConcerns(latchgate.documents, _findings(latchgate)),
    )
