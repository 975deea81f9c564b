"""Processes that revoke, rotate, disable, enable, take roles away, give them back, end tokens and change rules.

They write all down.

One changes over HTTP, one by the services of its own process and, now and then, by the command line. Each has users of
its own, so that no two of them turn the same switch.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import TextIO

from latchgate.core.tokens import Secret
from latchgate.errors import StorageError
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Pair, Service
from support.history import Asked, Change, Credential, boot_ns
from support.running import RunningLatchgate
from support.truth_clients import publish, write_asked
from support.truth_hands import Hands, HttpHands, ServiceHands

__all__ = ["KINDS", "MANAGER", "Orders", "read_changes", "run_changer", "users_of"]

MANAGER = "manager@example.com"
KINDS = ("revoke", "rotate", "enable", "role", "end_token", "rule")
_USERS_EACH = 6
_PAUSE_SECONDS_MAX = 0.06
_TOKEN_SECONDS = 30 * 86_400


@dataclass(frozen=True)
class Orders:
    """What a process that changes is told: a server, its data folder, files, until when, and how."""

    home: Path
    port: int
    folder: Path
    """Where the files of the run are."""
    name: str
    manager: str
    """The Authorization value of a System Manager; empty: changes are made by the services."""
    stop_at: int

    @property
    def pool(self) -> Path:
        """The credentials that this process makes known; each process that changes has a file of its own."""
        return self.folder / f"{self.name}.pool"

    @property
    def changes(self) -> Path:
        """What it changed."""
        return self.folder / f"{self.name}.changes"

    @property
    def answered(self) -> Path:
        """What it was answered over HTTP."""
        return self.folder / f"{self.name}.answered"


@dataclass
class _User:
    name: str
    enabled: bool = True
    has_role: bool = True
    first_key: str = ""
    """The switches of the key that `rotate` gives new secrets to, as a name; empty: there is none."""
    keys: list[str] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)
    """Public id and text."""


def users_of(name: str) -> list[str]:
    """Name the users that a process changes; they are to be there, with the role."""
    return [f"{name}-{number}@example.com" for number in range(_USERS_EACH)]


def read_changes(file: Path) -> Iterator[tuple[str, Change]]:
    """Read what a process changed, each with its kind."""
    for line in file.read_text().splitlines():
        document = json.loads(line)
        yield document.pop("kind"), Change(**document)


def run_changer(orders: Orders) -> None:
    """Change something, and then something else, until that moment of the boot clock; the whole work of a process."""
    with ExitStack() as stack:
        service = Service(orders.home)
        stack.callback(service.close)
        files = [stack.enter_context(path.open("a")) for path in (orders.pool, orders.changes, orders.answered)]
        pool, changes, answered = files

        def note(begun: int, status: int, request_id: str) -> None:
            write_asked(answered, Asked(begun, boot_ns(), "manager", "", status, "", request_id))

        hands: Hands = ServiceHands(service, RunningLatchgate(orders.home))
        if orders.manager:
            hands = stack.enter_context(closing(HttpHands(orders.port, orders.manager, note)))
        changer = _Changer(hands, service, pool, changes, [_User(name) for name in users_of(orders.name)], orders.name)
        changer.begin()
        chance = random.Random(orders.name)  # noqa: S311  # which of many to change
        # Each kind once, however slow the machine.
        for kind in KINDS:
            changer.change(kind, chance.choice(changer.users))
        while boot_ns() < orders.stop_at:
            kind = chance.choice(KINDS)
            # Whoever was disabled comes back next, so that most may act at any time.
            disabled = [user for user in changer.users if not user.enabled]
            changer.change(kind, chance.choice(disabled if kind == "enable" and disabled else changer.users))
            time.sleep(chance.random() * _PAUSE_SECONDS_MAX)
        changer.end()


@dataclass
class _Changer:
    """Changes users and their credentials, and makes a new one known for each that ends."""

    hands: Hands
    service: Service
    pool: TextIO
    changes: TextIO
    users: list[_User]
    rule: str
    """The name of the rule that it opens and closes."""
    rule_is_open: bool = True
    numbers: Iterator[int] = field(default_factory=count)

    def begin(self) -> None:
        """Give every user a first key, a second one and a token."""
        for user in self.users:
            # Until it is told what it made: a user's first key is what a rotation replaces, whichever that is.
            while not user.first_key:
                self._rotate(user)
            self._add_key(user)
            self._add_token(user)

    def end(self) -> None:
        """Leave one user that may act and lacks the role, so that there is somebody to be refused for that."""
        user = self.users[0]
        while user.has_role:
            self.change("role", user)
        while not user.enabled:
            self.change("enable", user)

    def change(self, kind: str, user: _User) -> None:
        """Make one change of this kind."""
        match kind:
            case "revoke":
                key = user.keys.pop()
                self._make(kind, {f"key {key}": False}, lambda: self.hands.revoke(key))
                self._add_key(user)
            case "rotate":
                self._rotate(user)
            case "enable":
                self._enable(user)
            case "role":
                given = not user.has_role
                if self._make(kind, {f"role {user.name}": given}, lambda: self.hands.set_role(user.name, given=given)):
                    user.has_role = given
            case "rule":
                self._turn_rule()
            case _:
                public_id, text = user.tokens.pop()
                turns = {f"token {public_id}": False}
                self._make(kind, turns, lambda: self.hands.end_token(public_id, text))
                self._add_token(user)

    def _enable(self, user: _User) -> None:
        wanted = not user.enabled
        turns = {f"user {user.name}": wanted}
        if self._make("enable", turns, lambda: self.hands.set_enabled(user.name, enabled=wanted)):
            user.enabled = wanted

    def _turn_rule(self) -> None:
        wanted = not self.rule_is_open
        turns = {f"rule {self.rule}": wanted}
        if self._make("rule", turns, lambda: self.hands.set_rule(self.rule, is_open=wanted)):
            self.rule_is_open = wanted

    def _rotate(self, user: _User) -> None:
        made: list[Pair] = []
        turns = {f"secret {user.first_key}": False} if user.first_key else {}
        if self._make("rotate", turns, lambda: made.append(self.hands.rotate(user.name))):
            # If nobody was told, the former may go on working, and what came after it nobody knows.
            user.first_key = f"{made[0].key_id} {next(self.numbers)}"
            self._publish(user, made[0], f"secret {user.first_key}")

    def _add_key(self, user: _User) -> None:
        pair = self.service.make_key(user.name)
        user.keys.append(pair.key_id)
        self._publish(user, pair, f"key {pair.key_id}")

    def _publish(self, user: _User, pair: Pair, switch: str) -> None:
        for scheme, header in (("token", pair.token), ("Basic", pair.basic)):
            self._make_known(user, f"{switch} by {scheme}", header, switch)

    def _add_token(self, user: _User) -> None:
        text = f"made-elsewhere-{user.name.replace('@', '-')}-{next(self.numbers):09}"
        tokens = self.service.latchgate.access_tokens
        expires_at = self.service.latchgate.clock.now() + _TOKEN_SECONDS
        order = TokenOrder(Secret(text), user.name, "truth", frozenset({"all"}), expires_at)
        public_id = tokens.import_token(COMMAND_LINE, order).public_id
        user.tokens.append((public_id, text))
        self._make_known(user, f"token {public_id}", f"Bearer {text}", f"token {public_id}")

    def _make_known(self, user: _User, name: str, header: str, switch: str) -> None:
        switches = (switch, f"user {user.name}")
        publish(self.pool, Credential(name, header, user.name, switches, f"role {user.name}"))

    def _make(self, kind: str, turns: Mapping[str, bool], work: Callable[[], object]) -> bool:
        """Make a change and write down when; tell whether it was acknowledged."""
        begun, acknowledged = boot_ns(), None
        try:
            work()
            acknowledged = boot_ns()
        except (ConnectionError, StorageError):
            pass
        document = {"kind": kind, **asdict(Change(begun, acknowledged, dict(turns)))}
        self.changes.write(json.dumps(document) + "\n")
        self.changes.flush()
        return acknowledged is not None
