"""`${VAR}`, `${VAR:-default}` and `$${` in values, after the YAML is read: a variable can never add structure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from llmload.scenario.scalars import ScalarValue, resolve
from llmload.scenario.tree import Entries, Items, Node, Scalar, Step, Trouble, format_path

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_MATRIX = "matrix."
_UNTYPED = ("spec", "workload", "sampling")  # sent as given: the schema wants no type, so a number is a number


def interpolate(root: Node, env: Mapping[str, str]) -> tuple[Node, list[Trouble]]:
    """The tree with every variable filled in, and what could not be. `${matrix.KEY}` is left to the matrix."""
    filling = _Filling(env)
    return filling.node(root, ()), filling.troubles


class _Filling:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.troubles: list[Trouble] = []

    def node(self, node: Node, path: tuple[Step, ...]) -> Node:
        match node:
            case Scalar(str()):
                return self.scalar(node, path)
            case Scalar():
                return node
            case Items(nodes, place):
                return Items(tuple(self.node(item, (*path, index)) for index, item in enumerate(nodes)), place)
            case Entries(pairs, place):
                filled = tuple((key, self.node(value, (*path, str(key.value)))) for key, value in pairs)
                return Entries(filled, place)

    def scalar(self, scalar: Scalar, path: tuple[Step, ...]) -> Scalar:
        text = str(scalar.value)
        references = list(_REFERENCE.finditer(text))
        if not references:
            return scalar
        before = len(self.troubles)
        filled = _REFERENCE.sub(lambda found: self.fill(found, scalar, path), text)
        if len(self.troubles) > before:
            return scalar
        if all(found[0] == "$${" for found in references):
            return replace(scalar, value=filled)
        is_whole = len(references) == 1 and references[0].span() == (0, len(text))
        typed = _typed(filled) if is_whole else ()
        if typed and path[: len(_UNTYPED)] == _UNTYPED:
            return replace(scalar, value=typed[0], is_from_env=True)
        return replace(scalar, value=filled, otherwise=typed, is_from_env=True)

    def fill(self, found: re.Match[str], scalar: Scalar, path: tuple[Step, ...]) -> str:
        if found[0] == "$${":
            return "${"
        if found[1].startswith(_MATRIX):
            return found[0]
        inside = _INSIDE.fullmatch(found[1])
        if not found[2] or not inside:
            hint = "Write ${NAME} or ${NAME:-default}, or $${ for the two characters themselves"
            self.trouble(found, scalar, path, "a reference to a variable that cannot be read", hint)
            return ""
        name, default = inside[1], inside[2]
        value = self.env.get(name)
        if value is None and default is None:
            hint = f"Set it (export {name}=...), pass --env-file, or write a default: ${{{name}:-...}}"
            self.trouble(found, scalar, path, f"the environment variable {name} is not set", hint)
            return ""
        if default is not None and not value:
            return default
        return value or ""

    def trouble(self, found: re.Match[str], scalar: Scalar, path: tuple[Step, ...], message: str, hint: str) -> None:
        place = scalar.inside(found.start())
        self.troubles.append(Trouble(place, format_path(path), message, hint))


def _typed(text: str) -> tuple[ScalarValue, ...]:
    try:
        value = resolve(text)
    except ValueError:
        return ()
    return () if isinstance(value, str) else (value,)
