"""What the tests of the table `change` share: something to change, and what was noted of it."""

from latchgate.services.ports import Transaction
from support.databases import Outside
from support.new_rows import (
    APPROVAL,
    digest,
    new_client,
    new_record,
    new_rule,
    new_session,
    new_token,
    new_user,
    record_key,
    user_key,
)

# ruff: noqa: S608  # every name in a statement is our own

Change = tuple[str, int]


class Changes:
    """Tells which changes were noted since it was asked last."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        [(self._seen,)] = outside("SELECT seq FROM change_head")

    def new(self) -> list[Change]:
        """List the new rows in their order; their numbers have no gaps, up to the head."""
        rows = self._outside(f"SELECT seq, kind, ref FROM change WHERE seq > {self._seen} ORDER BY seq")
        [(head,)] = self._outside("SELECT seq FROM change_head")
        assert [seq for seq, _, _ in rows] == list(range(self._seen + 1, head + 1))
        self._seen = head
        return [(kind, ref) for _, kind, ref in rows]


def ref_column(table: str) -> str:
    """Tell which column of a row stands in the change's `ref`."""
    return "user_id" if table == "user_role" else "id"


def id_of(outside: Outside, table: str, where: str = "true") -> int:
    """Get the `ref` of the one row that matches."""
    [(ref,)] = outside(f'SELECT {ref_column(table)} FROM "{table}" WHERE {where}')
    return int(ref)


def fill(tx: Transaction) -> None:
    """Put one row and more into every table that verdicts stand on."""
    user_id = tx.users.add(new_user(), 1)
    tx.users.add(new_user("bob@example.com"), 1)
    tx.roles.add("Editor", "Administrator", 1)
    tx.roles.grant(user_id, "Editor")
    tx.sources.add("API Device", "Administrator", 1)
    record_id = tx.sources.add_record(new_record("API Device", "door", user_id, enabled=True), 1)
    key_id = tx.api_keys.add(user_key(user_id, primary=True), 1)
    tx.api_keys.replace_secret(key_id, digest("secret"), None)
    tx.api_keys.add(record_key("API Device", record_id, "key-2", primary=True), 1)
    client_id = tx.clients.add(new_client(), 1)
    family_id = tx.token_families.add_family("family", client_id, user_id, APPROVAL, 1)
    token_id = tx.access_tokens.add(new_token(user_id, client_row_id=client_id, family_id=family_id))
    tx.access_tokens.set_digest(token_id, digest("token"))
    tx.sessions.add(new_session(user_id), 1)
    tx.access_rules.add(new_rule(), "Administrator", 1)
    tx.links.add(b"link", "setup", user_id, 100)
    tx.instance.set_fact("fact", "stated")
