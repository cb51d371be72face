"""What requests say, resolved: a part of what a scenario asks for. Frozen, and light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmload.promises import Promised, Slo, SloByClass
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
class TrafficClass:
    """One kind of requests in a mixture. `share` of all, 0..1; `slo` None where they keep the scenario's."""

    name: str
    share: float
    prompts: Synthetic | PromptFile
    slo: Slo | None


@dataclass(frozen=True, slots=True)
class Mixture:
    """Several kinds of requests in one stream; their shares are whole tenths of a percent, and 1 together."""

    classes: tuple[TrafficClass, ...]

    @property
    def unique(self) -> bool:
        """Whether no prompt of any class begins as another one does."""
        return all(each.prompts.unique for each in self.classes)


@dataclass(frozen=True, slots=True)
class Evenly:
    """Times spread evenly from `low_s` to `high_s`; one time where both are the same."""

    low_s: float
    high_s: float

    @property
    def mean_s(self) -> float:
        """Their mean."""
        return (self.low_s + self.high_s) / 2


@dataclass(frozen=True, slots=True)
class Exponential:
    """Times with an exponential distribution."""

    mean_s: float


ThinkTime = Evenly | Exponential


@dataclass(frozen=True, slots=True)
class Sessions:
    """Conversations of so many `turns`, each of which sends all that was said before, the server's answers included.

    `think_time` passes between the end of an answer and the next request; `input_tokens` are those of each message
    after the first, None where they are as the first ones.
    """

    turns: Lengths
    think_time: ThinkTime
    input_tokens: Lengths | None


@dataclass(frozen=True, slots=True)
class Workload:
    """What requests say."""

    prompts: Synthetic | PromptFile | Mixture
    sampling: Mapping[str, object]
    stream: bool
    seed: int
    tokenizer_file: str | None = None
    sessions: Sessions | None = None  # None: every request is a conversation by itself

    @property
    def unique(self) -> bool:
        """Whether no prompt of the run begins as another one does; turns of one conversation do."""
        return self.prompts.unique and self.sessions is None

    @property
    def classes(self) -> tuple[TrafficClass, ...]:
        """The kinds of requests in a mixture; none where all are of one kind."""
        return self.prompts.classes if isinstance(self.prompts, Mixture) else ()

    def named(self, traffic_class: str) -> TrafficClass | None:
        """The class of this name."""
        return next((each for each in self.classes if each.name == traffic_class), None)

    def promised(self, usual: Slo | None) -> Promised:
        """What makes its requests good, where those without an SLO of their own keep the `usual` one."""
        if all(each.slo is None for each in self.classes):
            return usual
        return SloByClass(usual, {each.name: each.slo or usual for each in self.classes})
