"""What was found about keys, in words: exactly what is allowed and not used, so that somebody can decide."""

from collections.abc import Sequence
from datetime import UTC, datetime

from latchgate.core.scopes import ALL
from latchgate.server.desk.wording import Moment
from latchgate.services.key_findings import DAYS_SEEN, DAYS_SOON, DAYS_UNTRIED, Excess, Finding, JudgedKey
from latchgate.services.log_ports import KeyUse

__all__ = ["FINDINGS", "finding_notes", "joined_use", "use_words"]

FINDINGS = {
    Finding.EXPIRES_SOON: f"Expires within {DAYS_SOON} days",
    Finding.NEVER_USED: f"Never used, older than {DAYS_UNTRIED} days",
    Finding.UNUSED: f"Unused for {DAYS_SEEN} days",
    Finding.WIDE: "Allows more than it uses",
}
"""How a filter tells each."""
_ONCE_US = 1_000_000


def finding_notes(key: JudgedKey, now: int) -> list[str]:
    """Say what was found about a key, each in a sentence. `now` is Unix seconds."""
    values = key.values
    told = []
    if Finding.EXPIRES_SOON in key.findings:
        told.append(f"Expires {Moment.of(values['expires'], now).words}.")
    if Finding.NEVER_USED in key.findings:
        told.append(f"Never used, and made on {Moment.of(values['creation'], now).date}.")
    if Finding.UNUSED in key.findings:
        told.append(f"Not used since {Moment.of(values['last_used'], now).date}.")
    return [*told, *(_excess_notes(key.excess, list(values["scopes"]), now) if key.excess else [])]


def use_words(use: KeyUse, span: str) -> str:
    """Say how often a key was used and by how many addresses: "used 1,204 times today by 2 addresses".

    Args:
        use: What its rows say.
        span: Within what time they were looked at, such as "within a day".
    """
    if not use.requests:
        return f"not used {span}" if use.whole else f"not used in its newest requests {span}"
    times = "once" if use.requests == 1 else f"{use.requests:,} times"
    # What was left unread would only add to it.
    least = "" if use.whole else "at least "
    count = len(use.addresses)
    return f"used {least}{times} {span} by {least}{count:,} {'address' if count == 1 else 'addresses'}"


def joined_use(uses: Sequence[KeyUse]) -> KeyUse:
    """Tell of several keys as if they were one; of one at least."""
    return KeyUse(
        sum(use.requests for use in uses),
        sum(use.reads for use in uses),
        tuple(dict.fromkeys(address for use in uses for address in use.addresses)),
        min(use.since for use in uses),
        all(use.whole for use in uses),
    )


def _excess_notes(excess: Excess, scopes: list[str], now: int) -> list[str]:
    use = excess.use
    notes = []
    if excess.changes:
        allowed = "change everything that its user may" if ALL in scopes else _changes(scopes)
        notes.append(f"May {allowed}, but {_requests(use, now)} only read (GET or HEAD).")
    if excess.elsewhere:
        notes.append(f"May be used from any address, but {_requests(use, now)} came from {use.addresses[0]} alone.")
    return notes


def _requests(use: KeyUse, now: int) -> str:
    since = Moment.of(use.since // _ONCE_US, now)
    day = since.date if since.at.date() != datetime.fromtimestamp(now, UTC).date() else "today"
    if use.requests == 1:
        return f"its one request since {day}" if use.whole else f"the one request it opened since {day}"
    newest = "" if use.whole else "newest "
    return f"its {newest}{use.requests:,} requests since {day}"


def _changes(scopes: list[str]) -> str:
    rights = [scope.rpartition(":") for scope in sorted(scopes) if ":" in scope and not scope.endswith(":read")]
    return " and ".join(f"{action} {doctype} records" for doctype, _, action in rights)
