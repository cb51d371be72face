"""How much a summary or a comment tells of each thing, and the sentences that it tells it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmload.reporters.aligned_table import escaped
from llmload.reporters.escaping import Markdown, markdown_prose
from llmload.reporters.texts import Texts
from llmload.reporters.wording import sentence

NAME = 80
"""Characters of a scenario, a gate or a file where names alone are told."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many of each a section tells before it says how many more there are; `letters` of one foreign text."""

    details: int
    gates: int
    steps: int
    lines: int
    letters: int


ROOMS = (Room(1, 0, 0, 1, 300), Room(3, 20, 10, 3, 450), Room(10, 50, 30, 10, 450))
"""From the least to the most."""


def fill(texts: Texts, key: str, values: Mapping[str, object]) -> Markdown:
    """A sentence of the catalogue around values, of which some may be Markdown."""
    return Markdown(texts[key].format(**{name: escaped(value) for name, value in values.items()}))


def said(text: str, room: Room) -> Markdown:
    """A text of others as one sentence, cut where it is long."""
    return markdown_prose(sentence(text), room.letters)


def todo(remedy: str, room: Room, texts: Texts) -> list[str]:
    """The line that says what to do; none where there is no advice."""
    return [f"**{texts['label.to_do']}:** {said(remedy, room)}"] if remedy else []
