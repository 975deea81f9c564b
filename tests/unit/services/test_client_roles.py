"""A client that is for some roles only: whoever loses them is out at the next request."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from latchgate.core.policy import Decision
from latchgate.core.principals import Reason
from latchgate.core.tokens import Secret
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.client_orders import ClientOrder, order_of
from latchgate.services.clients import ClientService
from support.house import TOKEN_TEXT, USER, House, present_token
from support.issued import approve

_ROLES = frozenset({"Auditor", "Editor"})


@dataclass(frozen=True)
class _Issued:
    """A user with a role, a client that is for it, and the token that came of both."""

    house: House
    client_id: str
    token: str

    @property
    def clients(self) -> ClientService:
        return self.house.documents.clients

    def judge(self) -> tuple[Decision, str | None]:
        """Send a request with the token."""
        admission = self.house.admit(present_token(self.token))
        return admission.decision, admission.reason

    def is_live(self) -> bool:
        """Whether introspection would tell of the token."""
        with self.house.store.read() as tx:
            return self.house.gate.authenticator.find_live_token(tx, Secret(self.token)) is not None

    def let_in(self, *roles: str) -> None:
        """Have the client be for users with one of these roles."""
        order = order_of(self.clients.get(COMMAND_LINE, self.client_id))
        self.clients.change(COMMAND_LINE, self.client_id, replace(order, allowed_roles=frozenset(roles)))


@pytest.fixture
def issued(house: House) -> _Issued:
    """A token of a client that is for auditors and editors, and of a user who is one of the former."""
    house.add_user()
    for role in _ROLES:
        house.roles.create(COMMAND_LINE, role)
    house.roles.grant(COMMAND_LINE, USER, "Auditor")
    order = ClientOrder("Books", redirect_uris=("https://books.example.com/back",), allowed_roles=_ROLES)
    client_id = house.documents.clients.create(COMMAND_LINE, order).client.client_id
    return _Issued(house, client_id, approve(house, client_id, USER).access_token.text)


_ENDS: dict[str, Callable[[_Issued], object]] = {
    "the user lost the role": lambda issued: issued.house.roles.revoke(COMMAND_LINE, USER, "Auditor"),
    "the role was deleted": lambda issued: issued.house.roles.delete(COMMAND_LINE, "Auditor"),
    "the client is for others now": lambda issued: issued.let_in("Editor"),
    "the client is for managers now": lambda issued: issued.let_in(SYSTEM_MANAGER),
}


@pytest.mark.parametrize("end", _ENDS.values(), ids=_ENDS)
def test_who_has_none_of_the_roles_is_out(issued: _Issued, end: Callable[[_Issued], object]) -> None:
    """The very next request is refused like any bad token, with its own reason in the log; nobody is told of it."""
    assert issued.judge() == (Decision.ALLOWED, None)
    assert issued.is_live()

    end(issued)

    assert issued.judge() == (Decision.UNAUTHENTICATED, Reason.CLIENT_ROLE_MISSING)
    assert not issued.is_live()


def test_who_has_a_role_again_is_in(issued: _Issued) -> None:
    """Nothing ended: one of the roles is enough, and automatic ones count."""
    issued.house.roles.revoke(COMMAND_LINE, USER, "Auditor")
    issued.house.roles.grant(COMMAND_LINE, USER, "Editor")
    with_another = issued.judge()
    issued.let_in("All")
    with_everybodys = issued.judge()
    issued.house.roles.revoke(COMMAND_LINE, USER, "Editor")
    issued.let_in()

    assert with_another == with_everybodys == issued.judge() == (Decision.ALLOWED, None)


def test_who_is_out_writes_nothing(issued: _Issued) -> None:
    """Judged again where it writes, the token of a user who lost the role meanwhile is refused."""
    admission = issued.house.admit(present_token(issued.token))
    issued.house.roles.revoke(COMMAND_LINE, USER, "Auditor")

    with issued.house.store.write() as tx:
        assert admission.judge_again is not None
        again = admission.judge_again(tx)

    assert getattr(again, "reason", None) is Reason.CLIENT_ROLE_MISSING


def test_imported_tokens_are_of_no_client(issued: _Issued) -> None:
    """A token that was issued elsewhere knows its client by name alone: no role is asked for."""
    issued.house.add_token()
    issued.house.roles.revoke(COMMAND_LINE, USER, "Auditor")

    assert issued.house.admit(present_token(TOKEN_TEXT)).decision is Decision.ALLOWED
