"""Every command and example of the guides to OAuth 2 does what it says, on a server, with a person at a browser."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from support.documents import ROOT, find_blocks
from support.person import Person
from support.reader import Reader, reading
from support.running import free_port

_HOWTO = ROOT / "docs" / "howto"
_USER, _PASSWORD = "ann@example.com", "correct horse battery"
_SERVER = "http://127.0.0.1:8000"
_PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader, and a user who can sign in."""
    with reading(tmp_path_factory.mktemp("clone")) as reader:
        reader.latchgate("user", "create", _USER, "--first-name", "Ann", "--password-stdin", text=_PASSWORD)
        yield reader


@dataclass
class _Walk:
    """Does all that a document says, in order; what its readers put in place of a `<name>`, it puts there too."""

    reader: Reader
    person: Person = field(default_factory=lambda: Person(_USER, _PASSWORD))
    values: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=lambda: {port: str(free_port()) for port in ("8080", "9000")})

    def through(self, name: str) -> list[tuple[str, str]]:
        """Work through a guide; list each block's language and what came of it."""
        done, output = [], ""
        with self.reader.shell() as shell, ExitStack() as stack:
            for block in find_blocks((_HOWTO / name).read_text()):
                text = self._filled(block.text)
                match block.language:
                    case "sh":
                        output = shell.run(text)
                        self._learn(output)
                    case "python" if "serve_forever" in text:
                        stack.enter_context(self._serving(text))
                        output = self._sign_in_at(text)
                    case "python":
                        output = self.reader.python(text)
                    case "json" | "text":
                        assert text.strip() == output.strip().splitlines()[-1], block
                    case "http":
                        assert text.strip().lower() in output.lower(), block
                    case _:
                        pass
                done.append((block.language, output))
        return done

    def _filled(self, text: str) -> str:
        text = text.replace(_SERVER, self.reader.base)
        for shown, used in self.ports.items():
            text = text.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{used}")
            text = text.replace(f'"127.0.0.1", {shown}', f'"127.0.0.1", {used}')
        for name, value in self.values.items():
            text = text.replace(f"<{name}>", value)
        return text

    def _learn(self, output: str) -> None:
        """Take what the reader would copy, and do what the reader would do at the browser."""
        self.values |= {
            f"client_{half}": value for half, value in re.findall(r"^client (id|secret) +(\S+)$", output, re.MULTILINE)
        }
        last = (output.strip().splitlines() or [""])[-1]
        if last.startswith("{"):
            told = json.loads(last)
            self.values |= {name: value for name, value in told.items() if isinstance(value, str)}
            if "verification_uri_complete" in told:
                self.person.visit(told["verification_uri_complete"], "nowhere")
        elif last.startswith(f"{self.reader.base}/api/method/frappe.integrations.oauth2.authorize?"):
            came_to = self.person.visit(last, f"http://127.0.0.1:{self.ports['8080']}/")
            asked, answered = (parse_qs(urlsplit(address).query) for address in (last, came_to))
            assert (answered["state"], answered["iss"]) == (asked["state"], [self.reader.base])
            self.values["code"] = answered["code"][0]

    def _sign_in_at(self, text: str) -> str:
        """Sign in to an application that has a page for that; give what it says afterwards."""
        if "/login" not in text:
            return ""
        site = f"http://127.0.0.1:{self.ports['8080']}"
        return self.person.read(self.person.visit(f"{site}/login", f"{site}/callback"))

    @contextmanager
    def _serving(self, text: str) -> Iterator[None]:
        file = self.reader.folder / "served.py"
        file.write_text(text)
        printed = self.reader.folder / "served.txt"
        with printed.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, str(file)], env=self.reader.environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            _wait_for(re.findall(r'"127\.0\.0\.1", (\d+)', text)[-1], process)
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)
            assert "Traceback" not in printed.read_text(), printed.read_text()


def _wait_for(port: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=_PATIENCE_SECONDS)
        except requests.ConnectionError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("the example does not serve")


def _answers(done: list[tuple[str, str]]) -> list[dict[str, object]]:
    """List the objects that shell blocks printed last."""
    lasts = [output.strip().splitlines()[-1] for language, output in done if language == "sh" and output.strip()]
    return [json.loads(last) for last in lasts if last.startswith("{")]


def test_the_guide_to_oauth_goes_the_whole_way(reader: Reader) -> None:
    """From a client to a token that was revoked; each answer is of the form that the guide shows."""
    done = _Walk(reader).through("oauth2.md")

    token, user, refreshed, profile, told, revoked = _answers(done)
    assert set(token) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert user == {"message": _USER}
    assert refreshed["refresh_token"] != token["refresh_token"]
    assert (profile["name"], profile["email"], profile["sub"]) == ("Ann", _USER, told["sub"])
    assert (told["active"], told["username"], told["scope"]) == (True, _USER, "all openid")
    assert revoked == {}
    assert any("AuthenticationError" in output and "revoked" in output for _, output in done)


def test_the_guide_to_a_web_app_signs_a_person_in(reader: Reader) -> None:
    """The app, as it stands there, greets the person by what the ID token says."""
    done = _Walk(reader).through("oauth-web-app.md")

    assert done[-1] == ("text", f"Hello Ann, you are {_USER}")


def test_the_guide_to_a_script_gets_a_token_and_ends_it(reader: Reader) -> None:
    """By curl and by Python; with its client the token has ended."""
    done = _Walk(reader).through("oauth-script.md")

    token, _, refused = _answers(done)
    assert set(token) == {"access_token", "token_type", "expires_in", "scope"}
    assert [language for language, _ in done].count("json") == 2
    assert refused["exc_type"] == "AuthenticationError"


def test_the_guide_to_a_device_connects_one(reader: Reader) -> None:
    """The person allows it, and the device acts as the person."""
    done = _Walk(reader).through("oauth-device.md")

    assert done[-1] == ("json", f'{{"message":"{_USER}"}}\n')


def test_the_guide_to_an_mcp_server_protects_it(reader: Reader) -> None:
    """It refuses whoever has no token, says where to get one, and knows the user of a token that is for it."""
    walk = _Walk(reader)

    done = walk.through("oauth-mcp.md")

    assert [language for language, _ in done].count("http") == 1
    assert done[-2][0] == "json"
    own = requests.get(
        f"{reader.base}/api/method/frappe.auth.get_logged_user",
        headers={"Authorization": f"Bearer {walk.values['access_token']}"},
        timeout=_PATIENCE_SECONDS,
    )
    assert own.status_code == 401


def test_the_guide_to_moving_a_client_moves_it(reader: Reader) -> None:
    """Both of the tokens that were made elsewhere work, and the second is replaced by ours."""
    done = _Walk(reader).through("oauth-from-frappe.md")

    _, token, _ = _answers(done)
    assert str(token["access_token"]).startswith("lga_")
    assert str(token["refresh_token"]).startswith("lgr_")
