"""The page to try the API: anybody may open it, it loads our own files alone, and they come compressed."""

import gzip
import hashlib
import re
from importlib.resources import files

import pytest

from support.asgi import Pair, Service
from support.envelopes import assert_shown

DOCS = "/api/docs"
API, MANAGER = "api@example.com", "manager@example.com"
_VENDOR = files("latchgate.server.desk").joinpath("static", "vendor")
_VENDORED = _VENDOR.joinpath("swagger-ui")
_LICENCES = {"swagger-ui": {"LICENSE", "NOTICE"}, "pico": {"LICENSE.md"}, "htmx": {"LICENSE"}, "uplot": {"LICENSE"}}


def _cookie(sid: str) -> tuple[str, str]:
    return "cookie", f"sid={sid}"


def _loaded(text: str) -> list[str]:
    """List what a page has a browser load."""
    return re.findall(r'<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"', text)


def test_it_is_open_and_runs_our_own_files_alone(service: Service) -> None:
    """A guest gets it, with a policy under which nothing inline and nothing of another host runs or loads."""
    answer = service.ask(DOCS)
    policy = dict(part.split(" ", 1) for part in (answer.header("content-security-policy") or "").split("; "))

    assert answer.status == 200
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", answer.text, re.IGNORECASE)
    assert len(_loaded(answer.text)) == 7
    for path in _loaded(answer.text):
        assert service.ask(path).status == 200
    assert '<a href="/api/openapi.json">' in answer.text.partition("<noscript>")[2].partition("</noscript>")[0]
    assert answer.rows == ()


def test_pages_before_the_desk_run_no_script(service: Service) -> None:
    """Where a password is typed, nothing runs."""
    assert "script-src" not in (service.ask("/login").header("content-security-policy") or "")


def test_with_a_session_it_holds_the_session_s_token(service: Service) -> None:
    """So that what is tried can be a change, as whoever is signed in."""
    sid = service.sign_in(MANAGER).sid

    text = service.ask(DOCS, headers=[_cookie(sid)]).text

    assert f'data-csrf_token="{service.csrf_token(sid)}"' in text
    assert "Mary" in text
    assert sid not in text


@pytest.mark.parametrize("sid", ["0123456789abcdef", "%00"])
def test_a_session_that_opens_nothing_is_given_no_token(service: Service, sid: str) -> None:
    """A cookie that is stale or made up opens the page as none does."""
    assert service.ask(DOCS, headers=[_cookie(sid)]).text == service.ask(DOCS).text


def test_with_a_key_there_is_no_token(service: Service, api_key: Pair) -> None:
    """There is no session then to guard."""
    assert "csrf_token=" not in service.ask(DOCS, api_key.token).text


def test_a_bad_credential_is_refused_here_too(service: Service) -> None:
    """As on every page."""
    assert_shown(service.ask(DOCS, "token a:b", peer=service.new_peer()), 401)


@pytest.mark.parametrize("path", ["/login", "/me"])
def test_other_pages_lead_to_it(service: Service, path: str) -> None:
    """From where one signs in, and from every page after that."""
    assert f'href="{DOCS}"' in service.ask(path, headers=[_cookie(service.sign_in(API).sid)]).text


def test_every_kit_is_known() -> None:
    """What lies among the vendored kits is held to its sums below."""
    assert {folder.name for folder in _VENDOR.iterdir()} == set(_LICENCES)


@pytest.mark.parametrize("kit", _LICENCES)
def test_what_is_vendored_is_what_its_readme_says(kit: str) -> None:
    """Each file is listed with its sum, bears the version that pages name, and asks for no file that is not there."""
    folder = _VENDOR.joinpath(kit)
    readme = folder.joinpath("README.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "README.md"}

    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == listed
    assert _LICENCES[kit] <= set(listed)
    assert not any(b"sourceMappingURL" in content for content in found.values())
    assert "://" not in readme


def test_the_version_in_the_addresses_is_the_vendored_one(service: Service) -> None:
    """A browser that kept the former version's script does not run it with the new one's style."""
    (version,) = re.findall(r"^# swagger-ui-dist ([0-9.]+)$", _VENDORED.joinpath("README.md").read_text(), re.MULTILINE)

    assert set(re.findall(r"swagger-ui-([0-9.]+[0-9])", service.ask(DOCS).text)) == {version}


@pytest.mark.parametrize("kit", ["pico", "htmx"])
def test_a_kit_s_address_bears_its_version(service: Service, kit: str) -> None:
    """As its readme says it, also where one file asks for another."""
    (version,) = re.findall(r"^# \S+ ([0-9.]+)$", _VENDOR.joinpath(kit, "README.md").read_text(), re.MULTILINE)
    page = service.ask("/me", headers=[_cookie(service.sign_in(API).sid)]).text + service.ask("/assets/desk.css").text

    assert set(re.findall(rf"/assets/{kit}-([0-9.]+)\.", page)) == {version}


def _large(service: Service) -> list[str]:
    return [*(path for path in _loaded(service.ask(DOCS).text) if "swagger" in path), "/api/openapi.json"]


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "gzip, deflate, br, zstd"])
def test_large_files_come_compressed(service: Service, accepted: str) -> None:
    """A client that takes gzip gets less than a third, which unpacks to the file; caches are told why."""
    for path in _large(service):
        plain = service.ask(path)
        answer = service.ask(path, headers=[("accept-encoding", accepted)])

        assert answer.header("content-encoding") == "gzip"
        assert answer.header("content-type") == plain.header("content-type")
        assert answer.header("content-length") == str(len(answer.body))
        assert len(answer.body) * 3 < len(plain.body)
        assert gzip.decompress(answer.body) == plain.body
        assert answer.header("vary") == plain.header("vary") == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0", "gzip; q=0.000", "*", "xgzip", ";;,q=gzip"])
def test_who_does_not_take_gzip_gets_the_file(service: Service, accepted: str) -> None:
    """Whatever else is named, refused or misspelt."""
    for path in _large(service):
        answer = service.ask(path, headers=[("accept-encoding", accepted)])

        assert answer.header("content-encoding") is None
        assert answer.status == 200


def test_small_files_are_left_as_they_are(service: Service) -> None:
    """What fits in one packet gains nothing."""
    answer = service.ask("/assets/mark.svg", headers=[("accept-encoding", "gzip")])

    assert (answer.header("content-encoding"), answer.header("vary")) == (None, None)
