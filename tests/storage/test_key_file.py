"""The key file: made once, readable by its owner alone, refused if anything is odd about it."""

import base64
import json
import stat
from pathlib import Path

import pytest

from latchgate.core.tokens import Purpose
from latchgate.errors import SettingsError
from latchgate.storage.key_file import copy_key_file, load_key_file, make_key_file

_SECRET = bytes(range(32))


def _pepper(number: object = 1, secret: bytes = _SECRET) -> dict[str, object]:
    return {"number": number, "secret": base64.b64encode(secret).decode()}


def _write(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(0o600)
    return path


def test_a_key_file_is_its_owners_alone_and_gives_what_was_put_in(tmp_path: Path) -> None:
    """Mode 0600, no other file left beside it, and the same digests after loading it anew."""
    path = tmp_path / "latchgate.key"

    made = make_key_file(path, _SECRET)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert load_key_file(path).digest(Purpose.API_KEY, "x") == made.digest(Purpose.API_KEY, "x")


def test_a_key_file_never_replaces_another(tmp_path: Path) -> None:
    """What is there stays, byte for byte, and nothing is left beside it."""
    path = _write(tmp_path / "latchgate.key", "what was there")

    with pytest.raises(SettingsError, match="never replaced"):
        make_key_file(path, _SECRET)

    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """A missing folder is told as such."""
    with pytest.raises(SettingsError, match="cannot be made: No such file or directory"):
        make_key_file(tmp_path / "nowhere" / "latchgate.key", _SECRET)


def test_digests_are_made_under_the_newest_pepper_and_known_under_all(tmp_path: Path) -> None:
    """A pepper that was added counts from now on; what was hashed before still matches."""
    path = _write(tmp_path / "latchgate.key", {"version": 1, "peppers": [_pepper()]})
    before = load_key_file(path).digest(Purpose.API_KEY, "x")
    _write(path, {"version": 1, "peppers": [_pepper(2, bytes(32)), _pepper()]})

    peppers = load_key_file(path)

    assert peppers.digest(Purpose.API_KEY, "x").pepper == 2
    assert peppers.matches(before, Purpose.API_KEY, "x")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("", "cannot be understood"),
        ("[]", "cannot be understood"),
        ({"version": 2, "peppers": [_pepper()]}, "of a version that this release does not know"),
        ({"version": 1, "peppers": []}, "at peppers"),
        ({"version": 1, "peppers": [_pepper()], "more": 1}, "at more"),
        ({"version": 1, "peppers": [_pepper("1")]}, r"at peppers\.0\.number"),
        ({"version": 1, "peppers": [_pepper(0)]}, r"at peppers\.0\.number"),
        ({"version": 1, "peppers": [_pepper(1, bytes(31))]}, r"at peppers\.0\.secret"),
        ({"version": 1, "peppers": [{"number": 1, "secret": "!" * 44}]}, r"at peppers\.0\.secret"),
        ({"version": 1, "peppers": [{"number": 1, "secret": 7}]}, r"at peppers\.0\.secret"),
        ({"version": 1, "peppers": [_pepper(), _pepper(1, bytes(32))]}, "a number to two peppers"),
        ({"version": 1, "peppers": [_pepper(), _pepper(2)]}, "one secret twice"),
    ],
)
def test_a_key_file_of_another_form_is_refused(tmp_path: Path, document: object, told: str) -> None:
    """One line that names the place, and never what stands there."""
    path = _write(tmp_path / "latchgate.key", document)

    with pytest.raises(SettingsError, match=told) as caught:
        load_key_file(path)

    assert base64.b64encode(_SECRET).decode() not in caught.value.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    """Nobody but the owner may read or write it."""
    path = _write(tmp_path / "latchgate.key", {"version": 1, "peppers": [_pepper()]})
    path.chmod(mode)

    with pytest.raises(SettingsError, match=f"chmod 600 {path}"):
        load_key_file(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Neither nothing nor a folder is a key file."""
    with pytest.raises(SettingsError, match="is missing; restore it"):
        load_key_file(tmp_path / "latchgate.key")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_key_file(tmp_path)


def test_a_device_is_no_key_file() -> None:
    """What never ends is not read."""
    with pytest.raises(SettingsError, match="is not a file"):
        load_key_file(Path("/dev/zero"))


def test_a_copy_is_the_same_and_replaces_nothing(tmp_path: Path) -> None:
    """A copy has the mode and the content of the original; a second one to the same place is refused."""
    path, copy = tmp_path / "latchgate.key", tmp_path / "copy.key"
    make_key_file(path, _SECRET)

    copy_key_file(path, copy)

    assert copy.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="cannot be made: File exists"):
        copy_key_file(path, copy)
