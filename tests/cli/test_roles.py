"""latchgate role."""

from support.command_line import CommandLine


def test_a_role_is_created_granted_and_revoked(ann: CommandLine) -> None:
    """`role show` tells at each step who has it."""
    made = ann.json("role", "create", "Report Manager")
    assert (made["name"], made["owner"], made["users"]) == ("Report Manager", "Administrator", [])
    assert ann.json("role", "grant", "ann@example.com", "Report Manager")["changed"] is True
    assert ann.json("role", "show", "Report Manager")["users"] == ["ann@example.com"]
    assert ann.lines("role", "show", "Report Manager") == ["USER", "ann@example.com"]
    assert ann.json("role", "revoke", "ann@example.com", "Report Manager")["changed"] is True
    assert ann.json("role", "show", "Report Manager")["users"] == []


def test_granting_twice_changes_nothing(ann: CommandLine) -> None:
    """The second time says so and is no failure."""
    ann.run("role", "grant", "ann@example.com", "System Manager")

    told = ann.lines("role", "grant", "ann@example.com", "System Manager")

    assert told == ["ann@example.com had System Manager already."]
    assert ann.json("role", "revoke", "ann@example.com", "System Manager")["changed"] is True
    assert ann.lines("role", "revoke", "ann@example.com", "System Manager") == [
        "ann@example.com did not have System Manager."
    ]


def test_the_roles_of_the_start_are_listed(cli: CommandLine) -> None:
    """Four roles exist from the start."""
    assert [role["name"] for role in cli.json("role", "list")] == ["All", "Desk User", "Guest", "System Manager"]
    assert cli.lines("role", "list")[0].split() == ["NAME", "USERS"]


def test_an_unknown_role_is_refused(ann: CommandLine) -> None:
    """Neither shown nor granted, with the commands that list what there is."""
    assert "latchgate role list" in ann.refusal("role", "grant", "ann@example.com", "Nonesuch")
    assert "not found" in ann.refusal("role", "show", "Nonesuch")
    assert "comma" in ann.refusal("role", "create", "a,b")


def test_a_role_without_users_says_so(cli: CommandLine) -> None:
    """An empty list is a sentence on standard error, and an empty answer."""
    cli.run("role", "create", "Report Manager")

    result = cli.run("role", "show", "Report Manager")

    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "Report Manager has no permissions. Give it some: latchgate permission grant",
        "Nobody was granted Report Manager.",
    ]


def test_what_was_typed_does_not_steer_the_terminal(ann: CommandLine) -> None:
    """Control characters around a name that is found all the same are shown, not obeyed."""
    told = "\n".join(ann.lines("role", "grant", "\x0bann@example.com\x0c", "System Manager"))

    assert told == "Granted System Manager to \\x0bann@example.com\\x0c."


def test_a_role_requires_a_second_factor(cli: CommandLine) -> None:
    """From its start, or later; and no more."""
    made = cli.json("role", "create", "Careful", "--second-factor")
    assert made["two_factor_auth"] is True
    assert cli.json("role", "create", "Plain")["two_factor_auth"] is False
    assert cli.lines("role", "change", "Careful", "--no-second-factor") == ["Careful requires no second factor."]
    assert cli.json("role", "change", "System Manager", "--second-factor")["two_factor_auth"] is True
    assert "No Such Role" in cli.refusal("role", "change", "No Such Role", "--second-factor")
    cli.run("role", "change", "Careful", code=2)
