"""The pages of the desk that are measured at size, each with what stands on it in plain SQL, written by hand.

What a page tells is asked here too, all of it: of a log's page its rows, its chart and the names beside them; of the
first page the questions of all that it looks after. Rights, sessions, checks and templates are what the page adds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from desk_questions import (
    AUDITORS,
    Databases,
    ask_activity,
    ask_activity_of,
    ask_home,
    ask_key,
    ask_keys,
    ask_keys_of,
    ask_log,
    ask_log_of,
    ask_newest_keys,
    ask_role,
    ask_roles,
    ask_search,
    ask_user,
    ask_users,
    named,
    search_log,
)
from large import user_name

__all__ = ["FIRST_OF_LOG", "Probe", "list_probes"]

FIRST_OF_LOG = "Request Log, first page"
_TEXTS = ("path", "user", "api_key", "ip_address", "user_agent", "request_id")
_HIT, _PART, _ABSENT = "er00123", "er0001", "nowhere to be found"


@dataclass(frozen=True)
class Probe:
    """A page, and what is on it in plain SQL."""

    name: str
    address: str
    ask: Callable[[Databases], object]


def list_probes() -> Iterator[Probe]:
    """Give every page whose records grow with an instance."""
    yield Probe("Home", "/app", ask_home)
    yield from _account_probes()
    yield from _key_probes()
    yield from _log_probes()


def _account_probes() -> Iterator[Probe]:
    some = user_name(3)
    yield Probe("Users, first page", "/app/user", partial(ask_users, "1 = 1"))
    yield Probe("Users, one of a piece of a name", f"/app/user?search={_HIT}", partial(ask_users, named(_HIT)))
    yield Probe("Users, many of a piece of a name", f"/app/user?search={_PART}", partial(ask_users, named(_PART)))
    having = f"id IN (SELECT user_id FROM user_role WHERE role_id = (SELECT id FROM role WHERE name = '{AUDITORS}'))"
    yield Probe("Users, of a role", f"/app/user?role={AUDITORS}", partial(ask_users, having))
    by_keys = partial(ask_users, "1 = 1", order="7 DESC, id DESC")
    yield Probe("Users, by their number of keys", "/app/user?sort=-key_count", by_keys)
    yield Probe("A user", f"/app/user/{some}", partial(ask_user, some))
    yield Probe("A user's keys", f"/app/user/{some}?tab=settings", partial(ask_keys_of, some))
    yield Probe("A user's activity", f"/app/user/{some}?tab=activity", partial(ask_activity_of, some))
    yield Probe("One's own keys", "/me?tab=keys", partial(ask_keys_of, "manager@example.com"))
    yield Probe("Roles", "/app/role", ask_roles)
    yield Probe("A role", f"/app/role/{AUDITORS}", ask_role)


def _key_probes() -> Iterator[Probe]:
    key = f"lgk_{3:022}"
    yield Probe("API Keys, first page", "/app/api-key", partial(ask_keys, "1 = 1"))
    live = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > unixepoch())"
    yield Probe("API Keys, live", "/app/api-key?state=live", partial(ask_keys, live))
    found = "(k.label LIKE '%key 12345%' OR k.key_id LIKE '%key 12345%')"
    yield Probe("API Keys, by a piece of a label", "/app/api-key?search=key+12345", partial(ask_keys, found))
    soon = "k.revoked_at IS NULL AND k.expires_at BETWEEN unixepoch() AND unixepoch() + 14 * 86400"
    yield Probe("API Keys that expire soon", "/app/api-key?finding=expires-soon", partial(ask_keys, soon))
    yield Probe("API Keys never used", "/app/api-key?finding=never-used", partial(ask_newest_keys, wide=False))
    yield Probe("API Keys that allow too much", "/app/api-key?finding=wide", partial(ask_newest_keys, wide=True))
    yield Probe("A key", f"/app/api-key/User/{key}", partial(ask_key, key))
    yield Probe("Search, by a name", f"/app/search?q={user_name(77)}", partial(ask_search, user_name(77)))


def _log_probes() -> Iterator[Probe]:
    log, some, key = "/app/request-log", user_name(3), f"lgk_{3:022}"
    yield Probe(FIRST_OF_LOG, log, partial(ask_log, 1))
    yield Probe("Request Log, of 30 days", f"{log}?since=30d", partial(ask_log, 30))
    yield Probe("Request Log, of any time", f"{log}?since=any", partial(ask_log, 90))
    yield Probe("Request Log, one user's", f"{log}?user={some}&since=any", partial(ask_log_of, "user", 1, some))
    yield Probe("Request Log, one key's", f"{log}?key={key}&since=any", partial(ask_log_of, "api_key", 2, key))
    refused = partial(search_log, "status IN (401, 403)", 1)
    yield Probe("Request Log, refused of a day", f"{log}?status=refused", refused)
    failed = partial(search_log, "status >= 500", 7)
    yield Probe("Request Log, failed of 7 days: none", f"{log}?status=failed&since=7d", failed)
    for words, since, days in (("a day", "24h", 1), ("any time", "any", 90)):
        address = f"{log}?search={quote(_ABSENT)}&since={since}"
        yield Probe(
            f"Request Log, a text that is not in {words}", address, partial(search_log, _holding(*_TEXTS), days)
        )
    yield Probe("Activity", "/app/activity", partial(ask_activity, "1 = 1"))
    absent = partial(ask_activity, _holding("subject", "user", "ip_address"))
    yield Probe("Activity, a text that is not there", f"/app/activity?search={quote(_ABSENT)}", absent)


def _holding(*columns: str) -> str:
    found = " OR ".join(f"{column} LIKE '%{_ABSENT}%'" for column in columns)
    return f"({found})"
