"""`spec.matrix`: one document as several, one for each cell, as GitHub Actions combines the values of a matrix.

Keys are paths below `spec`, values lists of what may stand there. Combinations come first, `exclude` takes some away,
then each entry of `include` completes the cells that it agrees with, or becomes a cell of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from llmload.cells import CELL_LABEL
from llmload.scenario.cell_id import cell_id, spelled
from llmload.scenario.interpolation import as_it_is, references
from llmload.scenario.masking import secrets_in
from llmload.scenario.nearest import nearest
from llmload.scenario.overrides import Path, path_at, put_at
from llmload.scenario.secrets import names_secret
from llmload.scenario.tree import Entries, Items, Node, Place, Scalar, Step, Trouble, find, format_path, scalars

MATRIX: tuple[Step, ...] = ("spec", "matrix")
MOST_CELLS = 64
"""Cells of a matrix that does not say `max_cells`."""

HIGHEST_MOST = 1000
"""What `max_cells` may say."""

_MOST_COMBINATIONS = 10_000  # before `exclude`: no author means more
_WORDS = ("exclude", "include", "max_cells")
_SETTINGS: tuple[Step, ...] = ("spec", "target", "framework_config")
_STARTED: tuple[tuple[Step, ...], ...] = (
    ("spec", "target", "launch", "command"),
    ("spec", "target", "launch", "env"),
    ("spec", "target", "simulator"),
)
"""Where a server of ours is told how to start."""

_Values = Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination: its id, and the values by their keys in order.

    `place` is where the matrix has it from: itself, or the entry of `include`.
    """

    id: str
    values: Mapping[str, Node]
    paths: Mapping[str, Path]
    place: Place
    matrix: Place


@dataclass(frozen=True, slots=True)
class Matrix:
    """The cells of a document in stable order, whatever order its keys are written in; or what is wrong with it."""

    cells: tuple[Cell, ...]
    troubles: tuple[Trouble, ...] = ()


def matrix_of(root: Entries) -> Matrix:
    """What a `spec.matrix` comes to, its variables filled in."""
    reader = _Reader(root)
    cells = reader.cells()
    return Matrix(() if reader.troubles else cells, tuple(reader.troubles))


def named_secrets(node: Node, path: tuple[Step, ...]) -> Iterator[Trouble]:
    """The values of a matrix at `path`, its variables not filled in yet, that refer to what is called a secret.

    Whatever varies stands in the name of its cell: in folders, labels and titles.
    """
    for below, scalar in scalars(node, path):
        if secret := next((name for name in references(scalar) if names_secret(name)), None):
            message = f"${{{secret}}} is called a secret, and what varies stands in the name of the cell"
            hint = "Vary the name of a variable, such as target.api_key.env: [KEY_A, KEY_B], or write one file for each"
            yield Trouble(scalar.place, format_path(below), message, hint)


def laid_over(root: Node, cell: Cell) -> tuple[Node, list[Trouble]]:
    """The document of one cell: without the matrix, its values where the keys say, its id among the labels."""
    spec = find(root, MATRIX[:1])
    if isinstance(root, Entries) and isinstance(spec, Entries):
        pairs = tuple((key, node) for key, node in spec.pairs if key.value != MATRIX[1])
        rest = Entries(pairs, spec.place)
        root = Entries(tuple((key, rest if node is spec else node) for key, node in root.pairs), root.place)
    troubles: list[Trouble] = []
    for key, node in cell.values.items():
        laid = put_at(root, cell.paths[key], as_it_is(node))
        if isinstance(laid, Trouble):
            troubles.append(laid)
        else:
            root = laid
    troubles += _untold(root, cell)
    label = tuple((step, cell.place) for step in ("metadata", "labels", CELL_LABEL))
    labelled = put_at(root, label, Scalar(cell.id, cell.place))
    return (root if isinstance(labelled, Trouble) else labelled), troubles  # what is no map, the schema refuses


def label_troubles(root: Node) -> list[Trouble]:
    """That the author wrote the label that says which cell a run is."""
    path: tuple[Step, ...] = ("metadata", "labels", CELL_LABEL)
    node = find(root, path)
    if node is None:
        return []
    return [Trouble(node.place, format_path(path), "this label is written by spec.matrix alone", "Delete it")]


def _untold(root: Node, cell: Cell) -> Iterator[Trouble]:
    """Settings of the framework that vary, and which nobody hands to the server: the run would declare what is not."""
    started = [node for path in _STARTED if (node := find(root, path)) is not None]
    texts = [str(scalar.value) for node in started for _, scalar in scalars(node)]
    is_written_whole = any(key.startswith(("target.launch", "target.simulator")) for key in cell.values)
    for key in cell.values:
        path = tuple(step for step, _ in cell.paths[key])
        reference = f"${{matrix.{key}}}"
        if path[: len(_SETTINGS)] != _SETTINGS or is_written_whole or any(reference in text for text in texts):
            continue
        if started:
            message = f"nothing hands {key} to the server that is started"
            hint = f"Write {reference} in target.launch.command or env, or in target.simulator"
        else:
            message = "a server that runs already has the settings that it was started with"
            hint = f"Let llmload start it: target.launch with {reference} in its command; or write one file per server"
        yield Trouble(cell.paths[key][-1][1], format_path((*MATRIX, key)), message, hint)


class _Reader:
    """Reads a matrix and keeps what is wrong with it."""

    def __init__(self, root: Entries) -> None:
        self.root = root
        self.troubles: list[Trouble] = []
        self.paths: dict[str, Path] = {}

    def cells(self) -> tuple[Cell, ...]:
        most = self.most()
        written = {str(key.value): (key, node) for key, node in self.root.pairs if key.value not in _WORDS}
        axes = {name: self.axis(*written[name]) for name in sorted(written)}
        excluded, included = self.entries("exclude"), self.entries("include")
        if self.troubles:
            return ()
        count = prod(len(nodes) for nodes in axes.values()) if axes else 0
        if count > _MOST_COMBINATIONS:
            self.too_many(count, most)
            return ()
        combined = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
        kept = self.without(combined, excluded, axes)
        found = [(values, self.root.place) for values in kept]
        added = self.with_included(found, included, axes)
        cells = tuple(self.cell(values, place) for values, place in (*found, *added))
        self.check(cells, most)
        return cells

    def trouble(self, place: Place, path: Sequence[Step], message: str, hint: str) -> None:
        self.troubles.append(Trouble(place, format_path((*MATRIX, *path)), message, hint))

    def most(self) -> int:
        node = self.root.get("max_cells")
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return MOST_CELLS
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and isinstance(node, Scalar):
            value = next(iter(node.otherwise), None)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= HIGHEST_MOST:
            return value
        self.trouble(node.place, ["max_cells"], "no number of cells", f"Write a whole number from 1 to {HIGHEST_MOST}")
        return MOST_CELLS

    def axis(self, key: Scalar, node: Node) -> tuple[Node, ...]:
        """The values of one key, each different."""
        name = str(key.value)
        self.learn(key, (name,))
        if not isinstance(node, Items) or not node.nodes:
            self.trouble(node.place, [name], "no list of values", _list_hint(name, node))
            return ()
        first: dict[str, Node] = {}
        for index, each in enumerate(node.nodes):
            if spelled(each) in first:
                self.trouble(each.place, [name, index], "the same value twice", "Keep one of them")
            first.setdefault(spelled(each), each)
            self.refuse_secrets(each, name, index)
        return node.nodes

    def learn(self, key: Scalar, path: Sequence[Step]) -> None:
        """The path that a key names, below `spec`."""
        name = str(key.value)
        if name in self.paths:
            return
        steps = path_at(name, key.inside(0))
        if isinstance(steps, Trouble):
            hint = "Write a path below spec, like load.concurrency or target.launch.env.NAME"
            self.trouble(steps.place, path, "this path cannot be read", hint)
            return
        first = steps[0][0]
        if first in ("spec", "metadata", "extends", "matrix"):
            hint = f"Write {name.removeprefix('spec.')}" if first == "spec" else "Vary what stands below spec"
            self.trouble(key.place, path, "keys of a matrix are paths relative to spec", hint)
        self.paths[name] = ((MATRIX[0], key.place), *((step, key.place) for step, _ in steps))

    def refuse_secrets(self, node: Node, name: str, *below: Step) -> None:
        for secret in secrets_in(node, (*MATRIX, name, *below)):
            message = "a secret cannot vary: it would stand in the name of the cell"
            hint = "Vary the name of a variable, such as target.api_key.env: [KEY_A, KEY_B], or write one file for each"
            self.trouble(secret.place, [name, *below], message, hint)

    def entries(self, word: str) -> list[Entries]:
        """The maps of `include` or `exclude`."""
        node = self.root.get(word)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return []
        if not isinstance(node, Items):
            self.trouble(node.place, [word], "no list", f"Write {word}: [{{load.concurrency: [50]}}]")
            return []
        if len(node.nodes) > HIGHEST_MOST:
            self.trouble(node.place, [word], f"more than {HIGHEST_MOST} entries", "Write several files")
            return []
        found = []
        for index, each in enumerate(node.nodes):
            if not isinstance(each, Entries) or not each.pairs:
                hint = "Write keys of the matrix with one value each, like {load.concurrency: [50]}"
                self.trouble(each.place, [word, index], "no map of keys and values", hint)
                continue
            for key, value in each.pairs:
                self.learn(key, (word, index, str(key.value)))
                self.refuse_secrets(value, word, index, str(key.value))
            found.append(each)
        return found

    def without(
        self, cells: list[dict[str, Node]], excluded: Sequence[Entries], axes: Mapping[str, Sequence[Node]]
    ) -> list[dict[str, Node]]:
        """The cells that match no entry in all that it says."""
        for index, entry in enumerate(excluded):
            for key, _ in entry.pairs:
                if key.value not in axes:
                    message = f"no key of the matrix is called {key.value!r}"
                    self.trouble(
                        key.place, ["exclude", index, str(key.value)], message, nearest(str(key.value), list(axes))
                    )
                    return cells
            kept = [cell for cell in cells if not _agree(cell, entry, axes)]
            if len(kept) == len(cells):
                message, hint = (
                    "it excludes no cell",
                    "Delete it, or correct its values: they must all be those of a cell",
                )
                self.trouble(entry.place, ["exclude", index], message, hint)
            cells = kept
        return cells

    def with_included(
        self,
        found: list[tuple[dict[str, Node], Place]],
        included: Sequence[Entries],
        axes: Mapping[str, Sequence[Node]],
    ) -> list[tuple[dict[str, Node], Place]]:
        """Completes the cells that an entry agrees with; the entries that agree with none, as cells."""
        added = []
        for index, entry in enumerate(included):
            said = {str(key.value): value for key, value in entry.pairs}
            agreeing = [values for values, _ in found if _agree(values, entry, axes)]
            new = {name: node for name, node in said.items() if name not in axes}
            if agreeing and not new:
                message = "there is a cell of these values already"
                self.trouble(entry.place, ["include", index], message, "Delete it, or say something more of that cell")
            for values in agreeing:
                values.update(new)
            if not agreeing:
                added.append((said, entry.place))
        return added

    def cell(self, values: Mapping[str, Node], place: Place) -> Cell:
        ordered = {name: values[name] for name in sorted(values)}
        return Cell(cell_id(ordered), ordered, {name: self.paths[name] for name in ordered}, place, self.root.place)

    def check(self, cells: Sequence[Cell], most: int) -> None:
        """How many there are, and that each can be told from the others and from itself."""
        if not cells and isinstance(self.root.get("exclude"), Items) and len(self.root.pairs) > 1:
            self.trouble(self.root.place, [], "exclude leaves no cell of it", "Exclude less, or delete the matrix")
        elif not cells:
            hint = "Name values, like load.concurrency: [[1, 10], [50]]; without a matrix, delete it"
            self.trouble(self.root.place, [], "there is no cell in it", hint)
        if len(cells) > most:
            self.too_many(len(cells), most)
            return
        first: dict[str, Cell] = {}
        for cell in cells:
            other = first.setdefault(cell.id.casefold(), cell)
            if other is not cell:
                hint = "Delete one of them; names of cells, which are those of folders, differ in more than case"
                self.trouble(cell.place, [], f"two cells are called {cell.id}", hint)
            self.refuse_nested(cell)

    def refuse_nested(self, cell: Cell) -> None:
        """A key below another key: which of the two says the value?"""
        steps = {name: tuple(step for step, _ in path) for name, path in cell.paths.items()}
        for name, path in steps.items():
            for other, above in steps.items():
                if name != other and path[: len(above)] == above:
                    place = cell.paths[name][-1][1]
                    self.trouble(place, [name], f"it lies within {other}, which varies too", "Keep one of the two")

    def too_many(self, count: int, most: int) -> None:
        hint = (
            f"Exclude some, or write max_cells: {count} beside them" if count <= HIGHEST_MOST else "Write fewer values"
        )
        self.trouble(self.root.place, [], f"it makes {count:,} cells, and {most} are allowed", hint)


def _list_hint(name: str, node: Node) -> str:
    """What to write in place of a value that is no list: of a map, its whole path as one key, for --set too."""
    if isinstance(node, Entries) and node.pairs:
        path = f"{name}.{node.pairs[0][0].value}"
        return f"Write whole paths as keys, like {path}: [...]; as --set 'spec.matrix={{{path}: [...]}}'"
    return f"Write the values of {name} as a list, like [64, 256]; to set it once, write it at its place"


def _agree(cell: _Values, entry: Entries, axes: Mapping[str, Sequence[Node]]) -> bool:
    """Whether the entry says nothing of the matrix's own keys that the cell does not say too."""
    said = ((str(key.value), value) for key, value in entry.pairs)
    return all(spelled(cell[name]) == spelled(value) for name, value in said if name in axes)


def of_cells(found: Mapping[str, Sequence[Trouble]]) -> list[Trouble]:
    """The troubles of all cells, each once; one that not all of them have says whose it is."""
    owners: dict[Trouble, list[str]] = {}
    for cell, troubles in found.items():
        for trouble in dict.fromkeys(troubles):
            owners.setdefault(trouble, []).append(cell)
    return [_owned(trouble, cells) if len(cells) < len(found) else trouble for trouble, cells in owners.items()]


def _owned(trouble: Trouble, cells: Sequence[str]) -> Trouble:
    more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return replace(trouble, hint=f"{trouble.hint} (cell {cells[0]}{more})")
