"""latchgate config."""

import pytest

from support.command_line import CommandLine


def test_each_setting_is_shown_with_where_it_comes_from(empty: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an instance, and without making one."""
    monkeypatch.setenv("LATCHGATE_PORT", "9000")
    monkeypatch.setenv("LATCHGATE_TRUSTED_PROXIES", "10.0.0.0/8 192.0.2.1")

    shown = {setting["name"]: setting for setting in empty.json("config", "show")}

    assert shown["port"] == {"name": "port", "variable": "LATCHGATE_PORT", "value": 9000, "from": "LATCHGATE_PORT"}
    assert shown["trusted_proxies"]["value"] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert shown["admin_password"]["value"] is None
    assert shown["workers"]["from"] == "default"
    assert not empty.home.exists()
    assert empty.lines("config", "show")[0].split() == ["NAME", "VALUE", "FROM"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:geheim@db:5432/x", "postgresql://user:********@db:5432/x"),
        ("postgresql://user@db/x", "postgresql://user@db/x"),
        ("postgresql://db/x?password=geheim", "postgresql://db/x?********"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
    ],
)
def test_secrets_stay_hidden(empty: CommandLine, monkeypatch: pytest.MonkeyPatch, url: str, shown: str) -> None:
    """Passwords, also those within a database's address."""
    monkeypatch.setenv("LATCHGATE_ADMIN_PASSWORD", "geheim geheim")
    monkeypatch.setenv("LATCHGATE_DATABASE_URL", url)

    answer = empty.run("config", "show", "--json").stdout
    values = {setting["name"]: setting["value"] for setting in empty.json("config", "show")}

    assert "geheim" not in answer
    assert values["admin_password"] == "********"
    assert values["database_url"] == shown


def test_wrong_settings_are_exit_code_3_with_a_line_each(empty: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems at once."""
    monkeypatch.setenv("LATCHGATE_PORT", "99999")
    monkeypatch.setenv("LATCHGATE_PRT", "1")

    assert [line.split()[1] for line in empty.refusal("config", "show", code=3).splitlines()] == [
        "LATCHGATE_PRT",
        "LATCHGATE_PORT:",
    ]
