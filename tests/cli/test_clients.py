"""latchgate client and latchgate signing-key."""

import json
from pathlib import Path
from typing import Any

import pytest

from latchgate.cli import clients as commands
from latchgate.core.clients import client_secret_matches
from latchgate.core.tokens import Secret
from latchgate.services.actors import COMMAND_LINE
from support.command_line import CommandLine

_REDIRECT = ("--redirect-uri", "https://shop.example.com/callback")
_KEY = {"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig"}
_POINT = {"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}


def _secret_works(cli: CommandLine, client: dict[str, Any]) -> bool:
    with cli.opened() as latchgate:
        stored = latchgate.clients.get(COMMAND_LINE, client["client_id"])
        secret = Secret(client["client_secret"])
        return client_secret_matches(latchgate.peppers, stored, secret, latchgate.clock.now())


def test_a_client_for_the_web_is_made_with_the_defaults(cli: CommandLine) -> None:
    """--json gives client_id and client_secret, which works; grants and scopes are the usual ones, PKCE is required."""
    client = cli.json("client", "create", "Shop", *_REDIRECT)

    assert list(client)[:2] == ["client_id", "client_secret"]
    assert _secret_works(cli, client)
    assert client["grant_types"] == ["authorization_code", "refresh_token"]
    assert client["scopes"] == ["all", "openid"]
    assert (client["auth_method"], client["require_pkce"], client["public"]) == ("client_secret_basic", True, False)


def test_every_option_is_stored_as_given(ann: CommandLine) -> None:
    """`client show` gives back what was ordered, without the secret."""
    made = ann.json(
        "client", "create", "Shop", *_REDIRECT, "--redirect-uri", "http://127.0.0.1/cb", "--grant", "code",
        "--grant", "client-credentials", "--grant", "device", "--grant", "refresh", "--scope", "read",
        "--scope", "openid",
        "--user", "ann@example.com", "--auth-method", "client_secret_post", "--allowed-role", "System Manager",
        "--trusted", "--no-pkce", "--resource", "https://mcp.example.com/mcp", "--id-token-alg", "es256",
        "--post-logout-redirect-uri", "https://shop.example.com/bye", "--client-uri", "https://shop.example.com",
    )  # fmt: skip

    shown = ann.json("client", "show", made["client_id"])

    assert {name: value for name, value in made.items() if name != "client_secret"} == shown
    assert shown["redirect_uris"] == ["https://shop.example.com/callback", "http://127.0.0.1/cb"]
    assert len(shown["grant_types"]) == 4
    assert (shown["scopes"], shown["user"], shown["auth_method"]) == (
        ["openid", "read"], "ann@example.com", "client_secret_post",
    )  # fmt: skip
    assert (shown["skip_authorization"], shown["require_pkce"], shown["allowed_roles"]) == (
        True, False, ["System Manager"],
    )  # fmt: skip
    assert shown["resources"] == ["https://mcp.example.com/mcp"]
    assert shown["post_logout_redirect_uris"] == ["https://shop.example.com/bye"]
    assert (shown["client_uri"], shown["id_token_alg"]) == ("https://shop.example.com", "ES256")


@pytest.mark.parametrize(
    ("options", "grants"),
    [
        (("--user", "ann@example.com"), ["client_credentials"]),
        (("--user", "ann@example.com", *_REDIRECT), ["authorization_code", "client_credentials", "refresh_token"]),
        (("--user", "ann@example.com", *_REDIRECT, "--grant", "code"), ["authorization_code"]),
        (("--resource", "https://mcp.example.com/mcp"), []),
        (("--resource", "https://mcp.example.com/mcp", *_REDIRECT), ["authorization_code", "refresh_token"]),
        (("--resource", "https://mcp.example.com/mcp", "--user", "ann@example.com"), ["client_credentials"]),
    ],
)
def test_what_no_grant_names_follows_from_the_other_options(
    ann: CommandLine, options: tuple[str, ...], grants: list[str]
) -> None:
    """A user alone means client credentials, a protected resource alone needs no tokens of its own."""
    assert ann.json("client", "create", "Job", *options)["grant_types"] == grants


def test_a_public_client_has_no_secret(cli: CommandLine) -> None:
    """None is made, none is printed, and none can be rotated."""
    result = cli.run("client", "create", "App", "--public", "--redirect-uri", "com.example.app:/callback")
    (client,) = cli.json("client", "list")

    assert "secret" not in result.output
    assert (client["public"], client["auth_method"]) == (True, "none")
    assert "this client has none" in cli.refusal("client", "rotate", client["client_id"])


def test_a_client_with_keys_of_its_own_has_no_secret(cli: CommandLine, tmp_path: Path) -> None:
    """--jwks alone means private_key_jwt."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{**_KEY, **_POINT}]}))

    client = cli.json("client", "create", "Bank", *_REDIRECT, "--jwks", str(keys))

    assert client["auth_method"] == "private_key_jwt"
    assert "client_secret" not in client


def test_the_secret_is_printed_once(cli: CommandLine) -> None:
    """One line of one answer holds it; no later command does."""
    result = cli.run("client", "create", "Shop", *_REDIRECT)
    client_id, secret = (line.split()[-1] for line in result.stdout.splitlines()[:2])

    assert result.output.count(secret) == 1
    assert "not shown again" in result.stderr
    for command in (("list",), ("list", "--json"), ("show", client_id), ("show", client_id, "--json")):
        assert secret not in cli.run("client", *command).output
    assert "\x1b" not in result.output


def test_a_rotated_client_keeps_its_former_secret_for_the_overlap(cli: CommandLine) -> None:
    """With --overlap both secrets work; without, the former ends at once."""
    first = cli.json("client", "create", "Shop", *_REDIRECT)

    second = cli.json("client", "rotate", first["client_id"], "--overlap", "24h")

    assert second["former_secret_until"] is not None
    assert [_secret_works(cli, client) for client in (first, second)] == [True, True]
    third = cli.json("client", "rotate", first["client_id"])
    assert [_secret_works(cli, client) for client in (first, second, third)] == [False, False, True]


def test_a_revoked_client_is_listed_on_request_only(cli: CommandLine) -> None:
    """It has ended for good: it gets no new secret."""
    client = cli.json("client", "create", "Shop", *_REDIRECT)["client_id"]

    assert cli.json("client", "revoke", client)["status"] == "revoked"
    assert cli.lines("client", "revoke", client) == [f"Revoked {client}, Shop."]
    assert cli.json("client", "list") == []
    assert "There are no clients" in cli.run("client", "list").stderr
    assert [one["status"] for one in cli.json("client", "list", "--all")] == ["revoked"]
    assert "CLIENT: was revoked for good" in cli.refusal("client", "rotate", client)


def test_the_list_names_grants_as_they_are_typed(cli: CommandLine) -> None:
    """Short, in one line a client."""
    client = cli.json("client", "create", "TV", "--public", "--grant", "device", "--grant", "refresh")["client_id"]

    assert cli.lines("client", "list")[1].split("  ")[0] == client
    assert "refresh, device" in cli.lines("client", "list")[1]


def test_a_deleted_client_is_gone(cli: CommandLine) -> None:
    """Where there is no terminal nothing is asked."""
    client = cli.json("client", "create", "Shop", *_REDIRECT)["client_id"]
    other = cli.json("client", "create", "Shop", *_REDIRECT)["client_id"]

    assert cli.json("client", "delete", client) == {"client_id": client, "app_name": "Shop"}
    assert cli.lines("client", "delete", other) == [f"Deleted {other}, Shop."]
    assert cli.json("client", "list", "--all") == []


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, 1), ("y\n", 0, 0)])
def test_at_a_terminal_a_deletion_is_asked(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    """The question names the client; no leaves it."""
    client = cli.json("client", "create", "Shop", *_REDIRECT)["client_id"]
    monkeypatch.setattr(commands, "sys", type("Terminal", (), {"stdin": type("In", (), {"isatty": lambda: True})}))

    asked = cli.run("client", "delete", client, stdin=answer, code=code)

    assert f"Delete the client {client}, Shop," in asked.stderr
    assert len(cli.json("client", "list")) == left


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--grant", "password"), "'--grant': 'password' is no grant"),
        ((*_REDIRECT, "--scope", "two words"), "--scope: 'two words' is not a scope"),
        ((*_REDIRECT, "--public", "--auth-method", "client_secret_post"), "--auth-method"),
        ((*_REDIRECT, "--auth-method", "tls"), "'--auth-method'"),
        ((*_REDIRECT, "--id-token-alg", "none"), "'--id-token-alg'"),
    ],
)
def test_options_that_cannot_be_read_are_wrong_usage(cli: CommandLine, options: tuple[str, ...], told: str) -> None:
    """Exit code 2, and which option it is."""
    refusal = cli.refusal("client", "create", "Shop", *options, code=2)

    assert told in refusal
    assert "hint: latchgate client create --help" in refusal


@pytest.mark.parametrize("content", [b"\xff\xfe", b" " * 100_001])
def test_a_file_that_can_be_no_key_set_is_wrong_usage(cli: CommandLine, tmp_path: Path, content: bytes) -> None:
    """It is neither shown nor read whole."""
    file = tmp_path / "keys.json"
    file.write_bytes(content)

    refusal = cli.refusal("client", "create", "Bank", *_REDIRECT, "--jwks", str(file), code=2)

    assert "--jwks: " in refusal


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "--redirect-uri: at least one is needed"),
        (("--redirect-uri", "http://shop.example.com/cb"), "--redirect-uri: 'http://shop.example.com/cb' is not https"),
        (("--grant", "client-credentials"), "--user: client_credentials needs the user"),
        (("--user", "nobody@example.com"), "--user: Could not find User"),
        (("--public", "--user", "Administrator"), "--grant: client_credentials is for clients that can keep a secret"),
        ((*_REDIRECT, "--allowed-role", "Nobody"), "--allowed-role: Could not find Role"),
        ((*_REDIRECT, "--public", "--no-pkce"), "--no-pkce: public clients must send one"),
        ((*_REDIRECT, "--resource", "mcp"), "--resource: 'mcp' is no absolute URI"),
        ((*_REDIRECT, "--client-uri", "javascript:1"), "--client-uri: must be a web address"),
        ((*_REDIRECT, "--post-logout-redirect-uri", "/bye"), "--post-logout-redirect-uri: '/bye'"),
        ((*_REDIRECT, "--auth-method", "private_key_jwt"), "--jwks: "),
    ],
)
def test_what_the_service_refuses_names_the_option(cli: CommandLine, options: tuple[str, ...], told: str) -> None:
    """Exit code 1, and nothing was made."""
    assert told in cli.refusal("client", "create", "Shop", *options)
    assert cli.json("client", "list", "--all") == []


@pytest.mark.parametrize("command", ["show", "rotate", "revoke", "delete"])
def test_a_client_that_is_not_there_is_told_so(cli: CommandLine, command: str) -> None:
    """With a hint what to look at."""
    refusal = cli.refusal("client", command, "nowhere")

    assert "OAuth Client not found" in refusal
    assert "hint: latchgate client list" in refusal


def test_an_overlap_has_an_end(cli: CommandLine) -> None:
    """It is 30 days at most; the refusal names the option."""
    client = cli.json("client", "create", "Shop", *_REDIRECT)["client_id"]

    assert "--overlap: must be 0 to 30 days" in cli.refusal("client", "rotate", client, "--overlap", "90d")


def test_signing_keys_are_rotated_one_by_one_or_all(cli: CommandLine) -> None:
    """A former key stays, to verify by; the private half is in no answer."""
    assert "There are no signing keys yet" in cli.run("signing-key", "list").stderr
    assert cli.json("signing-key", "list") == []

    (first,) = cli.json("signing-key", "rotate", "--algorithm", "es256")
    lines = cli.lines("signing-key", "rotate")

    keys = cli.json("signing-key", "list")
    assert {line.split()[3] for line in lines} == {"RS256", "ES256"}
    assert sorted((key["algorithm"], key["status"]) for key in keys) == [
        ("ES256", "signs"), ("ES256", "verifies"), ("RS256", "signs"),
    ]  # fmt: skip
    assert {key["kid"]: key["retired"] is None for key in keys}[first["kid"]] is False
    assert all(set(key) == {"kid", "algorithm", "created", "retired", "status"} for key in keys)
    assert len(cli.lines("signing-key", "list")) == 4
