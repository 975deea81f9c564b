"""Answers of pages with cookies."""

from starlette.responses import Response

__all__ = ["with_cookies"]


def with_cookies(response: Response, cookies: tuple[str, ...]) -> Response:
    """Add cookies to an answer, each as its whole Set-Cookie value."""
    for cookie in cookies:
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
    return response
