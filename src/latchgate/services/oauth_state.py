"""The state behind the protocol: codes and tokens are made, redeemed and ended here, on one transaction.

One writer works at a time (decision 0010), so that what is read here stays true until the commit: of eight requests
with one code, one finds it unused.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from latchgate.core.access_tokens import digest_token, lookup_values
from latchgate.core.clients import StoredClient, roles_admit
from latchgate.core.system_settings import Lifetimes
from latchgate.core.token_families import (
    Approval,
    Redeemed,
    StoredCode,
    StoredDeviceCode,
    StoredRefreshToken,
    digest_refresh_token,
    judge_code,
    judge_refresh_token,
    refresh_token_matches,
)
from latchgate.core.tokens import Peppers, Purpose, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.core.users import GUEST, StoredUser
from latchgate.oauth.backing import CodeOrder, Issued, TokenOrder
from latchgate.oauth.scopes import OPENID
from latchgate.services.activity import note
from latchgate.services.actors import Actor
from latchgate.services.oauth_ports import NewCode
from latchgate.services.port_values import NewToken
from latchgate.services.ports import Clock, Entropy, Transaction

__all__ = ["Lifetimes", "OAuthState", "find_refresh_token", "may_use"]

_PUBLIC_ID_BYTES = 8
_TOKENS_A_CLEANING = 50
"""So many new tokens, and up to 200 of each kind that ended long ago are deleted: there are ever fewer of those."""
_SLOWER_SECONDS = 5
"""By how much a device that asks too often must slow down. Source: RFC 8628, section 3.5."""
_POLL_TOLERANCE_SECONDS = 1
"""Times are whole seconds: a device that waits just long enough may seem one early."""


@dataclass(frozen=True, slots=True)
class OAuthState:
    """Fulfils `oauth.backing.Backing`."""

    tx: Transaction
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    lifetimes: Lifetimes
    address: str
    """From where the request comes; the activity log names it where a reuse ends a family."""
    sign: Callable[[TokenOrder, Approval, Secret], Secret] | None = field(default=None, repr=False)
    """Signs the ID token of an access token; None where none is made."""

    def find_client(self, client_id: str) -> StoredClient | None:
        """Look up a client that was not revoked."""
        client = self.tx.clients.find(client_id)
        return client if client and client.revoked_at is None else None

    def list_resources(self) -> frozenset[str]:
        """List the resources that clients are."""
        return self.tx.clients.list_resources()

    def may_use(self, user: StoredUser, client: StoredClient) -> bool:
        """Whether a user may act, and through this client."""
        return may_use(user, client)

    def make_code(self, order: CodeOrder) -> Secret:
        """Make an authorization code; only its digest stays."""
        now = self.clock.now()
        code = self._new(TokenKind.AUTHORIZATION_CODE)
        approval = Approval(order.scopes, order.audience, order.auth_time, order.nonce)
        self.tx.token_families.add_code(
            NewCode(
                lookup=self.peppers.digest(Purpose.AUTHORIZATION_CODE, code.text).value,
                client_row_id=order.client.id,
                user_id=order.user.id,
                redirect_uri=order.redirect_uri,
                redirect_uri_given=order.redirect_uri_given,
                code_challenge=order.code_challenge,
                approval=approval,
                issued_at=now,
                expires_at=now + self.lifetimes.code_seconds,
            )
        )
        return code

    def find_code(self, text: str, client: StoredClient) -> StoredCode | None:
        """Look up a code of this client."""
        code = self.tx.token_families.find_code(self.peppers.candidates(Purpose.AUTHORIZATION_CODE, text))
        return code if code and code.client_row_id == client.id else None

    def redeem_code(self, code: StoredCode) -> Redeemed:
        """Judge a code; a second use ends the family that the first began. Source: RFC 6749, section 4.1.2."""
        worth = judge_code(code, self.clock.now())
        if worth is Redeemed.REUSED and code.family_id is not None:
            self._end_family(code.family_id, "an authorization code was sent twice")
        return worth

    def find_refresh_token(self, text: str, client: StoredClient) -> StoredRefreshToken | None:
        """Look up a refresh token of this client."""
        token = find_refresh_token(self.tx, self.peppers, Secret(text))
        return token if token and token.family.client_row_id == client.id else None

    def redeem_refresh_token(self, token: StoredRefreshToken) -> Redeemed:
        """Judge a refresh token; its reuse ends the family. Source: RFC 9700, section 4.14.2."""
        worth = judge_refresh_token(token, self.clock.now(), self.lifetimes.refresh_grace_seconds)
        if worth is Redeemed.REUSED:
            self._end_family(token.family.id, "a refresh token was sent twice")
        return worth

    def find_device_code(self, text: str, client: StoredClient) -> StoredDeviceCode | None:
        """Look up a device's code of this client."""
        code = self.tx.device_codes.find(self.peppers.candidates(Purpose.DEVICE_CODE, text))
        return code if code and code.client_row_id == client.id else None

    def may_poll(self, code: StoredDeviceCode) -> bool:
        """Note that a device asks; one that asks too often has to wait longer from then on."""
        now = self.clock.now()
        early = code.polled_at is not None and now < code.polled_at + code.interval_seconds - _POLL_TOLERANCE_SECONDS
        self.tx.device_codes.poll(code.id, now, code.interval_seconds + (_SLOWER_SECONDS if early else 0))
        return not early

    def is_expired(self, code: StoredDeviceCode) -> bool:
        """Whether a device's code is over."""
        return self.clock.now() >= code.expires_at

    def issue(self, order: TokenOrder) -> Issued | None:
        """Make tokens; of a refresh token that was used a moment ago, give its successors once more.

        Successors are derived from the refresh token that they come of, since of neither the text is stored.
        """
        if isinstance(order.made_from, StoredRefreshToken):
            return self._refresh(order, order.made_from)
        family_id = self._begin_family(order)
        issued = self._add_access_token(self._new(TokenKind.ACCESS_TOKEN), order, family_id)
        if isinstance(order.made_from, (StoredCode, StoredDeviceCode)) and OPENID in order.scopes and self.sign:
            issued = replace(issued, id_token=self.sign(order, order.made_from.approval, issued.access_token))
        if family_id is None or not order.refreshable:
            return issued
        refresh = self._new(TokenKind.REFRESH_TOKEN)
        self._add_refresh_token(refresh, family_id)
        return replace(issued, refresh_token=refresh)

    def _refresh(self, order: TokenOrder, used: StoredRefreshToken) -> Issued | None:
        if order.presented is None:
            raise AssertionError("successors are derived from what was presented")
        if used.used_at is not None:
            return self._give_again(order.presented, used)
        access, refresh = (self._derive(kind, order.presented)[0] for kind in _SUCCESSORS)
        self.tx.token_families.use_refresh_token(used.id, self.clock.now())
        issued = self._add_access_token(access, order, used.family.id)
        self._add_refresh_token(refresh, used.family.id)
        return replace(issued, refresh_token=refresh)

    def _give_again(self, presented: Secret, used: StoredRefreshToken) -> Issued | None:
        """Find the successors that were made a moment ago, under whichever pepper."""
        for access, refresh in zip(*(self._derive(kind, presented) for kind in _SUCCESSORS), strict=True):
            token = self.tx.access_tokens.find(lookup_values(self.peppers, access))
            successor = find_refresh_token(self.tx, self.peppers, refresh)
            if token is None or successor is None:
                continue
            if successor.used_at is not None:
                # Whoever goes on from here has got the reply: this one is somebody else, or very late.
                self._end_family(used.family.id, "a refresh token was sent twice")
                return None
            left = max(token.expires_at - self.clock.now(), 0)
            return Issued(access, left, token.scopes, refresh)
        return None

    def _end_family(self, family_id: int, why: str) -> None:
        family = self.tx.token_families.find_family(family_id)
        if family is None:
            raise AssertionError("codes and refresh tokens go with their family")
        if family.revoked_at is not None:
            return
        self.tx.token_families.revoke_family(family_id, self.clock.now())
        # Whoever it was: the log shows it to the user whose tokens they were, and to administrators.
        actor = Actor(family.user.name, self.address, None)
        note(self.tx, self.clock, actor, "oauth_tokens.reuse_detected", family.client_id, detail=why)

    def _begin_family(self, order: TokenOrder) -> int | None:
        source, now = order.made_from, self.clock.now()
        if not isinstance(source, StoredCode | StoredDeviceCode):
            return None
        # A family's audience and scopes are what was allowed, however little this token is for.
        family_id = self.tx.token_families.add_family(
            self._public_id("family"), order.client.id, order.user.id, source.approval, now
        )
        if isinstance(source, StoredCode):
            self.tx.token_families.use_code(source.id, family_id, now)
        else:
            self.tx.device_codes.use(source.id, now)
        return family_id

    def _add_access_token(self, token: Secret, order: TokenOrder, family_id: int | None) -> Issued:
        now, public_id = self.clock.now(), self._public_id("token")
        seconds = self.lifetimes.access_token_seconds
        token_id = self.tx.access_tokens.add(
            NewToken(
                public_id=public_id,
                lookup=lookup_values(self.peppers, token)[0],
                user_id=order.user.id,
                client=order.client.client_id,
                scopes=order.scopes,
                issued_at=now,
                expires_at=now + seconds,
                revoked_at=None,
                audience=order.audience,
                client_row_id=order.client.id,
                family_id=family_id,
            )
        )
        if token_id % _TOKENS_A_CLEANING == 0:
            self.tx.token_families.forget_expired(now)
        self.tx.access_tokens.set_digest(token_id, digest_token(self.peppers, token_id, public_id, token))
        return Issued(token, seconds, order.scopes)

    def _add_refresh_token(self, token: Secret, family_id: int) -> None:
        now = self.clock.now()
        lookup = self.peppers.digest(Purpose.REFRESH_TOKEN_LOOKUP, token.text).value
        families = self.tx.token_families
        row_id = families.add_refresh_token(lookup, family_id, now, now + self.lifetimes.refresh_token_seconds)
        families.set_refresh_digest(row_id, digest_refresh_token(self.peppers, row_id, family_id, token))

    def _derive(self, kind: TokenKind, presented: Secret) -> list[Secret]:
        """List what a refresh token's successor of that kind is under each pepper, the newest first."""
        count = entropy_bytes(kind)
        values = self.peppers.candidates(Purpose.SUCCESSOR, kind.value, presented.text)
        return [Secret(issue_token(kind, value[:count])) for value in values]

    def _new(self, kind: TokenKind) -> Secret:
        return Secret(issue_token(kind, self.entropy.random_bytes(entropy_bytes(kind))))

    def _public_id(self, what: str) -> str:
        return f"{what}-{self.entropy.random_bytes(_PUBLIC_ID_BYTES).hex()}"


_SUCCESSORS = (TokenKind.ACCESS_TOKEN, TokenKind.REFRESH_TOKEN)


def may_use(user: StoredUser, client: StoredClient) -> bool:
    """Whether a user may act at all, and through a client that is for some roles only."""
    return user.enabled and user.name != GUEST and roles_admit(client.allowed_roles, user)


def find_refresh_token(tx: Transaction, peppers: Peppers, token: Secret) -> StoredRefreshToken | None:
    """Look up a refresh token, used or not."""
    found = tx.token_families.find_refresh_token(peppers.candidates(Purpose.REFRESH_TOKEN_LOOKUP, token.text))
    return found if found and refresh_token_matches(peppers, found, token) else None
