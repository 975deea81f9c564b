"""The pictures of docs/tour.md, made anew by walking it in a fresh instance.

    make pictures

They lie in docs/pictures, `tour-<step>.webp`, and are committed. The walk is that of the tour's test; what it shows is
of an instance that ends with it, its secrets too. A step that fails ends the run, with the pictures before it made.
"""

import base64
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from support.browsers import ARGUMENTS, find_program
from support.running import RunningLatchgate
from support.tour import PICTURES, Tour, script_runner

_SIZE = (1200, 720)
# Letters stay sharp, and a picture is a quarter of what it would be as PNG.
_QUALITY = 80


def main() -> int:
    """Make them all; give the exit code."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        running = RunningLatchgate(Path(folder) / "home").start()
        browser = playwright.chromium.launch(executable_path=find_program(), args=ARGUMENTS)
        try:
            width, height = _SIZE
            page = browser.new_page(
                base_url=running.base, color_scheme="light", viewport={"width": width, "height": height}
            )
            Tour(page, running, script_runner(Path(folder), sys.executable), _keep).walk()
        finally:
            browser.close()
            running.stop()
    print(f"The pictures are in {PICTURES}")
    return 0


def _keep(name: str, page: Page) -> None:
    # Nothing that blinks or fades, so that pictures of the same page are alike.
    page.evaluate("document.fonts.ready.then(() => { document.documentElement.style.caretColor = 'transparent'; })")
    page.wait_for_load_state("networkidle")
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    session.detach()
    (PICTURES / f"tour-{name}.webp").write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    sys.exit(main())
