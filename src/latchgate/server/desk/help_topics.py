"""Which document is about which page: what its Help leads to."""

__all__ = ["HELP", "TOPICS", "help_about"]

HELP = "/help"
_DESK = f"{HELP}/howto/desk"

TOPICS = {
    "/undo": f"{_DESK}#undo",
    "/app/search": f"{_DESK}#searching",
    "/app/user": f"{_DESK}#users",
    "/app/user/new": f"{_DESK}#users",
    "/app/user/{name}/generate-keys": f"{_DESK}#keys",
    "/app/user/{name}/new-key": f"{_DESK}#keys",
    "/app/user/{name}/key": f"{_DESK}#keys",
    "/app/user/{name}/app": f"{HELP}/howto/oauth2#7-revoke",
    "/app/api-key": f"{_DESK}#keys",
    "/app/role": f"{HELP}/permissions",
    "/app/access-rule": f"{HELP}/access-rules",
    "/app/source": f"{HELP}/howto/token-based-auth#keys-that-belong-to-something-else-than-a-user",
    "/app/oauth-client": f"{HELP}/howto/oauth2",
    "/app/request-log": f"{HELP}/howto/request-log#in-the-browser",
    "/app/activity": f"{HELP}/howto/request-log#in-the-browser",
    "/app/settings": f"{HELP}/settings",
    "/app/event-consumer": f"{HELP}/howto/token-based-auth#keys-that-belong-to-something-else-than-a-user",
    "/me": f"{_DESK}#my-account",
    "/me/second-factor": f"{_DESK}#signing-in",
    "/me/app": f"{HELP}/howto/oauth2#7-revoke",
    "/api/docs": f"{HELP}/howto/records",
}
"""By where an address begins, `{name}` standing for any segment; the longest counts."""


def help_about(path: str) -> str:
    """Give the address of the document that is about a page; of a page that none is about, the one about all."""
    segments = path.split("/")
    told = [begin for begin in TOPICS if _begins(segments, begin.split("/"))]
    return TOPICS[max(told, key=len)] if told else _DESK


def _begins(segments: list[str], begin: list[str]) -> bool:
    return len(segments) >= len(begin) and all(
        want in {"{name}", segment} for segment, want in zip(segments, begin, strict=False)
    )
