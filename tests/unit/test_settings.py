"""The settings: read from the environment and a file, checked all at once."""

import os
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from latchgate.errors import SettingsError
from latchgate.settings import Settings, find_origins, load_settings

Set = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set variables, by the settings' names; the current folder is the test's own."""
    monkeypatch.chdir(tmp_path)

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"LATCHGATE_{name.upper()}", value)

    return put


def _problems(options: dict[str, object] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(options)
    return caught.value.problems


def test_without_any_setting_everything_has_a_default(put: Set, tmp_path: Path) -> None:
    """The data folder is the current folder's data, with SQLite in it, on the loopback address."""
    settings = load_settings()

    assert settings.home == tmp_path / "data"
    assert settings.home_is_named is False
    assert settings.database_path == tmp_path / "data" / "latchgate.db"
    assert settings.log_database_path == tmp_path / "data" / "log.db"
    assert settings.key_file == tmp_path / "data" / "latchgate.key"
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert settings.admin_password is None
    assert settings.zone.key == "UTC"
    assert set(find_origins().values()) == {"default"}


def test_the_environment_sets_everything(put: Set, tmp_path: Path) -> None:
    """Each variable bears its setting's name; lists are separated by commas."""
    put(home="elsewhere", port="0", trusted_proxies="10.0.0.0/8, 192.0.2.1", allow_own_keys="false")
    put(public_url="https://auth.example.com/", time_zone="Europe/Berlin", admin_password="correct horse")

    settings = load_settings()

    assert settings.home == tmp_path / "elsewhere"
    assert settings.home_is_named is True
    assert settings.port == 0
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"))
    assert settings.allow_own_keys is False
    assert settings.public_url == "https://auth.example.com"
    assert find_origins()["port"] == "LATCHGATE_PORT"


def test_an_empty_variable_is_an_unset_one(put: Set) -> None:
    """As an environment file leaves it where nothing is meant."""
    put(admin_password="", port="", nonsense="")

    assert load_settings().port == 8000
    assert load_settings().admin_password is None


def test_options_count_before_the_environment_and_that_before_the_file(put: Set, tmp_path: Path) -> None:
    """The file in the data folder is read; each value says where it comes from."""
    put(home=str(tmp_path), port="2222", host="::1")
    (tmp_path / "latchgate.toml").write_text(
        'host = "0.0.0.0"\nport = 3333\nworkers = 1\ntrusted_proxies = ["10.0.0.0/8"]\n'
    )

    settings = load_settings({"port": 1111})

    assert (settings.host, settings.port) == ("::1", 1111)
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"),)
    assert find_origins()["port"] == "LATCHGATE_PORT"
    assert find_origins()["workers"] == str(tmp_path / "latchgate.toml")


def test_the_file_may_be_named_and_may_name_the_data_folder(put: Set, tmp_path: Path) -> None:
    """LATCHGATE_CONFIG names it; then it may say where the data is."""
    (tmp_path / "my.toml").write_text(f'home = "{tmp_path}/there"\n')
    put(config="my.toml")

    assert load_settings().home == tmp_path / "there"


def test_a_file_in_the_data_folder_cannot_name_another(put: Set, tmp_path: Path) -> None:
    """It would have to be read before it is found."""
    put(home=str(tmp_path))
    (tmp_path / "latchgate.toml").write_text('home = "/elsewhere"\n')

    assert "LATCHGATE_HOME" in _problems()[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), ("port = x", "line 1"), ("\xff", "utf-8")],
)
def test_a_file_that_cannot_be_read_is_one_clear_line(put: Set, tmp_path: Path, content: str | None, told: str) -> None:
    """Missing, broken or no text at all: the line names the file."""
    put(config="my.toml")
    if content is not None:
        (tmp_path / "my.toml").write_text(content, encoding="latin-1")

    (problem,) = _problems()

    assert problem.startswith(f"The settings file {tmp_path}/my.toml cannot be read")
    assert told in problem


def test_an_unknown_name_is_refused_with_the_nearest_right_one(put: Set, tmp_path: Path) -> None:
    """In the environment and in the file alike."""
    put(home=str(tmp_path), prot="1", zzzzzzzzzzzzzzzz="1")
    (tmp_path / "latchgate.toml").write_text("hots = 1\n")

    assert _problems() == (
        "LATCHGATE_PROT is no setting; did you mean LATCHGATE_PORT?",
        "LATCHGATE_ZZZZZZZZZZZZZZZZ is no setting; docs/settings.md lists them",
        f"hots in {tmp_path}/latchgate.toml is no setting; did you mean host?",
    )


def test_all_problems_come_at_once_each_with_its_place(put: Set, tmp_path: Path) -> None:
    """One line each: the variable, the file's key or the option that is wrong, and what it is."""
    put(home=str(tmp_path), port="99999", workers="0", database_url="mysql://x:geheim@y/z")
    (tmp_path / "latchgate.toml").write_text('time_zone = "Mars"\n')

    problems = _problems({"host": "a b"})

    assert [problem.partition(":")[0] for problem in problems] == [
        "LATCHGATE_DATABASE_URL",
        "--host",
        "LATCHGATE_PORT",
        "LATCHGATE_WORKERS",
        f"time_zone in {tmp_path}/latchgate.toml",
    ]
    assert "(it is '99999')" in problems[2]
    assert "geheim" not in "".join(problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "http://localhost"),
        ("host", "127.0.0.1:8000"),
        ("host", "host:8000"),
        ("host", "[::1]"),
        ("port", "-1"),
        ("port", "eighty"),
        ("public_url", "auth.example.com"),
        ("public_url", "ftp://auth.example.com"),
        ("public_url", "https://auth.example.com/path"),
        ("public_url", "https://auth.example.com?x=1"),
        ("public_url", "https://user:pw@auth.example.com"),
        ("public_url", "https://"),
        ("trusted_proxies", "10.0.0.0/8, nonsense"),
        ("proxy", "apache"),
        ("sign_in_for", "127.0.0.1, not a host"),
        ("sign_in_for", "https://127.0.0.1"),
        ("sign_in_for", "app.example.com"),
        ("sign_in_for", "127.0.0.1.example.com"),
        ("database_url", "sqlite:///relative.db"),
        ("database_url", "sqlite://"),
        ("log_database_url", "redis://x"),
        ("time_zone", "../etc/passwd"),
        ("session_idle_seconds", "0"),
        ("sign_in_failures_per_user", "0"),
        ("password_profile", "none"),
        ("allow_own_keys", "perhaps"),
        ("shutdown_seconds", "-1"),
    ],
)
def test_a_value_that_cannot_be_is_refused(put: Set, name: str, value: str) -> None:
    """One line, which names the variable."""
    put(**{name: value})

    (problem,) = _problems()

    assert problem.startswith(f"LATCHGATE_{name.upper()}: ")


def test_a_list_of_something_else_is_refused(put: Set, tmp_path: Path) -> None:
    """A number is no list of proxies."""
    (tmp_path / "my.toml").write_text("trusted_proxies = 7\n")
    put(config="my.toml")

    assert "trusted_proxies" in _problems()[0]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104  # nothing listens
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
        ("192.0.2.7", "http://192.0.2.7:8000"),
    ],
)
def test_the_address_from_outside_is_the_listening_address_by_default(put: Set, host: str, url: str) -> None:
    """Written so that a browser understands it; where every address is meant, this machine's own."""
    put(host=host)

    assert load_settings().public_url == url
    assert load_settings().local_url == url


def test_the_log_follows_the_accounts_to_postgresql(put: Set) -> None:
    """Without a word of its own it stands in the same database; it may stand elsewhere."""
    put(database_url="postgresql://user:geheim@db/latchgate")

    assert load_settings().log_database_url == load_settings().database_url
    assert load_settings().database_path is None
    assert load_settings().log_database_path is None
    put(log_database_url="sqlite:////var/log.db")
    assert load_settings().log_database_path == Path("/var/log.db")


def test_accounts_and_log_have_a_file_each(put: Set) -> None:
    """In one file the log's writes would hold up a revocation."""
    put(database_url="sqlite:////var/x.db", log_database_url="sqlite:////var/x.db")

    assert "another file" in _problems()[0]


def test_secrets_do_not_show(put: Set) -> None:
    """Neither in what Python prints of the settings nor in its text."""
    put(admin_password="correct horse", database_url="postgresql://user:geheim@db/latchgate")

    shown = repr(load_settings()) + str(load_settings())

    assert "correct horse" not in shown
    assert "geheim" not in shown


def test_settings_cannot_be_changed(put: Set) -> None:
    """What was checked stays as it was."""
    settings = load_settings()

    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_nothing_but_the_environment_of_the_test_is_read() -> None:
    """No variable of whoever runs the tests reaches them."""
    assert [name for name in os.environ if name.startswith("LATCHGATE_")] == []
    assert Settings().port == 8000
