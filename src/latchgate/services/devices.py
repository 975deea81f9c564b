"""Devices without a browser: they show a code, and their user types it elsewhere and allows them. Source: RFC 8628."""

from collections.abc import Callable
from dataclasses import dataclass, field

from latchgate.core.clients import GrantType, StoredClient
from latchgate.core.scopes import asks_within
from latchgate.core.system_settings import Lifetimes
from latchgate.core.token_families import DeviceState, StoredDeviceCode
from latchgate.core.tokens import Peppers, Purpose, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.errors import NotFound, OAuthError, RateLimited
from latchgate.oauth.parameters import Parameters, is_resource, normal_resource, read_once
from latchgate.oauth.scopes import parse_scope_parameter, within_openid
from latchgate.services.activity import note
from latchgate.services.actors import Actor, write_as
from latchgate.services.consents import keep_consent
from latchgate.services.oauth_ports import NewDeviceCode
from latchgate.services.oauth_state import may_use
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.throttles import Throttles

__all__ = ["AskingDevice", "DeviceService", "StartedDevice"]

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come of it; nothing that is mistaken for another. Source: RFC 8628, section 6.1."""
_USER_CODE_LENGTH = 8
_TYPED_LENGTH_MAX = 40
_INTERVAL_SECONDS = 5
_RANDOM_BYTES = 16


@dataclass(frozen=True, slots=True)
class StartedDevice:
    """What a device is answered, this once. Source: RFC 8628, section 3.2."""

    device_code: Secret
    user_code: str
    """As it is shown, in two groups of four letters."""
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class AskingDevice:
    """A device that waits for an answer."""

    client: StoredClient
    code: StoredDeviceCode
    user_code: str
    """As the device shows it, however it was typed."""


@dataclass(frozen=True, slots=True)
class DeviceService:
    """Devices' requests, and what their users say."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    issuer: str
    lifetimes: Callable[[Transaction], Lifetimes]
    throttles: Throttles

    def start(self, parameters: Parameters, client: StoredClient, address: str = "") -> StartedDevice:
        """Begin to wait for the user of a device.

        Args:
            parameters: As sent.
            client: Whose device it is.
            address: From where it asks.

        Raises:
            OAuthError: The client may not, or not so much.
            RateLimited: Too many asked from that address by clients that anybody can say they are.
        """
        wait = self.throttles.count_device(address) if client.public else 0
        if wait:
            raise RateLimited("Too many devices asked from this address. Try again later.", retry_after_seconds=wait)
        if GrantType.DEVICE_CODE not in client.grant_types:
            raise OAuthError("unauthorized_client", "This client is not for devices")
        asked = read_once([(name, value) for name, value in parameters if name != "resource"])
        scopes = parse_scope_parameter(asked.get("scope", ""))
        if isinstance(scopes, str):
            raise OAuthError("invalid_scope", scopes)
        scopes = within_openid(scopes, client.scopes)
        if not asks_within(scopes, client.scopes):
            raise OAuthError("invalid_scope", "The scope is wider than what this client may ask for")
        device_code = Secret(
            issue_token(TokenKind.DEVICE_CODE, self.entropy.random_bytes(entropy_bytes(TokenKind.DEVICE_CODE)))
        )
        user_code, now = self._new_user_code(), self.clock.now()
        audience = frozenset(normal_resource(value) for name, value in parameters if name == "resource" and value)
        with self.store.write() as tx:
            lives_seconds = self.lifetimes(tx).device_code_seconds
            if not audience <= tx.clients.list_resources() | {self.issuer} or not all(map(is_resource, audience)):
                raise OAuthError("invalid_target", "There is no such resource here")
            tx.device_codes.add(
                NewDeviceCode(
                    lookup=self.peppers.digest(Purpose.DEVICE_CODE, device_code.text).value,
                    user_code_lookup=self.peppers.digest(Purpose.USER_CODE, user_code).value,
                    client_row_id=client.id,
                    scopes=scopes or client.scopes,
                    audience=audience,
                    issued_at=now,
                    expires_at=now + lives_seconds,
                    interval_seconds=_INTERVAL_SECONDS,
                )
            )
        return StartedDevice(device_code, _shown(user_code), lives_seconds, _INTERVAL_SECONDS)

    def find(self, actor: Actor, user_code: str) -> AskingDevice:
        """Find the device that shows a code.

        Raises:
            NotFound: None does, or not any more.
            RateLimited: This user tried too many codes (RFC 8628, section 5.1).
        """
        with self.store.read() as tx:
            return self._find(tx, actor, user_code)

    def answer(self, actor: Actor, user_code: str, *, allow: bool) -> bool:
        """Do what the user said to a device that waits, and tell whether it is allowed now.

        A user who may not sign in through the device's client allows nothing. Raises as `find`, and NotPermitted.
        """
        with write_as(self.store, actor) as tx:
            asking = self._find(tx, actor, user_code)
            client, approval = asking.client, asking.code.approval
            session = tx.sessions.find_public(actor.principal.credential) if actor.principal else None
            if session is None:
                raise AssertionError("the route takes sessions alone")
            allowed = allow and may_use(session.user, client)
            state = DeviceState.APPROVED if allowed else DeviceState.DENIED
            tx.device_codes.answer(asking.code.id, state, session.user.id, session.created_at)
            if allowed:
                # So that the user sees it among all else that was allowed, and can take it back.
                keep_consent(tx, self.clock.now_us(), self.entropy, client, (session.user.id, approval))
            what = "consent.given" if allowed else "consent.denied"
            note(tx, self.clock, actor, what, client.client_id, detail=f"{client.app_name}, on a device")
            return allowed

    def _find(self, tx: Transaction, actor: Actor, user_code: str) -> AskingDevice:
        # Counted before it is looked up, right ones too: of many at once no more get through than of many in turn.
        wait = self.throttles.count_user_code(actor.user)
        if wait:
            raise RateLimited("Too many codes were tried. Try again later.", retry_after_seconds=wait)
        letters = _letters(user_code)
        code = self._look_up(tx, letters)
        waits = code is not None and code.state is DeviceState.PENDING and self.clock.now() < code.expires_at
        client = tx.clients.find_id(code.client_row_id) if code and waits else None
        if code is None or client is None or client.revoked_at is not None:
            raise NotFound("No device shows this code, or not any more. Look at the device again.")
        return AskingDevice(client, code, _shown(letters))

    def _look_up(self, tx: Transaction, letters: str) -> StoredDeviceCode | None:
        if len(letters) != _USER_CODE_LENGTH:
            return None
        return tx.device_codes.find_user_code(self.peppers.candidates(Purpose.USER_CODE, letters))

    def _new_user_code(self) -> str:
        number = int.from_bytes(self.entropy.random_bytes(_RANDOM_BYTES))
        letters = []
        for _ in range(_USER_CODE_LENGTH):
            number, digit = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[digit])
        return "".join(letters)


def _letters(typed: str) -> str:
    """Read a code however it was typed. Source: RFC 8628, section 6.1."""
    return "".join(letter for letter in typed[:_TYPED_LENGTH_MAX].upper() if letter in _LETTERS)


def _shown(user_code: str) -> str:
    return f"{user_code[:4]}-{user_code[4:]}"
