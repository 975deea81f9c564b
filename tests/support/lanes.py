"""The settings of two servers that are to answer alike: with the fast lane, and without."""

from latchgate.settings import Settings

__all__ = ["COMMON", "LANES"]

COMMON = {
    # What names the port would differ; a throttle's minute begins where the first fault was, at another moment on each.
    "LATCHGATE_PUBLIC_URL": "https://auth.example.com",
    "LATCHGATE_CREDENTIAL_FAILURES_PER_MINUTE": "1000000",
    # So would what is summed up instead of written, row by row.
    "LATCHGATE_LOG_REFUSALS_PER_ADDRESS": "1000000",
    "LATCHGATE_LOG_REFUSALS": "1000000",
    "LATCHGATE_WORKERS": "1",
}
# A release without the lane: two equal servers, which shows that a comparison sees no difference where none is.
LANES: tuple[dict[str, str], dict[str, str]] = (
    ({"LATCHGATE_FAST_LANE": "parser"}, {"LATCHGATE_FAST_LANE": "off"})
    if "fast_lane" in Settings.model_fields
    else ({}, {})
)
