"""Identity tokens for applications behind a proxy: one for each caller, host and minute, however often it asks.

To sign takes longer than everything else that a remembered verdict needs. A token that is given again may have been
made a minute before, so that it holds for two: the bound that is stated for it is LIFETIME_SECONDS.
"""

from dataclasses import dataclass, field
from threading import Lock

from latchgate.core.clients import SigningAlgorithm
from latchgate.core.principals import Principal
from latchgate.errors import StorageError
from latchgate.oauth.identity_tokens import IdentityClaims, IdentitySigner, load_signer
from latchgate.services.ports import Clock, Store
from latchgate.services.signing_keys import SigningKeyService

__all__ = ["LIFETIME_SECONDS", "IdentityTokens"]

_MINUTE = 60
LIFETIME_SECONDS = 2 * _MINUTE
"""How long after the request that it came with a token may still hold, at most."""
_ALGORITHM = SigningAlgorithm.ES256
_TOKENS_MAX = 4096
_Key = tuple[int, str, str, frozenset[str], frozenset[str], int | None, str]


@dataclass(slots=True)
class _Made:
    """The tokens of a minute, and who signs them."""

    minute: int = -1
    tokens: dict[_Key, str] = field(default_factory=dict, repr=False)
    signer: IdentitySigner | None = None
    signer_minute: int = -1
    lock: Lock = field(default_factory=Lock, repr=False)


@dataclass(frozen=True, slots=True)
class IdentityTokens:
    """The tokens that one process has given out. `find` is for one thread, such as an event loop's."""

    store: Store
    signing_keys: SigningKeyService
    clock: Clock
    issuer: str
    _made: _Made = field(default_factory=_Made, repr=False)

    @property
    def minute(self) -> int:
        """Of which minute the tokens are that `find` gave last."""
        return self._made.minute

    def find(self, who: Principal, host: str) -> str | None:
        """Give this minute's token; None if there is no key to sign with yet, which `prepare` sees to.

        Args:
            who: The caller, as it was judged for this request: what it may do stands in the token.
            host: What is asked for, as `parse_host` writes it.
        """
        made, now = self._made, self.clock.now()
        minute = now // _MINUTE
        if made.minute != minute or len(made.tokens) >= _TOKENS_MAX:
            made.minute = minute
            made.tokens.clear()
        key = who.user_id, who.user, who.credential, who.roles, who.scopes, _end_of(who), host
        token = made.tokens.get(key)
        if token is None:
            if made.signer is None or made.signer_minute != minute:
                return None
            token = made.tokens[key] = made.signer.sign(self._claims(who, host, now))
        return token

    def prepare(self) -> None:
        """Read the key to sign with, once a minute, so that a new one is used soon. Waits for the database.

        Raises:
            StorageError: It does not answer.
        """
        made = self._made
        with made.lock:
            minute = self.clock.now() // _MINUTE
            if made.signer_minute == minute:
                return
            try:
                made.signer = self._read_signer()
            except StorageError:
                # The key of a minute ago is as good: what is verified with stays published for days.
                if made.signer is None:
                    raise
            made.signer_minute = minute

    def _read_signer(self) -> IdentitySigner:
        self.signing_keys.prepare(_ALGORITHM)
        with self.store.read() as tx:
            signing_key = self.signing_keys.find(tx, _ALGORITHM)
        return load_signer(signing_key)

    def _claims(self, who: Principal, host: str, now: int) -> IdentityClaims:
        expires_at, end = (now // _MINUTE) * _MINUTE + LIFETIME_SECONDS, _end_of(who)
        return IdentityClaims(
            issuer=self.issuer,
            subject=who.user,
            audience=host,
            issued_at=now,
            expires_at=expires_at if end is None else min(expires_at, end),
            roles=tuple(sorted(who.roles)),
            scopes=tuple(sorted(who.scopes)),
            credential=who.credential,
        )


def _end_of(who: Principal) -> int | None:
    """Tell when what was presented ends by itself: the credential, or its secret of before a rotation."""
    return min((end for end in (who.expires_at, who.former_until) if end is not None), default=None)
