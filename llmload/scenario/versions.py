"""Older documents become newer ones, one pure step after the other; every node keeps the place it was written at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmload.scenario.nearest import nearest
from llmload.scenario.tree import Entries, Node, Scalar, Trouble
from llmload.scenario.v1alpha1 import convert as from_v1alpha1

CURRENT = "llmload/v1"
Converted = tuple[Node | None, list[str], list[Trouble]]
CONVERTERS: Mapping[str, Callable[[Entries], Converted]] = {"llmload/v1alpha1": from_v1alpha1}
"""From each older version to the next."""


def to_current(root: Node) -> tuple[Node | None, tuple[str, ...], list[Trouble]]:
    """The document in the current version, sentences that its author should read, and what stands in the way."""
    notices: list[str] = []
    node: Node | None = root
    while isinstance(node, Entries):
        version = node.get("apiVersion")
        name = version.value if isinstance(version, Scalar) else None
        if name == CURRENT:
            return node, tuple(notices), []
        if not isinstance(name, str) or name not in CONVERTERS:
            return None, (), [_unknown(node, version)]
        node, said, troubles = CONVERTERS[name](node)
        notices += said
        if troubles:
            return None, (), troubles
    return (
        None,
        (),
        [Trouble(root.place, "document", "a scenario is a map, and this is not", f"Begin with apiVersion: {CURRENT}")],
    )


def _unknown(root: Entries, version: Node | None) -> Trouble:
    known = (CURRENT, *CONVERTERS)
    if version is None:
        return Trouble(root.place, "apiVersion", "apiVersion is missing", f"Begin with apiVersion: {CURRENT}")
    if not isinstance(version, Scalar):
        return Trouble(version.place, "apiVersion", "not a version", f"Use one of: {', '.join(known)}")
    hint = nearest(str(version.value), known)
    return Trouble(version.place, "apiVersion", f"unknown version {str(version.value)!r}", hint)
