"""YAML text as a tree that knows where everything stands: strict, YAML 1.2 scalars only, no aliases, bounded.

PyYAML cuts the text into events; the tree is built here, because its own constructor follows YAML 1.1
(`on` would be true, `12:30` a number) and forgets positions, duplicate keys and aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from llmload.scenario.scalars import ScalarValue, resolve

MAX_BYTES = 1_000_000
MAX_LEVELS = 50
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: 1-based line and column of a file, or of a command-line `--set`."""

    file: str
    line: int
    column: int

    def shifted(self, columns: int) -> Place:
        """The same line, so many columns further right."""
        return Place(self.file, self.line, self.column + columns)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing wrong with a document, before its source line is looked up."""

    place: Place
    path: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `otherwise` is a second reading of it, taken where the schema does not accept the first.

    That is how a whole `${VAR}` (text) becomes a number where one is wanted, and `--set model=123` a text.
    """

    value: ScalarValue
    place: Place
    is_quoted: bool = False
    is_block: bool = False
    otherwise: tuple[ScalarValue, ...] = ()
    is_from_env: bool = False  # never repeated in an error: it may be a secret
    span: tuple[int, int] = (0, 0)  # first and last + 1 character in the text

    def inside(self, offset: int) -> Place:
        """The place of the `offset`-th character of the text."""
        return self.place if self.is_block else self.place.shifted(offset + self.is_quoted)


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    nodes: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Entries:
    """A map, in the order of the text."""

    pairs: tuple[tuple[Scalar, Node], ...]
    place: Place

    def get(self, key: str) -> Node | None:
        """The value under `key`, if it is written."""
        return next((node for name, node in self.pairs if name.value == key), None)

    def key(self, key: str) -> Scalar | None:
        """The key itself, if it is written: the place to point at."""
        return next((name for name, _ in self.pairs if name.value == key), None)


Node = Scalar | Items | Entries
Step = str | int


def lines_of(text: str) -> tuple[str, ...]:
    """The lines as YAML counts them."""
    return tuple(_LINE_BREAK.split(text))


def read(text: str, file: str, first_line: int = 1, first_column: int = 1) -> tuple[Node | None, list[Trouble]]:
    """The tree of one document and everything wrong with its form; no tree where the text cannot be read on."""
    start = Place(file, first_line, first_column)
    text = text.removeprefix("\ufeff")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        hint = "Split it, or move long data into a file that the scenario names"
        return None, [Trouble(start, "document", f"more than {MAX_BYTES // 1_000_000} MB of YAML", hint)]
    if bad := _UNPRINTABLE.search(text):
        before = lines_of(text[: bad.start()])
        place = Place(file, first_line + len(before) - 1, len(before[-1]) + 1)
        message = f"the character U+{ord(bad[0]):04X} cannot stand in YAML"
        return None, [Trouble(place, "document", message, "Delete it; save the file as plain UTF-8 text")]
    builder = _Builder(file, first_line, first_column)
    try:
        root = builder.document(yaml.parse(text, Loader=_LOADER))
    except _Unreadable as stop:
        return None, [*builder.troubles, stop.trouble]
    except yaml.MarkedYAMLError as error:
        place = builder.place(error.problem_mark or error.context_mark)
        message = f"not valid YAML: {error.problem or error.context}"
        if error.context_mark and error.context_mark.line + first_line != place.line:
            message += f", {error.context} that begins on line {error.context_mark.line + first_line}"
        line = (*lines_of(text), "")[place.line - first_line]
        return None, [*builder.troubles, Trouble(place, "document", message, _syntax_hint(str(error.problem), line))]
    return root, builder.troubles


def _syntax_hint(problem: str, line: str) -> str:
    if "expected ','" in problem and "${" in line:
        return 'Put variables in quotes inside { } and [ ]: "${NAME}"'
    if "\t" in line:
        return "Indent with spaces, never with tabs"
    if "mapping values" in problem:
        return "Check the indentation, or quote a text that contains ': '"
    if "expected <block end>" in problem or "block mapping" in problem:
        return "Check that keys of one map start in the same column"
    return "Check quotes, brackets and indentation around this place"


class _Mark(Protocol):
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class _Unreadable(Exception):  # noqa: N818 - control flow inside this file
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


@dataclass
class _Builder:
    file: str
    first_line: int
    first_column: int
    troubles: list[Trouble] = field(default_factory=list)

    def place(self, mark: _Mark | None) -> Place:
        if mark is None:
            return Place(self.file, self.first_line, self.first_column)
        column = mark.column + (self.first_column if mark.line == 0 else 1)
        return Place(self.file, self.first_line + mark.line, column)

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.stop(event, "", "a second YAML document", "Keep one scenario per file; delete the '---'")
                root = self.node(next(events), events, ())
        return root

    def stop(self, event: yaml.Event, path: str, message: str, hint: str) -> None:
        raise _Unreadable(Trouble(self.place(event.start_mark), path or "document", message, hint))

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> Node:
        if len(path) > MAX_LEVELS:
            self.stop(event, "", f"nested deeper than {MAX_LEVELS} levels", "Flatten it; no scenario needs this")
        if isinstance(event, yaml.AliasEvent):
            self.trouble(event, path, f"an alias (*{event.anchor})", "Write the value out; aliases are not supported")
            return Scalar(None, self.place(event.start_mark))
        self.refuse_decoration(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.items(event, events, path)
        return self.entries(event, events, path)

    def trouble(self, event: yaml.Event, path: tuple[Step, ...], message: str, hint: str) -> None:
        self.troubles.append(Trouble(self.place(event.start_mark), format_path(path), message, hint))

    def refuse_decoration(self, event: yaml.Event, path: tuple[Step, ...]) -> None:
        if tag := getattr(event, "tag", None):
            self.trouble(
                event,
                path,
                f"a YAML tag ({tag.replace('tag:yaml.org,2002:', '!!')})",
                "Delete it; the schema knows the type of every field",
            )
        if anchor := getattr(event, "anchor", None):
            self.trouble(event, path, f"an anchor (&{anchor})", "Delete it; anchors and aliases are not supported")

    def scalar(self, event: yaml.ScalarEvent, path: tuple[Step, ...]) -> Scalar:
        place = self.place(event.start_mark)
        span = (event.start_mark.index, event.end_mark.index) if event.start_mark and event.end_mark else (0, 0)
        if event.style not in (None, ""):
            is_quoted, is_block = event.style in "'\"", event.style in "|>"
            return Scalar(event.value, place, is_quoted=is_quoted, is_block=is_block, span=span)
        try:
            return Scalar(resolve(event.value), place, span=span)
        except ValueError as error:
            message, _, hint = str(error).partition(". ")
            self.troubles.append(Trouble(place, format_path(path), message, hint))
            return Scalar(None, place, span=span)

    def items(self, start: yaml.Event, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> Items:
        nodes: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self.node(event, events, (*path, len(nodes))))
        return Items(tuple(nodes), self.place(start.start_mark))

    def entries(self, start: yaml.Event, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> Entries:
        pairs: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.node(event, events, (*path, "?"))
            name = key.value if isinstance(key, Scalar) else None
            value = self.node(next(events), events, (*path, str(name)))
            if not isinstance(key, Scalar) or not isinstance(name, str):
                self.trouble(event, path, "a key that is not text", "Write a name, in quotes if it looks like a number")
            elif name in pairs:
                first = pairs[name][0].place.line
                hint = f"Keep one of the two; the first is on line {first}"
                self.trouble(event, (*path, name), "the same key twice", hint)
            else:
                pairs[name] = (key, value)
        return Entries(tuple(pairs.values()), self.place(start.start_mark))


def format_path(path: tuple[Step, ...]) -> str:
    """The path as people write it: spec.gates[0].max."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "document"


def plain(node: Node) -> object:
    """The tree as plain Python values."""
    match node:
        case Scalar(value):
            return value
        case Items(nodes):
            return [plain(item) for item in nodes]
        case Entries(pairs):
            return {str(key.value): plain(value) for key, value in pairs}


def find(root: Node, path: tuple[Step, ...]) -> Node | None:
    """The node at `path`, if it is written."""
    node: Node | None = root
    for step in path:
        match node:
            case Entries() if isinstance(step, str):
                node = node.get(step)
            case Items(nodes) if isinstance(step, int) and 0 <= step < len(nodes):
                node = nodes[step]
            case _:
                return None
    return node


def replace_at(root: Node, path: tuple[Step, ...], new: Node) -> Node:
    """The same tree with another node at `path`, which must be written."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    match root:
        case Entries(pairs, place):
            changed = tuple((key, replace_at(node, rest, new) if key.value == first else node) for key, node in pairs)
            return Entries(changed, place)
        case Items(nodes, place):
            return Items(tuple(replace_at(n, rest, new) if i == first else n for i, n in enumerate(nodes)), place)
        case Scalar():
            return root


def scalars(root: Node, path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Scalar]]:
    """Every value of the tree with its path, in the order of the text."""
    match root:
        case Scalar():
            yield path, root
        case Items(nodes):
            for index, node in enumerate(nodes):
                yield from scalars(node, (*path, index))
        case Entries(pairs):
            for key, node in pairs:
                yield from scalars(node, (*path, str(key.value)))
