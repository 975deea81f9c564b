"""The reference of the API as Markdown, made of the OpenAPI document that the running code gives."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from latchgate.bootstrap import open_latchgate
from latchgate.server.openapi_document import build_document
from latchgate.server.run import build_application
from latchgate.settings import load_settings

__all__ = ["read_document", "write_pages"]

_BASE = "http://127.0.0.1:8000"
# What an address is another name of: it takes the same, and the second version answers in another envelope.
_OTHER_NAMES = (("/api/v1/", "/api/"), ("/api/v2/method/", "/api/method/"), ("/api/v2/document/", "/api/resource/"))
_VERBS = ("get", "post", "put", "patch", "delete")
_EXAMPLE_LINES_MAX = 60

Operations = Mapping[str, dict[str, Any]]


def read_document() -> dict[str, Any]:
    """Give the OpenAPI document of an instance that is made for it and gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        latchgate = open_latchgate(load_settings({"home": Path(folder) / "home", "password_profile": "cheapest"}))
        try:
            return build_document(build_application(latchgate).table, _BASE)
        finally:
            latchgate.close()


def write_pages(document: Mapping[str, Any], folder: Path) -> None:
    """Write a page for each tag, and one that lists them, into `api` in a folder."""
    target = folder / "api"
    target.mkdir(parents=True)
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    places = {tag: re.sub(r"[^a-z0-9]+", "-", tag.lower()).strip("-") for tag in tags}
    listed = [f"- [{tag}]({place}.md): {tags[tag]}" for tag, place in places.items()]
    tree = ["```{toctree}", ":hidden:", "", *places.values(), "```"]
    about = [
        "# API",
        "",
        document["info"]["description"].strip(),
        "",
        "A running instance tells the same to programs at `/api/openapi.json`, and lets people try it at `/api/docs`.",
        "What a refusal looks like, and what to do about it: [errors](../errors.md).",
        "",
        *listed,
        "",
        *tree,
        "",
    ]
    (target / "index.md").write_text("\n".join(about), "utf-8")
    for tag, place in places.items():
        lines = [f"# {tag}", "", tags[tag], "", *_fields(document, tag), *_addresses(document, tag)]
        (target / f"{place}.md").write_text("\n".join(lines), "utf-8")


def _fields(document: Mapping[str, Any], tag: str) -> Iterator[str]:
    """Tell the fields of a document type."""
    schemas, name = document["components"]["schemas"], tag.replace(" ", "")
    shown = schemas.get(name, {}).get("properties", {})
    taken = schemas.get(f"New{name}", {}).get("properties", {})
    if not shown:
        return
    yield from ("## Fields", "", "| field | kind | what it is |", "|---|---|---|")
    for name, field in {**taken, **shown}.items():
        bound = " Set by Latchgate alone." if field.get("readOnly") else ""
        told = f"{field.get('description') or field.get('title', '')}".rstrip(".")
        yield f"| `{name}` | {_kind(document, field)} | {_cell(told)}.{bound} |"
    yield ""


def _addresses(document: Mapping[str, Any], tag: str) -> Iterator[str]:
    named: dict[str, dict[str, Operations]] = {}
    for path, operations in document["paths"].items():
        own = {verb: one for verb, one in operations.items() if tag in one["tags"]}
        if own:
            named.setdefault(_first_name(path), {})[path] = own
    for name, paths in named.items():
        yield from (f"## `{name}`", "")
        if others := [f"`{path}`" for path in paths if path != name]:
            yield from (f"Also as {' and '.join(others)}.", "")
        told: dict[str, dict[str, Any]] = {}
        for operations in paths.values():
            told = {**operations, **told}
        for verb in _VERBS:
            if verb in told:
                where = "" if verb in paths.get(name, {}) else ", under `/api/v2/` alone"
                yield from _operation(document, f"{verb.upper()}{where}", told[verb])


def _operation(document: Mapping[str, Any], verb: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"### {verb}", "", f"{operation['summary']}.", "")
    if not operation["security"]:
        yield from ("Needs no credential.", "")
    if parameters := operation.get("parameters"):
        yield from ("| parameter | where | what it is |", "|---|---|---|")
        for one in parameters:
            needed = " Required." if one.get("required") else ""
            yield f"| `{one['name']}` | {one['in']} | {_cell(one.get('description', ''))}{needed} |"
        yield ""
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield from _shown(f"Takes {kind}", body)
        yield from _body_fields(document, body.get("schema", {}))
    for status, answer in operation["responses"].items():
        for kind, body in answer.get("content", {}).items():
            yield from _shown(f"Answers {status}, {kind}", body)
    refusals = [status for status, answer in operation["responses"].items() if "$ref" in answer]
    if refusals:
        yield from (f"May be refused with {', '.join(refusals)}.", "")


def _shown(words: str, body: Mapping[str, Any]) -> Iterator[str]:
    for example in body.get("examples", {}).values():
        value = example["value"]
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        lines = text.splitlines()
        yield from (f"{words}:", "", "```text", *lines[:_EXAMPLE_LINES_MAX])
        yield from (["…"] if len(lines) > _EXAMPLE_LINES_MAX else [])
        yield from ("```", "")
        return


def _body_fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Tell the arguments of a method; the fields of a record stand above."""
    if "$ref" in schema or not schema.get("properties"):
        return
    yield from ("| argument | kind | what it is |", "|---|---|---|")
    for name, field in schema["properties"].items():
        needed = " Required." if name in schema.get("required", []) else ""
        yield f"| `{name}` | {_kind(document, field)} | {_cell(field.get('description', ''))}{needed} |"
    yield ""


def _kind(document: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        named = document["components"]["schemas"][field["$ref"].rpartition("/")[2]]
        return " or ".join(f"`{value}`" for value in named["enum"]) if "enum" in named else "object"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if choices := field.get("anyOf"):
        return " or ".join(_kind(document, one) for one in choices)
    kind = field.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _first_name(path: str) -> str:
    for other, first in _OTHER_NAMES:
        if path.startswith(other):
            return first + path.removeprefix(other)
    return path
