"""The tour of docs/tour.md, walked: each step is what its section says, by the names that a person sees."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from support.asgi import PASSWORD
from support.documents import ROOT, find_blocks
from support.running import RunningLatchgate

__all__ = ["NAME", "PICTURES", "TOUR", "Tour", "script_runner"]

TOUR = ROOT / "docs" / "tour.md"
PICTURES = ROOT / "docs" / "pictures"
NAME = "nightly@example.com"
_ROLE, _LABEL, _NETWORK = "User Reader", "Nightly job", "127.0.0.0/8"
_DEFAULT_ADDRESS = "http://127.0.0.1:8000"

RunScript = Callable[[str, str], tuple[int, str]]
"""Runs the document's script with a header's line in its file; gives exit code and all that was printed."""


@dataclass
class Tour:
    """Somebody who has never seen the product, a fresh instance, and this document."""

    page: Page
    running: RunningLatchgate
    run_script: RunScript
    keep: Callable[[str, Page], None] = lambda _name, _page: None
    """Takes a picture, by its name."""
    pressed: list[str] = field(default_factory=list)
    """The words on what was pressed, chosen and filled in."""

    def walk(self) -> None:
        """Walk all of it."""
        self.set_up()
        self.make_role()
        self.make_user()
        first = self.make_key()
        self.use(first)
        self.find_requests()
        second = self.rotate(first)
        self.end(second)

    def set_up(self) -> None:
        """Set Administrator's password by the link that the first start printed, and sign in."""
        (link,) = re.findall(r"http\S+/setup/\S+", self.running.output.read_text())
        self.page.goto(link)
        self._fill("Password", PASSWORD, exact=True)
        self._fill("The same again", PASSWORD)
        self._picture("set-up")
        self._press("Set password")
        asks = self.page.get_by_role("heading", name="Sign in")
        # What comes next is not there yet when the button is let go.
        expect(asks.or_(self._title("Home"))).to_be_visible()
        if asks.is_visible():
            self._fill("E-mail address or user name", "Administrator")
            self._fill("Password", PASSWORD)
            self._press("Sign in")
        expect(self._title("Home")).to_be_visible()
        self._picture("home")

    def make_role(self) -> None:
        """Make a role that may read users."""
        self._follow("Roles")
        self._follow("New role", by_button=True)
        self._fill("Name", _ROLE)
        self._press("Create role")
        expect(self._title(_ROLE)).to_be_visible()
        self._tick("User: read all")
        self._picture("role")
        self._press("Save permissions")
        self._told("Saved.")

    def make_user(self) -> None:
        """Make a user that cannot sign in, and give it the role."""
        self._follow("Users")
        self._follow("New user")
        self._fill("Email", NAME)
        self._fill("First name", "Nightly job")
        self._picture("new-user")
        self._press("Create user")
        self._told("Created.")
        self._open_tab("Roles & Permissions")
        self._tick(_ROLE)
        self._press("Save roles")
        self._told("Saved.")
        self._picture("user-roles")

    def make_key(self) -> str:
        """Make a key that reads users, from one network, for 90 days; give the header's line."""
        self._open_keys()
        self._follow("New key")
        self._fill("Label", _LABEL)
        self._choose("Expires", "In 90 days")
        self._tick("What is picked here")
        self._tick("User: read")
        self._fill("From where", _NETWORK)
        self.page.get_by_label("Requests a minute").focus()
        expect(self.page.locator("#sum")).to_contain_text(f"This key can read User records as {NAME}, from {_NETWORK}")
        self._picture("new-key", self.page.locator("#sum"))
        self._press("Create key")
        return self._take_secret("secret")

    def use(self, header: str) -> None:
        """Run the script."""
        code, printed = self.run_script(self._script(), header)
        assert code == 0, printed
        assert f"{NAME} 1\n" in printed, printed

    def find_requests(self) -> None:
        """Find what the key asked for, and what was answered."""
        self._open_user()
        self._open_tab("Activity")
        row = self.page.get_by_role("row", name="/api/resource/User")
        expect(row.first).to_contain_text("200")
        row.first.get_by_role("link").click()
        self.pressed.append("/api/resource/User")
        expect(self.page.locator("tr.whole")).to_contain_text("127.0.0.1")
        self._picture("requests", self.page.locator("tr.whole .more"))

    def rotate(self, first: str) -> str:
        """Give the key a new secret, and use both for a while; give the new header's line."""
        self._open_user()
        self._open_keys()
        self._row().get_by_role("link", name="Rotate").click()
        self.pressed.append("Rotate")
        self._choose("The present secret", "Both work for a day")
        self._picture("rotate")
        self._press("Rotate key")
        second = self._take_secret("")
        assert [self.run_script(self._script(), header)[0] for header in (first, second)] == [0, 0]
        self._open_user()
        self._open_keys()
        expect(self._row()).to_contain_text("former secret works for another")
        self._picture("rotated")
        self._end_former(second)
        return second

    def _end_former(self, second: str) -> None:
        self._follow("API Keys")
        expect(self._title("API Keys")).to_be_visible()
        self._row().get_by_role("link").click()
        expect(self.page.get_by_text("The former was last used")).to_be_visible()
        self.page.locator("summary", has_text="End it before its time").click()
        self.pressed.append("End it before its time")
        self._picture("former", self.page.get_by_role("button", name="End the former secret"))
        self._press("End the former secret")
        expect(self.page.get_by_text("One secret works.")).to_be_visible()
        assert self.run_script(self._script(), second)[0] == 0

    def end(self, header: str) -> None:
        """Revoke the key, and see the refusal."""
        self._follow("Revoke key")
        dialog = self.page.get_by_role("dialog", name="Revoke key")
        expect(dialog).to_contain_text("It was used")
        self._picture("revoke")
        dialog.get_by_role("button", name="Revoke key").click()
        self._told("The key was revoked.")
        code, printed = self.run_script(self._script(), header)
        assert code != 0
        assert "401" in printed
        self._follow("Request Log")
        expect(self._title("Request Log")).to_be_visible()
        self._choose("Status", "Refused (401, 403)")
        row = self.page.get_by_role("row", name="/api/resource/User")
        expect(row).to_have_count(1)
        row.get_by_role("link").click()
        expect(self.page.locator("tr.whole")).to_contain_text("revoked")
        self._picture("refused", self.page.locator("tr.whole .more"))

    def _script(self) -> str:
        (script,) = [block.text for block in find_blocks(TOUR.read_text()) if block.language == "python"]
        return script.replace(_DEFAULT_ADDRESS, self.running.base)

    def _take_secret(self, picture: str) -> str:
        dialog = self.page.get_by_role("dialog", name="API Secret")
        expect(dialog).to_be_visible()
        if picture:
            self._picture(picture)
        dialog.get_by_role("button", name="Copy the Header").click()
        # Until it says so, the dialog would ask before it closes.
        expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
        header = dialog.locator("#ready-header").inner_text()
        dialog.get_by_role("button", name="Close").click()
        self.pressed += ["API Secret", "Header", "Copy", "Close"]
        expect(dialog).to_have_count(0)
        return header

    def _open_user(self) -> None:
        self._follow("Users")
        expect(self._title("Users")).to_be_visible()
        self.page.get_by_role("row", name=NAME).get_by_role("link").click()
        expect(self._title("Nightly job")).to_be_visible()

    def _open_keys(self) -> None:
        self._open_tab("Settings")
        # It is folded where nothing was done there yet.
        self.page.locator("summary", has_text="API Access").click()
        self.pressed.append("API Access")
        expect(self.page.get_by_role("link", name="New key")).to_be_visible()

    def _row(self) -> Locator:
        return self.page.get_by_role("row", name=_LABEL)

    def _title(self, name: str) -> Locator:
        return self.page.get_by_role("heading", name=name, level=1)

    def _told(self, words: str) -> None:
        expect(self.page.locator(".flash")).to_contain_text(words)

    def _follow(self, words: str, *, by_button: bool = False) -> None:
        link = self.page.get_by_role("link", name=words, exact=True)
        (link.or_(self.page.get_by_role("button", name=words)) if by_button else link).first.click()
        self.pressed.append(words)

    def _press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()
        self.pressed.append(words)

    def _open_tab(self, words: str) -> None:
        self.page.get_by_role("tab", name=words).click()
        expect(self.page.get_by_role("tab", name=words)).to_have_attribute("aria-selected", "true")
        self.pressed.append(words)

    def _fill(self, label: str, text: str, *, exact: bool = False) -> None:
        self.page.get_by_label(label, exact=exact).first.fill(text)
        self.pressed += [label, text]

    def _choose(self, label: str, words: str) -> None:
        self.page.get_by_label(label, exact=True).select_option(words)
        self.pressed += [label, words]

    def _tick(self, words: str) -> None:
        self.page.get_by_label(words, exact=True).check()
        self.pressed.append(words)

    def _picture(self, name: str, shown: Locator | None = None) -> None:
        if shown is not None:
            shown.scroll_into_view_if_needed()
        self.keep(name, self.page)


def script_runner(folder: Path, python: str) -> RunScript:
    """Run the script in a folder, as a reader does, by this Python."""

    def run(script: str, header: str) -> tuple[int, str]:
        (folder / "nightly.header").write_text(header)
        (folder / "nightly.py").write_text(script)
        done = subprocess.run(
            [python, "nightly.py"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run
