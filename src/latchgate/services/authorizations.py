"""The authorization endpoint: what a client asks of the user at the browser, and what becomes of it.

Whoever answers is the user of the session, never one that a parameter or a cookie names. Source: RFC 6749, section 4.1;
OpenID Connect Core, section 3.1.2; RFC 9700, section 2.1.
"""

from dataclasses import dataclass, field

from latchgate.core.principals import Principal
from latchgate.core.token_families import Approval
from latchgate.core.tokens import Peppers, Purpose
from latchgate.core.users import StoredUser
from latchgate.oauth.authorization_requests import AuthorizationRequest, Prompt, RefusedRequest
from latchgate.oauth.id_tokens import read_id_token_hint
from latchgate.oauth.provider import Parameters, Provider
from latchgate.oauth.scopes import asks_within
from latchgate.services.activity import note
from latchgate.services.actors import Actor, write_as
from latchgate.services.identities import prepare_subjects, subject_of
from latchgate.services.oauth_state import Lifetimes, OAuthState, may_use
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.signing_keys import SigningKeyService

__all__ = ["SIGNED_IN_AFTER", "Asked", "AuthorizationService", "Granted", "SignInFirst"]

SIGNED_IN_AFTER = "signed_in_after"
"""A parameter of our own: since when the user must have signed in, as this service itself said."""
_PUBLIC_ID_BYTES = 8
_PROOF_SECONDS = 900


@dataclass(frozen=True, slots=True)
class SignInFirst:
    """The user has to sign in, perhaps anew."""

    login_hint: str
    """The name to put into the form."""
    parameters: Parameters = field(repr=False)
    """With which the browser comes back."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The user is to be asked."""

    request: AuthorizationRequest
    user: StoredUser


@dataclass(frozen=True, slots=True)
class Granted:
    """The client gets its code, at this address."""

    location: str = field(repr=False)


Answer = RefusedRequest | SignInFirst | Asked | Granted


@dataclass(frozen=True, slots=True)
class AuthorizationService:
    """Authorization requests, and what their users say."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    issuer: str
    lifetimes: Lifetimes
    signing_keys: SigningKeyService

    def check(self, parameters: Parameters) -> AuthorizationRequest | RefusedRequest:
        """Judge a request before anybody has signed in: what the sign-in page shows, and where it may lead."""
        with self.store.read() as tx:
            return self._provider(tx, "").check(_theirs(parameters))

    def ask(self, parameters: Parameters, actor: Actor | None) -> Answer:
        """Tell what a request needs: to be refused, a sign-in, an answer, or nothing any more.

        Args:
            parameters: Of the request, as sent.
            actor: The user of the session; None for nobody.

        Raises:
            NotPermitted: The session ended meanwhile.
        """
        prepare_subjects(self.store, self.entropy)
        with self.store.read() as tx:
            answer = self._look(tx, parameters, actor)
        if not isinstance(answer, Asked) or actor is None:
            return answer
        with self.store.read() as tx:
            if not _needs_answer(tx, answer):
                granted = True
            elif Prompt.NONE in answer.request.prompts:
                return self._refuse(answer.request, "consent_required", "The user has to be asked")
            else:
                granted = False
        return self.answer(parameters, actor, allow=True, asked=False) if granted else answer

    def answer(self, parameters: Parameters, actor: Actor, *, allow: bool, asked: bool = True) -> Answer:
        """Do what the user said.

        Args:
            parameters: Of the request; judged anew.
            actor: The user of the session.
            allow: Whether the user allowed it.
            asked: Whether it was the user who said so, or what the user said before.

        Raises:
            NotPermitted: The session ended meanwhile.
        """
        with write_as(self.store, actor) as tx:
            answer = self._look(tx, parameters, actor)
            if not isinstance(answer, Asked):
                return answer
            request, user = answer.request, answer.user
            if not allow:
                note(tx, self.clock, actor, "consent.denied", request.client.client_id, detail=request.client.app_name)
                return self._refuse(request, "access_denied", "The user did not allow it")
            if not asked and _needs_answer(tx, answer):
                # What was allowed before was taken back meanwhile.
                return answer
            auth_time = self._auth_time(tx, actor)
            if asked:
                self._remember(tx, actor, answer, auth_time)
            provider = self._provider(tx, actor.ip_address)
            return Granted(provider.approve(_theirs(parameters), request, user, auth_time))

    def _look(
        self, tx: Transaction, parameters: Parameters, actor: Actor | None
    ) -> RefusedRequest | SignInFirst | Asked:
        request = self._provider(tx, "").check(_theirs(parameters))
        if isinstance(request, RefusedRequest):
            if request.location and actor is None and ("prompt", Prompt.NONE.value) not in parameters:
                # Any client can have a bad request made: a link to this service must not lead a stranger on to
                # whatever address somebody registered (RFC 9700, section 4.11.2).
                return SignInFirst("", _theirs(parameters))
            return request
        principal = actor.principal if actor else None
        silent = Prompt.NONE in request.prompts
        if actor is None or principal is None or self._must_sign_in(tx, request, parameters, actor):
            if silent:
                return self._refuse(request, "login_required", "The user has to sign in")
            return SignInFirst(request.login_hint, self._with_proof(request, parameters))
        user = tx.users.find_id(principal.user_id)
        if user is None or not may_use(user, request.client):
            return self._refuse(request, "access_denied", "This user may not sign in through this client")
        return Asked(request, user)

    def _must_sign_in(
        self, tx: Transaction, request: AuthorizationRequest, parameters: Parameters, actor: Actor
    ) -> bool:
        if request.id_token_hint and not self._hint_fits(tx, request, actor):
            return True
        auth_time = self._auth_time(tx, actor)
        since = self._proved_since(request, parameters)
        if since is not None and auth_time >= since:
            return False
        if request.prompts & {Prompt.LOGIN, Prompt.SELECT_ACCOUNT}:
            return True
        return request.max_age is not None and self.clock.now() - auth_time > request.max_age

    def _hint_fits(self, tx: Transaction, request: AuthorizationRequest, actor: Actor) -> bool:
        hint = read_id_token_hint(request.id_token_hint, self.signing_keys.public_jwks(tx), self.issuer)
        principal: Principal | None = actor.principal
        return hint is not None and principal is not None and hint.subject == subject_of(tx, principal.user_id)

    def _auth_time(self, tx: Transaction, actor: Actor) -> int:
        session = tx.sessions.find_public(actor.principal.credential) if actor.principal else None
        if session is None:
            raise AssertionError("the route takes sessions alone")
        return session.created_at

    def _with_proof(self, request: AuthorizationRequest, parameters: Parameters) -> Parameters:
        """Add since when the user must have signed in, so that a fresh sign-in is known when the browser comes back."""
        now = self.clock.now()
        proof = f"{now}-{self._proof(now, request.client.client_id)}"
        return [*_theirs(parameters), (SIGNED_IN_AFTER, proof)]

    def _proved_since(self, request: AuthorizationRequest, parameters: Parameters) -> int | None:
        sent = [value for name, value in parameters if name == SIGNED_IN_AFTER]
        time, _, proof = sent[0].partition("-") if len(sent) == 1 else ("", "", "")
        if not (time.isascii() and time.isdigit() and len(time) <= 12):  # noqa: PLR2004  # digits of a time
            return None
        since = int(time)
        proofs = [
            value.hex()
            for value in self.peppers.candidates(Purpose.LINK, SIGNED_IN_AFTER, time, request.client.client_id)
        ]
        young = self.clock.now() - since <= _PROOF_SECONDS
        return since if young and proof in proofs else None

    def _proof(self, time: int, client_id: str) -> str:
        return self.peppers.digest(Purpose.LINK, SIGNED_IN_AFTER, str(time), client_id).value.hex()

    def _remember(self, tx: Transaction, actor: Actor, answer: Asked, auth_time: int) -> None:
        request, user = answer.request, answer.user
        public_id = f"consent-{self.entropy.random_bytes(_PUBLIC_ID_BYTES).hex()}"
        approval = Approval(request.scopes, request.audience, auth_time)
        tx.consents.put(public_id, user.id, request.client.id, approval, self.clock.now_us())
        note(tx, self.clock, actor, "consent.given", request.client.client_id, detail=request.client.app_name)

    def _refuse(self, request: AuthorizationRequest, error: str, description: str) -> RefusedRequest:
        with self.store.read() as tx:
            provider = self._provider(tx, "")
        return provider.refuse((request.redirect_uri, request.state), error, description)

    def _provider(self, tx: Transaction, address: str) -> Provider:
        state = OAuthState(tx, self.peppers, self.clock, self.entropy, self.lifetimes, address)
        return Provider(state, self.issuer)


def _needs_answer(tx: Transaction, answer: Asked) -> bool:
    """Whether the user must be asked: not by a trusted client, nor where it is certain that the same was allowed."""
    request = answer.request
    if request.client.skip_authorization:
        return False
    if Prompt.CONSENT in request.prompts or not request.assured:
        return True
    consent = tx.consents.find(answer.user.id, request.client.id)
    if consent is None:
        return True
    return not (asks_within(request.scopes, consent.scopes) and request.audience <= consent.audience)


def _theirs(parameters: Parameters) -> Parameters:
    return [(name, value) for name, value in parameters if name != SIGNED_IN_AFTER]
