"""latchgate import."""

import json
from pathlib import Path

import pytest

from support.command_line import CommandLine

_FIXTURES = Path(__file__).parents[1] / "vectors" / "frappe" / "fixtures.json"


def test_the_users_of_the_recordings_are_taken_and_the_second_time_exist(cli: CommandLine) -> None:
    """Counts of what was taken, what existed and what was left, as JSON and as sentences."""
    first = cli.json("import", str(_FIXTURES))
    second = cli.lines("import", str(_FIXTURES))

    assert first["taken"] == {
        "users": 10, "passwords": 11, "roles": 2, "api_keys": 13, "clients": 2, "access_tokens": 5,
        "refresh_tokens": 5, "sources": 1, "records": 6,
    }  # fmt: skip
    assert first["trusted_clients"] == ["client0002"]
    assert first["existed"] == {"users": 1, "sources": 1}
    assert "users[8].api_secret" in [left["entry"] for left in first["left"]]
    assert second[0] == "Taken: nothing."
    assert second[1].removeprefix("There already: ").split(", ") == [
        "11 users", "13 API keys", "2 OAuth clients", "5 access tokens", "5 refresh tokens", "2 sources",
        "6 records of sources.",
    ]  # fmt: skip
    assert second[2] == "Left:"


def test_imported_credentials_work_with_every_scheme_and_source(cli: CommandLine) -> None:
    """The recordings' own keys and tokens open, or are refused, as they should."""
    cli.run("import", str(_FIXTURES))

    assert cli.whoami("token ap1key000000001:ap1secret000001") == "api@example.com"
    assert cli.whoami("Bearer bearer-ok-00000000000000000001") == "api@example.com"
    assert cli.whoami("Bearer bearer-expired-000000000000001") == "expired"
    assert cli.whoami("Bearer bearer-revoked-000000000000001") == "revoked"
    assert cli.whoami("token devkey000000001:devsecret000001", "API Device") == "api@example.com"
    assert cli.whoami("token d1skey000000001:d1ssecret000001") == "user_disabled"
    assert cli.whoami("token hrskey000000001:hrssecret000001") == "outside_hours"


def test_imported_clients_are_listed_as_they_were(cli: CommandLine) -> None:
    """Those whose users are not asked are named, under a heading of their own."""
    lines = cli.lines("import", str(_FIXTURES))
    one, two = cli.json("client", "list")

    told = lines.index("OAuth clients whose users are not asked whether they allow them:")
    assert lines[told + 1 : told + 3] == ["CLIENT", "client0002"]
    assert (one["client_id"], one["app_name"], one["require_pkce"]) == ("client0001", "Client One", False)
    assert one["redirect_uris"] == ["http://localhost:3000/cb", "http://localhost:3000/cb2"]
    assert [client["skip_authorization"] for client in (one, two)] == [False, True]


def test_what_deserves_a_second_look_is_named(ann: CommandLine) -> None:
    """New System Managers, keys of users that existed, and weak passwords, each under a heading of its own."""
    document = {
        "passwords": {"bob@example.com": "short", "cat@example.com": "correct horse battery"},
        "users": [
            {
                "name": "bob@example.com",
                "roles": ["System Manager"],
                "api_key": "bobs-key",
                "api_secret": "bobs-secret",
            },
            {"name": "cat@example.com", "roles": ["Reader"]},
            {"name": "ann@example.com", "roles": ["System Manager"], "api_key": "anns-key", "api_secret": "a-secret"},
        ],
    }

    lines = ann.lines("import", "-", stdin=json.dumps(document))
    again = ann.json("import", "-", stdin=json.dumps(document))

    assert lines[2:] == [
        "New System Managers:", "USER", "bob@example.com",
        "Users that were there already and gained a key or token:", "USER", "ann@example.com",
        "Passwords taken as they are, which nobody could choose here:", "USER", "bob@example.com",
    ]  # fmt: skip
    assert (again["new_managers"], again["new_keys"], again["weak_passwords"]) == ([], [], [])


def test_a_role_that_differs_by_case_alone_is_refused(cli: CommandLine) -> None:
    """The line names the entry, and nothing is written."""
    document = {"users": [{"name": "bob@example.com", "roles": ["system manager"]}]}

    told = cli.refusal("import", "-", stdin=json.dumps(document))

    assert "users[0]: There is a role System Manager already" in told
    assert len(cli.json("user", "list")) == 2


def test_a_document_may_come_from_standard_input(cli: CommandLine) -> None:
    """A dash means that."""
    result = cli.run("import", "-", stdin='{"users": [{"name": "ann@example.com"}]}')

    assert result.stdout == "Taken: 1 users.\nThere already: nothing.\n"


def test_a_wrong_document_is_refused_and_nothing_is_written(cli: CommandLine, tmp_path: Path) -> None:
    """The line names the entry and the field."""
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"users": [{"name": "ann@example.com"}, {"name": "bob"}]}))

    assert "users[1].name: 'bob' is not an e-mail address" in cli.refusal("import", str(file))
    assert len(cli.json("user", "list")) == 2


def test_a_file_that_is_not_there_is_one_clear_line(cli: CommandLine, tmp_path: Path) -> None:
    """With its name."""
    told = cli.refusal("import", str(tmp_path / "nowhere.json"))

    assert told == f"error: {tmp_path}/nowhere.json: No such file or directory\n"


def test_a_file_that_is_too_large_is_refused(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it fills the memory."""
    monkeypatch.setattr("latchgate.cli.imports._BYTES_MAX", 1024 * 1024)
    file = tmp_path / "large.json"
    file.write_bytes(b" " * (1024 * 1024 + 1))

    assert "is larger than 1 MiB; split it" in cli.refusal("import", str(file))
