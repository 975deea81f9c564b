"""Send what Frappe's own clients were recorded to send, and make of the answers what those clients make of them.

What is asked of ToDo is asked of API Key, as `support.recorded_documents` maps it, and besides:

- A new ToDo is Open by itself; a new key has no end, so that its order says `expires`.
- The recorded name of what was made stands for the name that it got here, and its `description` for the label that was
  sent last, since a change of a fixed field is sent as one of the label.
- Of a list that no filter narrows, only the rows that the recording shows too are compared.
- Fields that Frappe computes of dropped ones (_COMPUTED) are dropped too.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import requests

from support.recorded_documents import carry_over, key_fields
from support.replay import Replayer, covers, loosen

__all__ = ["ClientReplay", "Played"]

Record = dict[str, Any]

_PAIR, _BEARER = "ap1key000000001:ap1secret000001", "bearer-ok-00000000000000000001"
_WRONG_PAIR = "ap1key000000001:wrong"
_COMPUTED = {"assigned_by_full_name", "sender", "assignment_rule"}
_GUEST_COOKIES = {"full_name": "Guest", "sid": "Guest", "system_user": "no", "user_id": "Guest", "user_lang": "en"}
"""What Frappe sets on every answer; a client that asked one sends them along with its key."""
_SDK_UNWRAPS = {
    "auth.getLoggedInUser": "message",
    "db.getCount": "message",
    "db.getDocList": "data",
    "db.getDoc": "data",
    "db.createDoc": "data",
    "db.updateDoc": "data",
    "db.getLastDoc": "data",
}
"""Methods of frappe-js-sdk that give what stands in the envelope; the others give the whole answer."""
_SDK_COMPLAINT = "There was an error"
_MORE = "<some more>"
_AXIOS_LEAVES = "[],:$!'()*~"


def _without_proxy() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass(frozen=True)
class Played:
    """What a method came to: the answer to its last call, and what the client gives its caller, or raises."""

    status: int
    body: Any
    """Decoded, without `exc` and `exception`; None where nothing can be compared."""
    raised: str | None = None
    """The name of the exception that frappe-client raises, or "rejected" for a promise of frappe-js-sdk."""
    given: Any = None

    def faults(self, got: "Played") -> list[str]:
        """Tell in what another outcome is not alike."""
        pairs = {"status": (self.status, got.status), "raised": (self.raised, got.raised)}
        told = [f"{name}: want {want}, got {have}" for name, (want, have) in pairs.items() if want != have]
        if self.body is not None and not covers(self.body, got.body):
            told.append(f"body: want {self.body}, got {got.body}")
        if self.given is not None and not covers(self.given, got.given, inside_record=self.raised is None):
            told.append(f"given: want {self.given}, got {got.given}")
        return told


@dataclass
class ClientReplay:
    """One client's methods, played in order; it remembers session, and the name and label of what was made."""

    base: str
    client: str
    _signed_in: requests.Session = field(default_factory=_without_proxy)
    _named: dict[str, str] = field(default_factory=dict)
    _label: str = ""

    def play(self, method: Mapping[str, Any]) -> tuple[Played, Played]:
        """Send a method's calls; give the outcome to expect, by the recording, and the one that came."""
        for call in method["calls"]:
            case = self._case(method["method"], call)
            answer = self._send(method["method"], call, case["request"])
            assert answer.headers["Content-Type"] == "application/json", f"{call['path']}: {answer.text[:200]}"
            self._remember(case, answer.json())
        want, got = self._expected(method, case), self._outcome(method, answer)
        return (want, got) if "filters" in json.dumps(call) else (_narrowed(want), _narrowed(got))

    def _case(self, name: str, call: Mapping[str, Any]) -> Record:
        """Give a recorded call as a case, and carry it over."""
        request: Record = {"method": call["verb"], "path": call["path"], "headers": {}}
        if "query" in call:
            request["path"] += "?" + urlencode(call["query"])
        if "form" in call:
            request["body_form"] = call["form"]
        if "body" in call:
            request["body_json"] = json.loads(call["body"])
        case: Record = {"area": "client", "name": name, "request": request, "response": {"body": None}}
        request = self._renamed(carry_over(case)["request"])
        if name in {"insert", "db.createDoc"}:
            _date(request)
        return {**case, "request": request}

    def _send(self, name: str, call: Mapping[str, Any], request: Record) -> requests.Response:
        path, _, query = request["path"].partition("?")
        encode = _axios if "content_type" in call else urlencode
        headers = {"Accept": call["accept"], **_authorization(name, call)}
        body = request.get("body_form")
        if "content_type" in call:
            headers["Content-Type"] = call["content_type"]
            body = json.dumps(request["body_json"], separators=(",", ":")) if "body_json" in request else None
        if "authorization" in call and "cookies" in call:
            headers["Cookie"] = "; ".join(f"{cookie}={_GUEST_COOKIES[cookie]}" for cookie in call["cookies"])
        elif "cookies" in call:
            assert sorted(self._signed_in.cookies.keys()) == call["cookies"]
        url = self.base + path + ("?" + encode(parse_qsl(query)) if query else "")
        # Frappe-js-sdk was recorded where nothing keeps cookies.
        keeps = self.client == "frappe-client" and "authorization" not in call
        session = self._signed_in if keeps else _without_proxy()
        return session.request(call["verb"], url, headers=headers, data=body, timeout=60)

    def _remember(self, case: Record, body: Record) -> None:
        """Keep the name of what was made, and the label that was sent last."""
        request = case["request"]
        sent = request.get("body_json") or request.get("body_form") or {}
        fields = json.loads(sent["data"]) if "data" in sent else sent
        if fields.get("fieldname") == "label":
            fields = {"label": fields["value"]}
        self._label = fields.get("label", self._label)
        if case["name"] in {"insert", "db.createDoc"}:
            self._named["ldtbmtkgg7"] = self._named["rmqtuea712"] = body["data"]["name"]

    def _expected(self, method: Mapping[str, Any], case: Record) -> Played:
        recorded = method["calls"][-1]
        body, raised, given = recorded.get("response"), method.get("raises"), method.get("returns")
        if isinstance(raised, dict):
            raised, given = "rejected", raised
        # A page or a traceback: only that the client stumbles over it is to be compared.
        body = self._mapped(case, body) if isinstance(body, dict) else None
        if isinstance(given, dict) and "message" in given:
            given = self._mapped(case, given)
        elif given is not None:
            given = self._mapped(case, {"data": given})["data"]
        return Played(recorded["status"], body, raised, given)

    def _mapped(self, case: Record, body: Record) -> Any:  # noqa: ANN401  # any JSON
        if isinstance(body.get("data"), list):
            return {"data": [self._mapped(case, {"data": row})["data"] for row in body["data"]]}
        mapped = carry_over({**case, "request": {"path": "ToDo"}, "response": {"body": body}})["response"]["body"]
        return _normal(self._renamed(self._relabelled(mapped)))

    def _relabelled(self, value: Any) -> Any:  # noqa: ANN401  # any JSON
        if not isinstance(value, dict):
            return value
        kept = {name: self._relabelled(item) for name, item in value.items() if name not in _COMPUTED}
        whole = "doctype" in kept and kept["name"] in self._named
        return {**kept, "label": self._label} if whole else kept

    def _renamed(self, value: Any) -> Any:  # noqa: ANN401  # any JSON
        text = json.dumps(value)
        for recorded, name in self._named.items():
            text = text.replace(recorded, name)
        return json.loads(text)

    def _outcome(self, method: Mapping[str, Any], answer: requests.Response) -> Played:
        make: Callable[[Mapping[str, Any], requests.Response], tuple[str | None, Any]]
        make = _frappe_client if self.client == "frappe-client" else _frappe_js_sdk
        raised, given = make(method, answer)
        return Played(answer.status_code, _normal(answer.json()), raised, _normal(given))


def _frappe_client(method: Mapping[str, Any], answer: requests.Response) -> tuple[str | None, Any]:
    """Do as frappe-client does with an answer: an error is what has `exc`, whatever its status."""
    try:
        body = answer.json()
    except ValueError:
        return "JSONDecodeError", None
    if method["method"].startswith("login"):
        return (None, None) if body.get("message") == "Logged In" else ("AuthError", None)
    return ("FrappeException", None) if body.get("exc") else (None, None)


def _frappe_js_sdk(method: Mapping[str, Any], answer: requests.Response) -> tuple[str | None, Any]:
    """Do as frappe-js-sdk does with an answer: by the status, a rejection with the body and what axios knows."""
    body = answer.json()
    if answer.ok:
        envelope = _SDK_UNWRAPS.get(method["method"].partition(" ")[0])
        return None, body[envelope] if envelope else body
    recorded = method.get("raises", {}).get("message", "")
    complaint = recorded if recorded.startswith(_SDK_COMPLAINT) else None
    http = {"httpStatus": answer.status_code, "httpStatusText": answer.reason}
    return "rejected", {**body, **http, "message": body.get("message", complaint)}


def _narrowed(played: Played) -> Played:
    """Leave of a list the records that fixtures.json describes, by name."""
    body = played.body
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        body = {"data": _described(body["data"])}
    given = _described(played.given) if isinstance(played.given, list) else played.given
    return replace(played, body=body, given=given)


def _described(rows: list[Any]) -> list[Any]:
    found = [row for row in rows if row != _MORE and row["name"].startswith("todo-")]
    return [*sorted(found, key=itemgetter("name")), *(row for row in rows if row == _MORE)]


def _date(request: Record) -> None:
    end = key_fields("Low", "Open")[1]
    if "body_json" in request:
        request["body_json"]["expires"] = end
    else:
        request["body_form"]["data"] = json.dumps({**json.loads(request["body_form"]["data"]), "expires": end})


def _authorization(name: str, call: Mapping[str, Any]) -> dict[str, str]:
    if "authorization" not in call:
        return {}
    pair = _WRONG_PAIR if name.endswith((" bad", " wrong secret")) else _PAIR
    scheme = call["authorization"].partition(" ")[0]
    value = {"Basic": base64.b64encode(pair.encode()).decode(), "token": pair, "Bearer": _BEARER}[scheme]
    return {"Authorization": f"{scheme} {value}"}


def _axios(pairs: list[tuple[str, str]]) -> str:
    """Encode a query as axios does: brackets, commas and colons as they are, a space as a plus."""
    return "&".join(f"{name}={quote(value, safe=_AXIOS_LEAVES).replace('%20', '+')}" for name, value in pairs)


def _normal(value: Any) -> Any:  # noqa: ANN401  # any JSON
    return Replayer("").normal(loosen(value))
