"""The facts that every room of the house shares: frozen, plain, without behaviour beyond derived values.

Instants are machine-wide `monotonic_ns` in whole microseconds, which is what the store keeps.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from llmload.baseline import SIDE_LABEL, Estimates, Reference
from llmload.capacity import Knee, Profile, Recommendation
from llmload.cells import title_of
from llmload.latency import Histogram, LatencySummary
from llmload.planned import NO_PART, Look, Part, Step
from llmload.promises import Promised, Slo, SloByClass
from llmload.samples import UNWATCHED, Watched
from llmload.serving import Check, GpuFigures, ServerFigures
from llmload.timeline import GpuSeries, ServerSeries, Timeline
from llmload.verdict import Caveat, Finding, Status, Verdict
from llmload.written_analysis import WrittenAnalysis

# ---------------------------------------------------------------- observed


class Outcome(StrEnum):
    """How one request ended; the list is closed (METRICS.md)."""

    OK = "ok"
    HTTP_ERROR = "http_error"
    CONNECT_ERROR = "connect_error"
    TIMEOUT = "timeout"
    PROTOCOL_ERROR = "protocol_error"
    STREAM_ERROR = "stream_error"
    TRUNCATED = "truncated"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


class Phase(StrEnum):
    """Which part of a window a request belongs to; only MEASURED ones are ever measured."""

    WARMUP = "warmup"
    MEASURED = "measured"
    FILLER = "filler"


class TokenSource(StrEnum):
    """Who counted the tokens, best first; an ESTIMATE (characters / 4) never decides a gate."""

    USAGE = "usage"
    TOKENIZER = "tokenizer"
    TIKTOKEN = "tiktoken"
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class TokenFit:
    """How words become the server's tokens: tokens = template + per_word x words (+ salt), found by `target.probe`.

    `template` is what the server adds around an empty prompt; `residual` the largest relative error of the fit
    on the probing requests; `source` says who counted.
    """

    template: float
    per_word: float
    residual: float
    source: TokenSource


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What the client saw of one request.

    `due_ns` is the planned instant (open loop) or the instant its slot became free (closed loop); `sent_ns` the
    first byte handed to a ready connection, None when it never was; `event_ns` one instant per event with text
    (a non-streaming answer has exactly one: its arrival); `answer_ns` the first answer text, which differs
    from the first event where a model reasons first, `call_ns` the first tool-call text; `done_ns` the end of the
    answer or of our patience. `reasoning_events`, `answer_events` and `call_events` count text events by what they
    carry (one that carries several counts for each); None = nobody looked, as in runs of older versions.
    `reasoning_tokens` are the server's own count, a part of `output_tokens`.
    `reads` counts socket reads that carried text events. `text` is kept only where tokens must be counted here.
    """

    seq: int  # order of start within the step
    look: int
    phase: Phase
    outcome: Outcome
    due_ns: int
    sent_ns: int | None
    done_ns: int
    event_ns: array[int]
    asked_input_tokens: int | None  # None where a text was asked for, and no length
    asked_output_tokens: int
    answer_ns: int | None = None
    connect_ns: int = 0
    reads: int = 0
    is_streamed: bool = True
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    token_source: TokenSource | None = None
    finish_reason: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    error_text: str | None = None
    retried: bool = False
    text: str | None = None
    part: Part = NO_PART
    call_ns: int | None = None
    reasoning_events: int | None = None
    answer_events: int | None = None
    call_events: int | None = None
    reasoning_tokens: int | None = None

    @property
    def output_ns(self) -> int | None:
        """First answer text; of an answer that only calls tools, the first text of the call, which is its output."""
        return self.call_ns if self.answer_ns is None else self.answer_ns

    @property
    def first_ns(self) -> int | None:
        """First text of any kind; None when the answer was not streamed, since then it says nothing of TTFT."""
        return self.event_ns[0] if self.event_ns and self.is_streamed else None

    @property
    def last_ns(self) -> int | None:
        """Last text event, or the arrival of a non-streamed answer."""
        return self.event_ns[-1] if self.event_ns else None


class Ending(StrEnum):
    """Why a window ended."""

    COMPLETE = "complete"
    FUTILE = "futile"  # a goodput gate was lost: no further measured request was begun
    MAX_DURATION = "max_duration"
    GUARD = "guard"  # a guard of the scenario tripped
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What one worker process was and cost in one window. `cpu_share` is of one core, 0..1, over the window.

    `node` names another machine, "" this one; `clock_error_ns` bounds how far its clock may be from ours. The next
    `beats` heartbeats of the observation are its own: they lie there in the order of its workers.
    """

    number: int
    node: str
    cpu_share: float | None
    opened: int  # connections
    clock_error_ns: int = 0
    beats: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one window left behind. Heartbeats are the lateness of each 10 ms tick of every worker in turn.

    `planned` counts the measured requests that were due inside the window, whatever became of them; None in closed
    loop, where nothing is due by itself. `workers_because` says why there were so many worker processes.
    """

    look: Look
    records: tuple[RequestRecord, ...]
    start_ns: int
    end_ns: int
    ending: Ending
    heartbeat_late_ns: array[int]
    caveats: tuple[Caveat, ...] = ()
    planned: int | None = None
    workers: tuple[WorkerFacts, ...] = ()
    workers_because: str = ""
    watched: Watched = UNWATCHED

    @property
    def is_whole(self) -> bool:
        """An interrupted window is stored, but not judged: a resumed run measures it again."""
        return self.ending is not Ending.INTERRUPTED


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What the probe learnt of the server before any load. `url` is scrubbed of secrets.

    `settings` are those of framework_config: `declared` names the ones that the author wrote, the others are assumed.
    `actual` are those that the server told itself; which one it does not tell could not be verified.
    An imported run was not probed: it has neither `api` nor `fit`.
    """

    url: str
    framework: str
    api: str | None
    model: str
    version: str | None
    max_model_len: int | None
    fit: TokenFit | None
    settings: Mapping[str, object]
    declared: tuple[str, ...]
    left_out: tuple[str, ...] = ()  # sampling fields that the server refused
    actual: Mapping[str, object] = field(default_factory=dict)

    @property
    def in_force(self) -> Mapping[str, object]:
        """The settings that the figures belong to: the server's own word, where it gave one."""
        return {**self.settings, **self.actual}

    @property
    def known(self) -> Mapping[str, object]:
        """Of those in force, the ones that the author declared or the server told: no default is among them."""
        return {name: value for name, value in self.in_force.items() if name in self.declared or name in self.actual}


# ---------------------------------------------------------------- measured


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """The figures of one step over all its windows. Shares are 0..1, rates per second of measured window.

    A figure that could not be had is None, never 0; an imported run may lack every count but `attempts` and `ok`.
    """

    window_s: float | None
    attempts: int  # measured requests that we did not cancel ourselves
    ok: int
    good: int | None
    cancelled: int | None
    dropped: int | None  # attempts that were due when as many were in flight as may be, and so were never sent
    planned: int | None  # measured requests that were due inside the windows; None in closed loop
    goodput: float | None
    goodput_low: float | None
    goodput_high: float | None
    goodput_rps: float | None
    error_rate: float | None
    rps: float | None
    output_tps: float | None
    total_tps: float | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    failed_output_tokens: int | None
    latency: Mapping[str, LatencySummary]  # by metric name, `itl` included
    histograms: Mapping[str, Histogram]
    errors: Mapping[str, int]  # error_type -> count
    token_sources: Mapping[str, int]
    shared_reads: float | None  # share of text events that came in one read with another
    reasoned: int | None = None  # completed requests with reasoning; None = nobody looked
    called_tools: int | None = None  # completed requests that called a tool
    reasoning_tokens: int | None = None  # of completed requests, as the server tells: a part of output_tokens


# ---------------------------------------------------------------- judged


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that sent one step, why so many, and the largest share of a core that one of them used."""

    count: int
    because: str
    cpu_share: float | None


@dataclass(frozen=True, slots=True)
class PartFigures:
    """The figures of one part of a step's traffic: of one class of a mixture, or of one turn of conversations.

    `axis` is "class" or "turn", `name` the class, or the turn's number from 1. Windows and errors are those of this
    part's requests alone; `metrics` has no histograms.
    """

    axis: Literal["class", "turn"]
    name: str
    metrics: StepMetrics


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step: its figures, the windows they came from, its verdicts and what speaks against trusting them.

    `estimates` are those that other runs are compared by, over all windows; `repeats` the same of each climb of the
    ladder by itself, in order, where there were several.
    """

    step: Step
    looks: tuple[Look, ...]
    metrics: StepMetrics
    verdicts: tuple[Verdict, ...]
    caveats: tuple[Caveat, ...]
    workers: Workers | None = None
    estimates: Estimates = field(default_factory=dict)
    repeats: tuple[Estimates, ...] = ()
    gpu: GpuFigures | None = None  # None where no GPU was watched
    server: ServerFigures | None = None  # None where the server told nothing of itself
    checks: tuple[Check, ...] = ()  # client against server
    capacity: Verdict | None = None  # on the goodput that `recommend` asks for; it changes no exit code
    parts: tuple[PartFigures, ...] = ()  # classes first, then turns, each in their order


# ---------------------------------------------------------------- told


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a run before the first byte is sent. `created` is UTC, ISO 8601, in milliseconds."""

    run_id: str
    scenario: str
    created: str
    version: str
    document_text: str
    document_hash: str
    resolved: str  # canonical JSON of the resolved document, secrets as references only
    source: str  # file the document came from, as the user named it
    labels: Mapping[str, str]
    environment: Mapping[str, str]

    @property
    def title(self) -> str:
        """The scenario for people, with its cell where it has one."""
        return title_of(self.scenario, self.labels)

    @property
    def file(self) -> str:
        """The file alone, as the user named it; "" where flags made the document.

        The source of a side of an A/B, such as `B: chat.yaml --set spec.target.model=m`, tells what is put over it too.
        """
        if self.source == COMMAND_LINE:
            return ""
        side = f"{self.labels.get(SIDE_LABEL)}: "
        if not self.source.startswith(side):
            return self.source
        return self.source.removeprefix(side).partition(" --set ")[0].removesuffix(AGAINST_ITSELF)


COMMAND_LINE = "command line"
"""The source of a document that flags alone made."""

AGAINST_ITSELF = ", against itself"
"""Ends the source of both sides where one server is measured twice."""

UNFINISHED = "the run is not complete"
"""Rule of the caveat of a run that ended before its end."""

IMPORTED = "imported"
"""Status of a stored run that another tool measured, and the rule of the caveat that every report tells of it."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run, judged: every report is a function of this value."""

    header: RunHeader
    finished: str | None
    target: TargetFacts | None
    steps: tuple[StepResult, ...]
    status: Status
    exit_code: int
    because: str
    fingerprint: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    caveats: tuple[Caveat, ...] = ()  # of the run as a whole
    notices: tuple[str, ...] = ()
    fails_on: tuple[str, ...] = ()  # policies set to fail: "inconclusive", "incomparable", "missing_baseline"
    reference: Reference | None = None  # what relative gates were judged against; None where there are none
    slo: Slo | None = None  # None where it depends on the class of a request, too
    slo_by_class: Mapping[str, Slo] = field(default_factory=dict)  # where classes have SLOs of their own
    knee: Knee | None = None  # None where the steps are no ladder of one axis, or no share of good requests is asked
    timeline: Timeline | None = None  # None for an imported run
    gpus: tuple[GpuSeries, ...] = ()
    server: ServerSeries | None = None
    recommendation: Recommendation | None = None
    profile: Profile | None = None  # None where no load within an SLO was looked for, or nobody knows the server
    analyses: tuple[WrittenAnalysis, ...] = ()  # newest first; written later, and so never kept with the result

    @property
    def is_imported(self) -> bool:
        """Whether another tool measured it: there are figures, and no requests behind them."""
        return any(caveat.rule == IMPORTED for caveat in self.caveats)

    @property
    def promised(self) -> Promised:
        """What makes a request good."""
        return SloByClass(self.slo, self.slo_by_class) if self.slo_by_class else self.slo

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every verdict of the run, step by step."""
        return tuple(verdict for step in self.steps for verdict in step.verdicts)
