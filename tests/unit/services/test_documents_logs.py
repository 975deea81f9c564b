"""Both logs are read as any records: one's own by everybody, all by System Managers."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from latchgate.core.permissions import Action
from latchgate.core.questions import Asked
from latchgate.core.users import SYSTEM_MANAGER
from latchgate.errors import Invalid, NotFound
from latchgate.request_log.request_log import HostRequestLog
from latchgate.services.actors import COMMAND_LINE, Actor
from latchgate.services.documents import DocumentService
from latchgate.services.users import UserOrder
from support.host_log import open_host_log
from support.house import USER, House
from support.log_rows import make_row

_LOG = "API Request Log"
_BOSS = "boss@example.com"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[HostRequestLog]:
    """A request log of its own."""
    with closing(open_host_log(tmp_path / "log.db", wait_seconds=0.2)) as log:
        yield log


@pytest.fixture
def documents(house: House, log: HostRequestLog) -> DocumentService:
    """The service over that log."""
    return replace(house.documents, request_log=log)


@pytest.fixture
def user(house: House) -> Actor:
    """A user, beside a System Manager."""
    house.add_user(USER)
    house.add_user(UserOrder(_BOSS, roles=frozenset({SYSTEM_MANAGER})))
    return house.actor()


def _id(actor: Actor) -> int:
    assert actor.principal is not None
    return actor.principal.user_id


def test_one_sees_ones_own_requests(house: House, documents: DocumentService, log: HostRequestLog, user: Actor) -> None:
    """Not those of an earlier user of the name, nor those of nobody."""
    boss = house.actor(_BOSS)
    log.append(make_row(user=USER, user_id=_id(user), path="/mine"))
    log.append(make_row(user=USER, user_id=999, path="/former"))
    log.append(make_row(user=USER, user_id=None, path="/unnamed"))
    log.append(make_row(user=None, user_id=None, path="/guest", reason="unknown_key"))
    paths = Asked(fields=["path"])

    assert documents.list_rows(user, _LOG, paths).rows == [("/mine",)]
    assert documents.count(user, _LOG, Asked()) == 1
    assert documents.list_rows(boss, _LOG, paths).rows == [("/guest",), ("/unnamed",), ("/former",), ("/mine",)]
    assert documents.get(user, _LOG, "1")["path"] == "/mine"
    for name in ("2", "3", "4", "5", "0", "x", "9" * 30):
        with pytest.raises(NotFound, match=f"{_LOG} {name} not found"):
            documents.get(user, _LOG, name)
    guest = documents.get(boss, _LOG, "4")
    assert (guest["name"], guest["owner"], guest["user"], guest["reason"]) == ("4", "Guest", None, "unknown_key")
    assert not documents.may(user, _LOG, Action.READ, "2")
    assert documents.may(user, _LOG, Action.READ, "1")


def test_a_log_is_paged_by_its_last_row(documents: DocumentService, log: HostRequestLog, user: Actor) -> None:
    """Newest first; each page says whether there is another."""
    for _ in range(5):
        log.append(make_row(user=USER, user_id=_id(user)))

    first = documents.list_rows(user, _LOG, Asked(limit=2))
    second = documents.list_rows(user, _LOG, Asked(limit=2, after=first.rows[-1][0]))
    last = documents.list_rows(user, _LOG, Asked(limit=2, after=second.rows[-1][0]))

    assert [row[0] for page in (first, second, last) for row in page.rows] == ["5", "4", "3", "2", "1"]
    assert [page.more for page in (first, second, last)] == [True, True, False]
    with pytest.raises(Invalid):
        documents.list_rows(user, _LOG, Asked(after="99"))


def test_one_sees_what_oneself_did(house: House, documents: DocumentService, user: Actor) -> None:
    """Also under a name that somebody else had before; a row that names nobody by id is nobody's."""
    documents.update(user, "User", USER, {"first_name": "Ann"})
    (own,) = documents.list_rows(user, "Activity Log", Asked(fields=["name", "operation", "time"])).documents()
    shown = documents.get(user, "Activity Log", own["name"])
    house.execute("UPDATE activity_log SET user_id = NULL WHERE id = :id", {"id": own["name"]})

    assert (shown["operation"], shown["owner"], shown["user"]) == ("user.changed", USER, USER)
    assert own["time"] == shown["time"] == shown["creation"]
    assert documents.list_rows(user, "Activity Log", Asked()).rows == []
    with pytest.raises(NotFound):
        documents.get(user, "Activity Log", own["name"])
    assert documents.get(COMMAND_LINE, "Activity Log", own["name"])["user"] == USER
