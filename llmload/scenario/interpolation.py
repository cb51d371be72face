"""`${VAR}`, `${VAR:-default}` and `$${` in values, after the YAML is read: a variable can never add structure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from llmload.scenario.cell_id import spelled
from llmload.scenario.nearest import nearest
from llmload.scenario.scalars import ScalarValue, resolve
from llmload.scenario.tree import Entries, Items, Node, Scalar, Step, Trouble, format_path

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_MATRIX = "matrix."
_UNTYPED = ("spec", "workload", "sampling")  # sent as given: the schema wants no type, so a number is a number


def interpolate(
    root: Node, env: Mapping[str, str], cell: Mapping[str, Node] | None = None, path: tuple[Step, ...] = ()
) -> tuple[Node, list[Trouble]]:
    """The tree with every variable filled in, and what could not be; `root` stands at `path`.

    `${matrix.KEY}` is what `cell` has under that key; None where there is no matrix.
    """
    filling = _Filling(env, cell)
    return filling.node(root, path), filling.troubles


def references(scalar: Scalar) -> tuple[str, ...]:
    """The variables of the environment that a value refers to, by name."""
    inside = (_INSIDE.fullmatch(found[1]) for found in _REFERENCE.finditer(str(scalar.value)) if found[0] != "$${")
    return tuple(found[1] for found in inside if found)


def as_it_is(node: Node) -> Node:
    """A value whose variables are filled in, so that filling it in once more leaves it: what a variable holds, such as
    the title of a pull request, must not name another one.
    """
    match node:
        case Scalar(str(text)):
            return replace(node, value=text.replace("${", "$${"))
        case Scalar():
            return node
        case Items(nodes, place):
            return Items(tuple(map(as_it_is, nodes)), place)
        case Entries(pairs, place):
            return Entries(tuple((key, as_it_is(value)) for key, value in pairs), place)


class _Filling:
    def __init__(self, env: Mapping[str, str], cell: Mapping[str, Node] | None) -> None:
        self.env, self.cell = env, cell
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
        is_from_env = any(self.is_of_env(found[1]) for found in references if found[0] != "$${")
        if typed and path[: len(_UNTYPED)] == _UNTYPED:
            return replace(scalar, value=typed[0], is_from_env=is_from_env)
        return replace(scalar, value=filled, otherwise=typed, is_from_env=is_from_env)

    def is_of_env(self, reference: str) -> bool:
        """Whether what stands for a reference comes from the environment, if only by way of the matrix."""
        if not reference.startswith(_MATRIX):
            return True
        node = (self.cell or {}).get(reference.removeprefix(_MATRIX))
        return isinstance(node, Scalar) and node.is_from_env

    def fill(self, found: re.Match[str], scalar: Scalar, path: tuple[Step, ...]) -> str:
        if found[0] == "$${":
            return "${"
        if found[1].startswith(_MATRIX):
            return self.of_cell(found, scalar, path)
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

    def of_cell(self, found: re.Match[str], scalar: Scalar, path: tuple[Step, ...]) -> str:
        """What the cell of the matrix has under the key that is named."""
        key = found[1].removeprefix(_MATRIX)
        node = None if self.cell is None else self.cell.get(key)
        if isinstance(node, Scalar) and found[2]:
            return spelled(node)
        if node is not None:
            message, hint = f"{key} is a list or a map, which stands in no text", "Refer to a key of single values"
        elif self.cell is None and path[:2] == ("spec", "matrix"):
            message, hint = "a value of the matrix cannot refer to another one", "Write the value itself"
        elif self.cell is None:
            message, hint = "there is no matrix to refer to here", "Write spec.matrix with that key, or delete it"
        else:
            message = f"this cell of the matrix says nothing of {key!r}"
            hint = f"{nearest(key, self.cell)}; keys are written in full, as in the matrix"
        self.trouble(found, scalar, path, message, hint)
        return ""

    def trouble(self, found: re.Match[str], scalar: Scalar, path: tuple[Step, ...], message: str, hint: str) -> None:
        place = scalar.inside(found.start())
        self.troubles.append(Trouble(place, format_path(path), message, hint))


def _typed(text: str) -> tuple[ScalarValue, ...]:
    try:
        value = resolve(text)
    except ValueError:
        return ()
    return () if isinstance(value, str) else (value,)
