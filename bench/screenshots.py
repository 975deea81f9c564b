"""Pictures of the pages for people, light and dark, wide and narrow, of an instance with a little in it.

    make screenshots
    make screenshots ONLY="keys* role"

They lie in build/screenshots, `<page>-<theme>-<width>.png`, and are made to be looked at. A page of the route table
that has no picture, and one that does not answer with 200, end the run with 1: a new page gets its line in PICTURES,
what it shows gets made in `_furnish`, and what only a click or a key shows stands in screenshot_states.py.
"""

import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from playwright.sync_api import Browser, Error, Page, sync_playwright
from screenshot_states import STATES, enter, second_factor

from latchgate.server.oauth.authorize import AUTHORIZE
from latchgate.server.oauth.end_session import END_SESSION
from latchgate.server.openapi_texts import PAGES
from support.applications import METHODS, Application, connect_application
from support.browsers import ARGUMENTS, find_program
from support.running import RunningLatchgate

_PASSWORD = "correct horse battery"
_FOLDER = Path(__file__).parents[1] / "build" / "screenshots"
_SIZES = ((1280, 900), (375, 800))
_WITHOUT_SESSION = frozenset({"login", "fault", "sign-in-client", "guest-not-found"})
_REFUSED = frozenset(
    {
        "fault",
        "internal",
        "guest-not-found",
        "not-found",
        "ann-not-permitted",
        "keys-long",
        "key-owner-refused",
        "role-dialog-kept",
    }
)
"""Those that are to be refused: what is said then is the picture."""
_ANN, _WEB = "ann@example.com", "web@example.com"

# What only a form leads to: the page in the route table, where the form is, and the button that sends it.
PRESSED = {
    "user-dialog-secret": (
        "/app/user/{name}/generate-keys",
        "/app/user/api@example.com/generate-keys",
        "Replace the secret",
    ),
    "client-dialog-secret": ("/app/oauth-client/{name}/rotate", "/app/oauth-client/{app}/rotate", "Rotate secret"),
    "user-dialog-link": ("/app/user/{name}/reset-link", "/app/user/api@example.com?tab=settings", "Make reset link"),
}
_WITHOUT_PICTURE = frozenset(
    {
        *("/me/session/{name}/end", "/me/end-other-sessions", "/app/user/{name}/session/{session}/end"),
        *("/app/user/{name}/end-sessions", "/app/role/{name}/second-factor", "/me/second-factor/download"),
        *("/me/second-factor/confirm", "/login/code", "/login/second-factor"),
        *("/app/request-log/tail", "/app/request-log/export", "/app/activity/export", "/metrics"),
        *("/app/api-key/{source}/{key}/end-former-secret", "/app/settings/{section}"),
        "/app/access-rule/{name}/move",
    }
)
"""They show nothing of their own, or to a half-way sign-in alone: see tests/browser/test_second_factor.py."""
_CLIENTS = "/app/oauth-client"
_KEY, _OWN_KEY = "/app/api-key/{source}/{key}", "/app/api-key/User/{key}"
_CONSUMER, _BILLING = "/app/event-consumer/{name}", "/app/event-consumer/Billing"
_RECORD, _DOOR = "/app/source/{source}/record/{name}", "/app/source/API%20Device/record/Front%20door"

# By the picture's name: the page in the route table, and the address that is opened.
PICTURES = {
    "login": ("/login", "/login"),
    "fault": ("/setup/{name}", "/setup/lgl_ended"),
    "guest-not-found": ("/no/such/page", "/no/such/page"),
    "not-found": ("/no/such/page", "/app/user/nobody@example.com"),
    "home": ("/app", "/app"),
    # Ann may do hardly anything, and the Website User comes to the account alone.
    "ann-home": ("/app", "/app"),
    "ann-keys": ("/app/api-key", "/app/api-key"),
    "ann-not-permitted": ("/app/settings", "/app/settings"),
    "web-account": ("/me", "/me"),
    "web-keys": ("/me", "/me?tab=keys"),
    "account": ("/me", "/me"),
    "password": ("/me/password", "/me/password"),
    "api": ("/api/docs", "/api/docs"),
    "search": ("/app/search", "/app/search?q=a"),
    "search-none": ("/app/search", "/app/search?q=nobody"),
    "help": ("/help", "/help"),
    "help-page": ("/help/{folder}/{name}", "/help/howto/desk"),
    "users": ("/app/user", "/app/user?enabled=yes"),
    "users-none": ("/app/user", "/app/user?search=nobody"),
    "user-new": ("/app/user/new", "/app/user/new"),
    "user-details": ("/app/user/{name}", "/app/user/api@example.com"),
    "user-roles": ("/app/user/{name}", "/app/user/api@example.com?tab=roles"),
    "user-settings": ("/app/user/{name}", "/app/user/api@example.com?tab=settings&done=revoked"),
    "user-activity": ("/app/user/{name}", "/app/user/api@example.com?tab=activity"),
    "user-dialog-generate": ("/app/user/{name}/generate-keys", "/app/user/api@example.com/generate-keys"),
    "user-new-key": ("/app/user/{name}/new-key", "/app/user/api@example.com/new-key"),
    "user-dialog-rotate": ("/app/user/{name}/key/{key}/rotate", "/app/user/api@example.com/key/{key}/rotate"),
    "user-dialog-revoke": ("/app/user/{name}/key/{key}/revoke", "/app/user/api@example.com/key/{key}/revoke"),
    "account-keys": ("/me", "/me?tab=keys"),
    "account-sessions": ("/me", "/me?tab=sessions&done=session-ended"),
    "account-requests": ("/me", "/me?tab=requests"),
    "account-dialog-generate": ("/me/generate-keys", "/me/generate-keys"),
    "account-new-key": ("/me/new-key", "/me/new-key"),
    "account-dialog-rotate": ("/me/key/{key}/rotate", "/me/key/{own}/rotate"),
    "account-dialog-revoke": ("/me/key/{key}/revoke", "/me/key/{own}/revoke"),
    "second-factor": ("/me/second-factor", "/me/second-factor"),
    "second-factor-set-up": ("/me/second-factor/set-up", "/me/second-factor/set-up"),
    "second-factor-codes": ("/me/second-factor/recovery-codes", "/me/second-factor/recovery-codes"),
    "second-factor-off": ("/me/second-factor/turn-off", "/me/second-factor/turn-off"),
    "user-sessions": ("/app/user/{name}", "/app/user/Administrator?tab=sessions"),
    "user-dialog-second-factor": (
        "/app/user/{name}/end-second-factor",
        "/app/user/api@example.com/end-second-factor",
    ),
    "sources": ("/app/source", "/app/source"),
    "sources-dialog-new": ("/app/source", "/app/source?new=1"),
    "source-records": ("/app/source/{source}", "/app/source/API%20Device?enabled=yes"),
    "source-records-none": ("/app/source/{source}", "/app/source/Event%20Consumer"),
    "source-dialog-new": ("/app/source/{source}", "/app/source/API%20Device?new=1"),
    "source-dialog-delete": ("/app/source/{source}/delete", "/app/source/API%20Device/delete"),
    "record": (f"{_RECORD}", f"{_DOOR}"),
    "record-dialog-delete": (f"{_RECORD}/delete", f"{_DOOR}/delete"),
    "record-dialog-generate": (f"{_RECORD}/generate-keys", f"{_DOOR}/generate-keys"),
    "record-new-key": (f"{_RECORD}/new-key", f"{_DOOR}/new-key"),
    "record-dialog-rotate": (f"{_RECORD}/key/{{key}}/rotate", f"{_DOOR}/key/{{door}}/rotate"),
    "record-dialog-revoke": (f"{_RECORD}/key/{{key}}/revoke", f"{_DOOR}/key/{{door}}/revoke"),
    "keys": ("/app/api-key", "/app/api-key"),
    "keys-wide": ("/app/api-key", "/app/api-key?finding=wide&state=live"),
    "keys-long": ("/app/api-key", f"/app/api-key?search={'long' * 51}"),
    "key-owner": ("/app/api-key/new", "/app/api-key/new"),
    "key-owner-refused": ("/app/api-key/new", "/app/api-key/new?source=API+Device&owner=Side+door"),
    "keys-revoke": ("/app/api-key/revoke", "/app/api-key/revoke?key:User:{key}=1&key:User:{own}=1&key:User:none=1"),
    "key": (_KEY, _OWN_KEY),
    "key-dialog-rotate": (f"{_KEY}/rotate", f"{_OWN_KEY}/rotate"),
    "key-dialog-revoke": (f"{_KEY}/revoke", f"{_OWN_KEY}/revoke"),
    "consumers": ("/app/event-consumer", "/app/event-consumer"),
    "consumer": (_CONSUMER, _BILLING),
    "consumer-dialog-delete": (f"{_CONSUMER}/delete", f"{_BILLING}/delete"),
    "consumer-dialog-generate": (f"{_CONSUMER}/generate-keys", f"{_BILLING}/generate-keys"),
    "consumer-new-key": (f"{_CONSUMER}/new-key", f"{_BILLING}/new-key"),
    "consumer-dialog-rotate": (f"{_CONSUMER}/key/{{key}}/rotate", f"{_BILLING}/key/{{billing}}/rotate"),
    "consumer-dialog-revoke": (f"{_CONSUMER}/key/{{key}}/revoke", f"{_BILLING}/key/{{billing}}/revoke"),
    "settings": ("/app/settings", "/app/settings"),
    "roles": ("/app/role", "/app/role"),
    "role": ("/app/role/{name}", "/app/role/Deployer"),
    "role-kept": ("/app/role/{name}", "/app/role/System%20Manager"),
    "role-dialog-new": ("/app/role", "/app/role?new=1"),
    "role-dialog-kept": ("/app/role/{name}/delete", "/app/role/Deployer/delete"),
    "role-dialog-delete": ("/app/role/{name}/delete", "/app/role/Reporter/delete"),
    "rules": ("/app/access-rule", "/app/access-rule"),
    "rules-tried": (
        "/app/access-rule",
        "/app/access-rule?method=GET&url=https://api.example.com/reports/7&user=api@example.com",
    ),
    "rules-refused": ("/app/access-rule", "/app/access-rule?method=GET&url=api.example.com/health/%2E%2E/reports"),
    "rule-new": ("/app/access-rule/new", "/app/access-rule/new"),
    "rule": ("/app/access-rule/{name}", "/app/access-rule/RULE-1"),
    "rule-dialog-delete": ("/app/access-rule/{name}/delete", "/app/access-rule/RULE-1/delete"),
    "clients": ("/app/oauth-client", "/app/oauth-client"),
    "clients-none": ("/app/oauth-client", "/app/oauth-client?state=revoked"),
    "client-new": (f"{_CLIENTS}/new", f"{_CLIENTS}/new"),
    "client-details": (f"{_CLIENTS}/{{name}}", f"{_CLIENTS}/{{app}}"),
    "client-tokens": (f"{_CLIENTS}/{{name}}", f"{_CLIENTS}/{{app}}?tab=tokens"),
    "client-activity": (f"{_CLIENTS}/{{name}}", f"{_CLIENTS}/{{app}}?tab=activity"),
    "client-dialog-rotate": (f"{_CLIENTS}/{{name}}/rotate", f"{_CLIENTS}/{{app}}/rotate"),
    "client-dialog-revoke": (f"{_CLIENTS}/{{name}}/revoke", f"{_CLIENTS}/{{app}}/revoke"),
    "client-dialog-delete": (f"{_CLIENTS}/{{name}}/delete", f"{_CLIENTS}/{{app}}/delete"),
    "client-dialog-token": (f"{_CLIENTS}/{{name}}/token/{{token}}/end", f"{_CLIENTS}/{{app}}/token/{{token}}/end"),
    "account-apps": ("/me", "/me?tab=apps"),
    "account-dialog-disconnect": ("/me/app/{client}/disconnect", "/me/app/{app}/disconnect"),
    "user-dialog-disconnect": (
        "/app/user/{name}/app/{client}/disconnect",
        "/app/user/Administrator/app/{app}/disconnect",
    ),
    "sign-in-client": ("/login", "/login?redirect-to={ask}"),
    "consent": (AUTHORIZE, f"{AUTHORIZE}?{{asked}}"),
    "consent-stranger": (AUTHORIZE, f"{AUTHORIZE}?{{strange}}"),
    "device": ("/device", "/device?user_code=BCDF-GHJK"),
    "log-out": (END_SESSION, f"{END_SESSION}?client_id={{app}}"),
    "request-log": ("/app/request-log", "/app/request-log"),
    "request-log-open": ("/app/request-log", "/app/request-log?status=refused&user=api@example.com&open={row}"),
    "request-log-none": ("/app/request-log", "/app/request-log?path=nothing"),
    "request-log-row": ("/app/request-log/{name}", "/app/request-log/{row}"),
    "activity": ("/app/activity", "/app/activity"),
    "activity-open": ("/app/activity", "/app/activity?operation=api_key.generated&open={deed}"),
    "activity-row": ("/app/activity/{name}", "/app/activity/{deed}"),
    "components-fields": ("/app/components", "/app/components"),
    "components-lists": ("/app/components", "/app/components?tab=lists&enabled=yes"),
    "components-values": ("/app/components", "/app/components?tab=values&done=saved"),
    "components-dialog": ("/app/components", "/app/components?dialog=secret"),
}


def main(only: list[str]) -> int:
    """Make them all, or those whose names are like these; give the exit code."""
    lacking = _without_picture()
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        running = RunningLatchgate(
            Path(folder) / "home",
            LATCHGATE_ADMIN_PASSWORD=_PASSWORD,
            LATCHGATE_DEVELOPMENT="true",
            LATCHGATE_OAUTH_REGISTRATION="open",
        ).start()
        try:
            parts = _furnish(running)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_program(), args=ARGUMENTS)
                missing = [
                    *_make_pictures(browser, running, parts, only),
                    *_make_fault(browser, running, only),
                ]
                browser.close()
        finally:
            running.stop()
    for told in (*lacking, *missing):
        print(told)
    print(f"The pictures are in {_FOLDER}")
    return 1 if lacking or missing else 0


def _without_picture() -> list[str]:
    shown = _WITHOUT_PICTURE.union(page for page, *_ in (*PICTURES.values(), *PRESSED.values()))
    pages = [address for address in PAGES if address.startswith(("/app", "/me", "/login"))]
    return [f"{address} has no picture" for address in pages if address not in shown]


def _furnish(running: RunningLatchgate) -> dict[str, str]:
    """Make what pages show; give the ids of keys by what stands for them in addresses."""
    for role in ("Deployer", "Auditor", "Reporter"):
        running.ask("role", "create", role)
    for doctype, *actions in (("API Key", "--read", "--create"), ("API Request Log", "--read"), ("User", "--read")):
        running.ask("permission", "grant", "Deployer", doctype, *actions)
    running.ask("permission", "grant", "Deployer", "Event Consumer", "--read", "--write", "--own")
    running.ask("user", "create", _ANN, "--first-name", "Ann", "--last-name", "Lee")
    running.ask("user", "create", _WEB, "--first-name", "Wanda", "--website")
    for user in (_ANN, _WEB):
        running.run("user", "set-password", user, "--password-stdin", typed=_PASSWORD)
    running.ask("user", "create", "api@example.com", "--first-name", "Deploys", "--role", "Deployer")
    running.ask("key", "generate", "api@example.com", "--label", "Nightly backup", "--allow-ip", "10.0.0.0/8")
    made = running.ask("key", "generate", "api@example.com")
    key, secret = made["api_key"], made["api_secret"]
    for method in ("ping", "frappe.auth.get_logged_user", "there.is.none"):
        requests.get(f"{running.base}/api/method/{method}", headers=_token(key, secret), timeout=30)
    long = f"{running.base}/api/resource/User?fields=[%22name%22,%22full_name%22,%22enabled%22]&limit=100"
    for wrong in (_token(key, "wrong"), _token("lgk_unknown", "wrong"), {"Authorization": "Bearer wrong"}):
        requests.get(long, headers=wrong, timeout=30)
    requests.delete(f"{running.base}/api/resource/Role/Deployer", headers=_token(key, secret), timeout=30)
    administrator = requests.Session()
    signed_in = {"usr": "Administrator", "pwd": _PASSWORD}
    administrator.post(f"{running.base}/api/method/login", data=signed_in, timeout=30).raise_for_status()
    _furnish_records(running)
    # The second secret works beside the first.
    running.ask("key", "rotate", str(key), "--overlap", "24h")
    app, token = connect_application(running, "Administrator", _PASSWORD)
    calendar = Application(running.base, 0, app)
    back = {"redirect_uri": "https://calendar.example.com/callback", "prompt": "consent"}
    return {
        "app": app,
        "token": token,
        "asked": urlsplit(calendar.authorization(**back)).query,
        "ask": quote(calendar.authorization(**back), safe=""),
        "strange": urlsplit(_register_stranger(running.base)).query,
        "key": str(key),
        "door": str(
            running.ask("key", "generate", "Front door", "--source", "API Device", "--label", "Lock")["api_key"]
        ),
        "billing": str(running.ask("key", "generate", "Billing", "--source", "Event Consumer")["api_key"]),
        "own": str(running.ask("key", "generate", "Administrator", "--label", "Laptop")["api_key"]),
        "row": _newest(administrator, running.base, "API Request Log", '[["status","=",403]]'),
        "deed": _newest(administrator, running.base, "Activity Log", '[["operation","=","api_key.generated"]]'),
    }


def _furnish_records(running: RunningLatchgate) -> None:
    running.ask("rule", "create", "--host", "api.example.com", "--path", "/reports/*", "--role", "Deployer")
    running.ask("rule", "create", "--host", "*.example.com", "--path", "/health", "--allow-guest")
    running.ask("rule", "create", "--path", "/*", "--method", "GET,POST", "--role", "Auditor,Deployer", "--every-role")
    running.ask("rule", "create", "--host", "x.example.com", "--method", "GET", "--scope", "orders.read")
    running.ask("source", "create", "API Device")
    running.ask("source", "record", "create", "API Device", "Front door", "--user", "api@example.com")
    running.ask("source", "record", "create", "API Device", "Back door")
    running.ask("source", "record", "create", "Event Consumer", "Billing", "--user", "api@example.com")


def _register_stranger(base: str) -> str:
    """Let a client register itself; give the address by which it asks."""
    uris = ["https://not-your-bank.example.net/back"]
    sent = {
        "client_name": "Your bank",
        "redirect_uris": uris,
        "token_endpoint_auth_method": "none",
        "scope": "all openid",
    }
    made = requests.post(f"{base}{METHODS}register_client", json=sent, timeout=30).json()
    return Application(base, 0, made["client_id"]).authorization(redirect_uri=uris[0])


def _token(key: str, secret: str) -> dict[str, str]:
    return {"Authorization": f"token {key}:{secret}"}


def _newest(session: requests.Session, base: str, doctype: str, filters: str) -> str:
    """Give the name of a log's newest row of these."""
    answer = session.get(f"{base}/api/resource/{doctype}", params={"filters": filters, "limit": "1"}, timeout=30)
    return str(answer.json()["data"][0]["name"])


def _make_pictures(
    browser: Browser, running: RunningLatchgate, parts: Mapping[str, str], only: list[str]
) -> Iterator[str]:
    sessions = {user: _sign_in(browser, running.base, user) for user in ("Administrator", _ANN, _WEB)}
    for theme in ("light", "dark"):
        for width, height in _SIZES:
            options: dict[str, Any] = {
                "base_url": running.base,
                "color_scheme": theme,
                "viewport": {"width": width, "height": height},
            }
            guest, stranger = (browser.new_context(**options).new_page() for _ in range(2))
            user, ann, web = (
                browser.new_context(storage_state=sessions[name], **options).new_page() for name in sessions
            )
            for name, (_, address) in PICTURES.items():
                if _is_wanted(name, only):
                    who = {"ann": ann, "web": web}.get(name.partition("-")[0], user)
                    page = guest if name in _WITHOUT_SESSION else who
                    yield from _picture(page, name, address.format_map(parts), f"{theme}-{width}")
            yield from _make_states(user, parts, only, f"{theme}-{width}")
            _make_sign_ins(stranger, running, only, f"{theme}-{width}")


def _make_fault(browser: Browser, running: RunningLatchgate, only: list[str]) -> Iterator[str]:
    """Show what is said of a fault of ours. Last: to come by one, a record is spoilt."""
    if not _is_wanted("internal", only):
        return
    session = _sign_in(browser, running.base, "Administrator")
    database = sqlite3.connect(running.home / "latchgate.db")
    with database:
        database.execute("UPDATE user SET restrict_ip = 'nowhere' WHERE name = ?", (_WEB,))
    database.close()
    for theme in ("light", "dark"):
        for width, height in _SIZES:
            page = browser.new_page(
                base_url=running.base,
                color_scheme=theme,  # type: ignore[arg-type]  # the loop's words are those of Playwright
                viewport={"width": width, "height": height},
                storage_state=session,
            )
            yield from _picture(page, "internal", f"/app/user/{_WEB}", f"{theme}-{width}")


def _make_states(page: Page, parts: Mapping[str, str], only: list[str], kind: str) -> Iterator[str]:
    for name, (_, address, button) in PRESSED.items():
        if _is_wanted(name, only):
            _press(page, address.format_map(parts), button)
            page.screenshot(path=_FOLDER / f"{name}-{kind}.png")
    for name, show in STATES.items():
        try:
            if _is_wanted(name, only) and show(page):
                page.screenshot(path=_FOLDER / f"{name}-{kind}.png", full_page=not page.locator(":modal").count())
        except Error as error:
            yield f"{name} does not come about: {error}"
    if _is_wanted("undo", only):
        _undo(page, kind)


def _make_sign_ins(page: Page, running: RunningLatchgate, only: list[str], kind: str) -> None:
    if _is_wanted("login-refused", only):
        enter(page, "Administrator", "wrong password")
        page.get_by_role("alert").wait_for()
        page.screenshot(path=_FOLDER / f"login-refused-{kind}.png", full_page=True)
    if _is_wanted("second-factor-walk", only):
        for name in second_factor(page, running, _PASSWORD, f"walk-{kind}@example.com"):
            page.screenshot(path=_FOLDER / f"{name}-{kind}.png", full_page=True)


def _is_wanted(name: str, only: list[str]) -> bool:
    return not only or any(fnmatch(name, wanted) for wanted in only)


def _undo(page: Page, kind: str) -> None:
    """Change something, and undo it twice: what is offered, and what is said where nothing is left to undo."""
    page.goto("/app/user/ann@example.com", wait_until="networkidle")
    page.get_by_label("First name").fill(f"Ann, {kind}")
    page.get_by_role("button", name="Save").click()
    undo = page.get_by_role("button", name="Undo")
    undo.wait_for()
    page.screenshot(path=_FOLDER / f"undo-offered-{kind}.png", full_page=True)
    again = page.context.new_page()
    again.goto(page.url)
    undo.click()
    page.get_by_text("Undone.").wait_for()
    page.screenshot(path=_FOLDER / f"undone-{kind}.png", full_page=True)
    again.get_by_role("button", name="Undo").click()
    again.get_by_role("heading", name="Nothing was undone").wait_for()
    again.screenshot(path=_FOLDER / f"undo-refused-{kind}.png", full_page=True)
    again.close()


def _picture(page: Page, name: str, address: str, kind: str) -> Iterator[str]:
    answer = page.goto(address, wait_until="networkidle")
    if name == "api":
        # It is laid out by a script, a while after it was loaded.
        page.locator(".opblock-tag").first.wait_for()
    page.screenshot(path=_FOLDER / f"{name}-{kind}.png", full_page="dialog" not in name)
    if answer is None or answer.ok == (name in _REFUSED):
        yield f"{address} answered {answer and answer.status}"


def _press(page: Page, address: str, button: str) -> None:
    page.goto(address, wait_until="networkidle")
    pressed = page.get_by_role("button", name=button)
    if not pressed.is_visible():
        # It is folded away.
        page.locator("summary", has_text="Password").click()
    pressed.click()
    page.get_by_role("button", name="Close").wait_for()


def _sign_in(browser: Browser, base: str, user: str) -> Any:  # noqa: ANN401  # as Playwright keeps it
    page = browser.new_context(base_url=base).new_page()
    enter(page, user, _PASSWORD)
    page.wait_for_url("**/me" if user == _WEB else "**/app")
    return page.context.storage_state()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
