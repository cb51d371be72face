"""Where a document was written, and what reading it came to. Quoted lines have their secrets starred out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmload.errors import Problem
from llmload.plain_text import plain_lines
from llmload.scenario.document.root import ScenarioDocument
from llmload.scenario.matrix import Cell
from llmload.scenario.tree import Node, Place, Trouble

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Source:
    """The lines of every file that took part, `--set` included, safe to quote."""

    lines: Mapping[str, tuple[str, ...]]

    def problems(self, troubles: Iterable[Trouble]) -> list[Problem]:
        """The troubles in the order of the text, each told once, with its source line."""
        order = {file: position for position, file in enumerate(self.lines)}
        unique = dict.fromkeys(troubles)
        return [
            self._problem(trouble)
            for trouble in sorted(unique, key=lambda t: (order.get(t.place.file, 0), t.place.line, t.place.column))
        ]

    def _problem(self, trouble: Trouble) -> Problem:
        place = trouble.place
        lines = self.lines.get(place.file, ())
        quoted = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        if len(quoted) > 200 or place.column > 200:
            quoted = ""
        quoted = "".join(each if each.isprintable() or each == "\t" else "\ufffd" for each in quoted)  # columns stay
        path, message, hint = _short(trouble.path), _short(trouble.message), _short(trouble.hint)
        return Problem(place.file, place.line, place.column, path, message, hint, quoted)


def _short(text: str) -> str:
    """What a hostile file says at length is told in brief, and what is not to be seen not at all."""
    text = plain_lines(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


@dataclass(frozen=True, slots=True)
class Basis:
    """A document that was merged into a scenario: as `extends` names it, its file in errors, and where it is named."""

    name: str
    file: str
    asked: Place


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid document with the tree it was read from; `text` is scrubbed, `name` is the file as the user named it."""

    document: ScenarioDocument
    root: Node
    source: Source
    name: str
    text: str
    notices: tuple[str, ...]
    bases: tuple[Basis, ...] = ()
    cell: Cell | None = None  # of the matrix that the document was written with
