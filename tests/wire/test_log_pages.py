"""The pages of the logs: whose rows there are for whom, how a row opens, and that what callers chose is text."""

import re
from collections.abc import Iterator

import pytest

from support.asgi import LOGGED_USER
from support.envelopes import assert_page, assert_shown
from support.logged import API, AUDITOR, HOST, MANAGER, OTHER, PEER_OF_OTHER, WEB, LoggedService, names_in, rows_in

LOG, ACTIVITY = "/app/request-log", "/app/activity"
HTML = ("accept", "text/html")
GUEST = ""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedService]:
    """An instance whose logs have something in them."""
    logged = LoggedService(tmp_path_factory.mktemp("logged") / "home")
    yield logged
    logged.service.close()


# 200: who sees what


@pytest.mark.parametrize("path", [LOG, ACTIVITY, f"{LOG}?status=abc", f"{ACTIVITY}?since=never"])
@pytest.mark.parametrize(
    ("user", "statuses"),
    [(GUEST, {303}), (WEB, {403}), (API, {200, 417}), (AUDITOR, {200, 417}), (MANAGER, {200, 417})],
)
def test_the_logs_are_for_the_desk_s_users(logged: LoggedService, path: str, user: str, statuses: set[int]) -> None:
    """Guests are sent to sign in, Website Users are kept out, all others find at least their own rows."""
    answer = logged.open(path, user)

    assert answer.status in statuses
    if answer.status != 303:
        assert_page(answer)
    else:
        assert answer.header("location") == "/login"


@pytest.mark.parametrize(
    "query", ["", "?whose=all", "?since=any&whose=all", f"?user={OTHER}", f"?address={PEER_OF_OTHER}"]
)
def test_without_a_right_to_all_there_are_one_s_own_rows_alone(logged: LoggedService, query: str) -> None:
    """Whatever the address asks for; and no choice of whose is offered."""
    text = logged.show(f"{LOG}{query}", API)
    activity = logged.show(f"{ACTIVITY}{query}", API)

    for row in rows_in(text):
        assert API in row
    for row in rows_in(activity):
        assert API in row
    assert ("ping?number=1" in text) == ("user=" not in query and "address=" not in query)
    assert "other-agent" not in text
    assert 'name="whose"' not in text + activity


@pytest.mark.parametrize("user", [MANAGER, AUDITOR])
def test_whoever_may_read_all_sees_all_or_their_own(logged: LoggedService, user: str) -> None:
    """By choice, in both logs."""
    everybody, mine = logged.show(LOG, user), logged.show(f"{LOG}?whose=mine", user)

    assert {API, OTHER} <= set(re.findall("[a-z]+@example.com", "".join(rows_in(everybody))))
    assert set(re.findall("[a-z]+@example.com", "".join(rows_in(mine)))) == {user}
    assert "Requests: mine" in mine
    assert "API key generated" in "".join(rows_in(logged.show(ACTIVITY, user)))
    assert "API key generated" not in "".join(rows_in(logged.show(f"{ACTIVITY}?whose=mine", user)))


@pytest.mark.parametrize(
    ("scopes", "status"), [({"API Request Log:read"}, 200), ({"Activity Log:read"}, 403), ({"User:read"}, 403)]
)
def test_a_key_that_reaches_less_sees_less(logged: LoggedService, scopes: set[str], status: int) -> None:
    """The page is what the service allows; the navigation agrees."""
    key = logged.service.make_key(MANAGER, scopes=frozenset(scopes))

    answer = logged.service.ask(LOG, key.token, headers=[HTML])

    assert answer.status == status
    assert (f'href="{LOG}"' in answer.text) == (status == 200)
    assert logged.service.ask(f"{LOG}?status=abc", key.token, headers=[HTML]).status == (417 if status == 200 else 403)


@pytest.mark.parametrize("address", [LOG, ACTIVITY])
def test_a_row_of_another_is_as_good_as_absent(logged: LoggedService, address: str) -> None:
    """By its own address, opened in place, and as the row after which a page goes on."""
    query = f"?user={OTHER}" if address == LOG else "?operation=api_key.generated"
    others = names_in(logged.show(f"{address}{query}&since=any"))[0]
    absent = "999999999"

    for name in (others, absent):
        assert logged.open(f"{address}/{name}", API).status == 404
        assert "not there, or not yours to see" in logged.show(f"{address}?open={name}", API)
        assert "not there, or not yours to see" in assert_shown(logged.open(f"{address}?after={name}", API), 417)
    assert logged.open(f"{address}/{others}", MANAGER).status == 200
    (own, *_) = names_in(logged.show(address, API))
    assert API in logged.show(f"{address}/{own}", API)
    assert [logged.open(f"{address}/{own}", user).status for user in (GUEST, WEB)] == [303, 403]


# 200: a row opens


def test_a_row_opens_in_place_and_closes(logged: LoggedService) -> None:
    """With everything about it, at the address that says so; nothing else of the list changes."""
    filtered = f"{LOG}?status=refused&reason=wrong_secret"
    (name,) = names_in(logged.show(filtered))

    text = logged.show(f"{filtered}&open={name}")

    (whole,) = re.findall(rf'<tr class="whole" id="whole-{name}">(.*?)</tr>', text, re.DOTALL)
    for told in ("the secret was wrong", "wrong_secret", "Request ID", "User agent", " UTC", "seconds", "token"):
        assert told in whole
    for words in ("same key", "same address", "same path", "same status", "same reason"):
        assert f">{words}</a>" in whole
    assert ">same user</a>" not in whole
    closing = filtered.replace("&", "&amp;")
    assert f'aria-expanded="true" aria-controls="whole-{name}" hx-get="{closing}"' in re.sub(r"\s+", " ", text)
    assert f'href="{closing}#row-{name}"' in text
    assert f'href="{LOG}/{name}">This row by itself</a>' in whole


def test_a_row_of_an_application_tells_its_host(logged: LoggedService) -> None:
    """Before the path, in what opens, and as a way to more of it; other rows have no place for one."""
    address = f"{LOG}?host={HOST}"
    (name,) = names_in(logged.show(address))
    (row,) = rows_in(logged.show(address))

    for shown in (f"{address}&open={name}", f"{LOG}/{name}"):
        text = logged.show(shown)
        assert f'<dt>Host</dt><dd class="mono">{HOST}</dd>' in text
        assert f"host={HOST}" in text
        assert ">same host</a>" in text
    assert f"GET {HOST} /reports/quarter?page=2" in row
    (other,) = names_in(logged.show(f"{LOG}?reason=wrong_secret"))
    text = logged.show(f"{LOG}?reason=wrong_secret&open={other}")
    assert "<dt>Host</dt>" not in text
    assert ">same host</a>" not in text


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_tells_the_host(logged: LoggedService, form: str) -> None:
    """In both forms, narrowed by it as the page is."""
    answer = logged.open(f"{LOG}/export?host={HOST}&format={form}", MANAGER)

    assert answer.status == 200
    assert (answer.text.count("/reports/quarter"), answer.text.count(HOST)) == (1, 1)


def test_a_long_host_is_shortened_where_rows_are_listed(logged: LoggedService) -> None:
    """And whole where one is opened: no row is wider for it."""
    host = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.example.com"
    logged.ask_for(host, "/wide", logged.pairs[OTHER])

    text = logged.show(f"{LOG}?host={host}&open=")

    (row,) = rows_in(text)
    assert "GET aaaaaaaaaaaaaaaa…ple.com /wide" in row


def test_more_like_this_adds_a_filter_and_closes_the_row(logged: LoggedService) -> None:
    """What the list was narrowed to stays."""
    (name,) = names_in(logged.show(f"{LOG}?reason=wrong_secret&since=any"))

    text = logged.show(f"{LOG}?reason=wrong_secret&since=any&open={name}")

    assert f'href="{LOG}?since=any&amp;reason=wrong_secret&amp;status=401">same status</a>' in text
    assert (
        f'href="{LOG}?since=any&amp;reason=wrong_secret&amp;path={LOGGED_USER.replace("/", "%2F")}">same path</a>'
        in text
    )


def test_an_opened_row_is_shown_whatever_came_since(logged: LoggedService) -> None:
    """An address that was sent to somebody shows its row, though it is no longer of the page."""
    (name,) = names_in(logged.show(f"{LOG}?reason=wrong_secret"))

    text = logged.show(f"{LOG}?status=succeeded&open={name}")

    assert "<h2>The opened row</h2>" in text
    assert "the secret was wrong" in text


@pytest.mark.parametrize(
    ("address", "query", "told"),
    [(LOG, "reason=wrong_secret", "the secret was wrong"), (ACTIVITY, "operation=role.created", "by the command line")],
)
def test_a_row_has_a_page_of_its_own(logged: LoggedService, address: str, query: str, told: str) -> None:
    """With the same about it."""
    (name,) = names_in(logged.show(f"{address}?{query}"))

    text = logged.show(f"{address}/{name}")

    assert told in text
    assert "This row by itself" not in text


def test_what_a_caller_chose_is_text(logged: LoggedService) -> None:
    """Paths and names of programs, in the row, opened, alone, and in the chips; `assert_page` looks at every tag."""
    path = f"{LOG}?path=%3Cscript%3E&address=%22%3E%3Cimg+src%3Dx%3E"
    assert "&lt;script&gt;" in logged.show(path)
    (name,) = names_in(logged.show(f"{LOG}?path=script%3E&user={API}"))

    for shown in (f"{LOG}?path=script%3E&open={name}&user={API}", f"{LOG}/{name}"):
        text = logged.show(shown)
        assert "/api/method/&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "&#34;&gt;&lt;img src=x onerror=alert(2)&gt;" in text
        assert "<img src=x" not in text
        assert "<script>" not in text


def test_no_secret_is_shown(logged: LoggedService) -> None:
    """Neither one that was sent rightly nor one in a query or a wrong one."""
    rows = names_in(logged.show(f"{LOG}?since=any&key={logged.pairs[API].key_id}"))
    texts = [logged.show(f"{LOG}?since=any&key={logged.pairs[API].key_id}&open={name}") for name in rows]

    assert rows
    for secret in (logged.pairs[API].secret, "hidden-in-a-query", "wrong-secret"):
        assert all(secret not in text for text in texts)
    assert any("api_secret=***" in text for text in texts)


def test_a_user_s_form_shows_their_requests_alike(logged: LoggedService) -> None:
    """A row opens there too, and the rest is in the log."""
    text = logged.show(f"/app/user/{OTHER}?tab=activity")
    name = names_in(text)[-1]

    assert f'href="{LOG}?user=other%40example.com&amp;since=any"' in text
    opened = logged.show(f"/app/user/{OTHER}?tab=activity&open={name}")
    assert f'id="whole-{name}"' in opened or "<h2>The opened row</h2>" in opened
    assert f'href="{LOG}?since=any&amp;user=other%40example.com">same user</a>' in opened
    assert "Begin with the newest" in logged.show(f"/app/user/{OTHER}?tab=activity&after=rubbish")


# 403


@pytest.mark.parametrize("path", [LOG, ACTIVITY, f"{LOG}/1", f"{ACTIVITY}/1"])
def test_nothing_is_sent_to_a_log(logged: LoggedService, path: str) -> None:
    """A log is read."""
    sid = logged.service.sign_in(MANAGER).sid
    sent = {"csrf_token": logged.service.csrf_token(sid)}

    assert logged.service.post(path, sent, form=True, headers=[("cookie", f"sid={sid}"), HTML]).status == 403
