"""What requests say, resolved: a part of what a scenario asks for. Frozen, and light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmload.promises import Promised, Slo, SloByClass
from llmload.scenario.corpus import Found, Order, Reading
from llmload.scenario.lengths import LengthFile, Lengths

HITS_TOLERANCE = 0.05
"""By how much of all input tokens the hits of a prefix cache may miss what is declared of them."""


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """The first `tokens` of every prompt, the same for all prompts of one of the `groups`.

    Group k of 1..groups is asked in proportion to 1 / k^zipf. `hits` is the author's intent: of all input tokens of
    the measured requests that completed, the share that the server says it took from its cache (0..1); None where
    none is declared.
    """

    tokens: int
    groups: int
    zipf: float
    hits: float | None = None


@dataclass(frozen=True, slots=True)
class NoiseImages:
    """Images of coloured cells in each prompt: how many, and how large in pixels."""

    count: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Prompts made of seeded words. With `unique`, each has a salt of its own before what it does not share, so that
    prefix caches help with its shared prefix alone, or not at all where it has none.

    With `lengths`, prompts and answers are as long as the rows of that file, and the other two are not used.
    """

    input_tokens: Lengths
    output_tokens: Lengths
    unique: bool
    lengths: LengthFile | None = None
    shared_prefix: SharedPrefix | None = None
    images: NoiseImages | None = None


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

    Where a file has the conversations, `turns` only says how they are spread over its rows, and is not drawn from.
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
        """Whether no prompt of the run begins as another does; turns of a conversation do, and prompts of a group."""
        return self.prompts.unique and self.sessions is None and not self.prefixes

    @property
    def prefixes(self) -> Mapping[str | None, SharedPrefix]:
        """What groups of prompts begin with, by the class of a mixture, else by None; empty where nothing is shared."""
        kinds: list[tuple[str | None, Synthetic | PromptFile]]
        if isinstance(self.prompts, Mixture):
            kinds = [(each.name, each.prompts) for each in self.prompts.classes]
        else:
            kinds = [(None, self.prompts)]
        return {
            name: prompts.shared_prefix
            for name, prompts in kinds
            if isinstance(prompts, Synthetic) and prompts.shared_prefix is not None
        }

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
