"""`spec.workload`: what requests say."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Le, Len
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from llmload.scenario.document.lengths import Length, LengthFile
from llmload.scenario.document.promises import Slo
from llmload.scenario.document.quantities import ClassName, Count, Section, Sha256, Share, Text, Whole, wrong
from llmload.scenario.document.sessions import DEFAULT_TURNS, Sessions
from llmload.scenario.document.shared_prefix import SharedPrefix, check_room
from llmload.units import format_share

_OUR_FIELDS = ("model", "messages", "prompt", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
_ROUNDING = 1e-9

_DRAWN = ("input_tokens", "output_tokens")


class NoiseImages(Section):
    """Images of coloured cells before the text of every prompt, no two alike."""

    count: Annotated[Count, Le(16), Field(description="Of each request")] = 1
    width: Annotated[int, Ge(8), Le(4096), Field(description="Pixels")] = 512
    height: Annotated[int, Ge(8), Le(4096), Field(description="Pixels")] = 512


class Synthetic(Section):
    """Prompts made of seeded words."""

    input_tokens: Length = 256
    output_tokens: Length = 512
    lengths: Annotated[
        LengthFile | None, Field(description="Measured lengths, in place of input_tokens and output_tokens")
    ] = None
    shared_prefix: SharedPrefix = SharedPrefix.model_construct()
    images: Annotated[NoiseImages | None, Field(description="Made by llmload; chat APIs only")] = None
    unique: bool = True

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        written = [name for name in _DRAWN if name in self.model_fields_set]
        if self.lengths is not None and written:
            raise wrong(f"lengths and {written[0]} exclude each other", "Keep one of them", written[0])
        return self

    @model_validator(mode="after")
    def _prefix_has_room(self) -> Self:
        if self.shared_prefix.tokens:
            is_written = "input_tokens" in self.model_fields_set
            at = "input_tokens" if is_written else "shared_prefix"
            check_room(self.shared_prefix, self.lengths or self.input_tokens, at)
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, written_out: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        """Defaults that measured lengths leave unused are not part of what a scenario asks."""
        whole: dict[str, JsonValue] = written_out(self)
        unused = _DRAWN if self.lengths is not None else ()
        return {name: value for name, value in whole.items() if name not in unused}


class TurnsFound(Section):
    """Turns of a conversation, over the rows of a file."""

    mean: Annotated[float, Ge(1)]
    stdev: Annotated[float, Ge(0)]
    most: Count


class Found(Section):
    """What the file held when it was read; written by llmload into the resolved document."""

    sha256: Sha256
    rows: Whole
    skipped: Whole
    filtered: Whole
    output_tokens: Annotated[float, Ge(0)]
    turns: TurnsFound | None = None


class PromptFile(Section):
    """Prompts from the rows of a data file beside the scenario."""

    path: Text
    format: Literal["openai", "sharegpt", "prompts", "csv"]
    column: Annotated[Text | None, Field(description="Of a CSV file; left out, the column prompt")] = None
    output_tokens: Annotated[
        Length | None, Field(description="Of every answer; left out, what its row says, else 512")
    ] = None
    order: Annotated[
        Literal["shuffle", "sequential", "random"],
        Field(description="shuffle and sequential send each row once; random draws a row for each request anew"),
    ] = "shuffle"
    reuse: Annotated[bool, Field(description="Begin again with the first row when all were sent")] = False
    unique: Annotated[bool, Field(description="Put a salt before each prompt, so that no prefix cache helps")] = False
    min_characters: Whole = 0
    max_characters: Count | None = None
    on_bad_row: Annotated[Literal["error", "skip"], Field(description="skip leaves bad rows out and counts them")] = (
        "error"
    )
    sha256: Annotated[Sha256 | None, Field(description="The file's; another file is refused")] = None
    found: Annotated[Found | None, Field(description="Written by llmload; leave it out")] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_characters is not None and self.max_characters < self.min_characters:
            message = f"max_characters {self.max_characters} is below min_characters {self.min_characters}"
            raise wrong(message, "Write a larger max_characters", "max_characters")
        if self.column is not None and self.format != "csv":
            raise wrong(f"{self.format} has no columns", "Delete column, or write format: csv", "column")
        return self


class Prompts(Section):
    """A tagged choice: synthetic or file."""

    synthetic: Synthetic | None = None
    file: PromptFile | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.synthetic is not None and self.file is not None:
            raise wrong("synthetic and file exclude each other", "Keep one of them")
        return self


class TrafficClass(Section):
    """One kind of requests in a mixture."""

    traffic_class: Annotated[ClassName, Field(alias="class", description="Its name in gates and reports")]
    share: Annotated[Share, Gt(0), Field(description="Of all requests; whole tenths of a percent")]
    prompts: Prompts
    slo: Annotated[Slo | None, Field(description="What its requests must keep; left out, spec.slo")] = None

    @model_validator(mode="after")
    def _in_tenths(self) -> Self:
        if abs(self.share * 1000 - round(self.share * 1000)) > _ROUNDING:
            raise wrong("a share of parts of a tenth of a percent", "Write one like 33.3%", "share")
        return self


def _check_mixture(classes: list[TrafficClass]) -> list[TrafficClass]:
    names = [each.traffic_class for each in classes]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise wrong(f"the class {twice} stands twice", "Give each class a name of its own")
    total = sum(each.share for each in classes)
    if abs(total - 1) > _ROUNDING:
        raise wrong(f"the shares make {format_share(round(total, 9))} together", "Write shares that make 100% together")
    return classes


Classes = Annotated[list[TrafficClass], Len(1, 16), AfterValidator(_check_mixture)]


class Tokenizer(Section):
    """The model's own tokenizer.json, to count tokens where the server does not tell."""

    file: Text


def _check_sampling(sampling: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for name, value in sampling.items():
        if name in _OUR_FIELDS:
            raise wrong(f"{name} is set by llmload itself", "Delete it; lengths are input_tokens and output_tokens")
        if isinstance(value, float) and not math.isfinite(value):
            raise wrong(f"{name} is not a number that JSON can carry", "Write a finite number")
    return sampling


def _greedy() -> dict[str, JsonValue]:
    return {"temperature": 0}


Sampling = Annotated[dict[str, JsonValue], AfterValidator(_check_sampling)]


def _no_api_of_texts(api: object) -> object:
    """An API of texts is the target's: to be told so helps more than the one value that may stand here."""
    if isinstance(api, str) and api != "embeddings":
        raise wrong(f"{api!r} is no kind of workload", f"Write embeddings here, or target.api: {api}")
    return api


class Workload(Section):
    """What requests say."""

    prompts: Prompts = Prompts.model_construct()
    mixture: Annotated[Classes | None, Field(description="Kinds of requests in one stream, in place of prompts")] = None
    sessions: Annotated[Sessions | None, Field(description="Conversations of several turns")] = None
    tokenizer: Tokenizer | None = None
    api: Annotated[
        Literal["embeddings"] | None,
        BeforeValidator(_no_api_of_texts),
        Field(description="embeddings: vectors instead of answers; left out, the texts of target.api"),
    ] = None
    sampling: Sampling = Field(default_factory=_greedy)
    stream: bool = True
    seed: Whole = 42

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.mixture is not None and self.prompts != Prompts():
            raise wrong("prompts and mixture exclude each other", "Keep one of them", "mixture")
        return self

    @model_serializer(mode="wrap")
    def _with_turns(self, written_out: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        """How many turns conversations have where neither the author nor a file says it."""
        whole: dict[str, JsonValue] = written_out(self)
        sessions = whole.get("sessions")
        if self.prompts.file is None and isinstance(sessions, dict) and sessions.get("turns", 0) is None:
            sessions["turns"] = DEFAULT_TURNS
        return whole
