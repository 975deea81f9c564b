"""Ways of changing who may what: over HTTP as a program does, by the services and by the command line."""

import http.client
import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import Owner
from support.asgi import Pair, Service
from support.history import boot_ns
from support.running import RunningLatchgate

__all__ = ["NOBODYS_ROLE", "ROLE", "RULES", "Hands", "HttpHands", "ServiceHands"]

ROLE = "Reader"
"""The role that is given and taken away."""
NOBODYS_ROLE = "Nobody"
"""What a rule asks for while it is closed."""
RULES = {"role": "RULE-1", "http": "RULE-2", "services": "RULE-3"}
"""The rules, each for the path of its name; the first is for whoever has the role, and is not changed."""
_GENERATE = "/api/method/frappe.core.doctype.user.user.generate_keys"
_OK_STATUSES = frozenset({200, 202})
_BY_COMMAND_EVERY = 25
"""A command takes as long as hundreds of calls: of so many changes of a process one is made by it."""


class Hands(Protocol):
    """A way of changing things; a call returns when it was acknowledged, and raises OSError where nobody answered."""

    def revoke(self, key_id: str) -> None:
        """End a key."""
        ...

    def rotate(self, user: str) -> Pair:
        """Give a user's first key another secret, which ends the former at once; make the key if there is none."""
        ...

    def set_enabled(self, user: str, *, enabled: bool) -> None:
        """Let a user act, or not."""
        ...

    def set_role(self, user: str, *, given: bool) -> None:
        """Give the role, or take it away."""
        ...

    def end_token(self, public_id: str, text: str) -> None:
        """End an access token."""
        ...

    def set_rule(self, name: str, *, is_open: bool) -> None:
        """Let a rule let everybody in who has a credential, or nobody."""
        ...


class HttpHands:
    """Changes as a System Manager's program does; `answered` is told the begin, status and id of each answer."""

    def __init__(self, port: int, manager: str, answered: Callable[[int, int, str], None]) -> None:
        # Without patience: what was given up could still happen, later than anybody would believe.
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._manager = manager
        self._answered = answered

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def revoke(self, key_id: str) -> None:
        self._ask("DELETE", f"/api/resource/API%20Key/{key_id}")

    def rotate(self, user: str) -> Pair:
        made = self._ask("POST", _GENERATE, {"user": user})["message"]
        return Pair(made["api_key"], made["api_secret"])

    def set_enabled(self, user: str, *, enabled: bool) -> None:
        self._ask("PUT", f"/api/resource/User/{quote(user)}", {"enabled": int(enabled)})

    def set_role(self, user: str, *, given: bool) -> None:
        self._ask("PUT", f"/api/resource/User/{quote(user)}", {"roles": [{"role": ROLE}] if given else []})

    def end_token(self, public_id: str, text: str) -> None:
        self._ask("DELETE", f"/api/resource/OAuth%20Bearer%20Token/{public_id}")

    def set_rule(self, name: str, *, is_open: bool) -> None:
        self._ask("PUT", f"/api/resource/Access%20Rule/{RULES[name]}", {"roles": [] if is_open else [NOBODYS_ROLE]})

    def _ask(self, method: str, path: str, arguments: object = None) -> Any:  # noqa: ANN401  # JSON
        body = None if arguments is None else json.dumps(arguments)
        fields = {"Authorization": self._manager, **({"Content-Type": "application/json"} if body else {})}
        begun = boot_ns()
        try:
            self._connection.request(method, path, body, fields)
            answer = self._connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException) as error:
            # A killed worker cannot finish it any more: it has happened by now, or never will.
            self._connection.close()
            raise ConnectionError from error
        self._answered(begun, answer.status, answer.headers["X-Request-Id"])
        assert answer.status in _OK_STATUSES, (path, answer.status, received)
        return json.loads(received)


class ServiceHands:
    """Changes by the services of this process, and now and then by a command in another."""

    def __init__(self, service: Service, commands: RunningLatchgate) -> None:
        self._latchgate = service.latchgate
        self._commands = commands
        self._count = 0

    def revoke(self, key_id: str) -> None:
        if self._by_command("key", "revoke", key_id):
            return
        self._latchgate.api_keys.revoke(COMMAND_LINE, key_id)

    def rotate(self, user: str) -> Pair:
        issued = self._latchgate.api_keys.generate_primary(COMMAND_LINE, Owner("User", user))
        return Pair(issued.key.key_id, issued.secret.text)

    def set_enabled(self, user: str, *, enabled: bool) -> None:
        if self._by_command("user", "enable" if enabled else "disable", user):
            return
        self._latchgate.users.set_enabled(COMMAND_LINE, user, enabled=enabled)

    def set_role(self, user: str, *, given: bool) -> None:
        if self._by_command("role", "grant" if given else "revoke", user, ROLE):
            return
        (self._latchgate.roles.grant if given else self._latchgate.roles.revoke)(COMMAND_LINE, user, ROLE)

    def end_token(self, public_id: str, text: str) -> None:
        if not self._by_command("token", "revoke", typed=f"{text}\n"):
            self._latchgate.access_tokens.end(COMMAND_LINE, public_id)

    def set_rule(self, name: str, *, is_open: bool) -> None:
        self._latchgate.documents.update(
            COMMAND_LINE, "Access Rule", RULES[name], {"roles": [] if is_open else [NOBODYS_ROLE]}
        )

    def _by_command(self, *arguments: str, typed: str = "") -> bool:
        self._count += 1
        if self._count % _BY_COMMAND_EVERY:
            return False
        self._commands.ask(*arguments, typed=typed)
        return True
