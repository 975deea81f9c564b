"""What is tried at the authorization endpoint: to be sent elsewhere, and to be allowed by nobody."""

from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

import pytest

from support.asgi import PASSWORD, Answer, opened_service
from support.oauth import CALLBACK, ENDPOINTS, App, OAuth, fields_of_form, told_in

USER, OTHER_USER = "victim@example.com", "attacker@example.com"
_SITE = "http://127.0.0.1:8000"
_ELSEWHERE = {
    "another host": "https://evil.example/cb",
    "userinfo": "https://app.example@evil.example/cb",
    "userinfo with a port": "https://app.example:443@evil.example/cb",
    "backslash": "https://evil.example\\@app.example/cb",
    "backslash in the path": "https://app.example\\cb",
    "no scheme": "//app.example/cb",
    "no host": "https:///app.example/cb",
    "one slash": "https:/app.example/cb",
    "encoded dot": "https://app%2eexample/cb",
    "encoded path": "https://app.example/%63b",
    "fragment": f"{CALLBACK}#",
    "fragment with a host": f"{CALLBACK}#@evil.example",
    "host in capitals": "https://APP.example/cb",
    "path in capitals": "https://app.example/CB",
    "scheme in capitals": "HTTPS://app.example/cb",
    "trailing dot": "https://app.example./cb",
    "default port": "https://app.example:443/cb",
    "another port": "https://app.example:8443/cb",
    "path goes on": f"{CALLBACK}/evil",
    "path steps up": f"{CALLBACK}/../evil",
    "slash at the end": f"{CALLBACK}/",
    "query": f"{CALLBACK}?next=https://evil.example",
    "parameters": f"{CALLBACK};x=1",
    "subdomain": "https://app.example.evil.example/cb",
    "http": "http://app.example/cb",
    "javascript": "javascript:alert(1)//https://app.example/cb",
    "data": "data:text/html,x",
    "space before": f" {CALLBACK}",
    "space after": f"{CALLBACK} ",
    "line feed": f"{CALLBACK}\n",
    "header": f"{CALLBACK}\r\nSet-Cookie: a=b",
    "NUL": f"{CALLBACK}\x00",
    "tab inside": "https://app.exa\tmple/cb",
    "full-width dot": "https://app\uff0eexample/cb",
    "look-alike": "https://\u0430pp.example/cb",
    "wildcard": "https://*/cb",
    "empty host": "https://",
    "this service": f"{_SITE}/app",
}
_TARGETS = {
    "another host": "https://evil.example/",
    "no scheme": "//evil.example/",
    "backslashes": "\\\\evil.example/",
    "slash and backslash": "/\\evil.example/",
    "this host as user": f"{_SITE}@evil.example/",
    "this host as beginning": f"{_SITE}.evil.example/",
    "tab": "/\t/evil.example/",
    "space": " //evil.example/",
    "line feed": "/\n/evil.example/",
    "javascript": "javascript:alert(1)",
    "encoded": "https%3A%2F%2Fevil.example",
    "behind this service": f"{_SITE}//evil.example/",
}


@pytest.fixture(scope="module")
def oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuth]:
    """A service with two users."""
    with opened_service(tmp_path_factory.mktemp("attacked") / "home") as service:
        service.make_user(USER)
        service.make_user(OTHER_USER)
        yield OAuth(service)


@pytest.fixture(scope="module")
def app(oauth: OAuth) -> App:
    """A confidential client."""
    return oauth.make()


@pytest.fixture(scope="module")
def trusted(oauth: OAuth) -> App:
    """A client for which nobody is asked."""
    return oauth.make("Trusted", skip_authorization=True)


# To be sent elsewhere


@pytest.mark.parametrize("name", _ELSEWHERE)
@pytest.mark.parametrize("user", ["", USER])
def test_nobody_is_sent_to_an_address_that_was_not_registered(
    oauth: OAuth, app: App, trusted: App, name: str, user: str
) -> None:
    """Whatever resembles a registered address leads nowhere, trusted client or not, signed in or not."""
    for client in (app, trusted):
        answer = oauth.ask(oauth.request(client, {"redirect_uri": _ELSEWHERE[name]}), user)

        assert answer.status == 400
        assert answer.header("location") is None
        assert "form-action 'self';" in f"{answer.header('content-security-policy')};"


@pytest.mark.parametrize("name", _ELSEWHERE)
def test_an_answer_does_not_lead_elsewhere_either(oauth: OAuth, app: App, name: str) -> None:
    """What was shown is judged again when the user answers: a changed form leads nowhere."""
    fields = dict(fields_of_form(oauth.ask(oauth.request(app, {"prompt": "consent"}), USER).text))

    for decision in ("allow", "deny"):
        sent = {**fields, "redirect_uri": _ELSEWHERE[name], "decision": decision}
        answer = oauth.send("approve", sent, user=USER)

        assert (answer.status, answer.header("location")) == (400, None)


@pytest.mark.parametrize("name", _TARGETS)
def test_a_sign_in_leads_nowhere_else(oauth: OAuth, name: str) -> None:
    """The parameter of the sign-in page that says where to go on stays within this service."""
    form = {"usr": USER, "pwd": PASSWORD, "redirect-to": _TARGETS[name]}

    shown = oauth.service.ask(f"/login?redirect-to={quote(_TARGETS[name])}", headers=[("accept", "text/html")])
    answer = oauth.send("/login", form)

    assert "evil" not in (shown.header("content-security-policy") or "")
    assert answer.status == 303
    assert answer.header("location") in {"/app", "/me"}


def test_a_sign_in_goes_on_to_the_request_it_came_from(oauth: OAuth, app: App) -> None:
    """The way from the request by the sign-in page and back keeps every parameter."""
    location = oauth.ask(oauth.request(app, {"state": "a&b=c d"})).header("location") or ""
    page = oauth.service.ask(location, headers=[("accept", "text/html")])

    answer = oauth.send("/login", [*fields_of_form(page.text), ("usr", USER), ("pwd", PASSWORD)])

    back = urlsplit(answer.header("location") or "")
    assert (back.netloc, back.path) == ("", f"{ENDPOINTS}authorize")
    assert dict(oauth.request(app, {"state": "a&b=c d"})).items() <= told_in(answer.header("location")).items()


def test_a_client_that_is_unknown_or_ended_is_sent_nothing(oauth: OAuth, app: App) -> None:
    """Without a client there is no address that could be proved."""
    for client_id in ("nosuch", "", "\x00", "\udc80".encode("utf-8", "surrogatepass").hex(), "a" * 5000):
        answer = oauth.ask(oauth.request(app, {"client_id": client_id}), USER)

        assert (answer.status, answer.header("location")) == (400, None)


# To be allowed by nobody


def _approve(
    oauth: OAuth, fields: dict[str, str], *headers: tuple[str, str], authorization: str | None = None
) -> Answer:
    return oauth.service.post(f"{ENDPOINTS}approve", fields, authorization, form=True, headers=headers)


def _fields(oauth: OAuth, app: App, user: str = USER) -> dict[str, str]:
    page = oauth.ask(oauth.request(app, {"prompt": "consent"}), user)
    return {**dict(fields_of_form(page.text)), "decision": "allow"}


def _nothing_given(answer: Answer) -> None:
    assert answer.status in {400, 401, 403}, answer.text
    assert answer.header("location") is None
    assert "lgo_" not in answer.text


def test_consent_by_get_is_none(oauth: OAuth, app: App) -> None:
    """An address that a browser follows, as an image does, allows nothing, not even with the session's token."""
    fields = _fields(oauth, app)

    for sent in (fields, {**fields, "decision": ""}, dict(oauth.request(app))):
        target = f"{ENDPOINTS}approve?{urlencode(sent)}"
        _nothing_given(oauth.service.ask(target, headers=[("cookie", f"sid={oauth.sid(USER)}")]))


@pytest.mark.parametrize("token", [None, "", "x", "of another session"])
def test_consent_without_the_sessions_own_token_is_none(oauth: OAuth, app: App, token: str | None) -> None:
    """A form that another site sends allows nothing, with a token of the attacker's own session neither."""
    fields = _fields(oauth, app)
    del fields["csrf_token"]
    if token is not None:
        fields["csrf_token"] = _fields(oauth, app, OTHER_USER)["csrf_token"] if " " in token else token

    _nothing_given(_approve(oauth, fields, ("cookie", f"sid={oauth.sid(USER)}")))


def test_consent_without_a_session_is_none(oauth: OAuth, app: App) -> None:
    """The token without its session allows nothing."""
    _nothing_given(_approve(oauth, _fields(oauth, app)))


@pytest.mark.parametrize("decision", ["", "yes", "ALLOW", "allow ", "deny,allow"])
def test_consent_is_a_clear_yes(oauth: OAuth, app: App, decision: str) -> None:
    """Nothing but the page's own button allows anything."""
    fields = {**_fields(oauth, app), "decision": decision}

    _nothing_given(_approve(oauth, fields, ("cookie", f"sid={oauth.sid(USER)}")))


def test_yes_and_no_at_once_is_no_answer(oauth: OAuth, app: App) -> None:
    """Two decisions in one form are none."""
    sent = [*_fields(oauth, app).items(), ("decision", "deny")]

    _nothing_given(oauth.send("approve", sent, user=USER))


@pytest.mark.parametrize("name", ["user_id", "full_name", "system_user"])
def test_no_cookie_but_the_sessions_names_the_user(oauth: OAuth, app: App, name: str) -> None:
    """A cookie that names somebody else changes nobody: the code is the session's user's."""
    cookie = f"{name}={quote(USER)}; sid={oauth.sid(OTHER_USER)}"

    answer = _approve(oauth, _fields(oauth, app, OTHER_USER), ("cookie", cookie))

    tokens = oauth.exchange(app, told_in(answer.header("location"))["code"]).document
    assert oauth.introspect(app, tokens["access_token"])["username"] == OTHER_USER


@pytest.mark.parametrize("name", ["user", "user_id", "username", "usr", "sub"])
def test_no_parameter_names_the_user(oauth: OAuth, app: App, name: str) -> None:
    """A parameter that names somebody else is one that nobody knows."""
    answer = oauth.ask(oauth.request(app, {name: USER, "prompt": "consent"}), OTHER_USER)

    code = told_in(oauth.decide(answer, OTHER_USER).header("location"))["code"]
    tokens = oauth.exchange(app, code).document
    assert oauth.introspect(app, tokens["access_token"])["username"] == OTHER_USER


@pytest.mark.parametrize("scheme", ["token", "basic", "bearer"])
def test_no_credential_but_a_session_allows_anything(oauth: OAuth, trusted: App, scheme: str) -> None:
    """An API key or an access token, which a program holds, stands for no user at a browser."""
    pair = oauth.service.make_key(USER)
    bearer = oauth.tokens(trusted, USER)["access_token"]
    authorization = {"token": pair.token, "basic": pair.basic, "bearer": f"Bearer {bearer}"}[scheme]

    asked = oauth.service.ask(f"{ENDPOINTS}authorize?{urlencode(oauth.request(trusted))}", authorization)
    answered = _approve(oauth, {**dict(oauth.request(trusted)), "decision": "allow"}, authorization=authorization)

    _nothing_given(asked)
    _nothing_given(answered)


def test_a_session_that_ended_allows_nothing(oauth: OAuth, app: App) -> None:
    """The page that was open when the user signed out is of no use."""
    user = oauth.service.make_user("left@example.com")
    fields, sid = _fields(oauth, app, user), oauth.sid(user)
    oauth.service.ask(
        "/logout", method="POST", headers=[("cookie", f"sid={sid}"), ("x-frappe-csrf-token", fields["csrf_token"])]
    )

    _nothing_given(_approve(oauth, fields, ("cookie", f"sid={sid}")))


def test_what_the_user_was_not_shown_is_not_allowed(oauth: OAuth) -> None:
    """What was allowed before covers what it covered, and nothing beyond."""
    app = oauth.make("Greedy", scopes=frozenset({"User:read", "Role:read"}))
    oauth.code(app, USER, {"scope": "User:read"})

    again = oauth.ask(oauth.request(app, {"scope": "User:read"}), USER)
    more = oauth.ask(oauth.request(app, {"scope": "User:read Role:read"}), USER)
    silently = oauth.ask(oauth.request(app, {"scope": "Role:read", "prompt": "none"}), USER)

    assert "code" in told_in(again.header("location"))
    assert more.status == 200
    assert told_in(silently.header("location"))["error"] == "consent_required"


@pytest.mark.parametrize(
    "challenge",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "s256"},
        {"code_challenge": "a" * 42},
        {"code_challenge": "a" * 44},
        {"code_challenge": "=" * 43},
    ],
)
def test_pkce_is_s256_or_nothing(oauth: OAuth, app: App, challenge: dict[str, str | None]) -> None:
    """`plain`, a method that was left out, or what is no S256, gets no code."""
    for user in (USER, OTHER_USER):
        answer = oauth.ask(oauth.request(app, challenge), user)

        assert told_in(answer.header("location"))["error"] == "invalid_request"
