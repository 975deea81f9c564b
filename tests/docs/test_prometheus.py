"""The guide to Prometheus: its configuration scrapes a server that really runs, and it names just what there is."""

import base64
import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml  # type: ignore[import-untyped]  # it brings no types, and is asked for one thing

from latchgate.services.measures import Outcome
from support.documents import ROOT, find_blocks
from support.reader import Reader, reading
from support.scraped import Scraped

_GUIDE = ROOT / "docs" / "howto" / "prometheus.md"
_SERVER = "http://127.0.0.1:8000"
_NAME = re.compile(r"latchgate_[a-z_]+")
_PATIENCE_SECONDS = 60.0
_ITSELF = {"scheme": "Basic", "outcome": "allowed", "way": "ordinary"}


def _block(language: str, word: str) -> str:
    (text,) = [
        block.text
        for block in find_blocks(_GUIDE.read_text())
        if block.language == language and block.text.startswith(word)
    ]
    return text


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader with a running server."""
    with reading(tmp_path_factory.mktemp("clone")) as reader:
        yield reader


@pytest.fixture(scope="module")
def key(reader: Reader) -> dict[str, str]:
    """The key that the guide has made."""
    with reader.shell() as shell:
        made: dict[str, str] = json.loads(shell.run(_block("sh", ".venv/bin/latchgate key")))
    return made


def _scrape(reader: Reader, authorization: str) -> tuple[int, str]:
    (job,) = yaml.safe_load(_block("yaml", "scrape_configs"))["scrape_configs"]
    ((target,),) = [one["targets"] for one in job["static_configs"]]
    address = f"{job['scheme']}://{target}{job['metrics_path']}"
    assert address.startswith(_SERVER)
    request = urllib.request.Request(
        reader.base + address.removeprefix(_SERVER),
        # As Prometheus asks.
        headers={"Authorization": authorization, "Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, ""


def test_the_configuration_scrapes(reader: Reader, key: dict[str, str]) -> None:
    """With the key that the guide makes, and what is scraped can be read; with another secret it is refused."""
    (job,) = yaml.safe_load(_block("yaml", "scrape_configs"))["scrape_configs"]
    assert job["basic_auth"]["username"] == "<api_key>"
    good, bad = (
        base64.b64encode(f"{key['api_key']}:{secret}".encode()).decode() for secret in (key["api_secret"], "guess")
    )

    pages = [_scrape(reader, f"Basic {good}") for _ in range(2)]

    assert [status for status, _ in pages] == [200, 200]
    # The page of before is a request like any other.
    first, second = (Scraped(page).value("latchgate_requests_total", **_ITSELF) for _, page in pages)
    assert second == first + 1
    assert _scrape(reader, f"Basic {bad}")[0] == 401


def test_the_other_ways_that_it_names_work(reader: Reader, key: dict[str, str]) -> None:
    """The key by `token`, an access token by Bearer."""
    text = "an-access-token-for-prometheus"
    reader.latchgate("token", "import", "Administrator", "--scope", "Metrics:read", text=text)

    assert _scrape(reader, f"token {key['api_key']}:{key['api_secret']}")[0] == 200
    assert _scrape(reader, f"Bearer {text}")[0] == 200


def test_the_table_names_what_the_page_tells(reader: Reader, key: dict[str, str]) -> None:
    """All of it, with its labels, and nothing else."""
    page = Scraped(_scrape(reader, f"token {key['api_key']}:{key['api_secret']}")[1])
    guide = _GUIDE.read_text()
    told: dict[str, set[str]] = {}
    for line in guide.splitlines():
        if line.startswith("| `latchgate_"):
            _, names, labels, *_ = line.split("|")
            told |= {name: set(re.findall(r"`([a-z]+)`", labels)) for name in _NAME.findall(names)}
    there: dict[str, set[str]] = {}
    for family in page.families.values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        there[name] = {label for sample in family.samples for label in sample.labels} - {"le"}

    assert told == there
    assert [outcome.value for outcome in Outcome] == re.findall(r"^\| `([a-z_]+)` \| [^|]+ \|$", guide, re.MULTILINE)


def test_the_alerts_are_about_what_there_is(reader: Reader, key: dict[str, str]) -> None:
    """Each names numbers of the page, and values of labels that there are."""
    page = Scraped(_scrape(reader, f"token {key['api_key']}:{key['api_secret']}")[1])
    names = {name for name, _ in page.samples}
    values = {value for _, labels in page.samples for _, value in labels}
    rules: list[dict[str, Any]] = yaml.safe_load(_block("yaml", "groups"))["groups"][0]["rules"]

    assert len(rules) > 5
    for rule in rules:
        named = _NAME.findall(rule["expr"])
        assert named, rule
        assert set(named) <= names, rule
        for wanted in re.findall(r'=~?"([^"]+)"', rule["expr"]):
            assert set(wanted.split("|")) <= values, rule
        assert rule["annotations"]["summary"]
