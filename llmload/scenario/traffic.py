"""What requests say, resolved: a part of what a scenario asks for. Frozen, and light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmload.scenario.corpus import Found, Order, Reading
from llmload.scenario.lengths import LengthFile, Lengths


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Prompts made of seeded words. With `unique`, each begins with its own salt, so that prefix caches cannot help.

    With `lengths`, prompts and answers are as long as the rows of that file, and the other two are not used.
    """

    input_tokens: Lengths
    output_tokens: Lengths
    unique: bool
    lengths: LengthFile | None = None


@dataclass(frozen=True, slots=True)
class PromptFile:
    """Prompts from the rows of a file, in an `order` that the seed decides.

    Rows come once in a run, unless `reuse` lets them begin again; "random" draws each anew. `output_tokens` None: as
    each row asks. With `unique`, each prompt begins with a salt of its own. `found` is what the file held when the
    scenario was read.
    """

    reading: Reading
    order: Order
    reuse: bool
    unique: bool
    output_tokens: Lengths | None
    found: Found


@dataclass(frozen=True, slots=True)
class Workload:
    """What requests say."""

    prompts: Synthetic | PromptFile
    sampling: Mapping[str, object]
    stream: bool
    seed: int
    tokenizer_file: str | None = None

    @property
    def unique(self) -> bool:
        """Whether no prompt of the run begins as another one does."""
        return self.prompts.unique
