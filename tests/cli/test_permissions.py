"""latchgate permission, and what latchgate role tells and deletes of it."""

import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from support.command_line import CommandLine

_OWN = ["API Key", "API Request Log", "Activity Log", "OAuth Bearer Token", "OAuth Consent", "User"]
_ACTIONS = ("read", "write", "create", "delete")
_MATRIX = ["DOCUMENT", "TYPE", "ROLE", "READ", "WRITE", "CREATE", "DELETE"]


@pytest.fixture
def auditor(ann: CommandLine) -> CommandLine:
    """The command line on an instance with a role that may read all users and its own keys, and that ann has."""
    ann.run("role", "create", "Auditor")
    ann.run("permission", "grant", "Auditor", "User", "--read")
    ann.run("permission", "grant", "Auditor", "API Key", "--read", "--own")
    ann.run("role", "grant", "ann@example.com", "Auditor")
    return ann


def _held(found: dict[str, Any]) -> list[str]:
    return [action for action in _ACTIONS if found[action]]


def _rights(cli: CommandLine, *arguments: str) -> list[tuple[str, str, bool, list[str]]]:
    """List permissions: document type, role, whether for one's own records alone, and the actions."""
    found = cli.json("permission", "list", *arguments)
    return [(one["document_type"], one["role"], bool(one["if_owner"]), _held(one)) for one in found]


def _type_at_terminal(typed: str, *arguments: str) -> tuple[int, str]:
    """Run a command whose standard input is a terminal, type this, and give its exit code and what it printed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "latchgate", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, typed.encode())
        printed, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return process.returncode, printed.decode()


# grant


@pytest.mark.parametrize("action", _ACTIONS)
def test_one_action_is_granted(auditor: CommandLine, action: str) -> None:
    """Of the four only the one that is named, on the records of one document type."""
    told = auditor.lines("permission", "grant", "Auditor", "Role", f"--{action}")

    assert told == [f"Auditor may now {action} all records of Role."]
    assert _rights(auditor, "--role", "Auditor", "--doctype", "Role") == [("Role", "Auditor", False, [action])]


def test_a_grant_without_an_action_is_of_all_four(auditor: CommandLine) -> None:
    """Who names none means them all."""
    told = auditor.lines("permission", "grant", "Auditor", "Role")

    assert told == ["Auditor may now read, write, create, delete all records of Role."]
    assert _rights(auditor, "--role", "Auditor", "--doctype", "Role") == [("Role", "Auditor", False, list(_ACTIONS))]


def test_grants_add_up(auditor: CommandLine) -> None:
    """A second grant takes nothing away, and what is told is the whole."""
    granted = auditor.json("permission", "grant", "Auditor", "User", "--write")

    assert _held(granted) == ["read", "write"]
    assert (granted["role"], granted["document_type"], bool(granted["if_owner"])) == ("Auditor", "User", False)


def test_a_grant_on_ones_own_records_stands_beside_the_other(auditor: CommandLine) -> None:
    """`--own` is a permission of its own, for which the table says `own`."""
    told = auditor.lines("permission", "grant", "Auditor", "User", "--write", "--own")

    assert told == ["Auditor may now write their own records of User."]
    assert [line.split() for line in auditor.lines("permission", "list", "--role", "Auditor", "--doctype", "User")] == [
        _MATRIX,
        ["User", "Auditor", "all", "-", "-", "-"],
        ["User", "Auditor", "-", "own", "-", "-"],
    ]


# revoke


def test_some_actions_are_revoked(auditor: CommandLine) -> None:
    """What was not named stays, and is told."""
    auditor.run("permission", "grant", "Auditor", "Role")

    told = auditor.lines("permission", "revoke", "Auditor", "Role", "--create", "--delete")

    assert told == ["Auditor may still read, write all records of Role."]
    assert _rights(auditor, "--role", "Auditor", "--doctype", "Role") == [("Role", "Auditor", False, ["read", "write"])]


def test_a_revocation_without_an_action_is_of_the_whole(auditor: CommandLine) -> None:
    """The permission is gone, and the one for one's own records of the type is another."""
    auditor.run("permission", "grant", "Auditor", "User", "--write", "--own")

    told = auditor.lines("permission", "revoke", "Auditor", "User")

    assert told == ["Auditor has no right to all records of User by this permission any more."]
    assert _rights(auditor, "--role", "Auditor", "--doctype", "User") == [("User", "Auditor", True, ["write"])]


def test_a_permission_whose_last_action_is_revoked_is_gone(auditor: CommandLine) -> None:
    """Nothing is left to list, and `--json` says so of each action."""
    left = auditor.json("permission", "revoke", "Auditor", "API Key", "--own", "--read")

    assert _held(left) == []
    assert _rights(auditor, "--role", "Auditor", "--doctype", "API Key") == []


@pytest.mark.parametrize("doctype", ["Role Permission", "Role", "User"])
@pytest.mark.parametrize("action", [(), ("--delete",)])
def test_system_managers_keep_what_gives_rights(cli: CommandLine, doctype: str, action: tuple[str, ...]) -> None:
    """Not the whole nor a part of it can be revoked, or nobody could give it back."""
    before = _rights(cli, "--role", "System Manager")

    told = cli.refusal("permission", "revoke", "System Manager", doctype, *action)

    assert told.splitlines()[0] == (
        f"error: role: System Manager keeps every right on {doctype}, or nobody could give it back"
    )
    assert _rights(cli, "--role", "System Manager") == before


def test_other_rights_of_system_managers_can_be_revoked(cli: CommandLine) -> None:
    """They can be given back by whoever may."""
    cli.run("permission", "revoke", "System Manager", "Activity Log")

    assert _rights(cli, "--role", "System Manager", "--doctype", "Activity Log") == []


# list


def test_permissions_are_listed_by_role_and_by_document_type(auditor: CommandLine) -> None:
    """Each option narrows the list, both together to what both allow, and none of them gives the whole matrix."""
    whole = _rights(auditor)

    assert _rights(auditor, "--role", "Auditor") == [
        ("API Key", "Auditor", True, ["read"]),
        ("User", "Auditor", False, ["read"]),
    ]
    assert {(role, own) for _, role, own, _ in _rights(auditor, "--doctype", "API Key")} == {
        ("All", True),
        ("Auditor", True),
        ("System Manager", False),
    }
    assert len(_rights(auditor, "--role", "Auditor", "--doctype", "User")) == 1
    assert {role for _, role, _, _ in whole} == {"All", "Auditor", "System Manager"}


def test_a_list_of_nothing_says_so(auditor: CommandLine) -> None:
    """A sentence on standard error, and an empty answer or list."""
    result = auditor.run("permission", "list", "--role", "Auditor", "--doctype", "Activity Log")

    assert (result.stdout, result.stderr) == ("", "There are no such permissions.\n")
    assert auditor.json("permission", "list", "--role", "Auditor", "--doctype", "Activity Log") == []


# refusals


@pytest.mark.parametrize(
    ("option", "told", "hint"),
    [("--role", "Role Typo not found", "latchgate role list"), ("--doctype", "DocType Typo not found", "API Key, API")],
)
def test_a_typing_error_is_no_empty_list(auditor: CommandLine, option: str, told: str, hint: str) -> None:
    """Which roles or document types there are is told instead."""
    error, next_step = auditor.refusal("permission", "list", option, "Typo").splitlines()

    assert error == f"error: {told}"
    assert hint in next_step


@pytest.mark.parametrize(
    ("arguments", "told", "hint"),
    [
        (("grant", "Nonesuch", "User"), "Role Nonesuch not found", "latchgate role list"),
        (("grant", "Auditor", "Nonesuch"), "document_type: Could not find DocType: Nonesuch", "API Key, API Request"),
        (("grant", "Guest", "User"), "role: Guest may hold no permissions", "latchgate permission"),
        (("revoke", "Nonesuch", "User"), "Role Permission User:Nonesuch not found", "latchgate permission list"),
        (("revoke", "Auditor", "Role"), "Role Permission Role:Auditor not found", "latchgate permission list"),
        (("revoke", "Auditor", "User", "--own"), "Role Permission User:Auditor:own not found", "latchgate permission"),
    ],
)
def test_what_cannot_be_granted_or_revoked_is_one_line_and_the_next_step(
    auditor: CommandLine, arguments: tuple[str, ...], told: str, hint: str
) -> None:
    """Exit code 1, what is wrong, and a command to go on with; the matrix stays."""
    before = _rights(auditor)

    error, next_step = auditor.refusal("permission", *arguments).splitlines()

    assert error.startswith(f"error: {told}")
    assert next_step.startswith("  hint: ")
    assert hint in next_step
    assert _rights(auditor) == before


# role


def test_a_role_shows_its_rights_and_its_users(auditor: CommandLine) -> None:
    """The matrix of the role, an empty line, then who was granted it."""
    assert [line.split() for line in auditor.lines("role", "show", "Auditor")] == [
        _MATRIX,
        ["API", "Key", "Auditor", "own", "-", "-", "-"],
        ["User", "Auditor", "all", "-", "-", "-"],
        [],
        ["USER"],
        ["ann@example.com"],
    ]
    shown = auditor.json("role", "show", "Auditor")
    assert (shown["name"], shown["users"]) == ("Auditor", ["ann@example.com"])
    assert [(one["document_type"], _held(one)) for one in shown["permissions"]] == [
        ("API Key", ["read"]),
        ("User", ["read"]),
    ]


@pytest.mark.parametrize("role", ["All", "Guest"])
def test_an_automatic_role_is_said_to_come_by_itself(cli: CommandLine, role: str) -> None:
    """Nobody is told that it was granted to nobody; what All may do is shown, and Guest may do nothing."""
    result = cli.run("role", "show", role)

    assert result.stderr.splitlines()[-1] == f"{role} comes by itself; it is not granted."
    shown = [line.rsplit(maxsplit=5)[0] for line in result.stdout.splitlines()[1:]]
    assert shown == (_OWN if role == "All" else [])


@pytest.mark.parametrize("option", [(), ("--yes",)])
def test_a_role_is_deleted_with_its_permissions(auditor: CommandLine, option: tuple[str, ...]) -> None:
    """Without a terminal nothing is asked, with or without `--yes`; whoever had it has it no more."""
    assert auditor.lines("role", "delete", "Auditor", *option) == ["Deleted the role Auditor."]

    assert "Auditor" not in {role for _, role, _, _ in _rights(auditor)}
    assert "Role Auditor not found" in auditor.refusal("role", "show", "Auditor")
    assert auditor.json("user", "show", "ann@example.com")["roles"] == []


def test_a_deleted_role_is_told_to_programs(auditor: CommandLine) -> None:
    """With how many users had it."""
    deleted = auditor.json("role", "delete", "Auditor", "--yes")

    assert (deleted["name"], deleted["users"]) == ("Auditor", 1)


@pytest.mark.parametrize(("typed", "deleted"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_at_a_terminal_it_is_asked(auditor: CommandLine, typed: str, deleted: bool) -> None:
    """The question names the role and how many have it, and only a yes deletes it."""
    exit_code, printed = _type_at_terminal(typed, "role", "delete", "Auditor")

    assert exit_code == (0 if deleted else 1), printed
    assert "Delete the role Auditor, which 1 user has, with its permissions?" in printed
    assert ("Auditor" not in {role for _, role, _, _ in _rights(auditor)}) is deleted


def test_at_a_terminal_yes_asks_nothing(auditor: CommandLine) -> None:
    """`--yes` is for whoever has made up their mind."""
    assert _type_at_terminal("", "role", "delete", "Auditor", "--yes") == (0, "Deleted the role Auditor.\n")


@pytest.mark.parametrize("role", ["All", "Guest", "Desk User", "System Manager"])
def test_the_roles_of_the_start_stay(cli: CommandLine, role: str) -> None:
    """They cannot be deleted, and it is said why."""
    told = cli.refusal("role", "delete", role, "--yes")

    assert told.splitlines()[0] == f"error: role: {role} is always there; it cannot be deleted"


def test_a_role_that_is_not_there_cannot_be_deleted(cli: CommandLine) -> None:
    """One line, and the command that lists what there is."""
    assert cli.refusal("role", "delete", "Nonesuch").splitlines() == [
        "error: Role Nonesuch not found",
        "  hint: latchgate role list, latchgate user list",
    ]
