"""The four grants: Authlib's classes, which judge the requests, joined with the state behind them.

Authlib wants its grants inherited from; each says where its answers come from and adds the rules that Authlib lacks.
Source: RFC 6749, sections 4.1, 4.4 and 6; RFC 8628, section 3.4; RFC 9700.
"""

from typing import Any, ClassVar

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant

from latchgate.core.clients import StoredClient
from latchgate.core.scopes import asks_within
from latchgate.core.token_families import DeviceState, Redeemed, StoredCode, StoredDeviceCode, StoredRefreshToken
from latchgate.core.tokens import Secret
from latchgate.core.users import StoredUser
from latchgate.oauth.authorization_requests import challenge_needed
from latchgate.oauth.backing import Backing, CodeOrder, TokenOrder
from latchgate.oauth.protocol_requests import ClientView, ProtocolRequest, read_scopes

__all__ = ["ChallengeCheck", "ClientCredentials", "CodeExchange", "DeviceExchange", "Refresh"]

# Authlib is asked whether a client may; the gate has proved which one it is.
_ANY_METHOD = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]


class _CodeView:
    """A code as Authlib reads it."""

    def __init__(self, code: StoredCode) -> None:
        self.code = code
        self.code_challenge = code.code_challenge
        self.code_challenge_method = "S256"

    def get_redirect_uri(self) -> str:
        # Asked for again only where the authorization request named it (RFC 6749, section 4.1.3).
        return self.code.redirect_uri if self.code.redirect_uri_given else ""

    def get_scope(self) -> frozenset[str]:
        return self.code.approval.scopes


class ChallengeCheck(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """PKCE with S256 alone; whether a code has a challenge, the authorization endpoint decided. RFC 7636, 4.6."""

    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar[list[str]] = ["S256"]

    def __init__(self) -> None:
        super().__init__(required=False)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:  # noqa: ANN401  # Authlib has no types
        """Leave the authorization request to `authorization_requests.py`, which knows what each client must send."""

    def validate_code_verifier(self, grant: Any, result: Any) -> None:  # noqa: ANN401  # Authlib has no types
        """Judge the verifier; a missing one is no different from a wrong one, as recorded."""
        request: ProtocolRequest = grant.request
        if not request.authorization_code.code_challenge and challenge_needed(grant.request.client.client):
            # It was not, when the code was asked for: the client has become one that proves nothing else since.
            raise InvalidGrantError("The code was asked for without a code_challenge")
        if request.authorization_code.code_challenge and not request.form.get("code_verifier"):
            raise InvalidGrantError("The code_verifier is missing")
        super().validate_code_verifier(grant, result)


class CodeExchange(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """An authorization code for tokens, and the code itself."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_METHOD

    @property
    def _backing(self) -> Backing:
        return self.server.backing  # type: ignore[no-any-return]  # Authlib has no types

    def generate_authorization_code(self) -> Secret:
        """Make and keep the code in one."""
        request: ProtocolRequest = self.request
        wanted, view = request.wanted, request.client
        if wanted is None or view is None or request.auth_time is None:
            raise AssertionError("a code is made for what was allowed")
        order = CodeOrder(
            client=view.client,
            user=request.user,
            auth_time=request.auth_time,
            redirect_uri=wanted.redirect_uri,
            redirect_uri_given=wanted.redirect_uri_given,
            scopes=wanted.scopes,
            audience=wanted.audience,
            code_challenge=wanted.code_challenge,
            nonce=wanted.nonce,
        )
        return self._backing.make_code(order)

    def save_authorization_code(self, code: Secret, request: ProtocolRequest) -> None:
        """Do nothing: it was kept where it was made."""

    def query_authorization_code(self, code: str, client: ClientView) -> _CodeView | None:
        """Give a code that is this client's, used or not: which, is judged when all its bindings are proved."""
        found = self._backing.find_code(code, client.client)
        return _CodeView(found) if found else None

    def delete_authorization_code(self, authorization_code: _CodeView) -> None:
        """Do nothing: it was marked as used where the tokens were made."""

    def authenticate_user(self, authorization_code: _CodeView) -> StoredUser:
        """Give the user who allowed it, once client, redirect URI and verifier have been proved.

        So a code that leaked without its verifier ends nothing, and one that is sent twice by whoever holds all of it
        ends what it gave (RFC 6749, section 4.1.2; RFC 9700, section 4.5.3).
        """
        code = authorization_code.code
        if self._backing.redeem_code(code) is not Redeemed.GOOD:
            raise InvalidGrantError("The code was used or has expired")
        if not self.request.client.check_redirect_uri(code.redirect_uri):
            raise InvalidGrantError("The redirect_uri is none of the client's any more")
        return _require_user(self._backing, code.user, self.request.client)

    def generate_token(self, *, user: StoredUser, scope: frozenset[str], include_refresh_token: bool) -> dict[str, Any]:
        """Make the tokens."""
        code = self.request.authorization_code.code
        audience = self.request.narrow_audience(code.approval.audience)
        client = self.request.client.client
        order = TokenOrder(client, user, scope, audience, code, refreshable=include_refresh_token)
        return _issue(self._backing, order)


class _RefreshView:
    """A refresh token as Authlib reads it."""

    def __init__(self, stored: StoredRefreshToken, text: str) -> None:
        self.stored = stored
        self.text = Secret(text)

    def check_client(self, client: ClientView) -> bool:
        return self.stored.family.client_row_id == client.client.id


class Refresh(RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    """A refresh token for its successors. Source: RFC 6749, section 6; RFC 9700, section 4.14."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True

    @property
    def _backing(self) -> Backing:
        return self.server.backing  # type: ignore[no-any-return]  # Authlib has no types

    def authenticate_refresh_token(self, refresh_token: str) -> _RefreshView | None:
        """Give a refresh token of this client; another's is as unknown as none, and ends nothing."""
        found = self._backing.find_refresh_token(refresh_token, self.request.client.client)
        return _RefreshView(found, refresh_token) if found else None

    def authenticate_user(self, refresh_token: _RefreshView) -> StoredUser:
        """Give the user whose tokens they are, unless the token is spent."""
        if self._backing.redeem_refresh_token(refresh_token.stored) not in {Redeemed.GOOD, Redeemed.AGAIN}:
            raise InvalidGrantError("The refresh token was used, revoked or has expired")
        return _require_user(self._backing, refresh_token.stored.family.user, self.request.client)

    def _validate_token_scope(self, token: _RefreshView) -> None:
        # By our own grammar, in which a scope may cover another.
        scopes = read_scopes(self.request.payload.scope)
        if not asks_within(scopes, token.stored.family.approval.scopes):
            raise InvalidScopeError("The scope is wider than what was allowed")

    def issue_token(self, user: StoredUser, refresh_token: _RefreshView) -> dict[str, Any]:
        """Make the successors, or give them once more."""
        approval = refresh_token.stored.family.approval
        order = TokenOrder(
            client=self.request.client.client,
            user=user,
            # Without a word of the client's: of what was allowed, what it may still have.
            scopes=read_scopes(self.request.payload.scope) or _still(approval.scopes, self.request.client.client),
            audience=self.request.narrow_audience(approval.audience),
            made_from=refresh_token.stored,
            refreshable=True,
            presented=refresh_token.text,
        )
        return _issue(self._backing, order)

    def revoke_old_credential(self, refresh_token: _RefreshView) -> None:
        """Do nothing: it was marked as used where its successors were made."""


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """A client's own tokens, which run as the user that it names. Source: RFC 6749, section 4.4."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [method for method in _ANY_METHOD if method != "none"]

    def generate_token(self, *, scope: str | None, include_refresh_token: bool) -> dict[str, Any]:  # noqa: ARG002  # as Authlib calls it
        """Make the token; there is no refresh token (section 4.4.3)."""
        client = self.request.client.client
        if client.user is None:
            raise UnauthorizedClientError("The client names no user that it runs as")
        user = _require_user(self.server.backing, client.user, self.request.client)
        scopes = read_scopes(scope) or client.scopes
        audience = self.request.narrow_audience(None)
        order = TokenOrder(client, user, scopes, audience, None, refreshable=False)
        return _issue(self.server.backing, order)


class _DeviceView:
    """A device's code as Authlib reads it."""

    def __init__(self, stored: StoredDeviceCode, backing: Backing) -> None:
        self.stored = stored
        self._backing = backing

    def get_client_id(self) -> str:
        return self.stored.client_id

    def get_scope(self) -> frozenset[str]:
        return self.stored.approval.scopes

    def get_user_code(self) -> StoredDeviceCode:
        return self.stored

    def is_expired(self) -> bool:
        return self._backing.is_expired(self.stored)


class DeviceExchange(DeviceCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """A device's code for tokens, once its user allowed it. Source: RFC 8628, sections 3.4 and 3.5."""

    TOKEN_ENDPOINT_AUTH_METHODS = _ANY_METHOD

    @property
    def _backing(self) -> Backing:
        return self.server.backing  # type: ignore[no-any-return]  # Authlib has no types

    def query_device_credential(self, device_code: str) -> _DeviceView:
        """Give a device's code; another client's is as unknown as none."""
        found = self._backing.find_device_code(device_code, self.request.client.client)
        if found is None or found.used_at is not None:
            raise InvalidGrantError("The device_code is unknown or was used")
        return _DeviceView(found, self._backing)

    def query_user_grant(self, user_code: StoredDeviceCode) -> tuple[StoredUser, bool] | None:
        """Tell what the user said, if anything."""
        if user_code.state is DeviceState.PENDING or user_code.user is None:
            return None
        return user_code.user, user_code.state is DeviceState.APPROVED

    def should_slow_down(self, credential: _DeviceView) -> bool:
        """Whether it asks too often."""
        return not self._backing.may_poll(credential.stored)

    def generate_token(self, *, user: StoredUser, scope: frozenset[str], include_refresh_token: bool) -> dict[str, Any]:
        """Make the tokens."""
        stored = self.request.credential.stored
        client = self.request.client.client
        audience = self.request.narrow_audience(stored.approval.audience)
        _require_user(self._backing, user, self.request.client)
        order = TokenOrder(client, user, scope, audience, stored, refreshable=include_refresh_token)
        return _issue(self._backing, order)


def _require_user(backing: Backing, user: StoredUser, view: ClientView) -> StoredUser:
    if not backing.may_use(user, view.client):
        raise InvalidGrantError("The user may not sign in through this client")
    return user


def _still(scopes: frozenset[str], client: StoredClient) -> frozenset[str]:
    kept = frozenset(scope for scope in scopes if asks_within(frozenset({scope}), client.scopes))
    if not kept:
        raise InvalidScopeError("The client may not ask any more for anything that was allowed")
    return kept


def _issue(backing: Backing, order: TokenOrder) -> dict[str, Any]:
    if not asks_within(order.scopes, order.client.scopes):
        # The client's own may have become fewer since the user allowed them.
        raise InvalidScopeError("The scope is wider than what this client may ask for")
    issued = backing.issue(order)
    if issued is None:
        raise InvalidGrantError("The refresh token was used, revoked or has expired")
    # Authlib hands this on as it is; it stays a value whose secrets do not print, since Authlib logs it.
    return {"issued": issued}
