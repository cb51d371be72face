"""Prompts that lie in a file: how it is read, what it came to, and where each of its rows is."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RowFormat = Literal["openai", "sharegpt", "prompts", "csv"]
Order = Literal["shuffle", "sequential", "random"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are made of a file. Lengths in characters are of all the text of a prompt, both bounds included.

    With `most_turns`, a row is a conversation of so many of its turns at most; without, one request.
    """

    path: str
    format: RowFormat
    column: str | None = None
    skips_bad_rows: bool = False
    min_characters: int = 0
    max_characters: int | None = None
    most_turns: int | None = None


@dataclass(frozen=True, slots=True)
class TurnsFound:
    """Turns of a conversation, over the rows of a file: their mean, their standard deviation, and the most of any."""

    mean: float
    stdev: float
    most: int


@dataclass(frozen=True, slots=True)
class Found:
    """What reading a file came to: usable rows, those left out as bad, and those left out by their length.

    `output_tokens` is the mean of the lengths that the rows ask of their answers, after the default for the others.
    `turns` are those of conversations, None where rows are single requests.
    """

    sha256: str
    rows: int
    skipped: int
    filtered: int
    output_tokens: float
    turns: TurnsFound | None = None


NOT_READ = Found("", 0, 0, 0, 0.0)
"""Before the file was read."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows of a file that one window is given: `count` of them from the `first` of the run on."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the file system says of a file that stayed the same."""

    inode: int
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """The usable rows of a file, a column each, 16 bytes a row: row i is `sizes[i]` bytes from `offsets[i]`.

    `output_tokens` are those that the row asks for, 0 where it asks for none, of a conversation those of all answers
    together; `untold` counts the answers of all rows of which none are told. `columns` are those of a CSV file.
    `longest` is the row that asks for most room, which stands on line `longest_line`; `conversation_line` is that of
    the first row that is more than one text of a user, None where there is none, and `field_lines` those of the first
    rows that have each of the fields sent beside messages. `sha256` is that of the file and, where rows name files of
    images, of those; `has_images` tells whether any row has images. `turns` and `characters` are of conversations,
    and empty where rows are single requests.
    """

    reading: Reading
    stamp: Stamp
    sha256: str
    offsets: array[int]
    sizes: array[int]
    output_tokens: array[int]
    columns: tuple[str, ...]
    skipped: int
    filtered: int
    first_bad: str
    longest: int
    longest_line: int
    conversation_line: int | None
    field_lines: Mapping[str, int]
    untold: int
    has_images: bool
    turns: array[int]
    characters: array[int]

    @property
    def answers(self) -> int:
        """Answers that all rows together ask for."""
        return sum(self.turns) if self.turns else len(self)

    def __len__(self) -> int:
        return len(self.offsets)
