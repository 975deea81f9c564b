"""latchgate rule."""

from pathlib import Path

import pytest

from support.command_line import CommandLine


@pytest.fixture
def ruled(ann: CommandLine) -> CommandLine:
    """Two rules: one for Readers, of whom ann is one, and an open one above it."""
    ann.run("role", "create", "Reader")
    ann.run("role", "grant", "ann@example.com", "Reader")
    ann.run("rule", "create", "--host", "api.example.com", "--path", "/reports/*", "--role", "Reader")
    ann.run("rule", "create", "--path", "/health", "--method", "get", "--allow-guest", "--position", "1")
    return ann


def test_rules_are_listed_in_their_order(ruled: CommandLine) -> None:
    """Each in words, and with all its fields as JSON."""
    assert ruled.lines("rule", "list")[1:] == [
        "1         RULE-2  GET /health on any host: everybody, also without a credential",
        "2         RULE-1  any method /reports/* on api.example.com: anyone with role Reader",
    ]
    first, second = ruled.json("rule", "list")
    assert (first["name"], first["position"], first["methods"], first["allow_guest"]) == ("RULE-2", 1, ["GET"], True)
    assert (second["roles"], second["every_role"], second["scopes"]) == (["Reader"], False, [])


def test_a_rule_is_shown_changed_moved_and_deleted(ruled: CommandLine) -> None:
    """By its name, in any case; what is not named stays."""
    assert ruled.json("rule", "show", "rule-1")["path"] == "/reports/*"

    changed = ruled.json("rule", "update", "RULE-1", "--method", "GET,POST", "--scope", "a", "--scope", "b")
    assert (changed["methods"], changed["scopes"], changed["roles"]) == (["GET", "POST"], ["a", "b"], ["Reader"])
    cleared = ruled.json("rule", "update", "RULE-1", *("--clear", "roles", "--clear", "scopes", "--clear", "host"))
    assert (cleared["roles"], cleared["scopes"], cleared["host"], cleared["methods"]) == ([], [], "", ["GET", "POST"])
    assert ruled.lines("rule", "move", "RULE-1", "1") == ["RULE-1 is at position 1."]
    assert ruled.lines("rule", "delete", "RULE-2") == ["Deleted RULE-2."]

    assert [rule["name"] for rule in ruled.json("rule", "list")] == ["RULE-1"]


def test_what_cannot_be_is_refused(ruled: CommandLine) -> None:
    """With what would be right, and nothing changed."""
    refused = {
        ("rule", "create", "--host", "x:80"): "host: 'x:80' names a port",
        ("rule", "create", "--role", "Nope"): "roles: Could not find Role: Nope",
        ("rule", "update", "RULE-1", "--path", "reports"): "path: 'reports' must begin with a slash",
        ("rule", "show", "RULE-9"): "RULE-9 not found",
        ("rule", "move", "RULE-9", "1"): "RULE-9 not found",
        ("rule", "test", "GET", "/reports"): "names no host",
        ("rule", "load", "nowhere.toml"): "There is no file nowhere.toml",
        ("role", "delete", "Reader"): "The access rule RULE-1 asks for Reader",
    }

    for arguments, told in refused.items():
        assert told in ruled.refusal(*arguments)

    assert len(ruled.json("rule", "list")) == 2


@pytest.mark.parametrize("option", ["--role", "--roles", "--scope", "--method", "--host", "--path"])
@pytest.mark.parametrize("value", ["", " "])
def test_a_variable_that_was_not_set_opens_nothing(ruled: CommandLine, option: str, value: str) -> None:
    """An empty text is refused by the option's name, since it would let in more than was meant; so is a gap."""
    before = ruled.json("rule", "list")

    for command in (["create"], ["update", "RULE-1"]):
        told = ruled.refusal("rule", *command, option, value, code=2)
        assert f"{option.removesuffix('s')}: names nothing" in told
    half = ruled.refusal("rule", "update", "RULE-1", "--role", "Reader,", code=2)
    both = ruled.refusal("rule", "update", "RULE-1", "--clear", "roles", "--role", "Reader", code=2)

    assert "--role: names nothing" in half
    assert "--clear: roles is to be taken away, and given a value too" in both
    assert ruled.json("rule", "list") == before


def test_a_request_is_tried(ruled: CommandLine) -> None:
    """The last line says what is decided."""
    decided = {
        ("GET", "https://api.example.com/reports/7?x=1", "--as", "ann@example.com"): "let in.",
        ("GET", "https://api.example.com/reports/7"): "refused, RULE-1 asks for a user.",
        ("GET", "API.example.com:8443/reports", "--as", "Administrator"): "refused, the user lacks a role.",
        ("POST", "https://anything/health"): "refused, no rule is for it.",
        ("GET", "https://x/x/../health"): "refused, its path can be read in several ways.",
    }

    for arguments, told in decided.items():
        assert ruled.lines("rule", "test", *arguments)[-1].endswith(told)


def test_a_trial_tells_the_rules_that_were_passed_over(ruled: CommandLine) -> None:
    """Each with the reason, then the one that decides."""
    asked = ("rule", "test", "GET", "https://api.example.com/reports/7", "--as", "ann@example.com")

    assert ruled.lines(*asked)[:2] == [
        "    1  RULE-2  passed over: it is for the path /health",
        "    2  RULE-1  decides: any method /reports/* on api.example.com: anyone with role Reader",
    ]
    document = ruled.json(*asked)
    assert (document["decision"], document["rule"], document["reason"]) == ("allowed", "RULE-1", None)
    assert document["passed_over"] == [{"rule": "RULE-2", "position": 1, "why": "it is for the path /health"}]
    ruled.run("rule", "update", "RULE-1", "--scope", "*")
    wide = ruled.json(*asked, "--scope", "other")
    assert (wide["decision"], wide["needed_scopes"]) == ("allowed", [])
    assert wide["credentials"] == "it takes credentials of any scopes, which the application is to judge"
    ruled.run("rule", "update", "RULE-1", "--scope", "reports.read")
    assert ruled.json(*asked, "--scope", "other")["reason"] == "scope_missing"
    ruled.run("user", "disable", "ann@example.com")
    assert ruled.json(*asked)["decision"] == "unauthenticated"


def test_a_trial_tells_what_a_rule_without_scopes_takes(ruled: CommandLine) -> None:
    """No credential that is limited, such as a token for OpenID Connect alone."""
    asked = ("rule", "test", "GET", "https://api.example.com/reports/7", "--as", "ann@example.com")

    takes = "       it names no scope: it takes credentials that are not limited (scope all) and sessions"
    assert ruled.lines(*asked)[2:3] == [takes]
    assert ruled.lines(*asked, "--scope", "openid")[-1].endswith(
        "refused, the credential is limited to scopes, and RULE-1 names none."
    )
    narrow = ruled.json(*asked, "--scope", "openid")
    assert (narrow["decision"], narrow["reason"], narrow["needed_scopes"]) == ("forbidden", "scope_missing", ["all"])
    guest = ruled.json("rule", "test", "GET", "https://x/health", "--scope", "openid")
    assert (guest["decision"], guest["credentials"], guest["needed_scopes"]) == ("allowed", "", [])


def test_a_file_is_loaded(ruled: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First to see what would change, then as a whole; named by the setting it is the only way."""
    file = tmp_path / "rules.toml"
    file.write_text(
        '[[rule]]\npath = "/new"\n\n[[rule]]\nhost = "api.example.com"\npath = "/reports/*"\nroles = "Reader"\n'
    )

    planned = ruled.lines("rule", "load", str(file), "--dry-run")
    assert planned == [
        "-   1  GET /health on any host: everybody, also without a credential",
        "+   1  any method /new on any host: any user",
        "Nothing was changed; there would be 2 rules.",
    ]
    assert ruled.json("rule", "load", str(file))["changed"] is True
    assert [rule["path"] for rule in ruled.json("rule", "list")] == ["/new", "/reports/*"]
    assert ruled.lines("rule", "load", str(file)) == ["Nothing is different: 2 rules."]
    file.write_text('[[rule]]\npath = "new"\n')
    assert "rule 1 (line 1), path: 'new' must begin with a slash" in ruled.refusal("rule", "load", str(file))

    monkeypatch.setenv("LATCHGATE_ACCESS_RULES", str(file))
    file.write_text("")
    assert "are changed there alone" in ruled.refusal("rule", "delete", "RULE-1")
    assert ruled.lines("rule", "load")[-1] == "Loaded: 0 rules."
