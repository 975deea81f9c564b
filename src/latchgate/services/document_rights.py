"""What a caller may do to records, and which of them there are for that caller at all."""

from dataclasses import dataclass

from latchgate.core.document_types import DocumentType, Viewer
from latchgate.core.documents import DOCUMENT_TYPES, source_type
from latchgate.core.permissions import Action, Reach
from latchgate.core.principals import Reason
from latchgate.errors import Conflict, NotFound, NotPermitted
from latchgate.services.actors import Actor
from latchgate.services.port_values import FoundDocument
from latchgate.services.ports import Documents, Transaction
from latchgate.services.rights import find_reach, require_reach

__all__ = ["GIVES_RIGHTS", "Seen", "get_type", "require_action", "require_extends", "see"]

GIVES_RIGHTS = frozenset({"Role Permission", "System Settings"})
"""What System Managers alone change, whatever a permission says."""
_NAME_SHOWN_MAX = 140


@dataclass(frozen=True, slots=True)
class Seen:
    """A record that the caller may read."""

    found: FoundDocument
    viewer: Viewer
    own: bool
    """Whether it is the caller's own."""


def get_type(tx: Transaction, actor: Actor, name: str) -> DocumentType:
    """Give a document type.

    Raises:
        NotFound: There is none; told to System Managers, whose credential's scopes would cover it.
        NotPermitted: There is none; told to others, as of a type that they have no right to.
    """
    if name in DOCUMENT_TYPES:
        return DOCUMENT_TYPES[name]
    if tx.sources.exists(name):
        return source_type(name)
    name = name[:_NAME_SHOWN_MAX]
    reach = find_reach(tx, actor, name, Action.READ)
    if reach is Reason.SCOPE_MISSING or not Viewer.of(actor.principal, Reach.NONE).manager:
        raise NotPermitted(f"No permission for {name}", reason=Reason.ROLE_MISSING.value, told=True)
    raise NotFound(f"DocType {name} not found")


def require_action(tx: Transaction, actor: Actor, doctype: DocumentType, action: Action) -> Reach:
    """Let nobody pass who may not do this to any record of a type. Raises NotPermitted."""
    reach = require_reach(tx, actor, doctype.name, action)
    viewer = Viewer.of(actor.principal, reach)
    reserved = doctype.name in GIVES_RIGHTS and not viewer.manager
    # An account is nobody's own before it is there.
    unowned = doctype.name == "User" and action is Action.CREATE and reach is not Reach.ALL
    if action is not Action.READ and (doctype.log or reserved or unowned):
        raise NotPermitted(f"No permission for {doctype.name}", reason=Reason.ROLE_MISSING.value, told=True)
    return reach


def see(tx: Transaction, documents: Documents, actor: Actor, doctype: DocumentType, name: str) -> Seen:
    """Give a record that the caller may read; one that they may not is as good as absent. Raises NotFound, Conflict."""
    missing = NotFound(f"{doctype.name} {name[:_NAME_SHOWN_MAX]} not found")
    reach = find_reach(tx, actor, doctype.name, Action.READ)
    if isinstance(reach, Reason):
        raise missing
    viewer = Viewer.of(actor.principal, reach)
    try:
        found = documents.find(doctype.name, name)
    except Conflict:
        # That there are several tells that there are any.
        if viewer.own_only is not None:
            raise missing from None
        raise
    if found is None:
        raise missing
    # A log's row that names nobody by id is nobody's: a later user may have the name.
    named = found.owned_by_id is not None or not doctype.log
    own = named and viewer.own is not None and found.is_own(viewer.own)
    if viewer.own_only is not None and not own:
        raise missing
    return Seen(found, viewer, own)


def require_extends(seen: Seen, doctype: DocumentType, action: Action, reach: Reach) -> None:
    """Let nobody pass whose right does not extend to this record. Raises NotPermitted."""
    if reach is Reach.ALL or seen.own:
        return
    told = f"You need the '{action}' permission on {doctype.name} {seen.found.values['name']} to perform this action."
    raise NotPermitted(told, reason=Reason.ROLE_MISSING.value, told=True)
