"""The clients for Python: what they send, how often they fetch a token, and to whom they send nothing."""

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import requests

from latchgate.client import AccessToken, ApiKey, ClientCredentials, Credential, RefreshToken, TokenError, WrongHost

_SECRETS = ("the-secret", "the-refresh-token", "lga_1", "dGhlLWtleTp0aGUtc2VjcmV0")


class Api(http.server.ThreadingHTTPServer):
    """A server of tokens and of an interface that takes the latest of them; it notes what it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.given = 0
        self.refused = 0
        self.lives_seconds = 3600.0
        self.fails: tuple[int, bytes] | None = None
        self.grants: list[dict[str, str]] = []
        self.seen: list[tuple[str, str | None]] = []
        self.wait = threading.Event()
        self.wait.set()
        self.lead_to = ""
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        """An address here."""
        return f"http://{host}:{self.server_address[1]}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if not self.path.endswith("get_token"):
            return self.do_GET()
        api = self.server
        api.wait.wait(10)
        api.grants.append({name: value for name, [value] in parse_qs(body).items()})
        if api.fails is not None:
            return self._answer(*api.fails)
        api.given += 1
        document = {"access_token": f"lga_{api.given}", "expires_in": api.lives_seconds, "token_type": "Bearer"}
        if "refresh_token" in api.grants[-1]:
            document["refresh_token"] = f"lgr_{api.given}"
        return self._answer(200, json.dumps(document).encode())

    def do_GET(self) -> None:
        api = self.server
        sent = self.headers.get("Authorization")
        api.seen.append((self.path, sent))
        if self.path == "/moved":
            return self._answer(302, b"", {"Location": api.lead_to})
        accepted = sent == f"Bearer lga_{api.given}" and api.given > api.refused
        return self._answer(200 if accepted or (sent or "").startswith(("token", "Basic")) else 401, b"{}")

    def _answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="api")
def _api() -> Iterator[Api]:
    with Api() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield api
        api.wait.set()
        api.shutdown()
        thread.join()


Get = Callable[..., int]


def _by_requests(url: str, credential: Credential, method: str = "GET") -> int:
    auth = credential.for_requests()  # type: ignore[attr-defined]  # as each of ours has
    return requests.request(method, url, auth=auth, data=b"body" if method == "POST" else None, timeout=10).status_code


def _by_httpx(url: str, credential: Credential, method: str = "GET") -> int:
    auth = credential.for_httpx()  # type: ignore[attr-defined]  # as above
    with httpx.Client(auth=auth, follow_redirects=True, trust_env=False) as client:
        return client.request(method, url, content=b"body" if method == "POST" else None).status_code


def _by_httpx_async(url: str, credential: Credential, method: str = "GET") -> int:
    async def ask() -> int:
        auth = credential.for_httpx()  # type: ignore[attr-defined]  # as above
        async with httpx.AsyncClient(auth=auth, follow_redirects=True, trust_env=False) as client:
            return (await client.request(method, url, content=b"body" if method == "POST" else None)).status_code

    return asyncio.run(ask())


each_client = pytest.mark.parametrize("get", [_by_requests, _by_httpx, _by_httpx_async])


@each_client
@pytest.mark.parametrize(
    ("credential", "sent"),
    [
        (ApiKey("the-key", "the-secret"), "token the-key:the-secret"),
        (ApiKey("the-key", "the-secret", basic=True), "Basic dGhlLWtleTp0aGUtc2VjcmV0"),
        (AccessToken("lga_0"), "Bearer lga_0"),
    ],
)
def test_a_credential_is_sent_as_it_is(api: Api, get: Get, credential: Credential, sent: str) -> None:
    """Each scheme's header is written as the server reads it; what was refused for good is not tried again."""
    get(api.url("/a"), credential)

    assert api.seen == [("/a", sent)]


@each_client
def test_a_token_is_fetched_once_and_renewed_when_refused(api: Api, get: Get) -> None:
    """The first request fetches a token, the next one has it; a refused one is replaced once."""
    credential = ClientCredentials(api.url(), "the-client", "the-secret", scope="read")

    assert [get(api.url("/a"), credential) for _ in range(2)] == [200, 200]
    api.refused = 1
    assert get(api.url("/b"), credential, "POST") == 200
    api.refused = 100
    assert get(api.url("/c"), credential) == 401

    grant = {
        "grant_type": "client_credentials",
        "client_id": "the-client",
        "client_secret": "the-secret",
        "scope": "read",
    }
    assert api.grants == [grant] * 3
    assert [path for path, _ in api.seen] == ["/a", "/a", "/b", "/b", "/c", "/c"]


def test_many_that_wait_fetch_one_token(api: Api) -> None:
    """Threads that need a token at the same moment wait for the one that fetches it."""
    credential = ClientCredentials(api.url(), "the-client", "the-secret")
    statuses: list[int] = []
    api.wait.clear()
    threads = [
        threading.Thread(target=lambda: statuses.append(_by_requests(api.url("/a"), credential))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    api.wait.set()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 8
    assert len(api.grants) == 1


def test_many_that_wait_are_told_of_one_failure(api: Api) -> None:
    """A server that gives no token is not asked by each of those who waited; later it is asked again."""
    credential = ClientCredentials(api.url(), "the-client", "the-secret")
    api.fails = 401, b'{"error": "invalid_client", "error_description": "no"}'
    errors: list[str] = []
    api.wait.clear()

    def ask() -> None:
        try:
            credential.headers()
        except TokenError as error:
            errors.append(error.error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    while not credential._tokens._lock.locked() or credential._tokens._attempts == 0:
        pass
    api.wait.set()
    for thread in threads:
        thread.join()

    assert errors == ["invalid_client"] * 8
    assert len(api.grants) < 8
    api.fails = None
    assert credential.headers() == {"Authorization": "Bearer lga_1"}


@each_client
def test_what_a_redirected_request_did_is_not_done_twice(api: Api, get: Get) -> None:
    """If what the redirect leads to refuses the token, the request before it is not sent once more."""
    credential = ClientCredentials(api.url(), "the-client", "the-secret")
    assert get(api.url("/a"), credential) == 200
    api.lead_to, api.refused = api.url("/done"), 1

    get(api.url("/moved"), credential, "POST")

    assert [path for path, _ in api.seen].count("/moved") == 1


def test_a_token_is_replaced_before_it_ends(api: Api) -> None:
    """One that is about to end is not sent on its way."""
    api.lives_seconds = 0.0
    credential = ClientCredentials(api.url(), "the-client", "the-secret")

    assert [credential.headers()["Authorization"] for _ in range(2)] == ["Bearer lga_1", "Bearer lga_2"]


def test_a_refresh_token_is_replaced_by_each_use(api: Api) -> None:
    """The new one is kept before the access token is used; the old one is not sent again."""
    kept: list[str] = []
    credential = RefreshToken(api.url(), "the-client", "the-refresh-token", keep=kept.append)

    assert _by_requests(api.url("/a"), credential) == 200
    api.refused = 1
    assert _by_requests(api.url("/a"), credential) == 200

    assert [grant["refresh_token"] for grant in api.grants] == ["the-refresh-token", "lgr_1"]
    assert kept == ["lgr_1", "lgr_2"]


@each_client
def test_nothing_is_sent_to_where_a_redirect_leads(api: Api, get: Get) -> None:
    """After a redirect to another host no secret is sent there, and its refusal fetches no other token."""
    for credential in (ApiKey("the-key", "the-secret"), ClientCredentials(api.url(), "the-client", "the-secret")):
        api.seen.clear()
        # The same server by another name: another host.
        api.lead_to = api.url("/stolen", host="localhost")
        grants = len(api.grants)

        assert get(api.url("/moved"), credential) == 401

        assert [path for path, _ in api.seen] == ["/moved", "/stolen"]
        assert api.seen[1] == ("/stolen", None)
        assert len(api.grants) <= grants + 1


@each_client
def test_a_credential_for_one_server_is_sent_to_no_other(api: Api, get: Get) -> None:
    """Bound to an address, it is refused to any other scheme, host and port, before anything is sent."""
    bound = ApiKey("the-key", "the-secret", only_for=api.url())
    assert get(api.url("/a"), bound) == 200

    with pytest.raises(WrongHost, match="not for http://localhost"):
        get(api.url("/b", host="localhost"), bound)

    assert [path for path, _ in api.seen] == ["/a"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, b'{"error": "invalid_grant", "error_description": "gone"}'), "invalid_grant"),
        ((200, b"<html>"), "unreadable"),
        ((200, b'{"expires_in": 3}'), "unreadable"),
        ((302, b'{"access_token": "stolen", "expires_in": 3600}'), "302"),
    ],
)
def test_without_a_token_nothing_is_sent(api: Api, answer: tuple[int, bytes], error: str) -> None:
    """A server that gives no token is told by its error, which holds no secret; the request does not leave."""
    api.fails = answer
    credential = ClientCredentials(api.url(), "the-client", "the-secret")

    with pytest.raises(TokenError) as raised:
        _by_requests(api.url("/a"), credential)

    assert raised.value.error == error
    assert not any(secret in str(raised.value) for secret in _SECRETS)
    assert api.seen == []


def test_a_server_that_is_not_there() -> None:
    """It is an error of its own."""
    with pytest.raises(TokenError, match="unreachable"):
        ClientCredentials("http://127.0.0.1:9", "the-client", "the-secret").headers()


_ADDRESSES = [
    ("https://auth.example.com/auth", "what follows the host would not count"),
    ("https://auth.example.com?a=the-secret", "what follows the host would not count"),
    ("https://auth.example.com#the-secret", "what follows the host would not count"),
    ("https://user:the-secret@auth.example.com", "a user or a password"),
    ("https://user:the-/secret?the-secret@auth.example.com/auth", "a user or a password"),
    ("user:the-secret@auth.example.com", "a user or a password"),
    ("https://auth.example.com:many", "its host or its port cannot be read"),
    ("https://[::1", "its host or its port cannot be read"),
    ("https://user:the-secret@\u2100.example.com", "a user or a password"),
    ("auth.example.com", "write http://host:port or https://host"),
    ("ftp://auth.example.com", "write http://host:port or https://host"),
    ("", "write http://host:port or https://host"),
    ("https://auth.example.com;the-secret", "its host or its port cannot be read"),
    ("https://auth.example.com\\the-secret", "its host or its port cannot be read"),
    ("https://auth ex.example.com", "its host or its port cannot be read"),
    ("https://auth\n.example.com", "its host or its port cannot be read"),
    ("https://auth.example.com\n", "its host or its port cannot be read"),
    ("\thttps://auth.example.com", "write http://host:port or https://host"),
    ("https://auth.example.com/\n", "what follows the host would not count"),
    ("https://auth.example.com:0", "its host or its port cannot be read"),
    ("https://auth.example.com:65536", "its host or its port cannot be read"),
    ("https://b\u00fccher.example", "its host or its port cannot be read"),
    ("https://[::1]x", "its host or its port cannot be read"),
    ("https://[:::1]", "its host or its port cannot be read"),
    ("user:the-secret", "write http://host:port or https://host"),
    ("https://user:the-secret%40auth.example.com", "its host or its port cannot be read"),
    ("https://the-secret/%40auth.example.com", "what follows the host would not count"),
    ("https://auth.example.com/the-secret", "what follows the host would not count"),
]


@pytest.mark.parametrize(("address", "told"), _ADDRESSES)
@pytest.mark.parametrize(
    "make",
    [
        lambda address: ClientCredentials(address, "the-client", "the-secret"),
        lambda address: RefreshToken(address, "the-client", "the-refresh-token"),
        lambda address: ApiKey("the-key", "the-secret", only_for=address),
        lambda address: AccessToken("lga_1", only_for=address),
        lambda address: ClientCredentials("http://a", "the-client", "the-secret", only_for=address),
        lambda address: RefreshToken("http://a", "the-client", "the-refresh-token", only_for=address),
    ],
)
def test_an_address_that_would_not_count_as_it_is_written_is_told(
    make: Callable[[str], Credential], address: str, told: str
) -> None:
    """A path is not passed over in silence, and no error shows the password that somebody put there."""
    with pytest.raises(ValueError, match=r"is no server: ") as raised:
        make(address)

    assert told in str(raised.value)
    assert not any(secret in str(raised.value) for secret in ("the-", "secret"))
    assert raised.value.__cause__ is None


def test_an_address_with_a_slash_at_its_end_is_whole(api: Api) -> None:
    """So is one with a port, or in capitals."""
    assert ClientCredentials(api.url("/"), "the-client", "the-secret").headers()
    for address in ("HTTPS://A.example.com:443/", "http://[::1]:8000", "http://[fe80::1%eth0]", "http://my_app:80//"):
        assert ApiKey("the-key", "the-secret", only_for=address).only_for == address


def test_an_address_that_is_none_is_shown_without_what_may_be_secret() -> None:
    """Scheme and host help whoever mistyped it; nothing else of it is shown."""
    with pytest.raises(ValueError, match=r"^only_for 'https://a\.example\.com' is no server: "):
        ApiKey("the-key", "the-secret", only_for="https://a.example.com:8000/the-secret")
    with pytest.raises(ValueError, match=r"^only_for is no server: "):
        ApiKey("the-key", "the-secret", only_for="https://a;the-secret")
    with pytest.raises(ValueError, match=r"^the address is no server: "):
        ClientCredentials("the-secret:8000", "the-client", "the-secret")


@pytest.mark.parametrize("secret", ["the-secret\n", "the-\rsecret", " the-secret", "the-secret\0"])
@pytest.mark.parametrize("make", [lambda text: ApiKey("the-key", text), AccessToken])
def test_a_secret_that_no_header_can_hold_is_not_shown(make: Callable[[str], Credential], secret: str) -> None:
    """As one that was read from a file with the end of its line, which the libraries would show in their errors."""
    with pytest.raises(ValueError, match="holds a line break") as raised:
        make(secret)

    assert "the-" not in str(raised.value)


def test_no_secret_is_shown(api: Api) -> None:
    """What a log or a traceback prints of a credential tells no secret."""
    credentials: list[Any] = [
        ApiKey("the-key", "the-secret"),
        AccessToken("lga_1"),
        ClientCredentials(api.url(), "the-client", "the-secret"),
        RefreshToken(api.url(), "the-client", "the-refresh-token", client_secret="the-secret"),
    ]
    for credential in credentials:
        for shown in (credential, credential.for_requests(), credential.for_httpx()):
            assert not any(secret in repr(shown) for secret in _SECRETS), shown
