"""Tokens as the service itself issues them, without a browser: one user's approval, kept, and what comes of it."""

from typing import Protocol

from latchgate.core.system_settings import Lifetimes
from latchgate.core.token_families import Approval
from latchgate.core.tokens import Peppers
from latchgate.oauth.backing import CodeOrder, Issued, TokenOrder
from latchgate.services.consents import keep_consent
from latchgate.services.entropy import SystemEntropy
from latchgate.services.oauth_state import OAuthState
from latchgate.services.ports import Clock, Store

__all__ = ["LIFETIMES", "approve"]

LIFETIMES = Lifetimes(
    code_seconds=60,
    access_token_seconds=3_600,
    refresh_token_seconds=86_400,
    device_code_seconds=600,
    refresh_grace_seconds=10,
)


class _Standing(Protocol):
    """What tokens stand on."""

    @property
    def store(self) -> Store: ...
    @property
    def peppers(self) -> Peppers: ...
    @property
    def clock(self) -> Clock: ...


def approve(standing: _Standing, client_id: str, user: str, *scopes: str) -> Issued:
    """Let a user allow a client something, all if nothing is named; give what the client gets for its code."""
    entropy, now = SystemEntropy(), standing.clock.now()
    approval = Approval(frozenset(scopes or {"all"}), frozenset(), now)
    with standing.store.write() as tx:
        state = OAuthState(tx, standing.peppers, standing.clock, entropy, LIFETIMES, "192.0.2.1")
        client, found = state.find_client(client_id), tx.users.find(user)
        assert client is not None
        assert found is not None
        keep_consent(tx, standing.clock.now_us(), entropy, client, (found.id, approval))
        back = client.redirect_uris[0]
        order = CodeOrder(client, found, now, back, True, approval.scopes, approval.audience, "challenge", "")
        code = state.find_code(state.make_code(order).text, client)
        assert code is not None
        wanted = TokenOrder(client, found, approval.scopes, approval.audience, code, refreshable=True)
        issued = state.issue(wanted)
    assert issued is not None
    return issued
