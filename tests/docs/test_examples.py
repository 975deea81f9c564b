"""Every command and example of the README and of the guides to tokens and records does what it says, on a server."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.documents import ROOT, find_blocks
from support.reader import Reader, reading

_DEFAULT_ADDRESS = "http://127.0.0.1:8000"
_README = ROOT / "README.md"
_GUIDE = ROOT / "docs" / "howto" / "token-based-auth.md"
_RECORDS = ROOT / "docs" / "howto" / "records.md"
_FRAPPES_EXAMPLES = ROOT / "tests" / "vectors" / "frappe" / "examples.md"
_USER = "ann@example.com"
_ACCESS_TOKEN = "an-access-token-from-elsewhere"
_PRINT = "\nprint(response.text)\n"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader, and a user with an access token."""
    with reading(tmp_path_factory.mktemp("clone")) as reader:
        reader.latchgate("user", "create", _USER)
        reader.latchgate("token", "import", _USER, text=_ACCESS_TOKEN)
        yield reader


def _work_through(document: Path, reader: Reader) -> Iterator[tuple[str, str]]:
    """Do all that a document says, in order; give each block's language and what came of it.

    Filled in are the server's address, and where the document has placeholders, what was printed last.
    """
    values = {"<access_token>": _ACCESS_TOKEN}
    output = ""
    with reader.shell() as shell:
        for block in find_blocks(document.read_text()):
            text = block.text.replace(_DEFAULT_ADDRESS, reader.base)
            for placeholder, value in values.items():
                text = text.replace(placeholder, value)
            match block.language:
                case "sh" if text.startswith("make "):
                    output = text
                case "sh":
                    output = shell.run(text)
                    pair = re.findall(r"^api (key|secret) +(\S+)$", output, re.MULTILINE)
                    values |= {f"<api_{half}>": value for half, value in pair}
                case "python":
                    output = reader.python(text)
                case "json" | "text":
                    assert text.strip() == output.strip().splitlines()[-1], block
                case _:
                    pass
            yield block.language, output


def _mended(heading: str, reader: Reader) -> str:
    """Give one of Frappe's examples with its slips mended and the answer printed."""
    _, _, section = _FRAPPES_EXAMPLES.read_text().partition(f"## {heading}\n")
    code = find_blocks(section)[0].text
    return code.replace("**", "").replace("http://frappe.local:8000", reader.base) + _PRINT


def _generate(reader: Reader, *arguments: str) -> tuple[str, str]:
    issued = json.loads(reader.latchgate("key", "generate", *arguments, "--json"))
    return issued["api_key"], issued["api_secret"]


def _filled(code: str, pair: tuple[str, str]) -> str:
    return code.replace("<api_key>", pair[0]).replace("<api_secret>", pair[1])


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's tour needs curl; install it")
def test_the_readme_does_what_it_says(reader: Reader) -> None:
    """Each command of the README works as printed, and the answers that it shows are those that come."""
    outputs = list(_work_through(_README, reader))

    languages = [language for language, _ in outputs]
    assert languages.count("python") == 1
    assert languages.count("json") == 2
    everything = "".join(output for _, output in outputs)
    assert '"exc_type":"AuthenticationError"' in everything
    assert '"reason": "revoked"' in everything
    assert json.loads(outputs[-1][1]) == {"message": "robot@example.com"}


def test_the_two_commands_are_there() -> None:
    """The README's two commands, which a test cannot run within itself, are targets of the Makefile."""
    blocks = [block.text for block in find_blocks(_README.read_text()) if block.text.startswith("make ")]

    assert blocks == ["make serve\n", "make test\n"]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^serve:.*\n(?:\t.*\n)*?\t.*latchgate serve$", makefile, re.MULTILINE)
    assert re.search(r"^test:.*\n(?:\t.*\n)*?\t.*tools/run_tests.py", makefile, re.MULTILINE)


def test_the_guide_does_what_it_says(reader: Reader) -> None:
    """Each command of the guide to tokens works, and each of its examples prints the user that it acts as."""
    outputs = list(_work_through(_GUIDE, reader))

    printed = [json.loads(output)["message"] for language, output in outputs if language == "python"]
    robot = "reports@example.com"
    assert printed == [robot, robot, _USER, robot]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide's lists need curl; install it")
def test_the_guide_to_records_does_what_it_says(reader: Reader) -> None:
    """Each command and example of the guide to records works, and prints what the guide shows after it."""
    languages = [language for language, _ in _work_through(_RECORDS, reader)]

    assert languages.count("python") == 5
    assert languages.count("json") + languages.count("text") == 8


def test_frappes_token_example_prints_the_user(reader: Reader) -> None:
    """The example of Frappe's documents for `token` works with the stray asterisks removed."""
    code = _filled(_mended("Token", reader), _generate(reader, _USER))

    assert json.loads(reader.python(code)) == {"message": _USER}


def test_frappes_basic_example_prints_the_user(reader: Reader) -> None:
    """The example of Frappe's documents for `Basic` works once the pair is bytes and the result text."""
    unmended = "base64.b64encode(<api_key>:<api_secret>)"
    code = _mended("Basic", reader).replace(unmended, 'base64.b64encode("<api_key>:<api_secret>".encode()).decode()')

    printed = reader.python(_filled(code, _generate(reader, _USER)))

    assert json.loads(printed) == {"message": _USER}


def test_frappes_basic_example_left_in_bytes_is_told_so(reader: Reader) -> None:
    """What the printed line really sends on Python 3, `Basic b'…'`, gets a 400 that says how to mend it."""
    unmended = "base64.b64encode(<api_key>:<api_secret>)"
    code = _mended("Basic", reader).replace(unmended, 'base64.b64encode("<api_key>:<api_secret>".encode())')

    status, document = json.loads(
        reader.python(
            _filled(code, _generate(reader, _USER)).replace(
                _PRINT, "\nimport json\nprint(json.dumps([response.status_code, response.json()]))\n"
            )
        )
    )

    assert status == 400
    assert document["exc_type"] == "InvalidAuthorizationToken"
    message = json.loads(json.loads(document["_server_messages"])[0])["message"]
    assert "bytes literal" in message
    assert ".decode()" in message


def test_frappes_access_token_example_prints_the_user(reader: Reader) -> None:
    """The example of Frappe's documents for `Bearer` works."""
    code = f"access_token = '{_ACCESS_TOKEN}'\n" + _mended("Access token", reader)

    assert json.loads(reader.python(code)) == {"message": _USER}


def test_frappes_source_example_prints_the_user(reader: Reader) -> None:
    """The headers that Frappe's documents show for another source work with a generated Event Consumer key."""
    reader.latchgate("source", "record", "create", "Event Consumer", "warehouse", "--user", _USER)
    pair = _generate(reader, "warehouse", "--source", "Event Consumer")
    headers = _mended("Authorization source", reader).removesuffix(_PRINT)
    whole = _mended("Token", reader)
    code = re.sub(r"^headers = \{.*?^\}\n", lambda _: headers, whole, flags=re.MULTILINE | re.DOTALL)

    printed = reader.python(_filled(code, pair).replace("<frappe_authorizarion_source>", "Event Consumer"))

    assert json.loads(printed) == {"message": _USER}
