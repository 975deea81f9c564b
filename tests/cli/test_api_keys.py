"""latchgate key."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from support.command_line import CommandLine


def _header(key: dict[str, str]) -> str:
    return f"token {key['api_key']}:{key['api_secret']}"


def test_a_generated_key_opens_as_its_user(ann: CommandLine) -> None:
    """--json gives user, source, api_key and api_secret, and the pair works."""
    key = ann.json("key", "generate", "Ann@Example.com", "--label", "backup")

    assert key["user"] == "ann@example.com"
    assert key["source"] == "User"
    assert key["label"] == "backup"
    assert ann.whoami(_header(key)) == "ann@example.com"


def test_limits_are_stored_as_given(ann: CommandLine) -> None:
    """Scopes, addresses, requests a minute and expiry come back from `key list`."""
    made = ann.json(
        "key", "generate", "ann@example.com", "--expires", "90d", "--scope", "read", "--scope", "API Key:write",
        "--allow-ip", "10.0.0.0/8", "--allow-ip", "2001:db8::/32", "--limit", "60",
    )  # fmt: skip

    (listed,) = ann.json("key", "list", "ann@example.com")

    assert listed["scopes"] == ["API Key:write", "read"]
    assert listed["allowed_networks"] == ["10.0.0.0/8", "2001:db8::/32"]
    assert listed["limit_per_minute"] == 60
    assert listed["expires"] == made["expires"]
    created, expires = (datetime.fromisoformat(listed[name]) for name in ("creation", "expires"))
    assert abs(expires - created - timedelta(days=90)) <= timedelta(seconds=2)
    assert ann.whoami(_header(made)) == "address_not_allowed"
    assert ann.whoami(_header(made), address="10.1.2.3") == "ann@example.com"


def test_the_secret_is_printed_once(ann: CommandLine) -> None:
    """One line of one answer holds it; no later command does."""
    result = ann.run("key", "generate", "ann@example.com")
    secret = next(line.split()[-1] for line in result.stdout.splitlines() if line.startswith("api secret"))

    assert result.output.count(secret) == 1
    assert "not shown again" in result.stderr
    assert secret not in ann.run("key", "list", "--json").output


def test_the_header_is_all_that_curl_needs(ann: CommandLine) -> None:
    """--header prints the lines for `curl -H @-`, with the source's where it is not User."""
    ann.run("source", "record", "create", "Event Consumer", "http://c.local", "--user", "ann@example.com")

    (mine,) = ann.lines("key", "generate", "ann@example.com", "--header")
    first, second = ann.lines("key", "generate", "http://c.local", "--source", "Event Consumer", "--header")

    assert ann.whoami(mine.removeprefix("Authorization: ")) == "ann@example.com"
    assert ann.whoami(first.removeprefix("Authorization: "), "Event Consumer") == "ann@example.com"
    assert second == "Frappe-Authorization-Source: Event Consumer"


def test_a_revoked_key_opens_nothing_and_is_listed_on_request_only(ann: CommandLine) -> None:
    """Revoking holds from the next request on; --all still shows the key."""
    key = ann.json("key", "generate", "ann@example.com")

    assert ann.json("key", "revoke", key["api_key"])["status"] == "revoked"
    assert ann.whoami(_header(key)) == "revoked"
    assert ann.json("key", "list") == []
    assert "There are no keys" in ann.run("key", "list").stderr
    assert [one["status"] for one in ann.json("key", "list", "--all")] == ["revoked"]


def test_a_rotated_key_keeps_its_former_secret_for_the_overlap(ann: CommandLine) -> None:
    """With --overlap both secrets work; without, the former ends at once."""
    first = ann.json("key", "generate", "ann@example.com")

    second = ann.json("key", "rotate", first["api_key"], "--overlap", "24h")

    assert second["api_key"] == first["api_key"]
    assert second["former_secret_until"] is not None
    assert [ann.whoami(_header(key)) for key in (first, second)] == ["ann@example.com"] * 2
    third = ann.json("key", "rotate", first["api_key"])
    assert [ann.whoami(_header(key)) for key in (second, third)] == ["wrong_secret", "ann@example.com"]


def test_an_imported_key_works_and_its_secret_comes_from_standard_input(ann: CommandLine) -> None:
    """A key of Frappe's form is taken as it is; the secret is neither argument nor answer."""
    result = ann.run("key", "import", "ann@example.com", "5d3f1a9be07c246", stdin="a1b2c3d4e5f6a7b\n")

    assert "a1b2c3d4e5f6a7b" not in result.output
    assert ann.whoami("token 5d3f1a9be07c246:a1b2c3d4e5f6a7b") == "ann@example.com"


def test_an_imported_key_takes_limits_too(ann: CommandLine) -> None:
    """The options of `generate` hold for `import`."""
    key = ann.json("key", "import", "ann@example.com", "abc", "--scope", "read", stdin="0123456789abcde")

    assert key["scopes"] == ["read"]
    assert "api_secret" not in key


def test_statuses_tell_why_a_key_does_not_work(ann: CommandLine) -> None:
    """The list says of each key whether its user or record keeps it from working."""
    ann.run("source", "record", "create", "Event Consumer", "idle")
    ann.run("source", "record", "create", "Event Consumer", "off", "--user", "Administrator", "--disabled")
    for owner in (("ann@example.com",), ("idle", "--source", "Event Consumer"), ("off", "--source", "Event Consumer")):
        ann.run("key", "generate", *owner)
    ann.run("user", "disable", "ann@example.com")

    statuses = {key["record"]: key["status"] for key in ann.json("key", "list")}

    assert statuses == {"ann@example.com": "user disabled", "idle": "no user", "off": "record disabled"}
    assert len(ann.json("key", "list", "--source", "Event Consumer")) == 2
    assert len(ann.json("key", "list", "off", "--source", "Event Consumer")) == 1


def test_what_has_ended_is_listed_on_request(ann: CommandLine) -> None:
    """What was revoked, and what has expired."""
    kept, revoked, expired = (ann.json("key", "generate", "ann@example.com")["api_key"] for _ in range(3))
    ann.run("key", "revoke", revoked)
    with closing(sqlite3.connect(ann.home / "latchgate.db")) as database, database:
        database.execute("UPDATE api_key SET expires_at = 1 WHERE key_id = ?", (expired,))

    assert [key["name"] for key in ann.json("key", "list")] == [kept]
    assert {key["name"]: key["status"] for key in ann.json("key", "list", "--all")} == {
        kept: "active",
        revoked: "revoked",
        expired: "expired",
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("generate", "ann@example.com", "--expires", "soon"), "is not a duration"),
        (("generate", "ann@example.com", "--expires", "999999999w"), "hundred years"),
        (("generate", "ann@example.com", "--scope", "two words"), "is not a scope"),
        (("generate", "ann@example.com", "--allow-ip", "10.0.0.0/99"), "is not an address"),
        (("generate",), "Missing argument"),
    ],
)
def test_arguments_that_cannot_be_read_are_wrong_usage(ann: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, what is wrong, and where to read more."""
    refusal = ann.refusal("key", *arguments, code=2)

    assert told in refusal
    assert "hint: latchgate key generate --help" in refusal


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("generate", "nobody@example.com"), "User nobody@example.com not found"),
        (("generate", "x", "--source", "Nonesuch"), "Authorization Source Nonesuch not found"),
        (("generate", "Guest"), "Guest"),
        (("generate", "ann@example.com", "--limit", "0"), "limit"),
        (("generate", "ann@example.com", "--expires", "0s"), "expires"),
        (("revoke", "lgk_none"), "not found"),
        (("rotate", "lgk_none"), "not found"),
        (("list", "nobody@example.com"), "not found"),
    ],
)
def test_what_the_service_refuses_is_exit_code_1(ann: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    """One line says why, and a hint what to look at."""
    refusal = ann.refusal("key", *arguments)

    assert told in refusal
    assert "hint: latchgate" in refusal


def test_a_second_rotation_says_which_secret_ends(ann: CommandLine) -> None:
    """Of former secrets only the last may still work; what the first rotation left working is told to end."""
    key = ann.json("key", "generate", "ann@example.com")
    first = ann.run("key", "rotate", key["api_key"], "--overlap", "24h")
    second = ann.run("key", "rotate", key["api_key"], "--overlap", "24h", "--json")

    assert "has ended now" not in first.stderr
    assert "The secret from before the last rotation, which would have worked until 2" in second.stderr
    assert ann.whoami(f"token {key['api_key']}:{key['api_secret']}") == "wrong_secret"


def test_a_foreign_secret_that_no_header_could_carry_is_refused(ann: CommandLine) -> None:
    """A secret with a colon is not taken."""
    assert "api_secret" in ann.refusal("key", "import", "ann@example.com", "abc", stdin="col:on:secret\n")
