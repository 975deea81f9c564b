"""All pages for people, by address."""

from collections.abc import Mapping

from latchgate.bootstrap import Latchgate
from latchgate.core.policy import SIGNED_IN
from latchgate.server.desk.account import ACCOUNT, AccountPages
from latchgate.server.desk.api_docs import ApiDocs
from latchgate.server.desk.api_keys import KeyPages
from latchgate.server.desk.client_pages import ClientForm, ClientPages
from latchgate.server.desk.components import ComponentPages
from latchgate.server.desk.connected_apps import ConnectedAppPages
from latchgate.server.desk.frame import Frame
from latchgate.server.desk.home import HomePages
from latchgate.server.desk.logs import LogPages
from latchgate.server.desk.navigation import DESK
from latchgate.server.desk.oauth_clients import ClientListPages
from latchgate.server.desk.passwords import PasswordPages
from latchgate.server.desk.roles import RolePages
from latchgate.server.desk.second_factors import SecondFactorPages
from latchgate.server.desk.session_lists import SessionLists
from latchgate.server.desk.sign_in import SignInPages
from latchgate.server.desk.sign_in_steps import SignInStepPages
from latchgate.server.desk.source_records import RECORD, RecordPages
from latchgate.server.desk.sources import SourcePages
from latchgate.server.desk.user_form import USERS, UserForm
from latchgate.server.desk.user_sessions import UserSessionPages
from latchgate.server.desk.users import UserPages
from latchgate.server.replies import Dialect
from latchgate.server.routes import Page
from latchgate.server.sign_in import Door

__all__ = ["build_pages"]


def build_pages(latchgate: Latchgate, frame: Frame, door: Door) -> Mapping[str, Page]:
    """Build the pages, and let the frame know which there are.

    Args:
        latchgate: Whose services they stand on.
        frame: Around them all.
        door: Where passwords are checked.
    """
    documents, settings = latchgate.documents, latchgate.settings
    lists = SessionLists(documents, latchgate.sessions, latchgate.second_factors)
    users = UserForm(frame, documents, latchgate.api_keys, latchgate.connected_apps, lists)
    keys = KeyPages(frame, documents, latchgate.api_keys, latchgate.clock, settings.public_url)
    passwords = PasswordPages(frame, users, latchgate.passwords, latchgate.reset_url, door.limiter)
    records = RecordPages(frame, documents, latchgate.api_keys)
    account = AccountPages(frame, documents, latchgate.api_keys, lists, latchgate.connected_apps)
    roles = RolePages(frame, documents, latchgate.permissions, latchgate.roles)
    clients = ClientForm(frame, documents, latchgate.clients, latchgate.clock, settings.public_url)
    apps = ConnectedAppPages(latchgate.connected_apps)
    sign_in = SignInPages(frame, door, latchgate.authorizations, settings.public_url)
    pages = {
        **HomePages(frame).table(),
        **sign_in.table(),
        **SignInStepPages(frame, door, sign_in).table(),
        **UserPages(frame, documents, users).table(),
        **keys.table(users, f"{USERS}/{{name}}", DESK),
        **SourcePages(frame, documents).table(),
        **records.table(),
        **keys.table(records, RECORD, DESK),
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
        **LogPages(frame, documents, latchgate.clock).table(),
        **ApiDocs(frame).table(),
        **frame.static_files.table(),
        **(ComponentPages(frame).table() if settings.development else {}),
    }
    frame.navigation.addresses.update(pages)
    return {address: frame.before(page) if page.dialect is Dialect.PAGE else page for address, page in pages.items()}
