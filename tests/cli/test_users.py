"""latchgate user."""

import pytest

from support.command_line import CommandLine
from support.second_factors import give_device


def test_a_created_user_is_shown_as_ordered(cli: CommandLine) -> None:
    """What was asked for at creation is what `show` tells."""
    cli.run("role", "create", "Report Manager")

    made = cli.json(
        "user", "create", "Ann@Example.com", "--first-name", "Ann", "--last-name", "Lee",
        "--role", "System Manager", "--role", "Report Manager", "--website",
    )  # fmt: skip

    assert made == cli.json("user", "show", "ann@example.com")
    assert made["name"] == "ann@example.com"
    assert made["full_name"] == "Ann Lee"
    assert made["roles"] == ["Report Manager", "System Manager"]
    assert made["user_type"] == "Website User"
    assert made["enabled"] is True
    assert made["can_sign_in"] is False


def test_a_user_may_be_limited_from_the_start(cli: CommandLine) -> None:
    """To addresses and to hours of the day."""
    made = cli.json(
        "user", "create", "ann@example.com",
        "--allow-ip", "10.1.0.0/16", "--allow-ip", "2001:db8::/32", "--login-after", "8", "--login-before", "18",
    )  # fmt: skip

    assert made["restrict_ip"] == "10.1.0.0/16, 2001:db8::/32"
    assert (made["login_after"], made["login_before"]) == (8, 18)


def test_a_change_holds_at_once(ann: CommandLine) -> None:
    """A key that works is refused by the next request once its user is limited, and works again without the limit."""
    key = ann.json("key", "generate", "ann@example.com")
    header = f"token {key['api_key']}:{key['api_secret']}"

    seen = [ann.whoami(header, address="192.0.2.1")]
    for limit in (("--allow-ip", "10.0.0.0/8"), ("--allow-ip", "any"), ("--login-after", "24"), ("--login-after", "0")):
        ann.run("user", "change", "ann@example.com", *limit)
        seen.append(ann.whoami(header, address="192.0.2.1"))

    assert seen == [
        "ann@example.com",
        "user_address_not_allowed",
        "ann@example.com",
        "outside_hours",
        "ann@example.com",
    ]


def test_only_what_is_named_changes(ann: CommandLine) -> None:
    """The other fields stay as they are, and the answer is the user as it is now."""
    before = ann.json("user", "show", "ann@example.com")

    after = ann.json("user", "change", "ann@example.com", "--last-name", "Lee", "--type", "website")

    assert after == ann.json("user", "show", "ann@example.com")
    changed = {name for name in before if before[name] != after[name]}
    assert changed - {"modified"} == {"last_name", "full_name", "user_type"}
    assert ann.lines("user", "change", "ann@example.com", "--type", "system") == ["Changed the user ann@example.com."]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say what to change"),
        (("--allow-ip", "nowhere"), "'nowhere' is not an address"),
        (("--allow-ip", "any", "--allow-ip", "10.0.0.0/8"), "any stands alone"),
        (("--login-after", "25"), "--login-after"),
        (("--type", "guest"), "--type"),
    ],
)
def test_a_change_that_cannot_be_is_called_wrongly(ann: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, and the user stays as it is."""
    before = ann.json("user", "show", "ann@example.com")

    assert told in ann.refusal("user", "change", "ann@example.com", *arguments, code=2)
    assert ann.json("user", "show", "ann@example.com") == before


def test_a_password_comes_from_standard_input(cli: CommandLine) -> None:
    """--password-stdin gives the user a password; it is printed nowhere."""
    result = cli.run("user", "create", "ann@example.com", "--password-stdin", stdin="correct horse battery\n")

    assert cli.json("user", "show", "ann@example.com")["can_sign_in"] is True
    assert "correct horse" not in result.output


@pytest.mark.parametrize("stdin", ["", "\n", "two\nlines\n", "x" * 5000])
def test_standard_input_that_is_no_password_is_refused(cli: CommandLine, stdin: str) -> None:
    """Nothing, or more than a line, is not taken for a password, and no user is made."""
    told = cli.refusal("user", "create", "ann@example.com", "--password-stdin", stdin=stdin, code=2)

    assert "one line" in told
    assert [user["name"] for user in cli.json("user", "list")] == ["Administrator", "Guest"]


def test_a_weak_password_is_refused(cli: CommandLine) -> None:
    """A password that the rules refuse makes no user."""
    told = cli.refusal("user", "create", "ann@example.com", "--password-stdin", stdin="short\n")

    assert "password: must have at least" in told


def test_the_list_is_a_table_for_people(ann: CommandLine) -> None:
    """Without --json there is a heading and a line a user."""
    heading, *lines = ann.lines("user", "list")

    assert heading.split()[:2] == ["NAME", "FULL"]
    assert [line.split()[0] for line in lines] == ["Administrator", "Guest", "ann@example.com"]


def test_disabling_and_enabling_hold_at_once(ann: CommandLine) -> None:
    """A disabled user's key is refused by the next request, and works again once the user is enabled."""
    key = ann.json("key", "generate", "ann@example.com")
    header = f"token {key['api_key']}:{key['api_secret']}"

    assert ann.json("user", "disable", "ann@example.com")["enabled"] is False
    assert ann.whoami(header) == "user_disabled"
    assert ann.lines("user", "enable", "ann@example.com") == ["Enabled the user ann@example.com."]
    assert ann.whoami(header) == "ann@example.com"


def test_deleting_ends_the_keys(ann: CommandLine) -> None:
    """A deleted user's key opens nothing, also not for a new user of that name."""
    key = ann.json("key", "generate", "ann@example.com")

    assert ann.json("user", "delete", "ann@example.com")["name"] == "ann@example.com"
    ann.run("user", "create", "ann@example.com")

    assert ann.whoami(f"token {key['api_key']}:{key['api_secret']}") == "unknown_key"


def test_deleting_tells_what_ended(ann: CommandLine) -> None:
    """How many credentials worked until then, in the document and in the sentence."""
    for _ in range(2):
        ann.run("key", "generate", "ann@example.com")
    ann.run("key", "revoke", ann.json("key", "generate", "ann@example.com")["api_key"])
    ann.run("token", "import", "ann@example.com", stdin="some-token-made-elsewhere")

    deleted = ann.json("user", "delete", "ann@example.com")
    ann.run("user", "create", "ann@example.com")

    assert deleted["ended"] == {"api_keys": 2, "access_tokens": 1, "sessions": 0}
    assert ann.lines("user", "delete", "ann@example.com", "--yes") == [
        "Deleted the user ann@example.com; 0 keys, 0 tokens and 0 sessions have ended."
    ]


def test_a_password_can_be_set_later(ann: CommandLine) -> None:
    """set-password takes it from standard input."""
    assert "sessions have ended" in ann.run(
        "user", "set-password", "ann@example.com", "--password-stdin", stdin="correct horse battery\n"
    ).stdout  # fmt: skip
    assert ann.json("user", "show", "ann@example.com")["can_sign_in"] is True


def test_an_unknown_user_is_told_with_the_next_step(cli: CommandLine) -> None:
    """Exit code 1, one line, and the command that lists the users."""
    told = cli.refusal("user", "show", "nobody@example.com")

    assert told.splitlines() == ["error: User nobody@example.com not found", "  hint: latchgate user list"]


def test_a_taken_name_is_refused(ann: CommandLine) -> None:
    """A second user of one name is a conflict, and the hint lists the users."""
    told = ann.refusal("user", "create", "ann@example.com")

    assert "already" in told
    assert told.endswith("  hint: latchgate role list, latchgate user list\n")


def test_the_setup_link_opens_once(cli: CommandLine) -> None:
    """A new link ends the one before, and there is none once Administrator has a password."""
    first, second = cli.lines("user", "setup-link")[0], cli.json("user", "setup-link")["url"]

    assert first != second
    assert second.startswith("http://127.0.0.1:8000/setup/lgl_")
    cli.run("user", "set-password", "Administrator", "--password-stdin", stdin="correct horse battery\n")
    assert "has a password already" in cli.refusal("user", "setup-link")


@pytest.mark.parametrize("name", ["ann@example.com", "Administrator"])
def test_a_lost_second_factor_is_ended(ann: CommandLine, name: str) -> None:
    """Anybody's, from the host; a second time there is none, and it is logged."""
    with ann.opened() as latchgate:
        give_device(latchgate.store, latchgate.sign_in_steps.enrolments, name)
    assert ann.json("user", "show", name)["has_second_factor"] is True

    told = ann.lines("user", "reset-second-factor", name)

    assert told == [f"Ended the second factor of {name}; its sessions have ended."]
    assert ann.json("user", "reset-second-factor", name)["has_second_factor"] is False
    assert ann.lines("user", "reset-second-factor", name) == [f"{name} has no second factor."]
    assert "second_factor.ended" in ann.run("log", "activity").stdout
    assert "nobody@example.com" in ann.refusal("user", "reset-second-factor", "nobody@example.com")
