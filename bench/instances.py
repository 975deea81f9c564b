"""Instances for the benchmarks: a user with a credential of each scheme, and keys by the hundred thousand."""

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from latchgate.bootstrap import open_latchgate
from latchgate.core.api_keys import digest_secret
from latchgate.core.tokens import Peppers, Secret, TokenKind, entropy_bytes, issue_token
from latchgate.services.access_tokens import TokenOrder
from latchgate.services.actors import COMMAND_LINE
from latchgate.services.api_keys import KeyOrder, Owner
from latchgate.services.users import UserOrder
from latchgate.settings import load_settings

__all__ = ["LOGGED_USER", "USER", "Credentials", "Keys", "add_keys", "make_instance"]

LOGGED_USER = "/api/method/frappe.auth.get_logged_user"
USER = "api0@example.com"
_TOKEN_SECONDS = 7 * 86_400
_BATCH = 20_000


@dataclass(frozen=True)
class Credentials:
    """One credential of the same user by each scheme, as a header."""

    token: str
    basic: str
    bearer: str

    def by_scheme(self) -> dict[str, str]:
        """Give them by the name of their scheme."""
        return {"token": self.token, "Basic": self.basic, "Bearer": self.bearer}


@dataclass(frozen=True)
class Keys:
    """Many keys of the same user, in a file for keys.lua: one after the other, all of the same width."""

    file: Path
    width: int
    count: int

    def arguments(self, first: int, draws: Path | None = None) -> tuple[str, ...]:
        """Tell keys.lua to take them one after the other from a first one on, or as a file of numbers says."""
        return (str(self.file), str(self.width), str(self.count), str(first), *([str(draws)] if draws else []))


def make_instance(home: Path) -> Credentials:
    """Make an instance with the user that all benchmarks ask by."""
    latchgate = open_latchgate(load_settings({"home": home}))
    try:
        latchgate.users.create(COMMAND_LINE, UserOrder(USER, first_name="Api"))
        issued = latchgate.api_keys.generate(COMMAND_LINE, Owner("User", USER), KeyOrder("benchmark"))
        kind = TokenKind.ACCESS_TOKEN
        token = issue_token(kind, latchgate.access_tokens.entropy.random_bytes(entropy_bytes(kind)))
        expires_at = latchgate.clock.now() + _TOKEN_SECONDS
        order = TokenOrder(Secret(token), USER, "benchmark", frozenset({"all"}), expires_at)
        latchgate.access_tokens.import_token(COMMAND_LINE, order)
    finally:
        latchgate.close()
    pair = f"{issued.key.key_id}:{issued.secret.text}"
    return Credentials(
        token=f"Authorization: token {pair}",
        basic=f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}",
        bearer=f"Authorization: Bearer {token}",
    )


def add_keys(home: Path, count: int, file: Path) -> Keys:
    """Give the user many keys, in one transaction by SQL: by the service it would take a minute for each 100,000.

    Their rows are what the service would have stored, digests and all; the server must not be running.
    """
    latchgate = open_latchgate(load_settings({"home": home}), create=False)
    peppers, user_id = latchgate.peppers, latchgate.users.get(USER).id
    latchgate.close()
    width = 0
    with closing(sqlite3.connect(home / "latchgate.db")) as database, database, file.open("wb") as output:
        (first,) = database.execute("SELECT coalesce(max(id), 0) + 1 FROM api_key").fetchone()
        rows = _rows(peppers, user_id, range(first, first + count))
        while batch := list(islice(rows, _BATCH)):
            names = list(batch[0][0])
            statement = f"INSERT INTO api_key ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
            database.executemany(statement, [row for row, _ in batch])
            width = len(batch[0][1])
            output.writelines(pair for _, pair in batch)
    return Keys(file, width, count)


def _rows(peppers: Peppers, user_id: int, row_ids: range) -> Iterator[tuple[dict[str, Any], bytes]]:
    for row_id in row_ids:
        # Unlike real ones these are the same in each run, which nobody's account depends on.
        random = hashlib.shake_256(str(row_id).encode()).digest(64)
        key_id = issue_token(TokenKind.KEY_ID, random[: entropy_bytes(TokenKind.KEY_ID)])
        secret = issue_token(TokenKind.KEY_SECRET, random[-entropy_bytes(TokenKind.KEY_SECRET) :])
        digest = digest_secret(peppers, (row_id, "User", key_id), Secret(secret))
        row = {
            "id": row_id,
            "source": "User",
            "key_id": key_id,
            "user_id": user_id,
            "label": "",
            "is_primary": False,
            "scopes": '["all"]',
            "networks": "[]",
            "pepper": digest.pepper,
            "hash": digest.value,
            "creation": 1_700_000_000_000_000 + row_id,
            "created_by": "Administrator",
            "modified": 1_700_000_000_000_000 + row_id,
            "modified_by": "Administrator",
        }
        yield row, f"{key_id}:{secret}".encode()
