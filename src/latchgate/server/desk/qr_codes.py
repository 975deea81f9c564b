"""QR codes, drawn here: no other host sees what stands in them. The library is loaded by the first that is drawn."""

from typing import TYPE_CHECKING

from latchgate.core.late_loading import ONE_AT_A_TIME

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["draw_qr_code"]


def draw_qr_code(text: str) -> "Markup":
    """Draw a text as an SVG element, black on white in either theme, as cameras want it.

    It holds no style, which the pages' policy would refuse, and nothing of the text but its modules.
    """
    with ONE_AT_A_TIME:
        import segno  # noqa: PLC0415  # as the module says
        from markupsafe import Markup  # noqa: PLC0415  # comes with what renders pages, as late
    drawn = segno.make(text, error="m", micro=False)
    element = drawn.svg_inline(svgclass="qr", lineclass="", omitsize=True, dark="#000", light="#fff")
    return Markup(element)  # noqa: S704  # of paths that are all numbers
