"""What a request's row in the log says, made so that nothing a caller chose can forge it, and no secret is in it."""

from dataclasses import replace
from typing import assert_never

from latchgate.core.credentials import (
    Bearer,
    ClientCredential,
    Credential,
    KeyPair,
    Presented,
    Scheme,
    SessionCookie,
)
from latchgate.core.log_entries import (
    PATH_LENGTH_MAX,
    USER_AGENT_LENGTH_MAX,
    LogEntry,
    blank_secrets,
    blank_texts,
    escape,
)
from latchgate.core.principals import Anonymous, Client, Principal, Reason, Rejected, Who
from latchgate.core.tokens import Secret
from latchgate.services.admissions import Admission

__all__ = ["entry_of", "without_secret"]

_METHOD_LENGTH_MAX = 20
_SECRET_LENGTH_MIN = 8


def without_secret(presented: Presented, credential: Credential) -> Presented:
    """Blank the secret of the credential wherever else it was put."""
    # Some tools repeat the credential in the address or in their name; what follows here ends up in the log.
    match credential:
        case (
            KeyPair(secret=secret)
            | Bearer(token=secret)
            | SessionCookie(sid=secret)
            | ClientCredential(secret=Secret() as secret)
        ) if _could_be_secret(secret):
            path = presented.path.replace(secret.text, "***")
            return replace(presented, path=path, user_agent=presented.user_agent.replace(secret.text, "***"))
        case _:
            return presented


def entry_of(admission: Admission, status: int, seconds: float, reason: str | None) -> LogEntry:
    """Make the row of a request, as `Gate.record` takes its arguments."""
    presented, who = admission.presented, admission.who
    refused = reason or (admission.reason and admission.reason.value)
    row = LogEntry(
        time=admission.arrived_us,
        request_id=admission.request_id,
        user=None,
        api_key=None,
        scheme=None,
        source=None,
        method=escape(presented.method, _METHOD_LENGTH_MAX),
        path=escape(blank_secrets(presented.path), PATH_LENGTH_MAX),
        status=status,
        seconds=round(seconds, 6),
        ip_address=presented.peer_address,
        user_agent=escape(blank_texts(presented.user_agent), USER_AGENT_LENGTH_MAX),
        reason=refused,
    )
    return _named(row, who) if admission.credential_presented else row


def _could_be_secret(secret: Secret) -> bool:
    # A short text, or one that is a piece of a path, is a guess by which somebody would hide what was asked for.
    return len(secret.text) >= _SECRET_LENGTH_MIN and "/" not in secret.text


def _named(row: LogEntry, who: Who) -> LogEntry:
    match who:
        case Anonymous():
            return replace(row, scheme=Scheme.SESSION.value, reason=row.reason or Reason.EXPIRED.value)
        case Client():
            return replace(row, api_key=who.credential, scheme=Scheme.CLIENT.value)
        case Principal() | Rejected():
            return replace(
                row,
                user=who.user,
                user_id=who.user_id if isinstance(who, Principal) else None,
                api_key=who.credential,
                scheme=who.scheme and who.scheme.value,
                source=who.source,
            )
        case _:
            assert_never(who)
