"""The authorization endpoint: what a client asks of the user at the browser, and what becomes of it.

Whoever answers is the user of the session, never one that a parameter or a cookie names. Source: RFC 6749, section 4.1;
OpenID Connect Core, section 3.1.2; RFC 9700, section 2.1.
"""

import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from latchgate.core.sessions import StoredSession
from latchgate.core.system_settings import Lifetimes
from latchgate.core.token_families import Approval, consent_covers
from latchgate.core.tokens import Peppers, Purpose
from latchgate.oauth.authorization_requests import (
    AuthorizationRequest,
    Prompt,
    RefusedRequest,
    parse_prompts,
    refuse_request,
)
from latchgate.oauth.id_tokens import read_id_token_hint
from latchgate.oauth.parameters import Parameters
from latchgate.oauth.protocol import provider_on
from latchgate.services.activity import note
from latchgate.services.actors import Actor, write_as
from latchgate.services.consents import keep_consent
from latchgate.services.identities import prepare_subjects, subject_of
from latchgate.services.oauth_state import OAuthState, may_use
from latchgate.services.ports import Clock, Entropy, Store, Transaction
from latchgate.services.signing_keys import SigningKeyService

if TYPE_CHECKING:
    from latchgate.oauth.provider import Provider

__all__ = ["SIGNED_IN_AFTER", "AuthorizationService", "ConsentNeeded", "Granted", "SignInFirst"]

SIGNED_IN_AFTER = "signed_in_after"
"""A parameter of our own: since when the user must have signed in, as this service itself said."""
_PROOF_SECONDS = 900


@dataclass(frozen=True, slots=True)
class SignInFirst:
    """The user has to sign in, perhaps anew."""

    login_hint: str
    """The name to put into the form."""
    parameters: Parameters = field(repr=False)
    """With which the browser comes back."""


@dataclass(frozen=True, slots=True)
class ConsentNeeded:
    """The user is to be asked."""

    request: AuthorizationRequest
    session: StoredSession
    """Whose user answers."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The client gets its code, at this address."""

    location: str = field(repr=False)


Answer = RefusedRequest | SignInFirst | ConsentNeeded | Granted


@dataclass(frozen=True, slots=True)
class AuthorizationService:
    """Authorization requests, and what their users say."""

    store: Store
    peppers: Peppers = field(repr=False)
    clock: Clock
    entropy: Entropy
    issuer: str
    lifetimes: Callable[[Transaction], Lifetimes]
    signing_keys: SigningKeyService

    def check(self, parameters: Parameters) -> AuthorizationRequest | RefusedRequest:
        """Judge a request before anybody has signed in: what the sign-in page shows, and where it may lead."""
        with self.store.read() as tx:
            return self._provider(tx).check(_theirs(parameters))

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
            if not isinstance(answer, ConsentNeeded) or actor is None:
                return answer
            needed = _needs_answer(tx, answer)
        if not needed:
            return self.answer(parameters, actor, allow=True, asked=False)
        if Prompt.NONE in answer.request.prompts:
            return self._refuse(answer.request, "consent_required", "The user has to be asked")
        return answer

    def answer(
        self, parameters: Parameters, actor: Actor, *, allow: bool, asked: bool = True, seen: Collection[str] = ()
    ) -> Answer:
        """Do what the user said.

        Args:
            parameters: Of the request; judged anew.
            actor: The user of the session.
            allow: Whether the user allowed it.
            asked: Whether it was the user who said so, or what the user said before.
            seen: The `changed` of the client that the user was shown, as it was sent; if the client is another now,
                the user is asked anew, since what a request leaves out is the client's to fill.

        Raises:
            NotPermitted: The session ended meanwhile.
        """
        with write_as(self.store, actor) as tx:
            answer = self._look(tx, parameters, actor)
            if not isinstance(answer, ConsentNeeded):
                return answer
            request, session = answer.request, answer.session
            client = request.client
            if not allow:
                note(tx, self.clock, actor, "consent.denied", client.client_id, detail=client.app_name)
                return self._refuse(request, "access_denied", "The user did not allow it")
            if asked and not {str(client.changed)}.issuperset(seen):
                return answer
            if asked:
                given = session.user.id, Approval(request.scopes, request.audience, session.created_at)
                keep_consent(tx, self.clock.now_us(), self.entropy, client, given)
                note(tx, self.clock, actor, "consent.given", client.client_id, detail=client.app_name)
            elif _needs_answer(tx, answer):
                # What was allowed before was taken back meanwhile.
                return answer
            location = self._provider(tx).approve(_theirs(parameters), request, session.user, session.created_at)
            return Granted(location)

    def _look(
        self, tx: Transaction, parameters: Parameters, actor: Actor | None
    ) -> RefusedRequest | SignInFirst | ConsentNeeded:
        request = self._provider(tx).check(_theirs(parameters))
        if isinstance(request, RefusedRequest):
            if request.location and actor is None and not _is_silent(parameters):
                # Any client can have a bad request made: a link to this service must not lead a stranger on to
                # whatever address somebody registered (RFC 9700, section 4.11.2).
                return SignInFirst("", _theirs(parameters))
            return request
        principal = actor.principal if actor else None
        session = tx.sessions.find_public(principal.credential) if principal else None
        if session is None or self._must_sign_in(tx, request, parameters, session):
            if Prompt.NONE in request.prompts:
                return self._refuse(request, "login_required", "The user has to sign in")
            return SignInFirst(request.login_hint, self._with_proof(request, parameters))
        if request.id_token_hint and not self._hint_fits(tx, request, session):
            # Who has just signed in is not asked to do so for ever.
            return self._refuse(request, "login_required", "Another user signed in than the one that is meant")
        if not may_use(session.user, request.client):
            return self._refuse(request, "access_denied", "This user may not sign in through this client")
        return ConsentNeeded(request, session)

    def _must_sign_in(
        self, tx: Transaction, request: AuthorizationRequest, parameters: Parameters, session: StoredSession
    ) -> bool:
        since = self._proved_since(request, parameters)
        if since is not None and session.created_at >= since:
            return False
        if request.id_token_hint and not self._hint_fits(tx, request, session):
            return True
        if request.prompts & {Prompt.LOGIN, Prompt.SELECT_ACCOUNT}:
            return True
        return request.max_age is not None and self.clock.now() - session.created_at > request.max_age

    def _hint_fits(self, tx: Transaction, request: AuthorizationRequest, session: StoredSession) -> bool:
        hint = read_id_token_hint(request.id_token_hint, self.signing_keys.public_jwks(tx), self.issuer)
        return hint is not None and hint.subject == subject_of(tx, session.user.id)

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
        proofs = self.peppers.candidates(Purpose.SIGN_IN_PROOF, time, request.client.client_id)
        proved = any(hmac.compare_digest(value.hex().encode(), proof.encode(errors="replace")) for value in proofs)
        return int(time) if proved and self.clock.now() - int(time) <= _PROOF_SECONDS else None

    def _proof(self, time: int, client_id: str) -> str:
        return self.peppers.digest(Purpose.SIGN_IN_PROOF, str(time), client_id).value.hex()

    def _refuse(self, request: AuthorizationRequest, error: str, description: str) -> RefusedRequest:
        return refuse_request(request.redirect_uri, request.state, self.issuer, (error, description))

    def _provider(self, tx: Transaction) -> "Provider":
        # Nothing that this endpoint does names an address in the activity log.
        state = OAuthState(tx, self.peppers, self.clock, self.entropy, self.lifetimes(tx), "")
        return provider_on(state, self.issuer)


def _needs_answer(tx: Transaction, needed: ConsentNeeded) -> bool:
    """Whether the user must be asked: not by a trusted client, nor where it is certain that the same was allowed."""
    request = needed.request
    if request.client.skip_authorization:
        return False
    if Prompt.CONSENT in request.prompts or not request.assured:
        return True
    consent = tx.consents.find(needed.session.user.id, request.client.id)
    # It was given to the client as it was: one that has another address since may have got into other hands.
    if consent is None or consent.modified < request.client.changed:
        return True
    return not consent_covers(consent, request.scopes, request.audience)


def _is_silent(parameters: Parameters) -> bool:
    """Whether a request, though refused, asked that its user see nothing."""
    prompts = [parse_prompts(value) or frozenset() for name, value in parameters if name == "prompt"]
    return any(Prompt.NONE in prompt for prompt in prompts)


def _theirs(parameters: Parameters) -> Parameters:
    return [(name, value) for name, value in parameters if name != SIGNED_IN_AFTER]
