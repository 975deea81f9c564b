"""What a request's row in the log says, made so that nothing a caller chose can forge it, and no secret is in it."""

from collections.abc import Callable
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
from latchgate.core.hosts import parse_host
from latchgate.core.log_entries import (
    PATH_LENGTH_MAX,
    USER_AGENT_LENGTH_MAX,
    Asked,
    Caller,
    LogEntry,
    blank_secrets,
    blank_texts,
    escape,
)
from latchgate.core.principals import Anonymous, Client, Principal, Reason, Rejected, Who
from latchgate.core.spellings import secret_of
from latchgate.core.tokens import Secret
from latchgate.services.admissions import Admission
from latchgate.services.principal_memories import PrincipalMemory

__all__ = ["asked_of", "caller_of", "entry_of", "without_secret"]

_METHOD_LENGTH_MAX = 20
_SECRET_LENGTH_MIN = 8
_PLAIN_LENGTH_MAX, _PLAIN_MAX = 200, 1024
# Most requests are for few addresses, by few programs; to search each text for secrets takes as long as all the rest.
_plain_paths: set[str] = set()
_plain_agents: set[str] = set()


def without_secret(presented: Presented, told: Credential | Principal) -> Presented:
    """Blank the secret of the credential wherever else it was put.

    Args:
        presented: The request.
        told: Its credential, or who it is known to be by the usual spelling of one.
    """
    # Some tools repeat the credential in the address or in their name; what follows here ends up in the log.
    match told:
        case Principal(scheme=scheme):
            text = secret_of(presented.authorization[0], scheme)
        case (
            KeyPair(secret=secret)
            | Bearer(token=secret)
            | SessionCookie(sid=secret)
            | ClientCredential(secret=Secret() as secret)
        ):
            text = secret.text
        case _:
            return presented
    if not (_holds(presented, text) and _could_be_secret(text)):
        return presented
    return replace(
        presented,
        path=presented.path.replace(text, "***"),
        user_agent=presented.user_agent.replace(text, "***"),
        host="" if _is_in_host(text, presented.host) else presented.host,
    )


def entry_of(admission: Admission, status: int, seconds: float, reason: str | None) -> LogEntry:
    """Make the row of a request, as `Gate.record` takes its arguments."""
    refused = reason or (admission.reason and admission.reason.value)
    caller = caller_of(admission.who) if admission.credential_presented else Caller()
    if isinstance(admission.who, Anonymous) and admission.credential_presented:
        refused = refused or Reason.EXPIRED.value
    asked = asked_of(admission.presented, remember=refused is None)
    return LogEntry(
        time=admission.arrived_us,
        request_id=admission.request_id,
        user=caller.user,
        api_key=caller.api_key,
        scheme=caller.scheme,
        source=caller.source,
        method=asked.method,
        path=asked.path,
        status=status,
        seconds=round(seconds, 6),
        ip_address=asked.ip_address,
        user_agent=asked.user_agent,
        reason=refused,
        user_id=caller.user_id,
        former_until=caller.former_until,
        host=asked.host,
    )


def asked_of(presented: Presented, *, remember: bool = True) -> Asked:
    """Tell what was asked for, after `without_secret`.

    Args:
        presented: The request.
        remember: Whether texts that need not be changed may be remembered as such: not those that strangers send.
    """
    return Asked(
        escape(presented.method, _METHOD_LENGTH_MAX),
        _show(presented.path, _show_path, _plain_paths, remember=remember),
        presented.peer_address,
        _show(presented.user_agent, _show_agent, _plain_agents, remember=remember),
        # What is no host's name is not shown: what is can neither forge a row nor steer anything, however it is read.
        parse_host(blank_texts(presented.host)) if presented.host else None,
    )


def caller_of(who: Who) -> Caller:
    """Tell whom the row of a request with a credential names."""
    match who:
        case Principal():
            return _caller_of_principal.get(who)
        case Rejected():
            return Caller(who.user, None, who.credential, who.scheme and who.scheme.value, who.source)
        case Anonymous():
            return Caller(scheme=Scheme.SESSION.value)
        case Client():
            return Caller(api_key=who.credential, scheme=Scheme.CLIENT.value)
        case _:
            assert_never(who)


_caller_of_principal = PrincipalMemory(
    lambda who: Caller(who.user, who.user_id, who.credential, who.scheme.value, who.source, who.former_until)
)


def _show(text: str, show: Callable[[str], str], plain: set[str], *, remember: bool) -> str:
    """Show a text as `show` does. What it leaves as it is it will leave so again; nothing else is remembered."""
    if text in plain:
        return text
    shown = show(text)
    if remember and shown == text and len(text) <= _PLAIN_LENGTH_MAX:
        if len(plain) >= _PLAIN_MAX:
            plain.clear()
        plain.add(text)
    return shown


def _show_path(path: str) -> str:
    return escape(blank_secrets(path), PATH_LENGTH_MAX)


def _show_agent(user_agent: str) -> str:
    return escape(blank_texts(user_agent), USER_AGENT_LENGTH_MAX)


def _holds(presented: Presented, secret: str) -> bool:
    return secret in presented.path or secret in presented.user_agent or _is_in_host(secret, presented.host)


def _is_in_host(secret: str, host: str) -> bool:
    # Programs write hosts in small letters.
    return bool(host) and secret.lower() in host.lower()


def _could_be_secret(text: str) -> bool:
    # A short text, or one that is a piece of a path, is a guess by which somebody would hide what was asked for.
    return len(text) >= _SECRET_LENGTH_MIN and "/" not in text
