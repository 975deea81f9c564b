"""An instance on either engine with somebody whom a plain user must hear nothing of, and what holds for any answer."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

from latchgate.core.users import SYSTEM_MANAGER
from latchgate.services.actors import COMMAND_LINE
from support.asgi import Answer, Service, opened_service
from support.oauth_rows import add_oauth_rows
from support.postgres import PostgresServer

__all__ = ["HIDDEN", "MANAGER", "PLAIN", "SOURCE", "Attacked", "opened_attacked"]

MANAGER, PLAIN, HIDDEN = "manager@example.com", "plain@example.com", "hidden-somebody@example.com"
SOURCE = "Robot"
FORM = "application/x-www-form-urlencoded"

# What would tell of what lies beneath: of the database, of files, of what is stored of a secret.
_LEAKS = ("sqlalchemy", "sqlite", "psycopg", "operationalerror", "syntax error", "$argon2", ".py", "traceback")


@dataclass(frozen=True)
class Attacked:
    """The instance, and keys of a System Manager and of a user without any role."""

    service: Service
    manager: str
    plain: str

    def ask(self, target: str, key: str, arguments: Any = None, *, method: str = "GET") -> Answer:  # noqa: ANN401  # JSON
        """Send a GET with arguments as query, or another request with them as JSON; hold the answer sound."""
        if method == "GET":
            # Half a surrogate pair has no UTF-8, and servers are sent it all the same.
            sent = urlencode(arguments or {}, errors="surrogatepass")
            return self._sound(self.service.ask(f"{target}?{sent}" if sent else target, key), key, sent)
        body = arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
        return self.send(target, key, body, "application/json", method=method)

    def send(self, target: str, key: str, body: bytes, kind: str = FORM, *, method: str = "POST") -> Answer:
        """Send a body as it is; hold the answer sound."""
        answer = self.service.ask(target, key, method=method, headers=[("content-type", kind)], body=body)
        return self._sound(answer, key, body.decode("utf-8", "replace"))

    def call(self, method: str, key: str, arguments: Any) -> Answer:  # noqa: ANN401  # JSON
        """Call a method of `frappe.client`."""
        return self.ask(f"/api/method/frappe.client.{method}", key, arguments, method="POST")

    def _sound(self, answer: Answer, key: str, sent: str) -> Answer:
        """Hold an answer to being JSON that tells nothing, of a request that left its row."""
        assert answer.row.status == answer.status < 500, (sent[:300], answer.text[:300])
        json.loads(answer.body, parse_constant=_refuse_constant)
        told = answer.text.lower()
        for leak in _LEAKS:
            assert leak not in told or leak in sent.lower(), answer.text[:500]
        if key == self.plain and HIDDEN not in sent:
            assert HIDDEN not in answer.text
        return answer


@contextmanager
def opened_attacked(home: Path, postgres: PostgresServer | None, **options: object) -> Iterator[Attacked]:
    """Open such an instance, on PostgreSQL if there is one, with settings by their names."""
    with ExitStack() as stack:
        url = postgres and postgres.url(stack.enter_context(postgres.fresh_database()))
        service = stack.enter_context(opened_service(home, **options, **({"database_url": url} if url else {})))
        service.make_user(MANAGER, roles=frozenset({SYSTEM_MANAGER}))
        service.make_user(HIDDEN, first_name="Hidden")
        service.make_user(PLAIN, first_name="Plain")
        latchgate = service.latchgate
        latchgate.sources.create(COMMAND_LINE, SOURCE)
        latchgate.documents.create(COMMAND_LINE, SOURCE, {"record_name": "arm", "user": HIDDEN})
        add_oauth_rows(latchgate.documents.store, HIDDEN)
        service.ask(authorization=service.make_key(HIDDEN).token)
        yield Attacked(service, service.make_key(MANAGER).token, service.make_key(PLAIN).token)


def _refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"the answer is no JSON: it holds {name}")
