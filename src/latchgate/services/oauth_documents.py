"""How records of OAuth 2 are made, changed and ended as documents; whatever its services do not do yet is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from latchgate.core.document_types import DocumentType
from latchgate.errors import Invalid
from latchgate.services.actors import Actor
from latchgate.services.document_writers import Made
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Transaction

__all__ = ["ReadOnlyWriter"]


@dataclass(frozen=True, slots=True)
class ReadOnlyWriter:
    """Records of a type that documents only show."""

    doctype: DocumentType

    def create(self, tx: Transaction, actor: Actor, wanted: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Refuse. Raises Invalid."""
        self._refuse("made")

    def change(self, tx: Transaction, actor: Actor, found: FoundDocument, changes: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse. Raises Invalid."""
        self._refuse("changed")

    def delete(self, tx: Transaction, actor: Actor, found: FoundDocument) -> None:  # noqa: ARG002
        """Refuse. Raises Invalid."""
        self._refuse("deleted")

    def _refuse(self, done: str) -> NoReturn:
        raise Invalid({"doctype": f"Records of {self.doctype.name} cannot be {done} here"})
