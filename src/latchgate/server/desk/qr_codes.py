"""QR codes, drawn here: no other host sees what stands in them. The library is loaded by the first that is drawn."""

from latchgate.core.late_loading import ONE_AT_A_TIME

__all__ = ["draw_qr_code"]

_MODULE_PIXELS = 4


def draw_qr_code(text: str) -> str:
    """Draw a text as an SVG image, and give its data as an address: black on white in either theme, as readers want."""
    with ONE_AT_A_TIME:
        import segno  # noqa: PLC0415  # as the module says
    drawn = segno.make(text, error="m", micro=False)
    return str(drawn.svg_data_uri(scale=_MODULE_PIXELS, dark="#000", light="#fff"))
