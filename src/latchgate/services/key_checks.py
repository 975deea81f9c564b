"""Whether a key file is the one that a database was made with; with another, nobody's credential opens anything."""

import re

from latchgate.core.tokens import Digest, Peppers, Purpose
from latchgate.services.port_values import KeyFilter
from latchgate.services.ports import Store

__all__ = ["bind_key_file"]

_KEY_CHECK = "key_check"


def bind_key_file(store: Store, peppers: Peppers) -> bool:
    """Tell whether the key file is the database's; one without any keys yet takes the first that it meets.

    What is stated for it moves on to the newest pepper by itself.
    """
    with store.read() as tx:
        stated = tx.instance.find_fact(_KEY_CHECK)
        unbound = stated is None and not tx.api_keys.list_some(KeyFilter(include_ended=True), 0)
    if not unbound and not _matches(peppers, stated):
        return False
    present = peppers.digest(Purpose.KEY_CHECK, _KEY_CHECK)
    text = f"{present.pepper}:{present.value.hex()}"
    if stated != text:
        with store.write() as tx:
            tx.instance.set_fact(_KEY_CHECK, text)
    return True


def _matches(peppers: Peppers, stated: str | None) -> bool:
    found = re.fullmatch(r"([0-9]{1,10}):([0-9a-f]{64})", stated or "")
    if found is None:
        return False
    return peppers.matches(Digest(int(found[1]), bytes.fromhex(found[2])), Purpose.KEY_CHECK, _KEY_CHECK)
