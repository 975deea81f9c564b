"""The first page that a worker shows, for which it loads what renders pages."""

from errno import EMFILE
from pathlib import Path

import pytest

from latchgate.server.desk.rendering import Renderer, RenderingError
from support.asgi import PASSWORD, opened_service
from support.envelopes import assert_page

MANAGER = "Administrator"


def test_a_refusal_is_told_in_plain_text_where_no_page_can_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done for a page that could not be shown, and the next request is answered when there is room again."""

    def no_descriptors(_renderer: Renderer) -> None:
        raise OSError(EMFILE, "Too many open files")

    with opened_service(tmp_path / "home") as service:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(Renderer, "make_ready", no_descriptors)
            refused = service.ask("/login")
            absent = service.ask("/nowhere", headers=[("accept", "text/html")])
            kept = service.ask("/api/method/frappe.auth.get_logged_user")

        assert (refused.status, absent.status, kept.status) == (500, 404, 403)
        assert refused.header("content-type") == "text/plain; charset=utf-8"
        assert refused.text == "This did not work\nSomething went wrong here; it was logged.\n"
        assert refused.header("content-security-policy")
        assert refused.header("x-frame-options") == "DENY"
        assert absent.text.startswith("Not found\n")
        assert_page(service.ask("/login"))


def test_no_secret_is_made_that_cannot_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever renders is there before a form is acted upon: if it cannot be, there is no key afterwards either."""

    def no_descriptors(_renderer: Renderer) -> None:
        raise OSError(EMFILE, "Too many open files")

    with opened_service(tmp_path / "home", admin_password=PASSWORD) as service:
        sid = service.sign_in(MANAGER).sid
        form = {"csrf_token": service.csrf_token(sid)}
        with monkeypatch.context() as exhausted:
            exhausted.setattr(Renderer, "is_ready", False)
            exhausted.setattr(Renderer, "make_ready", no_descriptors)
            refused = service.post("/me/generate-keys", form, form=True, headers=[("cookie", f"sid={sid}")])
        before = service.ask("/api/resource/API%20Key", headers=[("cookie", f"sid={sid}")])
        made = service.post("/me/generate-keys", form, form=True, headers=[("cookie", f"sid={sid}")])
        after = service.ask("/api/resource/API%20Key", headers=[("cookie", f"sid={sid}")])

        assert (refused.status, made.status) == (500, 200)
        assert (before.document["data"], len(after.document["data"])) == ([], 1)


def test_a_fault_of_a_template_has_one_name() -> None:
    """What the library raises for a template that names what it was not given is told as ours."""
    renderer = Renderer({"t": "{{ absent }}"}, {}, {})

    with pytest.raises(RenderingError, match="'absent' is undefined"):
        renderer.render("t", {})
