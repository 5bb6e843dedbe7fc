"""What the deploy of kept metadata files would change in an app, besides its certificate.

A deploy is declarative: what a file says differently is changed, what it leaves out goes back to its default. So a
setting counts whichever side has it; its form, the order of elements, and elements without a text do not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

from rotator.salesforce import appxml
from rotator.salesforce.appfiles import SLOT, AppFiles
from rotator.salesforce.packages import member, type_of

_BESIDE_THE_SLOT: Final = frozenset({
    "certificate",
    "consumerKey",  # not always shown, and refused elsewhere where it is of another app
    "consumerSecret",
    "shouldRotateConsumerKey",  # what a deploy is to do, no settings; refused elsewhere where they are true
    "shouldRotateConsumerSecret",
})  # fmt: skip


class _Node(NamedTuple):
    """An element without its form: text, and what is below in an order of its own."""

    name: str
    text: str
    below: tuple[_Node, ...]


def difference(kept: AppFiles, shown: AppFiles) -> str | None:
    """Return the file and the path of a setting in which kept files are not what the org shows; None if they are.

    Raises Rejected for files that can't be read safely.
    """
    theirs = {type_of(path): path for path in shown.files}
    for path, xml in kept.files.items():
        other = theirs[type_of(path)]
        if member(other) != member(path):
            return f"{path}: {member(other)} is its name in the org"
        where = _differing(_tree(kept, path, xml), _tree(shown, other, shown.files[other]))
        if where is not None:
            return f"{path}: {'/'.join(where)}"
    return None


def _tree(files: AppFiles, path: str, xml: bytes) -> _Node:
    """Return the elements of a file without the certificate and what else is not compared."""
    kind, (*inside, _) = SLOT[files.app.kind]
    left_out = {(*inside, name) for name in _BESIDE_THE_SLOT} if type_of(path) is kind else set()
    found = appxml.elements(xml)
    below: defaultdict[int, list[_Node]] = defaultdict(list)
    for element in reversed(found[1:]):  # what is inside an element stands after it
        node = _node(element, below)
        if element.path[1:] not in left_out and (node.text or node.below):
            below[id(element.parent)].append(node)
    return _node(found[0], below)


def _node(element: appxml.Element, below: dict[int, list[_Node]]) -> _Node:
    return _Node(element.name, element.text.strip(), tuple(sorted(below[id(element)])))


def _differing(kept: _Node, shown: _Node) -> tuple[str, ...] | None:
    """Return the path of the first difference below two elements of the same name; None if there is none."""
    if kept.text != shown.text:
        return ()
    for name in sorted({node.name for node in (*kept.below, *shown.below)}):
        ours = [node for node in kept.below if node.name == name]
        theirs = [node for node in shown.below if node.name == name]
        if len(ours) == len(theirs) == 1:
            deeper = _differing(ours[0], theirs[0])
            if deeper is not None:
                return (name, *deeper)
        elif ours != theirs:
            return (name,)
    return None
