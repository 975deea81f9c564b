"""Who works in a house whose helpdesk may change all users, and accounts of every other kind."""

from latchgate.core.permissions import EVERY_ACTION, Grant
from latchgate.core.users import SYSTEM_MANAGER, UserType
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.users import UserOrder
from support.house import PASSWORD, House

__all__ = ["AUDITOR", "HELPDESK", "HELPER", "MANAGER", "PEER", "PLAIN", "furnish_office"]

HELPER = "helper@example.com"
PLAIN, PEER, AUDITOR, MANAGER = (f"{name}@example.com" for name in ("plain", "peer", "auditor", "manager"))
HELPDESK = frozenset({"Helpdesk"})


def furnish_office(house: House) -> House:
    """Give a house a helpdesk that may change all users, and accounts of every kind."""
    for role in ("Helpdesk", "Auditor"):
        house.roles.create(COMMAND_LINE, role)
    for doctype in ("User", "Role", "Role Permission", "System Settings"):
        house.permissions.grant(COMMAND_LINE, Grant("Helpdesk", doctype, if_owner=False, actions=EVERY_ACTION))
    house.add_user(UserOrder(PLAIN, user_type=UserType.WEBSITE, password=PASSWORD))
    house.add_user(UserOrder(AUDITOR, roles=frozenset({"Auditor"})))
    house.add_user(UserOrder(MANAGER, roles=frozenset({SYSTEM_MANAGER})))
    for name in (HELPER, PEER):
        house.add_user(UserOrder(name, roles=HELPDESK))
    return house
