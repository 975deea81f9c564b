"""latchgate setting."""

import pytest

from support.command_line import CommandLine


def _values(cli: CommandLine) -> dict[str, tuple[object, object]]:
    return {one["name"]: (one["value"], one["from"]) for one in cli.json("setting", "list")}


def test_each_setting_is_listed_with_who_decided_it(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator, an administrator or nobody."""
    monkeypatch.setenv("LATCHGATE_LOG_RETENTION_DAYS", "30")
    cli.run("setting", "set", "key_days_max", "90")

    values = _values(cli)

    assert values["log_retention_days"] == (30, "LATCHGATE_LOG_RETENTION_DAYS")
    assert values["key_days_max"] == (90, "System Settings")
    assert values["session_idle_seconds"] == (259_200, "default")
    assert cli.lines("setting", "list")[0].split() == ["NAME", "VALUE", "FROM"]


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("session_idle_seconds", "8h", 28_800),
        ("session_idle_seconds", "120", 120),
        ("key_overlap_seconds_max", "1d", 86_400),
        ("key_days_max", "none", None),
        ("own_key_roles", "System Manager", ["System Manager"]),
        ("own_key_roles", "none", []),
        ("allow_own_keys", "0", 0),
    ],
)
def test_a_setting_is_decided_and_reset(cli: CommandLine, name: str, typed: str, value: object) -> None:
    """As it is typed; the activity log has it as the command line's."""
    default = _values(cli)[name]

    decided = cli.json("setting", "set", name, typed)

    assert decided["value"] == value
    assert cli.json("setting", "reset", name)["value"] == default[0]
    assert _values(cli)[name] == default


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("session_idle_seconds", "59", "at least 60"),
        ("session_idle_seconds", "none", "whole number"),
        ("key_days_max", "4000", "at most 3650"),
        ("key_days_max", "soon", "whole number"),
        ("own_key_roles", "Nobodies", "Could not find Role: Nobodies"),
        ("colour", "red", "no setting colour"),
        ("name", "x", "no setting name"),
    ],
)
def test_what_cannot_be_is_refused(cli: CommandLine, name: str, typed: str, told: str) -> None:
    """By the same rules as in the desk, and nothing is decided."""
    before = _values(cli)

    assert told in cli.refusal("setting", "set", name, typed)
    assert _values(cli) == before


def test_what_the_operator_set_is_refused(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to be reset: it says where it is changed."""
    monkeypatch.setenv("LATCHGATE_KEY_DAYS_MAX", "30")

    assert "LATCHGATE_KEY_DAYS_MAX" in cli.refusal("setting", "set", "key_days_max", "90")
    assert "LATCHGATE_KEY_DAYS_MAX" in cli.refusal("setting", "reset", "key_days_max")


def test_the_command_line_keeps_to_the_key_policy(ann: CommandLine) -> None:
    """It makes, imports and rotates no key that lives longer; whoever wants one changes the policy first."""
    ann.run("setting", "set", "key_days_max", "30")
    ann.run("setting", "set", "key_overlap_seconds_max", "1h")

    assert "30 days" in ann.refusal("key", "generate", "ann@example.com")
    assert "30 days" in ann.refusal("key", "generate", "ann@example.com", "--expires", "31d")
    made = ann.json("key", "generate", "ann@example.com", "--expires", "30d")
    assert "at most 3600 seconds" in ann.refusal("key", "rotate", made["api_key"], "--overlap", "24h")
    assert ann.json("key", "rotate", made["api_key"], "--overlap", "1h")["expires"] == made["expires"]
