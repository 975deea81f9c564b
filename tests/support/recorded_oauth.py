"""The exchanges of area oauth, carried over to how Latchgate wants to be asked.

Replayed as they are, nearly all are refused alike: a consent by GET, a client without its secret. So they are replayed
a second time in this form, whole: a consent is a POST of the same parameters with the session's token; what a client
asks without a secret, it asks with its own; and after a code that came twice, which ends its tokens here, there are
tokens anew. All else stays as it was recorded.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["carry_over_oauth"]

_PREFIX = "/api/method/frappe.integrations.oauth2."
_SECRETS = {"client0001": "cl1entsecret", "client0002": "cl2entsecret"}
_BASIC = "Basic " + base64.b64encode(f"client0001:{_SECRETS['client0001']}".encode()).decode()


def carry_over_oauth(cases: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Carry the cases of the area over, each under its own name."""
    carried = {
        case["name"]: {**case, "request": _carry_request(case["request"])} for case in cases if case["area"] == "oauth"
    }
    for name, case in carried.items():
        yield case
        if name.startswith("login"):
            yield _read_token(case)
        if name.startswith("bearer after a code reuse"):
            for again in ("approve: ok again", "get_token: no client secret at all"):
                yield {**carried[again], "name": f"{again}, after the reuse"}


def _carry_request(request: dict[str, Any]) -> dict[str, Any]:
    address, _, query = request["path"].partition("?")
    endpoint = address.removeprefix(_PREFIX)
    if endpoint == "approve" and request["method"] == "GET" and "cookie_jar" in request:
        form = {**dict(parse_qsl(query)), "decision": "allow", "csrf_token": f"{{csrf_{request['cookie_jar']}}}"}
        return {**request, "method": "POST", "path": address, "body_form": form}
    if request["method"] != "POST" or "Authorization" in request["headers"]:
        return request
    form = request.get("body_form", {})
    if endpoint == "get_token" and form.get("client_id") in _SECRETS and "client_secret" not in form:
        return {**request, "body_form": {**form, "client_secret": _SECRETS[form["client_id"]]}}
    if endpoint in {"introspect_token", "revoke_token"}:
        return {**request, "headers": {**request["headers"], "Authorization": _BASIC}}
    return request


def _read_token(case: dict[str, Any]) -> dict[str, Any]:
    jar = case["request"]["cookie_jar"]
    request = {"method": "GET", "path": "/me", "headers": {"Accept": "text/html"}, "cookie_jar": jar}
    captures = {f"csrf_{jar}": 're:csrf_token="([^"]+)"'}
    response = {"status": 200, "body": {"<html>": ""}}
    return {
        **case,
        "name": f"{case['name']}: its token",
        "request": request,
        "captures": captures,
        "response": response,
    }
