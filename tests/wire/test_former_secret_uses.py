"""Whether a former secret is still used is known whichever way its requests were answered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from latchgate.core.log_entries import former_use_name
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair, Service, opened_service

ANN = "ann@example.com"
_WAYS: dict[str, dict[str, object]] = {
    "by a look-up": {"cache_bytes": 0, "fast_lane": "off"},
    "from memory": {"fast_lane": "off"},
    "by the fast lane": {"fast_lane": "application"},
}


@pytest.fixture(params=_WAYS)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """An instance with Ann that answers in one of the ways."""
    with opened_service(tmp_path / "home", **_WAYS[request.param]) as service:
        service.make_user(ANN)
        yield service


def _former_use(service: Service, key_id: str) -> tuple[int, int]:
    """Give when the key was used last, and its former secret; 0 for never."""
    with service.latchgate.store.read() as tx:
        (key,) = tx.api_keys.find_any(key_id)
    former = former_use_name("User", key_id, key.previous_until or 0)
    uses = service.latchgate.request_log.last_uses([key_id, former])
    return tuple(uses[name].time if name in uses else 0 for name in (key_id, former))  # type: ignore[return-value]


def _ask(service: Service, pair: Pair, times: int = 3) -> None:
    # The first time is looked up on every way, the others are not.
    for _ in range(times):
        assert service.ask(authorization=pair.token).status == 200


def test_only_the_former_secret_counts_as_its_use(service: Service) -> None:
    """From the rotation on: not what it was used for while it was the only one, nor what the present one is for."""
    old = service.make_key(ANN)
    _ask(service, old)
    issued = service.latchgate.api_keys.rotate(COMMAND_LINE, old.key_id, overlap_seconds=3600)
    new = Pair(old.key_id, issued.secret.text)
    before = _former_use(service, old.key_id)
    _ask(service, new)
    unused = _former_use(service, old.key_id)
    _ask(service, old)
    used = _former_use(service, old.key_id)
    _ask(service, new)
    after = _former_use(service, old.key_id)

    assert before[1] == unused[1] == 0
    assert used[0] == used[1] > unused[0]
    assert after[1] == used[1] < after[0]


def test_each_rotation_begins_anew(service: Service) -> None:
    """That the secret before the one before was used says nothing of the one that still works."""
    first = service.make_key(ANN)
    second = service.latchgate.api_keys.rotate(COMMAND_LINE, first.key_id, overlap_seconds=3600)
    _ask(service, first)
    service.latchgate.api_keys.rotate(COMMAND_LINE, first.key_id, overlap_seconds=7200)
    rotated = _former_use(service, first.key_id)
    _ask(service, Pair(first.key_id, second.secret.text))
    used = _former_use(service, first.key_id)

    assert rotated[1] == 0
    assert used[1] > rotated[0]


def test_a_row_says_nothing_of_it(service: Service) -> None:
    """The log's rows are as they were: the source is the key's, and no field tells which secret it was."""
    pair = service.make_key(ANN)
    service.latchgate.api_keys.rotate(COMMAND_LINE, pair.key_id, overlap_seconds=3600)
    _ask(service, pair, 1)

    row = service.ask(authorization=pair.token).row

    assert (row.source, row.api_key, row.user) == ("User", pair.key_id, ANN)
    assert "former_until" not in row.document()


def test_an_ended_former_secret_opens_nothing(service: Service) -> None:
    """At once, and the present one goes on; to end it again changes nothing."""
    old = service.make_key(ANN)
    issued = service.latchgate.api_keys.rotate(COMMAND_LINE, old.key_id, overlap_seconds=3600)
    _ask(service, old)
    ended = service.latchgate.api_keys.end_former_secret(COMMAND_LINE, old.key_id)
    again = service.latchgate.api_keys.end_former_secret(COMMAND_LINE, old.key_id)

    assert ended.previous_until is None
    assert again == ended
    assert service.ask(authorization=old.token).status == 401
    _ask(service, Pair(old.key_id, issued.secret.text))
