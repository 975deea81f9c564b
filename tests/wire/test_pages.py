"""The pages for people: they work without a script, load nothing from elsewhere and show nothing of others."""

import re

import pytest

from support.asgi import PASSWORD, Pair, Service
from support.envelopes import assert_page, assert_refused, assert_shown

API, WEB, MANAGER = "api@example.com", "web@example.com", "manager@example.com"
PAGES = ["/app", "/me"]


def _cookie(sid: str) -> tuple[str, str]:
    return "cookie", f"sid={sid}"


def _form(text: str, address: str = "") -> tuple[str, dict[str, str]]:
    """Read a page's only form, or that of an address, as a browser would: where it goes, what it sends along."""
    forms = re.findall(r"<form\b[^>]*>.*?</form>", text, re.DOTALL)
    (form,) = [form for form in forms if not address or f'action="{address}"' in form]
    action = re.search(r'<form method="post"(?: action="([^"]*)")?', form)
    assert action
    fields = dict.fromkeys(re.findall(r'<input[^>]*\bname="([^"]+)"', form), "")
    fields |= dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    return action[1] or "", fields


# 200


def test_signing_in_needs_no_script(service: Service) -> None:
    """The form's own fields and address open a session, which the next page knows."""
    action, fields = _form(assert_page(service.ask("/login")))
    assert fields.keys() == {"usr", "pwd"}

    answer = service.post(
        action, {"usr": MANAGER, "pwd": PASSWORD}, form=True, headers=[("sec-fetch-site", "same-origin")]
    )
    page = service.ask(answer.header("location") or "", headers=[_cookie(answer.sid)])

    assert (answer.status, answer.header("location")) == (303, "/app")
    assert "Mary" in assert_page(page)


def test_a_website_user_comes_to_the_account(service: Service) -> None:
    """Who has no desk is sent past it."""
    answer = service.post("/login", {"usr": WEB, "pwd": PASSWORD}, form=True)

    assert answer.header("location") == "/me"
    desk = service.ask("/app", headers=[_cookie(answer.sid)])
    assert (desk.status, desk.header("location")) == (303, "/me")


@pytest.mark.parametrize("path", PAGES)
def test_signing_out_needs_no_script(service: Service, path: str) -> None:
    """The form on every page ends the session."""
    sid = service.sign_in(API).sid
    action, fields = _form(assert_page(service.ask(path, headers=[_cookie(sid)])), "/logout")

    answer = service.post(action, fields, form=True, headers=[_cookie(sid)])

    assert (answer.status, answer.header("location")) == (303, "/login")
    assert all("Max-Age=0" in value for value in answer.cookies.values())
    assert service.ask("/me", headers=[_cookie(sid)]).header("location") == "/login"


def test_the_account_shows_the_user_and_the_csrf_token(service: Service) -> None:
    """Where Frappe's clients look for it, the token stands as `csrf_token="<hex>"`, in no script."""
    sid = service.sign_in(API).sid

    answer = service.ask("/me", headers=[_cookie(sid)])
    text = assert_page(answer)

    assert len(set(re.findall(r'csrf_token="([0-9a-f]{64})"', text))) == 1
    assert sid not in text
    assert API in text
    assert answer.row.scheme == "session"
    assert answer.cookies == {}


def test_a_key_opens_a_page_without_a_csrf_token(service: Service, api_key: Pair) -> None:
    """A page can be had with a key too; there is no session then to guard."""
    text = assert_page(service.ask("/me", api_key.token))

    assert API in text
    assert "csrf_token" not in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 'eval' ~ 'uated' }}"]
)
def test_a_user_s_name_is_text(service: Service, name: str) -> None:
    """Whatever somebody is called, a page shows it and runs nothing."""
    user = service.make_user(f"name{abs(hash(name))}@example.com", first_name=name)
    sid = service.sign_in(user).sid

    text = assert_page(service.ask("/me", headers=[_cookie(sid)]))

    assert "evaluated" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize(("name", "kind"), [("desk.css", "text/css; charset=utf-8"), ("mark.svg", "image/svg+xml")])
def test_files_of_the_pages_are_kept_by_browsers(service: Service, name: str, kind: str) -> None:
    """They are the same for everybody, so that a session's cookie neither opens them nor leaves a row."""
    answer = service.ask(f"/assets/{name}", headers=[_cookie(service.sign_in(API).sid)])

    assert answer.header("content-type") == kind
    assert answer.header("cache-control") == "public, max-age=3600"
    assert answer.rows == ()


@pytest.mark.parametrize("path", ["/login", "/livez", "/assets/mark.svg"])
def test_head_is_answered_as_get(service: Service, path: str) -> None:
    """Pages and files take HEAD, for whoever looks whether they are there."""
    assert service.ask(path, method="HEAD").status == 200


# 400


def test_signing_out_without_the_csrf_token_is_refused(service: Service) -> None:
    """Another site's form cannot sign a visitor out."""
    answer = service.post("/logout", {}, form=True, headers=[_cookie(service.sign_in(API).sid)])

    assert_shown(answer, 400)
    assert answer.row.reason == "csrf_token_missing_or_wrong"
    assert answer.cookies == {}


def test_a_form_with_a_file_is_not_read(service: Service) -> None:
    """No page takes files, nor the form that carries them."""
    body = b'--x\r\nContent-Disposition: form-data; name="usr"; filename="a"\r\n\r\nb\r\n--x--\r\n'
    fields = [("content-type", "multipart/form-data; boundary=x")]

    text = assert_shown(service.ask("/login", method="POST", headers=fields, body=body), 400)

    assert "application/x-www-form-urlencoded" in text


# 401


def test_a_wrong_password_is_told_on_the_page(service: Service) -> None:
    """The form comes again with the name that was typed, as text, and without the password."""
    name, password = '"><script>x</script>@example.com', "wrong horse battery"

    answer = service.post("/login", {"usr": name, "pwd": password}, form=True, peer="198.51.100.9")

    text = assert_shown(answer, 401)
    assert "Invalid login credentials" in text
    assert "&#34;&gt;&lt;script&gt;" in text
    assert password not in text


@pytest.mark.parametrize("usr", [["a"], {"a": 1}, 5, None, "\ud800\x00\u202e", "x" * 100_000])
def test_what_is_no_name_is_not_shown(service: Service, usr: object) -> None:
    """A name that is no text, no character or no end does not break the page."""
    answer = service.post("/login", {"usr": usr, "pwd": "wrong horse battery"}, peer="198.51.100.10")

    text = assert_shown(answer, 401)
    assert len(text) < 5000
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("path", [*PAGES, "/login", "/", "/logout"])
def test_a_bad_header_is_refused_on_a_page_too(service: Service, path: str) -> None:
    """A wrong key gets a page that says so, not the sign-in form."""
    answer = service.ask(path, "token a:b")

    assert "Not signed in" in assert_shown(answer, 401)
    assert answer.row.reason == "unknown_key"


# 403 and the way to the sign-in page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("cookie", [None, "sid=0123456789abcdef", "sid=%00", "user_id=Administrator; system_user=yes"])
def test_a_guest_is_sent_to_sign_in(service: Service, path: str, cookie: str | None) -> None:
    """Who is not, or no longer, signed in comes to the form; what a cookie says of its user counts for nothing."""
    answer = service.ask(path, headers=[("cookie", cookie)] if cookie else [])

    assert (answer.status, answer.header("location")) == (303, "/login")


@pytest.mark.parametrize("path", [*PAGES, "/login", "/", "/setup/lgl_x", "/livez"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_pages_take_no_other_methods(service: Service, path: str, method: str) -> None:
    """A page says so too."""
    assert service.ask(path, method=method, headers=[("accept", "text/html")]).status == 403


# 404


@pytest.mark.parametrize("name", ["nope.css", "..%2f..%2fpages.py", "%2e%2e", "desk.css%00", "base.html"])
def test_there_are_no_other_files(service: Service, name: str) -> None:
    """Files are listed by name; nothing is looked for on the disk."""
    assert_refused(service.ask(f"/assets/{name}"), 404, "DoesNotExistError")


@pytest.mark.parametrize(
    ("user", "way", "words"), [("", "/login", "Sign in"), (API, "/app", "Go to Home"), (WEB, "/me", "Go to My account")]
)
def test_a_page_that_is_none_leads_on(service: Service, user: str, way: str, words: str) -> None:
    """Whoever sees it comes to a page of theirs: a guest to the sign-in page."""
    headers = [_cookie(service.sign_in(user).sid)] if user else []

    answer = service.ask("/no/such/page", headers=[*headers, ("accept", "text/html")])

    assert f'<a class="button" href="{way}">{words}</a>' in assert_shown(answer, 404)
    assert service.ask(way, headers=headers).status == 200
