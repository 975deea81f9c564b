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
from latchgate.server.desk.sign_in import SignInPages
from latchgate.server.desk.source_records import CONSUMER, RECORD, RecordPages
from latchgate.server.desk.sources import SourcePages
from latchgate.server.desk.system_settings import SystemSettingsPages
from latchgate.server.desk.user_form import USERS, UserForm
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
    users = UserForm(frame, documents, latchgate.api_keys, latchgate.connected_apps)
    keys = KeyPages(frame, documents, latchgate.api_keys, latchgate.clock, settings.public_url)
    passwords = PasswordPages(frame, users, latchgate.passwords, latchgate.reset_url, door.limiter)
    records = RecordPages(frame, documents, latchgate.api_keys)
    account = AccountPages(frame, documents, latchgate.api_keys, latchgate.sessions, latchgate.connected_apps)
    roles = RolePages(frame, documents, latchgate.permissions, latchgate.roles)
    clients = ClientForm(frame, documents, latchgate.clients, latchgate.clock, settings.public_url)
    apps = ConnectedAppPages(latchgate.connected_apps)
    pages = {
        **HomePages(frame).table(),
        **SignInPages(frame, door, latchgate.authorizations, settings.public_url).table(),
        **UserPages(frame, documents, users).table(),
        **keys.table(users, f"{USERS}/{{name}}", DESK),
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
        **roles.table(),
        **SystemSettingsPages(frame, documents, latchgate.system_settings, settings, latchgate.clock).table(),
        **LogPages(frame, documents, latchgate.clock).table(),
        **ApiDocs(frame).table(),
        **frame.static_files.table(),
        **(ComponentPages(frame).table() if settings.development else {}),
    }
    frame.navigation.addresses.update(pages)
    return {address: frame.before(page) if page.dialect is Dialect.PAGE else page for address, page in pages.items()}
