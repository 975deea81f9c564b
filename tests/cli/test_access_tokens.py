"""latchgate token."""

import pytest

from support.command_line import CommandLine

_TOKEN = "made-elsewhere-0123456789"


def test_an_imported_token_works_until_it_is_revoked(ann: CommandLine) -> None:
    """It runs as its user, and not once it was revoked; no answer holds it."""
    made = ann.run("token", "import", "ann@example.com", "--client", "app", "--scope", "read", stdin=_TOKEN)

    assert ann.whoami(f"Bearer {_TOKEN}") == "ann@example.com"
    ended = ann.run("token", "revoke", stdin=_TOKEN)
    assert ann.whoami(f"Bearer {_TOKEN}") == "revoked"
    assert _TOKEN not in made.output + ended.output


def test_an_imported_token_is_told_as_a_record(ann: CommandLine) -> None:
    """--json names its public id, its user and its limits."""
    record = ann.json("token", "import", "ann@example.com", "--expires", "2h", stdin=_TOKEN)

    assert record["user"] == "ann@example.com"
    assert record["scopes"] == ["all"]
    assert record["token"].startswith("token-")
    assert ann.json("token", "revoke", stdin=_TOKEN)["revoked"] is not None


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "told"),
    [
        (("import", "nobody@example.com"), _TOKEN, 1, "not found"),
        (("import", "ann@example.com"), "short", 1, "access_token"),
        (("import", "ann@example.com", "--scope", "two words"), _TOKEN, 2, "is not a scope"),
        (("import", "ann@example.com"), "", 2, "one line"),
        (("revoke",), _TOKEN, 1, "not found"),
    ],
)
def test_what_cannot_be_is_refused(
    ann: CommandLine, arguments: tuple[str, ...], stdin: str, code: int, told: str
) -> None:
    """With the exit code of its kind and one line."""
    assert told in ann.refusal("token", *arguments, stdin=stdin, code=code)
