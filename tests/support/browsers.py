"""A real browser without a window: where it is, what its pages complain of, and what about them is a barrier."""

import shutil
from pathlib import Path

from playwright.sync_api import Page

__all__ = ["ARGUMENTS", "LACKING", "find_barriers", "find_program", "watch"]

# The first is the same browser without the windows, tabs and menus that a full one makes for every page, unseen: a page
# costs it a fifth.
_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
LACKING = (
    "Chromium is not here, which drives the pages; on Debian: apt-get install chromium-headless-shell, or chromium"
)
# The browser tells a page itself what the page's policy refused.
_WATCH_POLICY = """
    window.refused = [];
    document.addEventListener("securitypolicyviolation", (event) => {
        window.refused.push(`${event.violatedDirective} ${event.blockedURI}`);
        console.error(`refused: ${event.violatedDirective} ${event.blockedURI}`);
    });
"""
_REFUSAL = "Failed to load resource: the server responded with a status of 4"
_AXE = (Path(__file__).parents[1] / "browser" / "vendor" / "axe.min.js").read_text()
# What fades is half as plain on its way: a look at it waits for the end, unless it is of what goes on for ever.
_FADED = """
    Promise.race([
        Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null))),
        new Promise((done) => setTimeout(done, 1000)),
    ]).then(() => null)
"""
# Loading style sheets anew would break the pages' policy; what needs it is about screens that turn.
_FIND_BARRIERS = """
    axe.run({ resultTypes: ["violations"], preload: false }).then((found) =>
        found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html}`)))
"""


def find_program() -> str | None:
    """Find the browser's program."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


def find_barriers(page: Page) -> list[str]:
    """List what is hard to use for whoever cannot see, point or tell colours; the page's policy stays in force."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(_AXE)
    page.evaluate(_FADED)
    found: list[str] = page.evaluate(_FIND_BARRIERS)
    return found


def watch(page: Page, bases: tuple[str, ...], complaints: list[str], *, refusals: bool) -> None:
    """Gather what a page complains of: errors, what its policy refused, what failed, who else was asked.

    Args:
        page: The page.
        bases: The addresses that may be asked, by how they begin.
        complaints: Where it is gathered.
        refusals: Whether the server is to refuse something, of which a browser complains by itself.
    """

    def on_message(kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not (refusals and text.startswith(_REFUSAL)):
            complaints.append(text)

    def on_request(url: str) -> None:
        if not url.startswith((*bases, "data:")):
            complaints.append(f"asked: {url}")

    def on_failure(url: str, why: str) -> None:
        if why != "net::ERR_ABORTED":
            complaints.append(f"failed: {url} {why}")

    page.add_init_script(_WATCH_POLICY)
    page.on("console", lambda told: on_message(told.type, told.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # What the browser itself gave up, since the page was left, has not failed.
    page.on("requestfailed", lambda request: on_failure(request.url, request.failure or ""))
    page.on("request", lambda request: on_request(request.url))
