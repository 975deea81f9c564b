"""Middleware behind middleware: what the outer one of the same instance has judged and logs is not judged anew."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from latchgate.core.heads import Head, find_host
from latchgate.core.policy import Decision, Requirement, decide
from latchgate.middleware.identities import JUDGED_KEY, KEY, Identity, Judged
from latchgate.middleware.keepers import Keeper, Passage
from latchgate.middleware.refusals import refusal_of

__all__ = ["find_judged"]

_CREDENTIALS = frozenset({b"authorization", b"frappe-authorization-source", b"cookie"})


def find_judged(request: Mapping[str, Any], keeper: Keeper, head: Head, requires: Requirement | None) -> Passage | None:
    """Give a passage without a row for a request that was let in before; None: it is to be judged.

    It counts for the same credential, method and address alone: whatever stands between the two may have changed the
    request, and rules, or what guards a session against forgery, would have judged another.

    Args:
        request: Its scope or environ. No caller can put an identity there: what callers send are texts, under names of
            their own.
        keeper: Whom this middleware would ask.
        head: The request, as it is here.
        requires: What is asked here; it may be more than there.
    """
    found, before = request.get(KEY), request.get(JUDGED_KEY)
    if not isinstance(found, Identity) or not isinstance(before, Judged):
        return None
    if found.is_guest and any(name == b"authorization" for name, _ in head.headers):
        # Let in as the application's own credential, which rules may allow and others not.
        return None
    if not _is_same(before, keeper, head, by_rules=requires is None):
        return None
    judgement = None if requires is None else decide(found.who, requires)
    if judgement is None or requires is None or judgement.decision is Decision.ALLOWED:
        return Passage(None, found, before)
    if judgement.reason:
        # For the outer one's row.
        found.note(judgement.reason.value)
    return Passage(refusal_of(found.who, judgement, requires.scope))


def _is_same(before: Judged, keeper: Keeper, head: Head, *, by_rules: bool) -> bool:
    if before.instance is None or before.instance != keeper.instance:
        return False
    if before.head.peer != head.peer or _picked(before.head, _CREDENTIALS) != _picked(head, _CREDENTIALS):
        return False
    return (before.by_rules or not by_rules) and _asked_for(before.head) == _asked_for(head)


def _asked_for(head: Head) -> tuple[str, bytes, str | None]:
    return head.method, head.target, find_host(head.headers)


def _picked(head: Head, names: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    # In an environ they have lost their order, but for those of one name.
    return sorted((header for header in head.headers if header[0] in names), key=itemgetter(0))
